#!/bin/sh
# Images as files: written through us and read by Ceph's own command, and the other way round;
# sizes that are a property; what is skipped, punched and copied.
# limit: 300
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"
need qemu-img rsync python3 mkfs.ext4

M=1048576
N=12345856
rbd_pool p
cd "$storage/pools/p"
head -c $N /dev/urandom >"$tmp/data"

# touch makes an image of the smallest size, not yet sized; touching again changes nothing
touch volumes/v
size 0 volumes/v
image_size 0 v
echo hello | dd of=volumes/v conv=notrunc status=none
touch volumes/v
[ "$(head -c 5 volumes/v)" = hello ] || fail "touch changed the bytes"

# an upload in one step, and one by a shell; Ceph reads the same
cp "$tmp/data" volumes/up
eventually 2 size $N volumes/up
image_size $N up
same_as_ceph up "$tmp/data"
cat "$tmp/data" >volumes/cat
eventually 2 size $N volumes/cat
same volumes/cat "$tmp/data" || fail "the upload by cat differs"
is $N info/up/capacity
qemu-img compare -q -f raw -F raw "$tmp/data" \
	"rbd:images/up:id=admin:conf=$cluster/ceph.conf" || fail "qemu sees other bytes"

# the other way round: made, resized and written by others while we run
rbd import --no-progress "$tmp/data" images/other
ls volumes | grep -qx other || fail "an image made by others is not listed"
size $N volumes/other
same volumes/other "$tmp/data" || fail "an image written by others differs"
rbd resize --no-progress --size 16M other
eventually 3 size $((16 * M)) volumes/other
ask_ceph images <<-'END'
	with rbd.Image(pool, 'other') as image:
	    image.write(b'changed by others', 4096)
END
dd if=volumes/other bs=4096 skip=1 count=1 status=none | grep -aq '^changed by others' ||
	fail "what others changed is not seen by the next reader"
rbd mv other another
eventually 3 ls volumes/another
ls volumes | grep -qx other && fail "what others renamed is still listed"
rbd rm --no-progress another
eventually 3 sh -c '! ls volumes/another'

# made by us, sized and written by others: no gap before a write of ours is zeroed
touch volumes/touched
rbd resize --no-progress --size 8M touched
ask_ceph images <<-'END'
	with rbd.Image(pool, 'touched') as image:
	    image.write(b'written by others', 4096)
END
printf ours | dd of=volumes/touched bs=1M seek=6 conv=notrunc status=none
dd if=volumes/touched bs=4096 skip=1 count=1 status=none | grep -aq '^written by others' ||
	fail "what others had written was zeroed"
size $((8 * M)) volumes/touched
rm volumes/touched

# from then on it is full where it ends
expect_errno ENOSPC dd if=/dev/zero of=volumes/cat bs=1M
size $N volumes/cat
image_size $N cat
[ "$(tr -d '\0' <volumes/cat | wc -c)" = 0 ] || fail "dd did not fill the volume"
grep -q capacity info/cat/error || fail "the error does not say what to do: $(cat info/cat/error)"

# truncate makes larger, and what is gained reads as zeros; smaller only when asked to
truncate -s $((16 * M)) volumes/up
size $((16 * M)) volumes/up
image_size $((16 * M)) up
same volumes/up "$tmp/data" $N || fail "growing changed the bytes"
[ "$(tail -c +$((N + 1)) volumes/up | tr -d '\0' | wc -c)" = 0 ] ||
	fail "what was gained is not zero"
refuse EPERM shrink truncate -s $((8 * M)) volumes/up
dd if=/dev/zero of=volumes/up bs=1M seek=13 count=1 2>"$tmp/dd" # complains, and goes on
grep -q 'Operation not permitted' "$tmp/dd" || fail "dd seek= cut the volume: $(cat "$tmp/dd")"
refuse EINVAL 'shrink 8M' put info/up/capacity 8M
touch volumes/odd
truncate -s 1000 volumes/odd
truncate -s 1000 volumes/odd || fail "a size that was rounded up is refused the second time"
size 1024 volumes/odd
rm volumes/odd
image_size $((16 * M)) up
put info/up/capacity 'shrink 8M'
eventually 2 size $((8 * M)) volumes/up
image_size $((8 * M)) up
same volumes/up "$tmp/data" $((8 * M)) || fail "shrinking changed what is left"
put info/up/capacity 9M
image_size $((9 * M)) up
[ "$(tail -c $M volumes/up | tr -d '\0' | wc -c)" = 0 ] || fail "old bytes came back after shrink"
fallocate -l $((10 * M)) volumes/up
eventually 2 size $((10 * M)) volumes/up

