#!/bin/sh
# More volumes are open at once than descriptors are allowed at first: the daemon takes what it may have.
mount=no
. "${0%/*}/lib.sh"
need_backend dir
need prlimit

limit()
{
	prlimit --pid $$ --nofile --noheadings --raw -o "$1"
}
[ "$(limit HARD)" = unlimited ] || [ "$(limit HARD)" -ge 1024 ] || skip "only $(limit HARD) files allowed"
most=$(limit SOFT)
prlimit --pid $$ --nofile=128:
mount_storage
prlimit --pid $$ --nofile="$most":
dir_pool a

# shellcheck disable=SC2046  # numbers
set -- $(seq 300)
for i; do
	echo "$i" >"$tmp/a/$i"
done
cd "$storage/pools/a/volumes"
prlimit --nofile=1024: tail -q -n +1 -f "$@" >"$tmp/read" 2>"$tmp/tail" &
tail=$!
story_end()
{
	kill "$tail" 2>/dev/null || :
}
read_all()
{
	[ "$(wc -l <"$tmp/read")" = 300 ] && grep -qx 'storagefs_open_volumes 300' "$storage/metrics"
}
eventually 5 read_all
kill "$tail"
wait "$tail" || :
cd /
[ ! -s "$tmp/tail" ] || fail "$(cat "$tmp/tail")"
