#!/bin/sh
# fs pools of the formats that Linux only reads, mounted by name and as auto; of one that it has no
# driver for; and a device by the links that udev makes.
# limit: 120
. "${0%/*}/vm.sh"
need_backend fs
need xorriso makefs
. "${0%/*}/fs.sh"

mkdir "$tmp/files"
cp "$tmp/data" "$tmp/files/old"

# given FORMAT TYPE IMAGE [explicit]: an image that is only read, of the type for libblkid and kernel
given()
{
	echo "-- $1 from $3"
	disk=$(disk 0)
	dd if="$3" of="$disk" bs=1M conv=fsync 2>/dev/null
	udevadm settle
	[ -n "${4-}" ] || says "$2"
	pool=$pools/$1
	define_fs "$1" "$1" "$disk" "$at"
	is running "$pool/state"
	shows "$2"
	case ,$(findmnt -no OPTIONS "$at"), in
	*,ro,*) ;;
	*) fail "$1 is mounted for writing" ;;
	esac
	cmp "$tmp/data" "$pool/volumes/old"
	expect_errno EROFS touch "$pool/volumes/new"
	stop
	if [ -z "${4-}" ]; then
		again "$2"
		stop
	fi
	rmdir "$pool"
}

xorriso -as mkisofs -quiet -R -J -V LABEL -o "$tmp/iso" "$tmp/files" 2>"$tmp/err"
given iso9660 iso9660 "$tmp/iso"
# an image for both, so the format has to be said
xorriso -as mkisofs -quiet -hfsplus -V LABEL -o "$tmp/hfs" "$tmp/files" 2>"$tmp/err"
given hfs+ hfsplus "$tmp/hfs" explicit
makefs -t ffs -s 16m -o version=1 "$tmp/ufs" "$tmp/files" >/dev/null 2>&1
given ufs ufs "$tmp/ufs"

echo "-- gfs, which no Linux mounts"
disk=$(disk 0)
pool=$pools/gfs
define_fs gfs gfs "$disk" "$at"
is inactive "$pool/state"
grep -q 'use gfs2' "$pool/error" || fail "the error is: $(cat "$pool/error")"
refuse EOPNOTSUPP 'use gfs2' put "$pool/ctl" 'build no-overwrite'
# a superblock of it: magic and type, two versions
printf '\001\026\031\160\0\0\0\001' | dd of="$disk" bs=1 seek=65536 2>/dev/null
printf '\0\0\005\035\0\0\005\171' | dd of="$disk" bs=1 seek=65560 conv=fsync 2>/dev/null
says gfs
fs_xml auto "$disk" "$at" >"$tmp/auto.xml"
cp "$tmp/auto.xml" "$pool/xml"
refuse EOPNOTSUPP 'use gfs2' put "$pool/ctl" start
rmdir "$pool"

# one device, three names
echo "-- names"
disk=$(disk 1)
pool=$pools/byname
mkfs.ext4 -q "$disk"
udevadm trigger --settle "$disk"
uuid=$(blkid -p -o value -s UUID "$disk")
for name in "/dev/disk/by-uuid/$uuid" "$(ls /dev/disk/by-id/wwn-*00001)"; do
	[ -b "$name" ] || fail "udev made no $name"
	define_fs byname ext4 "$name" "$at"
	# only the first definition starts it
	put "$pool/ctl" start
	is running "$pool/state"
	grep -q "<device path='$name'/>" "$pool/xml" || fail "the name was changed"
	[ "$(findmnt -no SOURCE "$at")" = "$disk" ] || fail "another device is mounted"
	stop
done
define_fs byname ext4 "/dev/disk/by-uuid/$uuid" "$at"
refuse EINVAL 'by-id' put "$pool/ctl" 'build overwrite'
