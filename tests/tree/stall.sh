#!/bin/sh
# A local filesystem that stands still holds up the one client that asks it to change, and no other:
# also not where that client has asked for so long that one thread alone serves it.
# tsan
. "${0%/*}/lib.sh"
need_backend dir
. "${0%/*}/loops.sh"
need_filesystem ext4
need fsfreeze python3

dir_pool a
new_loop 64M
mkfs.ext4 -q -F "$loop"
mkdir "$tmp/still"
mount "$loop" "$tmp/still"
dir_pool still "$tmp/still"
touch "$storage/pools/still/volumes/v"
thaw() { fsfreeze -u "$tmp/still"; }

sync
fsfreeze -f "$tmp/still"
python3 - "$storage/pools/still/volumes" <<'END' &
import os, sys
volume, new = (f"{sys.argv[1]}/{name}" for name in ("v", "new"))
for _ in range(1000):
    os.close(os.open(volume, os.O_RDONLY))
os.close(os.open(new, os.O_WRONLY | os.O_CREAT))
END
client=$!
for _ in 1 2 3 4 5 6 7 8; do
	sleep 0.2
	kill -0 "$client" || { thaw; fail "the client waits for nothing"; }
	timeout 20 cat "$storage/pools/a/state" >/dev/null || { thaw; fail "another client waits, too"; }
	timeout 20 ls -l "$storage/pools/a/volumes" >/dev/null || { thaw; fail "a listing waits, too"; }
done
thaw
wait "$client" || fail "the client had $?"
[ -e "$storage/pools/still/volumes/new" ] || fail "what was asked for has not come"
put "$storage/pools/still/ctl" stop
