#!/bin/sh
# fs pools of every format that Linux writes: made by build, mounted by its name and as auto, volumes
# that are still there after the next start.
# limit: 240
. "${0%/*}/vm.sh"
need_backend fs
need mkfs.f2fs mkfs.ocfs2
. "${0%/*}/fs.sh"

for format in ext2 ext3 ext4 xfs vfat udf gfs2 btrfs f2fs ocfs2; do
	echo "-- $format"
	disk=$(disk 0)
	pool=$pools/$format
	define_fs "$format" "$format" "$disk" "$at"
	is inactive "$pool/state"
	put "$pool/ctl" 'build no-overwrite'
	says "$format"
	put "$pool/ctl" start
	is running "$pool/state"
	shows "$format"
	cp "$tmp/data" "$pool/volumes/v"
	mv "$pool/volumes/v" "$pool/volumes/w"
	touch "$pool/volumes/t"
	truncate -s 300000 "$pool/volumes/t"
	size 300000 "$pool/volumes/t"
	rm "$pool/volumes/t"
	cmp "$tmp/data" "$at/w"
	[ "$(cat "$pool/capacity")" -gt 10000000 ] || fail "the capacity is $(cat "$pool/capacity")"
	stop
	again "$format"
	cmp "$tmp/data" "$pool/volumes/w"
	stop
	rmdir "$pool"
done
