#!/bin/sh
# A dir pool on a filesystem of Debian's kernel: what tests/tree/first_minute.sh does, and what only
# such a filesystem has: O_DIRECT, holes, and locks seen from both sides.
. "${0%/*}/vm.sh"
need_backend dir

[ "$(stat -f -c %T "$tmp")" = ext2/ext3 ] || fail "the scratch directory is not on ext4"
pool=$storage/pools/images
dir_pool images

dd if=/dev/urandom of="$tmp/data" bs=64K count=16 2>/dev/null
cp "$tmp/data" "$pool/volumes/copied"
cmp "$tmp/data" "$tmp/images/copied"
dd if="$tmp/data" of="$pool/volumes/direct" bs=64K oflag=direct 2>/dev/null
dd if="$pool/volumes/direct" of="$tmp/back" bs=64K iflag=direct 2>/dev/null
cmp "$tmp/data" "$tmp/back"

# before Linux 6.6 only what is cached can be mapped shared
python3 - "$pool/volumes/copied" "$tmp/images/copied" <<'END'
import mmap, os, sys
volume, file = os.open(sys.argv[1], os.O_RDWR), os.open(sys.argv[2], os.O_RDONLY)
m = mmap.mmap(volume, 1 << 20)
m[4090:4100] = b"0123456789"
m.flush()
assert os.pread(file, 10, 4090) == b"0123456789"
os.pwrite(volume, b"abc", 8192)
assert m[8192:8195] == b"abc"
assert os.pread(file, 3, 8192) == b"abc"
m.close()
END

truncate -s 1G "$pool/volumes/sparse"
[ "$(stat -c %b "$pool/volumes/sparse")" = 0 ] || fail "a sparse volume has blocks"
fallocate -l 1M "$pool/volumes/sparse" 2>/dev/null || :
qemu-img create -q -f qcow2 "$pool/volumes/disk.qcow2" 4G
is qcow2 "$pool/info/disk.qcow2/format"
is 4294967296 "$pool/info/disk.qcow2/capacity"

mkfs.ext4 -q -F "$pool/volumes/sparse"
loop=$(losetup -f --show "$pool/volumes/sparse")
mkdir "$tmp/inner"
mount "$loop" "$tmp/inner"
cp "$tmp/data" "$tmp/inner"
umount "$tmp/inner"
losetup -d "$loop"

flock "$tmp/images/copied" -c "! flock -n '$pool/volumes/copied' true" ||
	fail "a lock on the file is not seen on the volume"
echo stop >"$pool/ctl"
is inactive "$pool/state"
