#!/bin/sh
# No build of an fs pool touches a device that something uses, and each refusal says what that is.
# vm
. "${0%/*}/lib.sh"
need_backend fs
. "${0%/*}/loops.sh"
need_filesystem ext4
need sfdisk

pool=$storage/pools/p
refused() # DEVICE WHY
{
	for mode in no-overwrite overwrite; do
		refuse EBUSY "$2" put "$pool/ctl" "build $mode"
	done
	cmp -s "$tmp/before" "$1" || [ "${3-}" = live ] || fail "$1 was changed"
}

# mounted elsewhere
new_loop 32M
mkfs.ext4 -q "$loop"
mkdir "$tmp/elsewhere"
mount -o ro "$loop" "$tmp/elsewhere"
cp "$loop" "$tmp/before"
define_fs p ext4 "$loop" "$tmp/at"
refused "$loop" "mounted on '$tmp/elsewhere'"
# by another name of it
ln -s "$loop" "$tmp/link"
define_fs p ext4 "$tmp/link" "$tmp/at"
refused "$loop" "mounted on '$tmp/elsewhere'"
[ ! -e "$tmp/at" ] || fail "a refused build made the directory"
umount "$tmp/elsewhere"

# mounted where this daemon does not see it: the kernel knows
unshare --mount sh -c "mount '$loop' '$tmp/elsewhere' && : >'$tmp/mounted' && exec sleep 600" &
hidden=$!
eventually 10 test -e "$tmp/mounted"
define_fs p ext4 "$loop" "$tmp/at"
refused "$loop" 'something holds it' live
kill "$hidden"
wait "$hidden" 2>/dev/null || :

# held by a program
cp "$loop" "$tmp/before"
/usr/bin/python3 -c 'import os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
open(sys.argv[2], "w")
time.sleep(600)' "$loop" "$tmp/held" &
holder=$!
eventually 10 test -e "$tmp/held"
refused "$loop" "(python3) has open '$loop'"
kill "$holder"
wait "$holder" 2>/dev/null || :

# swap space
if mkswap -q "$loop" 2>/dev/null && swapon "$loop" 2>/dev/null; then
	refused "$loop" 'swap space' live
	swapoff "$loop"
fi

# a partition of it is in use, where the kernel reads partitions of loop devices
new_loop 64M
printf 'label: dos\n2048,65536,L\n' | sfdisk -q "$loop" >/dev/null 2>&1 || fail "sfdisk failed"
losetup -d "$loop"
file=$(losetup -f --show -P "$file_")
loops="${loops% *} $file"
loop=$file
cp "$loop" "$tmp/before"
define_fs p ext4 "$loop" "$tmp/at"
refuse EEXIST '(dos)' put "$pool/ctl" 'build no-overwrite'
cmp "$tmp/before" "$loop" || fail "a table of partitions was written over"
if [ -b "${loop}p1" ]; then
	mkfs.ext4 -q "${loop}p1"
	mount -o ro "${loop}p1" "$tmp/elsewhere"
	cp "$loop" "$tmp/before"
	refused "$loop" "partition ${loop#/dev/}p1: it is mounted on '$tmp/elsewhere'"
	umount "$tmp/elsewhere"
fi

# no block device, no absolute path, nothing there
truncate -s 32M "$tmp/file"
define_fs p ext4 "$tmp/file" "$tmp/at"
refuse ENODEV 'not a block device' put "$pool/ctl" 'build overwrite'
define_fs p ext4 /dev/nothing-here "$tmp/at"
refuse ENODEV 'no device' put "$pool/ctl" 'build overwrite'
define_fs p ext4 "/dev/disk/by-uuid/$(blkid -p -o value -s UUID "$loop")" "$tmp/at"
expect_error "device" put "$pool/ctl" 'build overwrite'

# formats that Linux cannot have are refused before anything is written
for format in gfs vmfs iso9660 ufs auto; do
	define_fs p "$format" "$loop" "$tmp/at"
	expect_error "filesystem" put "$pool/ctl" 'build overwrite'
done
define_fs p gfs "$loop" "$tmp/at"
mkdir "$tmp/at"
refuse EOPNOTSUPP 'use gfs2' put "$pool/ctl" start

# protected: not by itself, and not by build overwrite
new_loop 32M
define_fs p ext4 "$loop" "$tmp/at"
put "$pool/protected" 1
refuse EPERM protected put "$pool/ctl" 'build overwrite'
[ -z "$(blkid -p -o value -s TYPE "$loop")" ] || fail "a protected pool was built over"
