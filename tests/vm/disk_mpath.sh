#!/bin/sh
# A disk pool on a multipath map: partitions are maps, named as the definition or kpartx does it.
# limit: 90
. "${0%/*}/vm.sh"
need multipath dmsetup kpartx
. "$repo/tests/tree/disks.sh"

story_end()
{
	kpartx -d /dev/mapper/mpatha
	multipath -F
	rm -f /etc/multipath.conf
	return 0
} >"$tmp/end" 2>&1

multipath_conf 'skip_kpartx yes'
# shellcheck disable=SC2086  # two words
set -- $VM_PATHS
blkdiscard -f -z "$1"
multipath >"$tmp/out" 2>&1
eventually 30 test -b /dev/mapper/mpatha
map=/dev/mapper/mpatha

try() # SEPARATOR PREFIX LABEL
{
	echo "-- part_separator='$1'"
	define_disk "d$1" "$3" "$map" /dev/mapper "${1:+part_separator='$1'}"
	pool=$storage/pools/d$1
	put "$pool/ctl" 'build overwrite'
	put "$pool/ctl" start
	refuse EINVAL "'${2}1'" touch "$pool/volumes/sda1"
	touch "$pool/volumes/${2}1"
	size $M "$pool/volumes/${2}1"
	[ -b "/dev/mapper/${2}1" ] || fail "there is no map ${2}1: $(ls /dev/mapper)"
	dmsetup info -c --noheadings -o uuid "${2}1" >"$tmp/uuid"
	is "part1-mpath-$paths_wwid" "$tmp/uuid"
	head -c $((5 * M)) /dev/urandom >"$tmp/data"
	cp "$tmp/data" "$pool/volumes/${2}1"
	size $((5 * M)) "$pool/volumes/${2}1"
	cmp "$tmp/data" "/dev/mapper/${2}1"
	# the map has a cache of its own, and knows nothing of what waits in that of a partition
	sync "$pool/volumes/${2}1"
	blockdev --flushbufs "$map"
	cmp -n $((5 * M)) -i 0:$M "$tmp/data" "$map"
	is "/dev/mapper/${2}1" "$pool/info/${2}1/path"
	mkdir "$pool/info/${2}2"
	put "$pool/info/${2}2/capacity" 10M
	touch "$pool/volumes/${2}2"
	put "$pool/info/${2}2/capacity" 20M
	put "$pool/info/${2}2/capacity" 'shrink 8M'
	[ "$(blockdev --getsize64 "/dev/mapper/${2}2")" = $((8 * M)) ] || fail "the map was not resized"
	[ "$(sfdisk_field "$map" 2 size)" = $((8 * 2048)) ] || fail "$(sfdisk -d "$map")"
	exec 9<"/dev/mapper/${2}2"
	refuse EBUSY 'in use' rm "$pool/volumes/${2}2"
	exec 9<&-
	eventually 10 rm "$pool/volumes/${2}2"
	[ ! -e "/dev/mapper/${2}2" ] || fail "the map is there still"
	[ "$(ls "$pool/volumes")" = "${2}1" ] || fail "the list is: $(ls "$pool/volumes")"
	dmsetup create user --table "0 8 linear /dev/mapper/${2}1 0"
	refuse EBUSY 'user stands on it' put "$pool/ctl" stop
	refuse EBUSY 'user stands on it' rm "$pool/volumes/${2}1"
	dmsetup remove user
}

gone() # PREFIX
{
	eventually 10 rm "$pool/volumes/${1}1"
	put "$pool/ctl" stop
	put "$pool/ctl" delete
	rmdir "$pool"
}
try '' mpatha gpt
gone mpatha
try yes mpathap dos
gone mpathap

# partitions that kpartx has made have the names that it gives
printf 'label: gpt\n,5M\n,6M\n' | sfdisk -q "$map"
kpartx -a -p -part "$map"
eventually 20 test -b /dev/mapper/mpatha-part2
define_disk k gpt "$map" /dev/mapper
pool=$storage/pools/k
eventually 10 is running "$pool/state"
[ "$(ls "$pool/volumes" | tr '\n' ' ')" = 'mpatha-part1 mpatha-part2 ' ] || fail "$(ls "$pool/volumes")"
size $((6 * M)) "$pool/volumes/mpatha-part2"
touch "$pool/volumes/mpatha-part3"
eventually 10 rm "$pool/volumes/mpatha-part3"
eventually 10 rm "$pool/volumes/mpatha-part2"
eventually 10 rm "$pool/volumes/mpatha-part1"
put "$pool/ctl" stop
