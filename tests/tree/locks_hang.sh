#!/bin/sh
# Locks of files on a file server that does not answer hold up nobody else: those who wait for one, and
# those who ask for one at once. The server is another mount of storagefs, whose daemon is stopped.
# limit: 120
mount_options=timeout=5
. "${0%/*}/lib.sh"
need_root
need_backend dir
need flock python3

mkdir "$tmp/server" "$tmp/export" "$tmp/files"
"$storagefs" -f "$tmp/server" "$tmp/export" >"$tmp/server.log" 2>&1 &
server=$!
story_end()
{
	kill -CONT "$server"
	umount -l "$tmp/export"
	wait "$server"
}
eventually 10 mkdir "$tmp/export/pools/a"
put "$tmp/export/pools/a/xml" "<pool type='dir'><target><path>$tmp/files</path></target></pool>"
echo data >"$tmp/files/v"
dir_pool away "$tmp/export/pools/a/volumes"
fake_pool silent provisioned
dir_pool good
echo data >"$storage/pools/silent/volumes/v"
echo data >"$storage/pools/good/volumes/v"
volume=$storage/pools/away/volumes/v

# what is free is had, what is not is waited for
flock -n "$volume" true
# FUSE is told of a close after close(2) has returned
exec 8<"$volume" 9<"$volume"
eventually 5 flock -n 8
if flock -n 9; then fail "two have one lock"; fi
flock 9 &
waiter=$!
sleep 0.3
kill -0 "$waiter" || fail "nobody waits"
flock -u 8
wait "$waiter" || fail "the lock was not handed on"
flock -u 9
eventually 5 flock -n 8

flock 9 &
waiter=$!
python3 - "$volume" "$tmp/open" <<'END' &
import fcntl, os, sys, time
files = [os.open(sys.argv[1], os.O_RDWR) for _ in range(40)]
open(sys.argv[2], "w").close()
while os.path.exists(sys.argv[2]):
    time.sleep(0.02)
for f in files:
    if os.fork() == 0:
        try:
            fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os._exit(1)
        os._exit(0)
sys.exit(0 if all(os.wait()[1] for _ in files) else 1)
END
askers=$!
eventually 10 [ -e "$tmp/open" ]
sleep 0.2
kill -STOP "$server"
rm "$tmp/open"
sleep 0.5
control silent read stuck
for _ in 1 2; do
	timeout -s KILL 60 cat "$storage/pools/good/volumes/v" "$storage/pools/away/state" >"$tmp/out" ||
		fail "others wait, too"
	expect_errno ETIMEDOUT timeout -s KILL 60 dd if="$storage/pools/silent/volumes/v" of=/dev/null bs=4k
done
control_off silent read
wait "$askers" || fail "a lock of a server that does not answer was had"
kill "$waiter"
kill -CONT "$server"
wait "$waiter" || :
exec 8<&- 9<&-
eventually 10 flock -n "$volume" true
