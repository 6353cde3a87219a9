#!/bin/sh
# fs pools of every format that Linux has: made by build where there is a tool for it, mounted by its
# name and as auto, volumes written or only read, and still there after the next start.
# limit: 240
. "${0%/*}/vm.sh"
need_backend fs
need xorriso makefs
. "$repo/tests/tree/loops.sh"

at=$tmp/at
mkdir "$at"
seq 1 20000 >"$tmp/data"
mkdir "$tmp/files"
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

# made FORMAT TYPE [KERNEL]: build no-overwrite makes it, and volumes live in it
made()
{
	echo "-- $1"
	kernel=${3-$1}
	disk=$(disk 0)
	pool=$pools/$1
	define_fs "$1" "$1" "$disk" "$at"
	is inactive "$pool/state"
	put "$pool/ctl" 'build no-overwrite'
	says "$2"
	put "$pool/ctl" start
	is running "$pool/state"
	[ "$(findmnt -no FSTYPE "$at")" = "$kernel" ] || fail "mounted as $(findmnt -no FSTYPE "$at")"
	cp "$tmp/data" "$pool/volumes/v"
	mv "$pool/volumes/v" "$pool/volumes/w"
	touch "$pool/volumes/t"
	truncate -s 300000 "$pool/volumes/t"
	size 300000 "$pool/volumes/t"
	rm "$pool/volumes/t"
	cmp "$tmp/data" "$at/w"
	[ "$(cat "$pool/capacity")" -gt 10000000 ] || fail "the capacity is $(cat "$pool/capacity")"
	stop "$pool"
	fs_xml auto "$disk" "$at" >"$tmp/auto.xml"
	cp "$tmp/auto.xml" "$pool/xml"
	again
	cmp "$tmp/data" "$pool/volumes/w"
	stop "$pool"
	rmdir "$pool"
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

for format in ext2 ext3 ext4 xfs vfat udf gfs2 btrfs; do
	made "$format" "$format"
done
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
	is running "$pools/byname/state"
	grep -q "<device path='$name'/>" "$pools/byname/xml" || fail "the name was changed"
	[ "$(findmnt -no MAJ:MIN "$at")" = "$(lsblk -dno MAJ:MIN "$disk" | tr -d ' ')" ] ||
		fail "another device is mounted"
	stop "$pools/byname"
done
define_fs byname ext4 "/dev/disk/by-uuid/$uuid" "$at"
put "$pools/byname/ctl" stop
refuse EINVAL 'by-id' put "$pools/byname/ctl" 'build overwrite'
