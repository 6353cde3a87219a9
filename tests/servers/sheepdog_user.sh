#!/bin/sh
# An ordinary user runs storagefs through fusermount3 and has a sheepdog pool.
mount=no
. "${0%/*}/../tree/lib.sh"
need_user
. "${0%/*}/sheep.sh"

as_user "$storagefs" "$source" "$storage" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
sheepdog_xml "$port" >"$tmp/pool.xml"
as_user mkdir "$storage/pools/a"
as_user cp "$tmp/pool.xml" "$storage/pools/a/xml"
[ "$(as_user cat "$storage/pools/a/state")" = running ] ||
	fail "$(as_user cat "$storage/pools/a/error")"
as_user head -c 5000000 /dev/urandom >"$tmp/data"
as_user cp "$tmp/data" "$storage/pools/a/volumes/v"
as_user touch "$storage/pools/a/snapshots/v/s"
as_user sh -c "echo hello | dd of='$storage/pools/a/volumes/v' conv=notrunc,fsync status=none"
as_user cmp -n 5000000 "$tmp/data" "$storage/pools/a/snapshots/v/s"
sheep_same v "$tmp/data" s
as_user rm "$storage/pools/a/snapshots/v/s" "$storage/pools/a/volumes/v"
as_user fusermount3 -u "$storage"
gone()
{
	! pgrep -f "^[^ ]*storagefs $source " >/dev/null
}
eventually 10 gone
no_leftovers
