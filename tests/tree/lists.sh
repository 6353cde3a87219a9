#!/bin/sh
# A list is whole or it fails: rsync --delete and rm -r never believe an empty pool.
# quick
. "${0%/*}/lib.sh"
need_backend dir
need rsync

dir_pool a
for i in 1 2 3; do echo "$i" >"$storage/pools/a/volumes/v$i"; done
mkdir "$tmp/backup"
rsync -a "$storage/pools/a/volumes/" "$tmp/backup/"
put "$storage/pools/a/ctl" stop
for directory in volumes info snapshots; do
	expect_errno EAGAIN ls "$storage/pools/a/$directory"
done
if rsync -a --delete "$storage/pools/a/volumes/" "$tmp/backup/" 2>/dev/null; then
	fail "rsync of a stopped pool succeeded"
fi
[ "$(ls "$tmp/backup")" = "$(printf 'v1\nv2\nv3')" ] || fail "rsync --delete deleted"
if rsync -a --delete "$storage/pools/" "$tmp/pools/" 2>/dev/null; then
	fail "rsync of a tree with a stopped pool succeeded"
fi

# rm -r of a pool undefines nothing, and a stopped pool's volumes stay
if rm -rf "$storage/pools/a" 2>/dev/null; then
	fail "rm -r removed a pool"
fi
is inactive "$storage/pools/a/state"
is 1 "$tmp/a/v1"

# an error while listing shows nothing of it
fake_pool f files
for i in 1 2 3; do echo "$i" >"$storage/pools/f/volumes/v$i"; done
put "$storage/pools/f/ctl" refresh
control f list errno=EIO
sleep 0.1
refuse EIO '' ls "$storage/pools/f/volumes"
mkdir "$tmp/fake"
echo x >"$tmp/fake/v1"
if rsync -a --delete "$storage/pools/f/volumes/" "$tmp/fake/" 2>/dev/null; then
	fail "rsync of a pool that cannot be listed succeeded"
fi
[ -e "$tmp/fake/v1" ] || fail "rsync --delete deleted"
control_off f list
[ "$(ls "$storage/pools/f/volumes" | wc -l)" = 3 ] || fail "the list did not come back"

# many: everyone is listed once, also while others come and go
i=0
while [ "$i" -lt 3000 ]; do
	: >"$tmp/a/many$i"
	i=$((i + 1))
done
put "$storage/pools/a/ctl" start
ls -U "$storage/pools/a/volumes" | sort >"$tmp/listed"
(ls "$tmp/a") | sort >"$tmp/there"
cmp "$tmp/listed" "$tmp/there" || fail "the list is not what is there"
find "$storage/pools/a/volumes" -type f -delete
[ -z "$(ls "$tmp/a")" ] || fail "find -delete left something"