# sparse files: what is skipped reads as zeros, on a new volume and over an old one
truncate -s $((20 * M)) "$tmp/sparse"
head -c 5000 /dev/urandom | dd of="$tmp/sparse" bs=1 seek=$((3 * M + 17)) conv=notrunc status=none
head -c 70000 /dev/urandom | dd of="$tmp/sparse" bs=64k seek=200 conv=notrunc status=none
cp --sparse=always "$tmp/sparse" volumes/new
eventually 2 size $((20 * M)) volumes/new
same_as_ceph new "$tmp/sparse"
[ "$(image_used new)" -le $((8 * M)) ] || fail "the holes were filled: $(image_used new) bytes"
[ "$(du -B 1 volumes/new | cut -f 1)" = "$(image_used new)" ] ||
	fail "du says $(du -B 1 volumes/new), Ceph $(image_used new)"
truncate -s $((24 * M)) volumes/old
tr '\0' o </dev/zero | dd of=volumes/old bs=1M count=24 iflag=fullblock conv=notrunc status=none
cp --sparse=always "$tmp/sparse" volumes/old
size $((24 * M)) volumes/old
same volumes/old "$tmp/sparse" $((20 * M)) || fail "a sparse cp over a volume differs"
[ "$(tail -c $((4 * M)) volumes/old | tr -d o | wc -c)" = 0 ] ||
	fail "what is beyond the copy is not the old bytes"
rbd import --no-progress --sparse-size 4K "$tmp/sparse" images/holes
cp --sparse=auto volumes/holes "$tmp/out"
cmp "$tmp/sparse" "$tmp/out" || fail "a sparse cp out of the pool differs"
[ "$(du -k "$tmp/out" | cut -f 1)" -le 9000 ] || fail "the copy has no holes: $(du -k "$tmp/out")"
python3 - volumes/holes <<'END' || fail "SEEK_DATA and SEEK_HOLE"
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size
at, data = 0, []
while True:
    try:
        at = os.lseek(fd, at, os.SEEK_DATA)
    except OSError:
        break
    end = os.lseek(fd, at, os.SEEK_HOLE)
    assert at < end <= size, (at, end)
    data.append((at, end))
    at = end
covered = sum(b - a for a, b in data)
assert covered <= 8 << 20, data
for off, n in ((3 * 1048576 + 17, 5000), (200 * 65536, 70000)):
    assert any(a <= off and off + n <= b for a, b in data), (off, data)
END

# punching gives space back, zeroing reads as zeros
tr '\0' o </dev/zero | dd of=volumes/old bs=1M count=24 iflag=fullblock conv=notrunc status=none
before=$(image_used old)
fallocate -p -o $((4 * M)) -l $((8 * M)) volumes/old
[ "$(dd if=volumes/old bs=1M skip=4 count=8 status=none | tr -d '\0' | wc -c)" = 0 ] ||
	fail "what was punched is not zero"
[ "$(image_used old)" = $((before - 8 * M)) ] || fail "punching gave nothing back"
[ "$(dd if=volumes/old bs=1M skip=20 count=1 status=none | tr -d o | wc -c)" = 0 ] ||
	fail "punching went too far"
fallocate -z -o $((20 * M + 100)) -l 1000 volumes/old
[ "$(dd if=volumes/old bs=1M skip=20 count=1 status=none | tr -d o | wc -c)" = 1000 ] ||
	fail "zeroing a range"
same_as_ceph old volumes/old

# a copy within the pool does not depend on its source
cp volumes/new volumes/copy
cmp volumes/new volumes/copy || fail "a copy within the pool differs"
rbd info copy | grep -q parent && fail "the copy depends on its source"
[ "$(image_used copy)" -le $((8 * M)) ] || fail "the copy has no holes"
rm volumes/new
same_as_ceph copy "$tmp/sparse"

# sizes are of whole sectors: the kernel's client cuts others off, and QEMU's fails
head -c 5000 "$tmp/data" >volumes/sectors
eventually 2 size 5120 volumes/sectors
image_size 5120 sectors
head -c 5000 volumes/sectors | cmp -n 5000 - "$tmp/data" || fail "a size that was rounded up"

