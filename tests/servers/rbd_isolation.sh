#!/bin/sh
# A Ceph that does not answer hurts its own pool alone: with the monitor stopped, then the OSD
# killed, everything else answers at once, its own operations end in time, and it comes back by
# itself with all that fsync acknowledged.
# limit: 300
mount_options=timeout=4
cluster_options=STORE=bluestore
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

M=1048576
dir_pool good
head -c $((4 * M)) /dev/urandom >"$tmp/data"
cp "$tmp/data" "$storage/pools/good/volumes/v"
rbd_pool p
cd "$storage/pools/p"
cp "$tmp/data" volumes/v
sync volumes/v
truncate -s 64M volumes/w

# others_answer: each within 100 ms in the best of several tries; a busy machine has slower ones
others_answer()
{
	python3 - "$storage" <<-'END' || fail "something waits for Ceph"
		import os, sys, time
		pools = sys.argv[1] + "/pools"
		def read(path, size=65536):
		    with open(path, "rb", buffering=0) as f:
		        return f.read(size)
		def write():
		    with open(f"{pools}/good/volumes/w", "wb") as f:
		        f.write(bytes(65536))
		what = {
		    "ls pools": lambda: os.listdir(pools),
		    "ls pools/p": lambda: [os.stat(f"{pools}/p/{n}") for n in ("state", "volumes", "xml")],
		    "state": lambda: read(f"{pools}/p/state"),
		    "error": lambda: read(f"{pools}/p/error"),
		    "xml": lambda: read(f"{pools}/p/xml"),
		    "list another": lambda: os.listdir(f"{pools}/good/volumes"),
		    "read another": lambda: read(f"{pools}/good/volumes/v"),
		    "write another": write,
		    "describe another": lambda: read(f"{pools}/good/info/v/xml"),
		}
		slow = []
		for name, action in what.items():
		    best = 9
		    for _ in range(20):
		        begin = time.monotonic()
		        action()
		        best = min(best, time.monotonic() - begin)
		        if best < 0.1:
		            break
		    if best >= 0.1:
		        slow.append(f"{name}: {best * 1000:.0f} ms")
		sys.exit("; ".join(slow) or 0)
	END
}

# ends COMMAND…: fails with EIO or ETIMEDOUT, in time (4 s, and what a busy machine adds)
ends()
{
	begin_=$(date +%s%N)
	if "$@" >"$tmp/out" 2>"$tmp/err"; then
		fail "succeeded without Ceph: $*"
	fi
	took_=$((($(date +%s%N) - begin_) / 1000000))
	grep -q -e 'Input/output error' -e 'Connection timed out' "$tmp/err" ||
		fail "'$*' said: $(cat "$tmp/err")"
	[ "$took_" -lt 12000 ] || fail "'$*' took $took_ ms"
}

# -- the monitor stopped: what is connected goes on, what is not ends in time --

exec 8<volumes/v
in_cluster stop-mon
others_answer
mkdir "$storage/pools/second"
rbd_xml >"$storage/pools/second/xml" &
starter=$!
others_answer
wait "$starter" || :
[ "$(cat "$storage/pools/second/state")" != running ] || fail "a pool started without its monitor"
ends put "$storage/pools/second/ctl" start
grep -q "127.0.0.1:$mon" "$storage/pools/second/error" ||
	fail "the error does not name the monitor: $(cat "$storage/pools/second/error")"
others_answer
in_cluster cont-mon
eventually 30 put "$storage/pools/second/ctl" start
ls "$storage/pools/second/volumes" >"$tmp/out"
grep -qx v "$tmp/out" || fail "the pool does not work again"
cmp "$tmp/data" - <&8 || fail "an open volume does not work again"
exec 8<&-
eventually 10 put "$storage/pools/second/ctl" stop

# -- the OSD killed while a writer counts what fsync acknowledged --

cat >"$tmp/writer" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY)
count = 0
try:
    while count < 1000:
        for part in range(4):
            os.pwrite(fd, bytes([count % 251 + 1]) * 16384, count * 65536 + part * 16384)
        os.fsync(fd)
        count += 1
        with open(sys.argv[2], "w") as f:
            f.write(str(count))
except OSError as e:
    print(e, flush=True)
try:
    os.close(fd)
except OSError:
    pass
END
python3 "$tmp/writer" volumes/w "$tmp/acknowledged" >"$tmp/writer.out" &
writer=$!
eventually 20 test -s "$tmp/acknowledged"
exec 8<volumes/v
in_cluster kill-osd
others_answer
cat volumes/v >"$tmp/out" 2>"$tmp/err" & # parked
reader=$!
others_answer
if wait "$reader"; then fail "a read without the OSD succeeded"; fi
others_answer
wait "$writer"
[ -s "$tmp/writer.out" ] || fail "the writer was not told: $(cat "$tmp/acknowledged") fsyncs"
for command in 'ls volumes' 'touch volumes/new' 'rm volumes/v' 'cat info/v/xml'; do
	ends env LC_ALL=C sh -c "$command"
	others_answer
done
ends put ctl refresh
ends dd bs=4k count=1 of=/dev/null <&8
case $(cat state) in
away | running) ;;
*) fail "the pool's state is $(cat state)" ;;
esac
[ -s error ] || fail "the pool's error is empty"

in_cluster start-osd
eventually 60 ls volumes/w
eventually 30 is running state
same volumes/v "$tmp/data" || fail "the volume is not what it was"
cmp "$tmp/data" - <&8 || fail "a descriptor that was open does not work again"
exec 8<&-
python3 - volumes/w "$(cat "$tmp/acknowledged")" <<'END' || fail "what fsync acknowledged is lost"
import sys
with open(sys.argv[1], "rb") as f:
    for i in range(int(sys.argv[2])):
        if f.read(65536) != bytes([i % 251 + 1]) * 65536:
            sys.exit(f"block {i} of {sys.argv[2]}")
END
cp "$tmp/data" volumes/after
same volumes/after "$tmp/data" || fail "the pool does not work again"
rbd export --no-progress after - | cmp - "$tmp/data" || fail "what was written is not in Ceph"

# -- the OSD killed, then the pool stopped and the daemon ended: neither waits for ever --

exec 8<>volumes/v
echo unwritten >&8 || :
in_cluster kill-osd
exec 8<&-
begin=$(date +%s)
put ctl stop 2>"$tmp/err" || :
[ $(($(date +%s) - begin)) -lt 20 ] || fail "stop took $(($(date +%s) - begin)) s"
cd /
begin=$(date +%s)
umount "$storage" || umount -l "$storage"
eventually 30 daemon_gone
[ $(($(date +%s) - begin)) -lt 25 ] || fail "the end took $(($(date +%s) - begin)) s"
status=0
wait "$daemon" || status=$?
daemon=
case $status in
0 | 1) ;;
*) fail "the daemon's exit status is $status" ;;
esac
