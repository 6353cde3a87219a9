#!/bin/sh
# A target, and SOURCE, that are full: what fails says so, leaves nothing half made, and all that was
# there stays. Quotas are those of btrfs: not every kernel has ext4's, and root passes by them.
# limit: 180
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need qemu-img python3

mount -t tmpfs -o size=256k,nr_inodes=40 tmpfs "$source"
mount_storage
pools=$storage/pools
head -c 1000000 /dev/urandom >"$tmp/data"

# full ERRNO POOL: the pool runs in a directory of a few MiB
full()
{
	cd "$pools/$2"
	cp "$tmp/data" volumes/kept
	truncate -s 1M volumes/grows
	expect_errno "$1" dd if=/dev/urandom of=volumes/filler bs=64k count=4000 conv=fsync

	expect_errno "$1" cp "$tmp/data" volumes/copy
	rm volumes/copy
	expect_errno "$1" dd if=/dev/zero of=volumes/grows bs=64k count=16 conv=notrunc,fsync
	expect_errno "$1" dd if=/dev/zero of=volumes/grows bs=64k count=16 conv=notrunc oflag=direct
	refuse "$1" "'grows'" fallocate -l 100M volumes/grows

	# from descriptions: nothing is left of what could not be made
	mkdir info/all
	refuse "$1" all put info/all/xml "<volume><capacity unit='MiB'>900</capacity>\
<allocation unit='MiB'>900</allocation></volume>"
	[ ! -e volumes/all ] || fail "half a volume is left"
	rmdir info/all
	mkdir info/image
	echo qcow2 >info/image/format
	echo 900M >info/image/allocation
	echo 900M >info/image/capacity
	expect_error image touch volumes/image
	[ ! -e volumes/image ] || fail "half an image is left"
	rmdir info/image

	cmp "$tmp/data" volumes/kept || fail "what was there is not what it was"
	is running state
	[ "$(ls -A volumes | tr '\n' ' ')" = 'filler grows kept ' ] ||
		fail "something is left over: $(ls -A volumes)"
	rm volumes/filler
	sync volumes/kept
	eventually 20 cp "$tmp/data" volumes/copy
	cmp "$tmp/data" volumes/copy
	cd /
}

mkdir "$tmp/small"
mount -t tmpfs -o size=4m tmpfs "$tmp/small"
dir_pool small
full ENOSPC small

# no inode is left
mkdir "$tmp/few"
mount -t tmpfs -o nr_inodes=6 tmpfs "$tmp/few"
dir_pool few
touch "$pools/few/volumes/1" "$pools/few/volumes/2"
refuse ENOSPC few sh -c "cd '$pools/few/volumes' && touch 3 && touch 4 && touch 5 && touch 6 && touch 7"
is running "$pools/few/state"
rm "$pools/few/volumes/2"
touch "$pools/few/volumes/8"

# SOURCE is full: the old definition stays in force, on disk too
saved=$(cat "$pools/small/xml.saved")
stored=$(cat "$source/small.xml")
head -c 300000 /dev/zero >"$source/filler" 2>/dev/null || :
padding=$(head -c 20000 /dev/zero | tr '\0' -)
mkdir "$pools/more"
redefined=$(printf '%s' "$saved" | sed "s,</pool>,<description>$(head -c 20000 /dev/zero | tr '\0' x)</description></pool>,")
refuse ENOSPC "$source" put "$pools/more/xml" "<pool type='dir'><target><path>/a$padding</path></target></pool>"
is undefined "$pools/more/state"
put "$pools/small/xml" "$redefined" 2>/dev/null || :
refuse ENOSPC "$source" put "$pools/small/protected" 1
is 0 "$pools/small/protected"
[ "$(cat "$pools/small/xml.saved")" = "$saved" ] || fail "the definition changed"
[ "$(cat "$source/small.xml")" = "$stored" ] || fail "the stored definition changed"
rm "$source/filler"
put "$pools/small/autostart" 1
umount_storage
mount_storage
eventually 10 is running "$pools/small/state"
cmp "$tmp/data" "$pools/small/volumes/kept"
[ "$(cat "$pools/small/xml.saved")" = "$saved" ] || fail "the definition changed"
