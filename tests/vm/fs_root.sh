#!/bin/sh
# The device that holds / is never built on, neither it nor the disk it is a partition of: in a root
# directory of its own, on a partition of a disk of the VM.
mount=no
. "${0%/*}/vm.sh"
need_backend fs
need chroot sfdisk
. "$repo/tests/tree/loops.sh"

disk=$(disk 2)
printf 'label: gpt\n,512M,L\n,,L\n' | sfdisk -q "$disk"
udevadm settle
mkfs.ext4 -q "${disk}1"
# not below $tmp, which is removed: the mounts end with the story's namespace
root=/run/root
mkdir -p "$root"
mount "${disk}1" "$root"
for top in /*; do
	if [ -L "$top" ]; then
		cp -P "$top" "$root$top"
	elif [ -d "$top" ]; then
		mkdir -p "$root$top"
		mount --rbind "$top" "$root$top"
	fi
done
mkdir "$root/definitions" "$root/storage"
storage=$root/storage
chroot "$root" "$storagefs" -f /definitions /storage >>"$log" 2>&1 &
daemon=$!
eventually 60 mountpoint -q "$storage"

pool=$storage/pools/p
try() # DEVICE
{
	define_fs p ext4 "$1" /target
	for mode in no-overwrite overwrite; do
		refuse EBUSY "is in use" put "$pool/ctl" "build $mode"
		grep -qF "mounted on '/'" "$pool/error" || fail "/ is not named: $(cat "$pool/error")"
	done
}
sync
sum=$(dd if="$disk" bs=64K count=16 iflag=direct 2>/dev/null | md5sum)
try "${disk}1"
try "$disk"
try "$(ls /dev/disk/by-id/wwn-*00002-part1)"
[ "$(dd if="$disk" bs=64K count=16 iflag=direct 2>/dev/null | md5sum)" = "$sum" ] ||
	fail "the disk was changed"

# and its neighbour may be
define_fs p ext4 "${disk}2" /target
put "$pool/ctl" 'build overwrite'
[ "$(blkid -p -o value -s TYPE "${disk}2")" = ext4 ] || fail "the other partition has no filesystem"
umount "$storage"
daemon_ended || exit 1
