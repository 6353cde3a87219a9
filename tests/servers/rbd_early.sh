#!/bin/sh
# Writes that are answered before they are stored: whatever comes after finds them, and one that is
# lost is told by the next fsync, or by close, also when it failed long before that.
# limit: 240
mount_options=timeout=4
cluster_options=STORE=bluestore
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

rbd_pool p
cd "$storage/pools/p"
for name in v w; do
	touch "volumes/$name"
	truncate -s 32M "volumes/$name"
done

# -- one write after the other, none synced: read, copied, in a snapshot, not a hole, trimmed --

python3 - <<'END' || fail "what was answered is not there"
import os
M = 1 << 20
v = os.open("volumes/v", os.O_RDWR)
w = os.open("volumes/w", os.O_RDWR)
other = os.open("volumes/v", os.O_RDONLY)
for turn in range(1, 9):
    data = bytes([turn]) * 65536
    at = turn * 2 * M
    for piece in range(16):
        os.pwrite(v, data, at + piece * 65536)
        os.pwrite(v, data[:512], at)
    assert os.pread(other, M, at) == data * 16, f"read {turn}"
    os.pwrite(v, data, at + M)
    assert os.lseek(other, at + M, os.SEEK_DATA) == at + M, f"seek {turn}"
    os.pwrite(v, data, at)
    done = 0
    while done < M:
        done += os.copy_file_range(v, w, M - done, at + done, at + done)
    assert os.pread(w, M, at) == data * 16, f"copy {turn}"
    os.pwrite(v, bytes([100 + turn]) * 65536, at)
    os.mknod(f"snapshots/v/s{turn}")
    os.pwrite(v, data, at)
    with open(f"snapshots/v/s{turn}", "rb") as f:
        f.seek(at)
        assert f.read(65536) == bytes([100 + turn]) * 65536, f"snapshot {turn}"
END
for turn in 1 2 3 4 5 6 7 8; do
	rm "snapshots/v/s$turn"
done

# -- the OSD killed under writers that wait for nothing --

cat >"$tmp/writer" <<'END'
import errno, os, sys, time
lost = (errno.EIO, errno.ETIMEDOUT)
def told(action, fd, what):
    try:
        action(fd)
    except OSError as e:
        if e.errno in lost:
            return
        raise
    sys.exit(f"{what} did not say that something is lost")
def is_lost():
    with open(sys.argv[1]) as f:
        return "is lost" in f.read()
def ready():
    print("ready", flush=True)
    sys.stdin.readline()

synced, closed, other = (os.open("volumes/v", os.O_RDWR) for i in range(3))
fresh = os.open("volumes/w", os.O_RDWR)
for fd in synced, fresh:
    os.pwrite(fd, b"a" * 65536, 0)
    os.fsync(fd)
ready()
for i in range(8):
    os.pwrite(synced, b"b" * 4096, 4096 * i)
os.pwrite(closed, b"c" * 4096, 65536)
end = time.monotonic() + 60
while not is_lost():
    assert time.monotonic() < end, "nothing was lost"
    time.sleep(0.1)
time.sleep(1) # nothing is on its way any more
told(os.fsync, synced, "fsync")
told(os.fsync, other, "another's fsync")
told(os.close, closed, "close")
os.close(fresh) # wrote before, and has lost nothing
ready()
os.fsync(synced) # told once
os.pwrite(synced, b"d" * 4096, 8192)
os.fsync(synced)
os.close(synced)
with open("volumes/v", "rb") as f:
    data = f.read(65536)
assert data[8192:12288] == b"d" * 4096, "what was written after"
assert set(data) <= set(b"abd"), "bytes of nobody"
END
mkfifo "$tmp/go"
python3 "$tmp/writer" "$log" <"$tmp/go" >"$tmp/writer.out" 2>&1 &
writer=$!
exec 7>"$tmp/go"
eventually 20 grep -q ready "$tmp/writer.out"
in_cluster kill-osd
echo >&7
eventually 60 sh -c 'grep -c ready "$0" | grep -qx 2 || ! kill -0 "$1"' "$tmp/writer.out" "$writer"
(cd / && in_cluster start-osd)
eventually 60 ls -l volumes/w
grep -q 'is lost' info/v/error || fail "the error of v is: $(cat info/v/error)"
echo >&7
exec 7>&-
wait "$writer" || fail "$(cat "$tmp/writer.out")"
is running state
