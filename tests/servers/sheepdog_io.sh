#!/bin/sh
# Reads and writes of many at once, answered out of order: what is read is what was written last, on
# new objects, on copies, around punched ranges; one object is created once.
# limit: 120
# tsan
sheep_options='--nodes 2 --shift 20'
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"
need fio

sheepdog_pool p
cd "$storage/pools/p"

# -- many writers, one new object, many times --

[ -n "$real" ] || tell jitter 0.01
truncate -s $((16 * M)) volumes/crowd
python3 - volumes/crowd <<'END' || fail "writers of one new object lost bytes"
import os, sys, threading
fd = os.open(sys.argv[1], os.O_RDWR)
OBJECT, PART, WRITERS = 1 << 20, 4096, 16
failed = []
def write(who):
    for index in range(8):
        at = index * OBJECT + who * PART
        barrier.wait()
        if os.pwrite(fd, bytes([who + 1]) * PART, at) != PART:
            failed.append(at)
barrier = threading.Barrier(WRITERS)
threads = [threading.Thread(target=write, args=(who,)) for who in range(WRITERS)]
[t.start() for t in threads]
[t.join() for t in threads]
os.fsync(fd)
for index in range(8):
    got = os.pread(fd, WRITERS * PART, index * OBJECT)
    if got != b"".join(bytes([who + 1]) * PART for who in range(WRITERS)):
        failed.append(index)
sys.exit(bool(failed))
END

# -- the same on copies: each object belongs to a snapshot when they come --

touch snapshots/crowd/s
cp volumes/crowd "$tmp/crowd"
python3 - volumes/crowd "$tmp/crowd" <<'END' || fail "writers of one copied object lost bytes"
import os, sys, threading
OBJECT = 1 << 20
fds = [os.open(name, os.O_RDWR) for name in sys.argv[1:]]
def write(who):
    for index in range(8):
        barrier.wait()
        for fd in fds:
            os.pwrite(fd, bytes([0x80 + who]) * 512, index * OBJECT + 300000 + who * 512)
barrier = threading.Barrier(12)
threads = [threading.Thread(target=write, args=(who,)) for who in range(12)]
[t.start() for t in threads]
[t.join() for t in threads]
END
cmp volumes/crowd "$tmp/crowd" || fail "copies differ from a plain file"

# -- anything, at random, against a plain file; queued deep --

truncate -s $((24 * M)) volumes/random "$tmp/plain"
python3 - "$tmp/plain" volumes/random <<'END' || fail "random I/O differs from a plain file"
import ctypes, os, random, sys, threading
SIZE, SLOT = 24 << 20, 24 << 20 >> 4
libc = ctypes.CDLL(None, use_errno=True)
def punch(fd, at, size):
    if libc.fallocate(fd, 3, ctypes.c_long(at), ctypes.c_long(size)):
        raise OSError(ctypes.get_errno(), "fallocate")
fds = [os.open(name, os.O_RDWR) for name in sys.argv[1:]]
def work(slot):
    rnd = random.Random(slot)
    for step in range(40):
        at = slot * SLOT + rnd.randrange(SLOT)
        size = min(rnd.choice([1, 511, 4096, 70000, 400000]), (slot + 1) * SLOT - at)
        what = rnd.random()
        data = rnd.randbytes(size)
        for fd in fds:
            if what < 0.6:
                assert os.pwrite(fd, data, at) == size
            elif what < 0.75:
                punch(fd, at, size)
        if what >= 0.75:
            a, b = (os.pread(fd, size, at) for fd in fds)
            assert a == b, "differs at %d, %d bytes" % (at, size)
    done.append(slot)
done = []
threads = [threading.Thread(target=work, args=(slot,)) for slot in range(16)]
[t.start() for t in threads]
[t.join() for t in threads]
os.fsync(fds[1])
sys.exit(len(done) != 16)
END
cmp volumes/random "$tmp/plain" || fail "after random I/O it differs from a plain file"
sheep_same random "$tmp/plain"
sleep 1 # objects go late: nothing tells when
put ctl refresh
cmp volumes/random "$tmp/plain" || fail "a while later it differs"

# -- fio, 32 deep, verifies what it wrote --

truncate -s $((8 * M)) volumes/fio
fio --name=verify --filename=volumes/fio --rw=randwrite --bs=4k --size=8M --io_size=4M \
	--ioengine=libaio --iodepth=32 --direct=1 --verify=crc32c --randseed=7 >"$tmp/fio" 2>&1 || {
	cat "$tmp/fio"
	fail "fio read other bytes than it wrote"
}

# -- mkfs, as a guest would --

[ -n "$real" ] || tell jitter 0
truncate -s $((64 * M)) volumes/fs
if command -v mkfs.ext4 >/dev/null && command -v e2fsck >/dev/null; then
	mkfs.ext4 -q -F volumes/fs
	e2fsck -fn volumes/fs >"$tmp/fsck" 2>&1 || fail "not clean: $(cat "$tmp/fsck")"
	sheep_read fs "$tmp/image"
	e2fsck -fn "$tmp/image" >"$tmp/fsck" 2>&1 || fail "another client reads a broken filesystem"
fi
rm snapshots/crowd/s volumes/*
no_leftovers
