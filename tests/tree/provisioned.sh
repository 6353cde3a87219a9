#!/bin/sh
# Provisioned volumes through ordinary tools: a size that is a property, growth while a volume is not
# sized, trimming at close, zeros for what an O_TRUNC writer skips. What they gain holds garbage.
# limit: 120
. "${0%/*}/lib.sh"
need python3

M=1048576
control p dirty
[ -z "${descriptors-}" ] || control p descriptors
fake_pool p provisioned
cd "$storage/pools/p"

# touch makes the smallest volume, not yet sized; touching again changes nothing
touch volumes/v
size $((4 * M)) volumes/v
touch volumes/v
echo x | dd of=volumes/v conv=notrunc status=none
size $((4 * M)) volumes/v

# an upload in one step: it grows as it is written, and ends rounded up to the unit
head -c $((30 * M + 12345)) /dev/urandom >"$tmp/data"
cp "$tmp/data" volumes/up
eventually 2 size $((32 * M)) volumes/up
cmp -n $((30 * M + 12345)) "$tmp/data" volumes/up || fail "the upload differs"
is $((32 * M)) info/up/capacity
touch volumes/cat
cat "$tmp/data" >volumes/cat
eventually 2 size $((32 * M)) volumes/cat
cmp -n $((30 * M + 12345)) "$tmp/data" volumes/cat || fail "the upload by cat differs"
{ head -c $M "$tmp/data"; tail -c +$((M + 1)) "$tmp/data"; } >volumes/two
cmp -n $((30 * M + 12345)) "$tmp/data" volumes/two || fail "an upload by two processes differs"
rm volumes/two volumes/cat

# from then on it is full where it ends: dd fills it, not the pool
expect_errno ENOSPC dd if=/dev/zero of=volumes/up bs=1M conv=notrunc
size $((32 * M)) volumes/up
expect_errno ENOSPC dd if=/dev/zero of=volumes/up bs=1M
size $((32 * M)) volumes/up
grep -q capacity info/up/error || fail "the error does not say what to do: $(cat info/up/error)"
[ "$(tr -d '\0' <volumes/up | wc -c)" = 0 ] || fail "dd did not fill the volume"

# sparse files: what is skipped reads as zeros, on a new volume, over an old one, also at the end
truncate -s $((10 * M)) "$tmp/sparse"
head -c 5000 /dev/urandom | dd of="$tmp/sparse" bs=1 seek=$((3 * M + 17)) conv=notrunc status=none
head -c 70000 /dev/urandom | dd of="$tmp/sparse" bs=64k seek=100 conv=notrunc status=none
cp --sparse=always "$tmp/sparse" volumes/new
eventually 2 size $((12 * M)) volumes/new
cmp -n $((10 * M)) "$tmp/sparse" volumes/new || fail "a sparse cp to a new volume differs"
truncate -s $((16 * M)) volumes/old
tr '\0' o </dev/zero | dd of=volumes/old bs=1M count=16 iflag=fullblock conv=notrunc status=none
for way in '' punch zero; do
	[ -z "$way" ] || control p "$way" errno=EOPNOTSUPP
	cp --sparse=always "$tmp/sparse" volumes/old
	size $((16 * M)) volumes/old
	cmp -n $((10 * M)) "$tmp/sparse" volumes/old || fail "a sparse cp over a volume differs"
	[ "$(tail -c $((6 * M)) volumes/old | tr -d o | wc -c)" = 0 ] ||
		fail "what is beyond the copy is not the old bytes"
done
control_off p punch
control_off p zero
dd if="$tmp/sparse" of=volumes/dd bs=4k conv=sparse status=none
cmp -n $((10 * M)) "$tmp/sparse" volumes/dd || fail "dd conv=sparse differs"

# truncate makes larger, and smaller only where O_TRUNC says that all is new
truncate -s $((20 * M)) volumes/old
size $((20 * M)) volumes/old
refuse EPERM 'shrink' truncate -s $((8 * M)) volumes/old
size $((20 * M)) volumes/old
dd if=/dev/zero of=volumes/old bs=1M seek=1 count=1 2>"$tmp/dd" # complains, and goes on
grep -q 'Operation not permitted' "$tmp/dd" || fail "dd seek= cut the volume: $(cat "$tmp/dd")"
size $((20 * M)) volumes/old
put info/old/capacity 'shrink 8M'
is $((8 * M)) info/old/capacity
eventually 2 size $((8 * M)) volumes/old
refuse EINVAL 'shrink 4M' put info/old/capacity 4M
put info/old/capacity 12M
is $((12 * M)) info/old/capacity
fallocate -l $((16 * M)) volumes/old
eventually 2 size $((16 * M)) volumes/old

