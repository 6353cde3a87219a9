#!/bin/sh
# fs pools of the formats that Linux only reads, mounted by name and as auto; and a device by the links
# that udev makes.
# limit: 120
. "${0%/*}/vm.sh"
need_backend fs
need xorriso makefs
. "$repo/tests/tree/loops.sh"

at=$tmp/at
mkdir "$at" "$tmp/files"
seq 1 20000 >"$tmp/data"
cp "$tmp/data" "$tmp/files/old"
pools=$storage/pools

says() # TYPE: libblkid finds it on $disk
{
	found=$(blkid -p -o value -s TYPE "$disk") || :
	[ "$found" = "$1" ] || fail "there is '$found' on the disk, not $1"
}

stop()
{
	put "$1/ctl" stop
	is inactive "$1/state"
	[ "$(mounts_at "$at")" = 0 ] || fail "stop left it mounted"
}

# as auto, in a pool that has been stopped
again()
{
	put "$pool/ctl" start
	is running "$pool/state"
	[ "$(findmnt -no FSTYPE "$at")" = "$kernel" ] || fail "auto took $(findmnt -no FSTYPE "$at")"
}

# given FORMAT TYPE KERNEL IMAGE [explicit]: an image that is only read
given()
{
	echo "-- $1 from $4"
	kernel=$3
	disk=$(disk 0)
	dd if="$4" of="$disk" bs=1M conv=fsync 2>/dev/null
	udevadm settle
	[ -n "${5-}" ] || says "$2"
	pool=$pools/$1
	define_fs "$1" "$1" "$disk" "$at"
	is running "$pool/state"
	[ "$(findmnt -no FSTYPE "$at")" = "$kernel" ] || fail "mounted as $(findmnt -no FSTYPE "$at")"
	case ,$(findmnt -no OPTIONS "$at"), in
	*,ro,*) ;;
	*) fail "$1 is mounted for writing" ;;
	esac
	cmp "$tmp/data" "$pool/volumes/old"
	expect_errno EROFS touch "$pool/volumes/new"
	stop "$pool"
	if [ -z "${5-}" ]; then
		fs_xml auto "$disk" "$at" >"$tmp/auto.xml"
		cp "$tmp/auto.xml" "$pool/xml"
		again
		stop "$pool"
	fi
	rmdir "$pool"
}

xorriso -as mkisofs -quiet -R -J -V LABEL -o "$tmp/iso" "$tmp/files" 2>"$tmp/err"
given iso9660 iso9660 iso9660 "$tmp/iso"
# an image for both, so the format has to be said
xorriso -as mkisofs -quiet -hfsplus -V LABEL -o "$tmp/hfs" "$tmp/files" 2>"$tmp/err"
given hfs+ hfsplus hfsplus "$tmp/hfs" explicit
makefs -t ffs -s 16m -o version=1 "$tmp/ufs" "$tmp/files" >/dev/null 2>&1
given ufs ufs ufs "$tmp/ufs"

# one device, three names
echo "-- names"
disk=$(disk 1)
mkfs.ext4 -q "$disk"
udevadm trigger --settle "$disk"
uuid=$(blkid -p -o value -s UUID "$disk")
for name in "/dev/disk/by-uuid/$uuid" "$(ls /dev/disk/by-id/wwn-*00001)"; do
	[ -b "$name" ] || fail "udev made no $name"
	define_fs byname ext4 "$name" "$at"
	# only the first definition starts it
	put "$pools/byname/ctl" start
	is running "$pools/byname/state"
	grep -q "<device path='$name'/>" "$pools/byname/xml" || fail "the name was changed"
	[ "$(findmnt -no SOURCE "$at")" = "$disk" ] || fail "another device is mounted"
	stop "$pools/byname"
done
define_fs byname ext4 "/dev/disk/by-uuid/$uuid" "$at"
refuse EINVAL 'by-id' put "$pools/byname/ctl" 'build overwrite'
