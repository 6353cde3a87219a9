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