# what would be rounded up to the size that there is asks for nothing, however often
for _ in 1 2; do
	truncate -s $((13 * M)) volumes/again
	size $((16 * M)) volumes/again
	put info/again/capacity 14M
	put info/again/xml '<volume><capacity unit="M">15</capacity></volume>'
	is $((16 * M)) info/again/capacity
done
refuse EPERM 'shrink' truncate -s $((12 * M)) volumes/again
refuse EINVAL 'shrink' put info/again/capacity 12M
touch volumes/least
truncate -s 0 volumes/least
size $((4 * M)) volumes/least
rm volumes/again volumes/least
if command -v qemu-img >/dev/null; then # which truncates to nothing what it has just made
	qemu-img create -q -f raw volumes/qemu 9M
	size $((12 * M)) volumes/qemu
	rm volumes/qemu
	qemu-img convert -O raw "$tmp/sparse" volumes/qemu
	cmp -n $((10 * M)) "$tmp/sparse" volumes/qemu || fail "what qemu-img converted differs"
	rm volumes/qemu
fi

# truncate, not a write, makes this one: it is sized
truncate -s $((8 * M)) volumes/made
size $((8 * M)) volumes/made
expect_errno ENOSPC dd if=/dev/zero of=volumes/made bs=1M conv=notrunc
# a plan with a capacity as well
mkdir info/plan
put info/plan/capacity 6M
touch volumes/plan
size $((8 * M)) volumes/plan

# a full pool is ENOSPC, and what was there stays
control p size 128M
expect_errno ENOSPC dd if=/dev/zero of=volumes/big bs=1M
cmp -n $((10 * M)) "$tmp/sparse" volumes/new || fail "a full pool lost data"
rm volumes/big
control_off p size

# names: no replacing, no taking away of what is open
expect_errno EEXIST python3 -c "import os; os.rename('volumes/new', 'volumes/old')"
mv volumes/new volumes/moved
cmp -n $((10 * M)) "$tmp/sparse" volumes/moved || fail "mv changed the bytes"
exec 9<volumes/moved
refuse EBUSY process rm volumes/moved
refuse EBUSY '' put ctl stop
exec 9<&-
eventually 2 rm volumes/moved

# closing tells when trimming failed, and the bytes are there
control p vol_resize 'errno=EIO once'
expect_errno EIO cp "$tmp/data" volumes/broken
[ "$(stat -c %s volumes/broken)" -ge $((4 * M)) ] || fail "the volume is gone"

# out of order, on a descriptor opened with O_TRUNC, against the same on a plain file
truncate -s $((16 * M)) volumes/random
python3 - volumes/random "$tmp/plain" <<'END' || fail "random writers differ"
import os, random, sys, threading
M = 1 << 20
rnd = random.Random(5)
slots = list(range(256))
rnd.shuffle(slots)
work = []
for s in slots[:200]:
    n = rnd.choice([1, 100, 4096, 65536 - 1, 65536])
    off = s * 65536 + (0 if n == 65536 else rnd.randrange(65536 - n))
    work.append((off, bytes([s]) * n))
with open(sys.argv[2], "wb") as f:
    f.truncate(16 * M)
    for off, data in work:
        f.seek(off)
        f.write(data)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
jobs = iter(work)
lock = threading.Lock()
def run():
    while True:
        with lock:
            job = next(jobs, None)
        if job is None:
            return
        assert os.pwrite(fd, job[1], job[0]) == len(job[1])
threads = [threading.Thread(target=run) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
os.close(fd)
end = max(off + len(data) for off, data in work)
a = open(sys.argv[1], "rb").read(end)
b = open(sys.argv[2], "rb").read(end)
sys.exit(a != b)
END

# given volumes: there or not, never made, resized or removed
mkdir -p "$tmp/control/g"
[ -z "${descriptors-}" ] || control g descriptors
fake_pool g given
cd "$storage/pools/g"
[ "$(ls volumes | tr '\n' ' ')" = "unit0 unit1 " ] || fail "given volumes are $(ls volumes)"
expect_errno EOPNOTSUPP touch volumes/new
expect_errno EOPNOTSUPP rm volumes/unit0
expect_errno EOPNOTSUPP truncate -s 1G volumes/unit0
expect_errno EOPNOTSUPP mv volumes/unit0 volumes/other
tr '\0' o </dev/zero | dd of=volumes/unit0 bs=1M count=16 iflag=fullblock conv=notrunc status=none
cp --sparse=always "$tmp/sparse" volumes/unit0
cmp -n $((10 * M)) "$tmp/sparse" volumes/unit0 || fail "a sparse cp over a given volume differs"
size $((64 * M)) volumes/unit0