# names
mv volumes/copy volumes/moved
rbd ls | grep -qx moved || fail "mv did not rename the image"
rbd ls | grep -qx copy && fail "mv left the old name"
expect_errno EEXIST python3 -c "import os; os.rename('volumes/moved', 'volumes/up')"
same_as_ceph moved "$tmp/sparse"
exec 9<volumes/moved
refuse EBUSY '' rm volumes/moved
exec 9<&-
eventually 5 rm volumes/moved
rbd ls | grep -qx moved && fail "rm left the image"
head -c 5120 /dev/urandom >"$tmp/small"
for name in 'with a blank' .dot -dash über "$(printf '%096d' 7)"; do
	cp "$tmp/small" "volumes/$name"
	rbd info --format json -- "$name" >"$tmp/out" 2>&1 || fail "no image '$name': $(cat "$tmp/out")"
	cmp "$tmp/small" "volumes/$name" || fail "'$name' differs"
	rm "volumes/$name"
done

# what tools write
cp "$tmp/data" volumes/from
mkdir "$tmp/in" "$tmp/back"
cp "$tmp/data" "$tmp/in/a"
cp "$tmp/sparse" "$tmp/in/b"
rsync -rtS "$tmp/in/" volumes/ 2>"$tmp/rsync" || fail "rsync into the pool: $(cat "$tmp/rsync")"
same_as_ceph a "$tmp/data"
same_as_ceph b "$tmp/sparse"
rsync -rt volumes/ "$tmp/back/" || fail "rsync out of the pool"
cmp "$tmp/back/b" "$tmp/sparse" || fail "what rsync brought back differs"
[ "$(ls "$tmp/back" | sort)" = "$(rbd ls | sort)" ] || fail "rsync missed volumes"
qemu-img create -q -f qcow2 "$tmp/q.qcow2" 8M
qemu-io -f qcow2 -c 'write -P 65 1M 2M' "$tmp/q.qcow2" >"$tmp/out"
truncate -s 8M volumes/disk
qemu-img convert -n -f qcow2 -O raw "$tmp/q.qcow2" volumes/disk
qemu-img compare -q -F raw "$tmp/q.qcow2" "rbd:images/disk:id=admin:conf=$cluster/ceph.conf" ||
	fail "qemu-img convert wrote other bytes"
truncate -s 16M volumes/fs
mkfs.ext4 -q -F volumes/fs
rbd export --no-progress fs "$tmp/fs"
e2fsck -fn "$tmp/fs" >"$tmp/out" 2>&1 || fail "mkfs made no filesystem: $(cat "$tmp/out")"
python3 - volumes/fs <<'END' || fail "O_DIRECT and mmap"
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
m = mmap.mmap(-1, 4096)
m.write(b"d" * 4096)
assert os.pwrite(fd, m, 8192) == 4096
os.fsync(fd)
os.close(fd)
with open(sys.argv[1], "r+b") as f:
    shared = mmap.mmap(f.fileno(), 0)
    assert shared[8192:12288] == b"d" * 4096
    shared[0:5] = b"mmap!"
    shared.flush()
    os.fsync(f.fileno())
END
[ "$(rbd export --no-progress fs - 2>/dev/null | head -c 5)" = mmap! ] || fail "what mmap wrote is not there"

# wiping
put info/disk/ctl 'wipe zero'
[ "$(rbd export --no-progress disk - | tr -d '\0' | wc -c)" = 0 ] || fail "wipe zero left bytes"
truncate -s $((16 * M)) volumes/from
put info/from/ctl 'wipe trim'
[ "$(image_used from)" = 0 ] || fail "wipe trim left $(image_used from) bytes"
image_size $((16 * M)) from
refuse EOPNOTSUPP '' put info/from/ctl 'wipe dod'

# protected
put protected 1
for command in 'rm volumes/b' ': >volumes/b' 'fallocate -p -l 4096 volumes/b' \
	"env echo 'wipe zero' >info/b/ctl" "env echo 'shrink 1M' >info/b/capacity"; do
	expect_errno EPERM sh -c "$command"
done
put protected 0
same_as_ceph b "$tmp/sparse"

# stop: nothing is left open, nothing is lost; start again
put ctl stop
refuse EAGAIN start ls volumes
! rbd status b | grep -q watcher= || fail "a stopped pool has images open: $(rbd status b)"
put ctl start
same volumes/b "$tmp/sparse" || fail "stop and start changed the bytes"
