# What a story in a VM stands on: sourced first, it is tests/tree/lib.sh with disks. Scratch files
# ($tmp) are on ext4, the root of the VM is an overlay. See tests/vm/run.
# shellcheck shell=sh

# "${0%/*}" is where the story is
[ -n "${VM_GUEST-}" ] || { echo "for a VM only: see tests/vm/run"; exit 77; }
. "${0%/*}/../tree/lib.sh"

# disk N: the path of the VM's disk N, blank; each story may have all of them
disk()
{
	eval "disk_=\$VM_DISK$1"
	# shellcheck disable=SC2154  # eval sets it
	blkdiscard -f -z "$disk_" 2>/dev/null || fail "cannot blank disk $1 ($disk_)"
	udevadm settle
	echo "$disk_"
}

paths_wwid=35000c50000b00000 # of the two-path disk

# multipath_conf DEFAULTS: the multipath tools make a map of the two-path disk, and of no other
multipath_conf()
{
	modprobe -a dm_multipath dm_service_time
	rm -f /etc/udev/rules.d/60-multipath.rules
	cat >/etc/multipath.conf <<-END
		defaults {
		 find_multipaths no
		 user_friendly_names yes
		 $1
		}
		blacklist {
		 wwid ".*"
		}
		blacklist_exceptions {
		 wwid "$paths_wwid"
		}
	END
}

# map_paths: one multipath map, whose path is then $map, over the two-path disk, blank
map_paths()
{
	# shellcheck disable=SC2086  # two words
	set -- $VM_PATHS
	blkdiscard -f -z "$1"
	modprobe -a dm_multipath dm_service_time
	dmsetup create storymap -u "mpath-$paths_wwid" --table "0 $(blockdev --getsz "$1") multipath 0 0 \
1 1 service-time 0 2 1 $(cat "/sys/block/${1#/dev/}/dev") 1 $(cat "/sys/block/${2#/dev/}/dev") 1"
	udevadm settle
	# shellcheck disable=SC2034  # for the story
	map=/dev/mapper/storymap
}
