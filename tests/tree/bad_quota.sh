#!/bin/sh
# A quota that is used up is EDQUOT, and what was there stays. It is btrfs that sets it: ext4's are not
# in every kernel, and root, which the daemon is, passes by those.
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need mkfs.btrfs btrfs qemu-img
grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null || skip "this kernel has no btrfs"

truncate -s 256M "$tmp/disk"
mkfs.btrfs -q "$tmp/disk"
mkdir "$tmp/btrfs"
mount -o loop "$tmp/disk" "$tmp/btrfs"
btrfs quota enable "$tmp/btrfs"
btrfs subvolume create "$tmp/btrfs/target" >/dev/null
btrfs qgroup limit 4M "$tmp/btrfs/target"
head -c 1000000 /dev/urandom >"$tmp/data"

mount_storage
dir_pool a "$tmp/btrfs/target"
cd "$storage/pools/a"
cp "$tmp/data" volumes/kept
sync -f volumes/kept
expect_errno EDQUOT dd if=/dev/urandom of=volumes/filler bs=64k count=100 conv=fsync
expect_errno EDQUOT dd if=/dev/urandom of=volumes/kept bs=64k count=100 seek=16 conv=notrunc,fsync
refuse EDQUOT "$tmp/btrfs/target" sh -c 'for i in $(seq 400); do touch "volumes/new$i"; done'
mkdir info/all
refuse EDQUOT all put info/all/xml "<volume><capacity unit='MiB'>9</capacity>\
<allocation unit='MiB'>9</allocation></volume>"
[ ! -e volumes/all ] || fail "half a volume is left"
is running state
head -c 1000000 volumes/kept | cmp - "$tmp/data" || fail "what was there is not what it was"

rm -f volumes/filler volumes/new*
truncate -s 1000000 volumes/kept
sync -f volumes/kept
eventually 30 cp "$tmp/data" volumes/copy
cmp "$tmp/data" volumes/copy
cmp "$tmp/data" volumes/kept
