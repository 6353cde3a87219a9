#!/bin/sh
# fs pools of every format that Linux writes: made by build, mounted by its name and as auto, volumes
# that are still there after the next start.
# limit: 240
. "${0%/*}/vm.sh"
need_backend fs
need mkfs.f2fs mkfs.ocfs2
. "$repo/tests/tree/loops.sh"

at=$tmp/at
mkdir "$at"
seq 1 20000 >"$tmp/data"
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
again() # FORMAT
{
	put "$pool/ctl" start
	is running "$pool/state"
	[ "$(findmnt -no FSTYPE "$at")" = "$1" ] || fail "auto took $(findmnt -no FSTYPE "$at")"
}

# made FORMAT: build no-overwrite makes it, and volumes live in it
made()
{
	echo "-- $1"
	disk=$(disk 0)
	pool=$pools/$1
	define_fs "$1" "$1" "$disk" "$at"
	is inactive "$pool/state"
	put "$pool/ctl" 'build no-overwrite'
	says "$1"
	put "$pool/ctl" start
	is running "$pool/state"
	[ "$(findmnt -no FSTYPE "$at")" = "$1" ] || fail "mounted as $(findmnt -no FSTYPE "$at")"
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
	again "$1"
	cmp "$tmp/data" "$pool/volumes/w"
	stop "$pool"
	rmdir "$pool"
}

for format in ext2 ext3 ext4 xfs vfat udf gfs2 btrfs f2fs ocfs2; do
	made "$format"
done
