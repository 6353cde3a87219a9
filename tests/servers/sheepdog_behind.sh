#!/bin/sh
# Writes that are answered before they are stored: whoever reads, flushes, closes, takes a snapshot
# or looks for data finds them there, what could not be stored is told, and O_DSYNC waits for it.
# limit: 180
# tsan
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"
fake_only

sheepdog_pool p
cd "$storage/pools/p"
head -c $((40 * M)) /dev/urandom >"$tmp/data"

requests() # OPCODE: how many of it since forget
{
	tell counts | awk -v opcode="$1" '$1 == opcode { print $2 }'
}

# -- a stream is stored an object at a time, whatever it was written in --

truncate -s $((40 * M)) volumes/v
for size in 16k 1M; do
	rm volumes/v
	truncate -s $((40 * M)) volumes/v
	tell forget
	dd if="$tmp/data" of=volumes/v bs=$size conv=notrunc status=none
	[ "$(requests create)" = 10 ] || fail "10 objects took $(requests create) requests"
	[ "$(requests write)" -le 100 ] || fail "there were $(requests write) more writes"
	sheep_same v "$tmp/data" # close(2) has stored the last of it
done

# -- who reads or writes there again sees the order of the calls --

truncate -s $((24 * M)) volumes/w "$tmp/plain"
tell jitter 0.02
python3 - "$tmp/plain" volumes/w <<'END' || fail "what was answered was not read back"
import os, random, sys
rnd = random.Random(3)
plain, volume = (os.open(name, os.O_RDWR) for name in sys.argv[1:])
at = 0
for step in range(80):
    if rnd.random() < 0.15 or at > 22 << 20:
        at = rnd.choice([0, 4 << 20, 8 << 20, rnd.randrange(20 << 20)])
    data = rnd.randbytes(rnd.choice([1, 4096, 65536, 300000, 1000000, 1 << 20]))
    for fd in (plain, volume):
        assert os.pwrite(fd, data, at) == len(data)
    if rnd.random() < 0.2:
        back, size = max(0, at - rnd.randrange(500000)), rnd.randrange(1, 700000)
        assert os.pread(plain, size, back) == os.pread(volume, size, back), step
    at += len(data)
assert os.lseek(volume, 0, os.SEEK_DATA) == 0
os.fsync(volume)
END
sheep_same w "$tmp/plain"
tell jitter 0

# -- many volumes, each with some of an object: more than there is room for --

for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	truncate -s $((9 * M)) "volumes/many$n"
done
timeout 60 python3 - volumes/many* <<'END' || fail "many volumes at once"
import os, sys
fds = [os.open(name, os.O_RDWR) for name in sys.argv[1:]]
for at in range(0, 9 << 20, 256 << 10):
    for n, fd in enumerate(fds):
        assert os.pwrite(fd, bytes([n + 1]) * (256 << 10), at) == 256 << 10
END
for n in 1 7 12; do
	sheep_read "many$n" "$tmp/read"
	tr -d "\\$(printf %03o "$(printf '%s\n' volumes/many* | grep -n "many$n\$" | cut -d: -f1)")" \
		<"$tmp/read" | cmp - /dev/null || fail "many$n has other bytes"
done
rm volumes/many*

# -- a snapshot has what was answered before it; one of a volume that lost some is not taken --

truncate -s $((8 * M)) volumes/snapped
python3 - volumes/snapped snapshots/snapped/s "$tmp/data" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(fd, open(sys.argv[3], "rb").read(5 << 20), 0)
os.close(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT))
os.pwrite(fd, b"later", 0)
END
head -c $((5 * M)) "$tmp/data" >"$tmp/first"
sheep_same snapped "$tmp/first" s
cmp -n $((5 * M)) snapshots/snapped/s "$tmp/first" || fail "the snapshot has other bytes"
[ "$(head -c 5 volumes/snapped)" = later ] || fail "what was written after the snapshot"
mkdir info/cloned
put info/cloned/xml "<volume><name>cloned</name><backingStore><path>snapped@s</path></backingStore>
	</volume>"
cmp -n $((5 * M)) volumes/cloned "$tmp/first" || fail "a clone of it has other bytes"
rm volumes/cloned snapshots/snapped/s volumes/snapped

# -- so does whoever reads it or makes it larger while the writer has it open --

truncate -s $((12 * M)) volumes/shared
python3 - volumes/shared "$tmp/data" <<'END' || fail "others did not see what was answered"
import os, subprocess, sys
name, data = sys.argv[1:]
fd = os.open(name, os.O_RDWR)
want = open(data, "rb").read(7 << 20)
os.pwrite(fd, want[:5 << 20], 0)
with open(name, "rb") as other:
    assert other.read(5 << 20) == want[:5 << 20]
os.pwrite(fd, want[5 << 20:], 5 << 20)
subprocess.run(["sh", "-c", "echo 13M >info/shared/capacity"], check=True)
with open(name, "rb") as other:
    assert other.read() == want + bytes(6 << 20)
