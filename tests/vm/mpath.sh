#!/bin/sh
# Multipath maps: they come and go, a path fails while a volume is written, and partitions are left out.
# limit: 120
. "${0%/*}/vm.sh"

need_backend mpath
need multipath multipathd dmsetup kpartx sfdisk

daemon_of_paths=
story_end()
{
	for path in $VM_PATHS; do
		echo running >"/sys/block/${path#/dev/}/device/state"
	done
	if [ -n "$daemon_of_paths" ]; then
		kill "$daemon_of_paths"
		wait "$daemon_of_paths"
	fi
	kpartx -d /dev/mapper/mpatha
	multipath -F
	rm -f /etc/multipath.conf
	return 0
} >"$tmp/end" 2>&1

multipath_conf 'polling_interval 1
 max_polling_interval 2
 no_path_retry fail'
# shellcheck disable=SC2086  # two words
set -- $VM_PATHS
first=/sys/block/${1#/dev/}/device/state
second=/sys/block/${2#/dev/}/device/state
blkdiscard -f -z "$1"

# -- maps come --

pool=$storage/pools/maps
volume=$pool/volumes/mpatha
mkdir "$pool"
put "$pool/xml" "<pool type='mpath'><target><path>/dev/mapper</path></target></pool>"
is running "$pool/state"
[ -z "$(ls "$pool/volumes")" ] || fail "there are maps: $(ls "$pool/volumes")"
is 0 "$pool/capacity"

multipathd -d >"$tmp/multipathd" 2>&1 &
daemon_of_paths=$!
eventually 60 test -e "$volume"
[ "$(ls "$pool/volumes")" = mpatha ] || fail "the list is: $(ls "$pool/volumes")"
grep -q 'mpatha' "$storage/events" || fail "no event tells of the map"
size 268435456 "$volume"
is 268435456 "$pool/capacity"
is 0 "$pool/available"
is /dev/mapper/mpatha "$pool/info/mpatha/path"
is /dev/mapper/mpatha "$pool/info/mpatha/key"
eventually 30 is 2/2 "$pool/info/mpatha/paths"
[ "$(dmsetup status mpatha | grep -o ' A [0-9]' | wc -l)" -ge 2 ] || fail "$(dmsetup status mpatha)"
grep -q "<volume type='block'>" "$pool/info/mpatha/xml" || fail "$(cat "$pool/info/mpatha/xml")"
grep -q '<source' "$storage/sources/mpath" || fail "the sources are: $(cat "$storage/sources/mpath")"
refuse EOPNOTSUPP mpath touch "$pool/volumes/new"
refuse EOPNOTSUPP mpath rm "$volume"

# -- reading and writing --

head -c 4M /dev/urandom >"$tmp/data"
write()
{
	dd if="$tmp/data" of="$volume" bs=256k oflag=direct conv=notrunc,fsync status=none
}
same()
{
	dd if="$volume" bs=256k count=16 iflag=direct status=none | cmp "$tmp/data" -
}
write
same
dd if="$1" bs=256k count=16 iflag=direct status=none | cmp "$tmp/data" -
dd if="$tmp/data" of="$volume" bs=4k count=64 seek=1024 oflag=direct conv=notrunc,fsync status=none
dd if="$volume" bs=4k count=64 skip=1024 iflag=direct status=none | cmp -n 262144 "$tmp/data" -
dd if="$volume" bs=4k count=64 iflag=direct status=none | cmp -n 262144 "$tmp/data" -

# what a sparse copy skips reads as zeros, what is behind it stays
truncate -s 2M "$tmp/sparse"
echo data | dd of="$tmp/sparse" bs=1M seek=1 conv=notrunc status=none
cp --sparse=always "$tmp/sparse" "$volume"
cmp -n 2097152 "$tmp/sparse" "$volume"
cmp -i 2097152 -n 2097152 "$tmp/data" "$volume"

# -- a path fails --

(write && write && write && write) &
writing=$!
echo offline >"$first"
wait "$writing" || fail "writing ended when a path failed"
write
same
eventually 60 is 1/2 "$pool/info/mpatha/paths"
echo running >"$first"
eventually 60 is 2/2 "$pool/info/mpatha/paths"
echo offline >"$second"
write
same
echo offline >"$first"
expect_errno EIO dd if="$volume" of=/dev/null bs=4k count=1 iflag=direct
eventually 60 is 0/2 "$pool/info/mpatha/paths"
# the sentence that ends in the volume's file is the later one of this and dd's
eventually 60 grep -q 'last path of map .mpatha. has failed' "$log"
is running "$pool/state"
echo running >"$first"
echo running >"$second"
eventually 60 is 2/2 "$pool/info/mpatha/paths"
same

# -- partitions are the disk type's --

printf 'label: gpt\nsize=10M\n' | sfdisk -q /dev/mapper/mpatha
kpartx -a /dev/mapper/mpatha
[ "$(dmsetup ls | wc -l)" = 2 ] || fail "there is no partition: $(dmsetup ls)"
[ "$(ls "$pool/volumes")" = mpatha ] || fail "the list is: $(ls "$pool/volumes")"
refuse EBUSY 'stands on' put "$pool/info/mpatha/ctl" 'wipe zero'
eventually 30 kpartx -d /dev/mapper/mpatha

# -- a restart; maps go --

kill_daemon
umount -l "$storage"
mount_storage
eventually 30 is running "$pool/state"
cmp -i 2097152 -n 2097152 "$tmp/data" "$volume"
multipath -f mpatha
[ -z "$(ls "$pool/volumes")" ] || fail "the list is: $(ls "$pool/volumes")"
eventually 30 test ! -e "$volume"
expect_errno ENOENT cat "$volume"
multipath -v1
[ "$(ls "$pool/volumes")" = mpatha ] || fail "the list is: $(ls "$pool/volumes")"
put "$pool/ctl" stop
[ "$(dmsetup ls --target multipath | cut -f 1)" = mpatha ] || fail "stop removed the map"
