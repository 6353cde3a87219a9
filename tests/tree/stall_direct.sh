#!/bin/sh
# A disk that may hang is read and written with O_DIRECT, in small pieces and so fast that one thread
# alone serves it; then it does not answer. Nobody else waits for that, who does is told in time, and
# what was under way comes to its end: bytes, errors, and the end of the device are as of any file.
mount_options=timeout=10
. "${0%/*}/lib.sh"
. "${0%/*}/disks.sh"
need_backend fake
need python3

fake_pool source given
dir_pool a
unit=$storage/pools/source/volumes/unit0
loop=$(losetup -f --show --direct-io=off "$unit") || skip "there are no loop devices"
loops="$loops $loop"
name=${loop#/dev/}p
define_disk p gpt "$loop"
put "$pool/ctl" build
put "$pool/ctl" start
volume=$pool/volumes/${name}1
touch "$volume"
truncate -s 8M "$volume"

# What the disk has in its cache: it is a loop device.
forget()
{
	blockdev --flushbufs "$loop"
	sync "$unit"
	dd if="$unit" iflag=nocache count=0 status=none
}

# calls CHECK: what the check makes of pread and pwrite on the volume
cat >calls.py <<'END'
import errno, mmap, os, random, sys, threading
path, what = sys.argv[1:3]
SIZE, PIECE = 8 << 20, 4096
random.seed(7)
fd = os.open(path, os.O_RDWR | os.O_DIRECT)
def piece(size=PIECE):
    return mmap.mmap(-1, size)
def error_of(call):
    try:
        return call()
    except OSError as e:
        return errno.errorcode[e.errno]
def read(off, size=PIECE):
    into = piece(size)
    n = os.preadv(fd, [into], off)
    return into[:n]
def write(off, data):
    into = piece(len(data))
    into[:] = data
    return os.pwrite(fd, into, off)
if what == "bytes":
    have = bytearray(SIZE)
    for i in range(600):
        size = random.choice((512, PIECE, 8192, 16384, 65536))
        off = random.randrange((SIZE - size) // 512) * 512
        have[off:off + size] = data = os.urandom(size)
        assert write(off, data) == size
        off = random.randrange((SIZE - size) // 512) * 512
        assert read(off, size) == have[off:off + size], (off, size)
    def many(part):
        for i in range(200):
            off = part * (SIZE // 8) + i * PIECE
            data = os.urandom(PIECE)
            assert write(off, data) == PIECE and read(off) == data
            have[off:off + PIECE] = data
    threads = [threading.Thread(target=many, args=(i,)) for i in range(8)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert read(SIZE - 512, PIECE) == have[-512:]
    assert read(SIZE) == b""
    assert error_of(lambda: write(SIZE, bytes(PIECE))) == "ENOSPC"
    assert error_of(lambda: os.preadv(fd, [memoryview(piece(8192))[1:513]], 0)) in ("EINVAL", 512)
    assert os.open(path, os.O_RDONLY) and open(path, "rb").read() == have
    open(sys.argv[3], "wb").write(have)
elif what == "hang":
    for i in range(500):
        read(i * PIECE)
    print("now", flush=True)
    sys.stdin.readline()
    print(error_of(lambda: read(600 * PIECE)))
elif what == "again":
    for i in range(300):
        read(i * PIECE)
END
python3 calls.py "$volume" bytes have || fail "the bytes are not right"
cmp have "/dev/${name}1"

# -- it hangs --

mkfifo go said
python3 calls.py "$volume" hang <go >said &
client=$!
exec 8>go 9<said
read -r said_ <&9
[ "$said_" = now ] || fail "the client says: $said_"
forget
control source read hang
echo go >&8
for _ in 1 2 3 4; do
	sleep 0.2
	kill -0 "$client" || fail "the client waits for nothing"
	timeout 20 cat "$pool/state" >/dev/null || fail "another client waits, too"
	timeout 20 ls -l "$storage/pools/a/volumes" >/dev/null || fail "a listing waits, too"
done
read -r said_ <&9
[ "$said_" = ETIMEDOUT ] || fail "the client got: $said_"
wait "$client" || fail "the client had $?"
grep -q 'no answer within 10 s' "$pool/info/${name}1/error" || fail "it does not say why"
control_off source read
exec 8>&- 9<&-
eventually 60 python3 calls.py "$volume" again
cmp have "/dev/${name}1"

# an error of the device is the caller's
forget
control source read errno=EIO
expect_errno EIO dd if="$volume" of=got bs=4k count=1 skip=1000 iflag=direct
control_off source read
put "$pool/ctl" stop
losetup -d "$loop"
loops=${loops% *}