END
rm volumes/shared

# -- a daemon that is told to end stores it before --

truncate -s $((8 * M)) volumes/ended
python3 - volumes/ended "$tmp/data" "$daemon" <<'END' || fail "it did not end"
import os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(fd, open(sys.argv[2], "rb").read(5 << 20), 0)
os.kill(int(sys.argv[3]), signal.SIGTERM)
for look in range(200):
    try:
        with open("/proc/" + sys.argv[3] + "/status") as f:
            if "State:\tZ" in f.read():
                os._exit(0)
    except FileNotFoundError:
        os._exit(0)
    time.sleep(0.1)
os._exit(1)
END
cd "$tmp"
daemon_ended || fail "it did not end well"
sheep_same ended "$tmp/first"
umount -l "$storage" 2>/dev/null || :
mount_storage
eventually 10 grep -qx running "$storage/pools/p/state" || put "$storage/pools/p/ctl" start
cd "$storage/pools/p"

# -- what is lost is told, by fsync and by close, once; then all is well again --

truncate -s $((40 * M)) volumes/lossy
fault create times=0 result 0x03
expect_errno EIO dd if="$tmp/data" of=volumes/lossy bs=1M count=8 conv=notrunc,fsync
grep -q 'were lost' info/lossy/error || fail "the error is: $(cat info/lossy/error)"
expect_errno EIO dd if="$tmp/data" of=volumes/lossy bs=1M count=3 conv=notrunc
tell off
dd if="$tmp/data" of=volumes/lossy bs=1M conv=notrunc,fsync status=none || fail "told twice"
sheep_same lossy "$tmp/data"
fault create times=0 result 0x15
truncate -s $((40 * M)) volumes/full
expect_errno ENOSPC dd if="$tmp/data" of=volumes/full bs=1M conv=notrunc
tell off
rm volumes/full

# whoever closes the descriptor is told, and leaves it to be told to who syncs
fault create times=0 result 0x03
truncate -s $((8 * M)) volumes/both
python3 - volumes/both <<'END' || fail "a close by another took what was lost with it"
import os, sys
def told(action):
    try:
        action(fd)
    except OSError:
        return True
    return False
fd = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(fd, b"x" * 65536, 0)
for child in range(2):
    if not os.fork():
        os._exit(not told(os.close))
    assert os.wait()[1] == 0, f"child {child} was not told"
assert told(os.fsync), "not told to who syncs"
assert not told(os.fsync) and not told(os.close), "told twice"
END
tell off
rm volumes/both

# who has lost something and was not told yet does not lose more in silence
fault create times=0 result 0x03
truncate -s $((40 * M)) volumes/long
python3 - volumes/long <<'END' || fail "it went on losing"
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
for at in range(0, 40 << 20, 1 << 20):
    try:
        os.pwrite(fd, bytes([7]) * (1 << 20), at)
    except OSError:
        os._exit(0)
    if at == 20 << 20:
        time.sleep(2)
os._exit(1)
END
tell off
rm volumes/long

# -- O_DSYNC: nothing is answered that is not stored --

truncate -s $((8 * M)) volumes/sync
fault create times=0 result 0x03
python3 - volumes/sync <<'END' || fail "an O_DSYNC write was answered, and is not stored"
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_DSYNC)
try:
    os.pwrite(fd, b"x" * 65536, 0)
except OSError:
    os._exit(0)
os._exit(1)
END
tell off

# -- fsync: another client sees it at once, also while the volume is open --

python3 - volumes/sync "$tmp/data" "$here/sheep_tell" "$sheep" "$tmp/seen" <<'END'
import os, subprocess, sys
name, data, tell, sheep, seen = sys.argv[1:]
fd = os.open(name, os.O_RDWR)
os.pwrite(fd, open(data, "rb").read(3 << 20), 0)
os.fsync(fd)
subprocess.run([tell, sheep, "dump", "sync", seen], check=True, stdout=subprocess.DEVNULL)
END
head -c $((3 * M)) "$tmp/data" | cmp -n $((3 * M)) - "$tmp/seen" || fail "fsync has not stored it"

# -- nobody need flush: it is stored soon --

python3 - volumes/sync "$tmp/data" "$here/sheep_tell" "$sheep" "$tmp/seen" <<'END'
import os, subprocess, sys, time
name, data, tell, sheep, seen = sys.argv[1:]
fd = os.open(name, os.O_RDWR)
want = open(data, "rb").read(4 << 20)[1 << 20:]
os.pwrite(fd, want[:1000], 4 << 20)
for look in range(100):
    subprocess.run([tell, sheep, "dump", "sync", seen], check=True, stdout=subprocess.DEVNULL)
    with open(seen, "rb") as f:
        f.seek(4 << 20)
        if f.read(1000) == want[:1000]:
            sys.exit(0)
    time.sleep(0.1)
sys.exit("it was not stored within ten seconds")
END

rm volumes/*
no_leftovers
