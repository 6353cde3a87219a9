#!/bin/sh
# What a pool stands on goes and comes back: the disk of a disk pool, the volume group of a logical one.
# Both are away meanwhile, and return by themselves. A RAID that has a disk is named.
# limit: 150
mount_options=timeout=60
. "${0%/*}/vm.sh"
need_backend disk
need_backend logical
need lvm sfdisk
. "$repo/tests/tree/disks.sh"
. "${0%/*}/lvm.sh"

gone() # DISK: it is taken out
{
	host=$(readlink -f "/sys/block/${1#/dev/}/device")
	host=${host##*/}
	echo 1 >"/sys/block/${1#/dev/}/device/delete"
	eventually 30 test ! -e "$1"
}

back()
{
	echo '- - -' >"/sys/class/scsi_host/host${host%%:*}/scan"
	udevadm settle
}

link() # N: of the VM's disk N, whatever its name
{
	echo "/dev/disk/by-id/wwn-0x5000c50000a0000$1"
}

story_end()
{
	[ ! -e /sys/block/md_story ] || echo clear >/sys/block/md_story/md/array_state
	vgchange -q -an vg0
	back # whatever is out
	# one that came while its old name was in use: the other stories know it by that
	moved=$(readlink -f "$(link 1)")
	[ "$moved" = "$VM_DISK1" ] || { gone "$moved" && back; }
	[ "$(readlink -f "$(link 1)")" = "$VM_DISK1" ]
} >"$tmp/end" 2>&1

# -- a disk --

disk=$(disk 0)
name=${disk#/dev/}
define_disk p gpt "$(link 0)" /dev/disk/by-path
put "$pool/ctl" build
put "$pool/ctl" start
touch "$pool/volumes/${name}1"
seq 1 100000 | head -c 500000 >"$tmp/data"
dd if="$tmp/data" of="$pool/volumes/${name}1" conv=notrunc,fsync status=none
gone "$disk"
eventually 30 is away "$pool/state"
grep -q "disk '$(link 0)' was removed" "$pool/error" || fail "the error is: $(cat "$pool/error")"
expect_errno ETIMEDOUT ls "$pool/volumes"
refuse ENODEV "$(link 0)" put "$pool/ctl" refresh
back
eventually 60 is running "$pool/state"
[ "$(ls "$pool/volumes")" = "${name}1" ] || fail "the list is: $(ls "$pool/volumes")"
cmp -n 500000 "$tmp/data" "$pool/volumes/${name}1"
touch "$pool/volumes/${name}2"
put "$pool/ctl" stop
rmdir "$pool"

# -- a volume group --

vgcreate -qy vg0 "$(disk 1)" >"$tmp/out"
lvcreate -qqy -n v -l 4 vg0
define vg0
pool=$storage/pools/vg0
is running "$pool/state"
dd if="$tmp/data" of="$pool/volumes/v" conv=notrunc,fsync status=none
gone "$VM_DISK1"
eventually 30 is away "$pool/state"
grep -q "disk '$VM_DISK1' of volume group 'vg0' was removed" "$pool/error" || fail "$(cat "$pool/error")"
refuse ENODEV "no volume group 'vg0'" put "$pool/ctl" refresh
is away "$pool/state"
expect_errno ETIMEDOUT ls "$pool/volumes"
back
eventually 60 is running "$pool/state"
[ "$(ls "$pool/volumes")" = v ] || fail "the list is: $(ls "$pool/volumes")"
cmp -n 500000 "$tmp/data" "$pool/volumes/v"
touch "$pool/volumes/w"
[ "$(lv w lv_active)" = active ] || fail "w is not active"

# somebody gives it another name
vgrename -q vg0 vg1 >"$tmp/out"
expect_errno ENODEV ls "$pool/volumes"
eventually 30 is away "$pool/state"
grep -q "no volume group 'vg0'" "$pool/error" || fail "the error is: $(cat "$pool/error")"
vgrename -q vg1 vg0 >"$tmp/out"
eventually 60 is running "$pool/state"
rm "$pool/volumes/w"
put "$pool/ctl" stop
vgremove -qqff vg0

# -- a RAID --

raid=$(disk 2)
modprobe md_mod
echo md_story >/sys/module/md_mod/parameters/new_array
# this has the disk alone, as a running one has it
cat "/sys/block/${raid#/dev/}/dev" >/sys/block/md_story/md/new_dev
pool=$storage/pools/r
define_disk r gpt "$raid" /dev
refuse EBUSY 'md_story stands on it' put "$pool/ctl" 'build overwrite'
rmdir "$pool"
define vg0 "<device path='$raid'/>"
refuse EBUSY 'md_story stands on it' put "$storage/pools/vg0/ctl" 'build overwrite'
