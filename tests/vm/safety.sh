#!/bin/sh
# What destroys is refused where this machine stands on it or uses it, whatever the pool's type, and the
# refusal names the user: build, build overwrite, delete and wipe on the device of / and its disk, on a
# mounted loop device, on a disk of LVM and on swap space. Nothing on them changes.
# limit: 300
mount=no
. "${0%/*}/vm.sh"
need chroot sfdisk lvm mkswap
. "$repo/tests/tree/loops.sh"

have()
{
	[ -e "$STORAGEFS_BUILD/backends/$1.so" ]
}

# -- a root directory of its own, on a partition of disk 2 --

disk=$(disk 2)
printf 'label: gpt\n,512M,L\n,,L\n' | sfdisk -q "$disk"
udevadm settle
mkfs.ext4 -q "${disk}1"
# not below $tmp, which is removed: the mounts end with the story's namespace
root=/run/root
mkdir -p "$root"
mount "${disk}1" "$root"
for top in /*; do
	if [ -L "$top" ]; then
		cp -P "$top" "$root$top"
	elif [ -d "$top" ]; then
		mkdir -p "$root$top"
		mount --rbind "$top" "$root$top"
	fi
done
mkdir "$root/definitions" "$root/storage" "$root/loop" "$root/lv" "$root/map"

# -- and what else is in use --

looped=$(losetup -f --show "$(truncate -s 64M "$tmp/image" && echo "$tmp/image")")
mkfs.ext4 -q "$looped"
mount -o ro "$looped" "$root/loop"
pv=$(disk 3)
vgcreate -q used "$pv" >/dev/null
lvcreate -q -y -L 64M -n lv used >/dev/null
udevadm settle
mkfs.ext4 -q /dev/used/lv
mount -o ro /dev/used/lv "$root/lv"
swap=$(disk 4)
mkswap "$swap" >/dev/null
swapon "$swap"
map_paths
mkfs.ext4 -q "$map"
mount -o ro "$map" "$root/map"

story_end()
{
	umount "$root/lv" "$root/loop" "$root/map"
	swapoff "$swap"
	dmsetup remove --retry "$map"
	vgchange -q -an used >/dev/null
	losetup -d "$looped"
	for pv_ in "$pv" "$swap" "$disk"; do
		wipefs -q -a -f "$pv_" || :
	done
}

storage=$root/storage
# the pools are there to be refused: none is started unless a verb says so
chroot "$root" "$storagefs" -f -o no-autostart /definitions /storage >>"$log" 2>&1 &
daemon=$!
eventually 60 mountpoint -q "$storage"
pools=$storage/pools

sums() # of what nobody but a fault of ours writes
{
	for at_ in "$disk" "$looped" "$pv" "$swap" "$map"; do
		dd if="$at_" bs=64K count=16 iflag=direct 2>/dev/null | md5sum
	done
}
sync
before=$(sums)

# -- build and delete --

define() # NAME XML
{
	mkdir -p "$pools/$1"
	put "$pools/$1/xml" "$2"
	is inactive "$pools/$1/state"
}

refused() # FILE LINE WHO
{
	refuse EBUSY "$3" put "$1" "$2"
}

# an fs pool makes a filesystem on its device
try_fs() # DEVICE WHO
{
	define fs "$(fs_xml ext4 "$1" /target)"
	refused "$pools/fs/ctl" 'build no-overwrite' "$2"
	refused "$pools/fs/ctl" 'build overwrite' "$2"
}

# a disk pool makes a table of partitions, and delete removes it
disk_xml()
{
	echo "<pool type='disk'><source><device path='$1'/><format type='gpt'/></source>\
<target><path>/dev</path></target></pool>"
}

try_disk()
{
	define disk "$(disk_xml "$1")"
	refused "$pools/disk/ctl" 'build overwrite' "$2"
	refused "$pools/disk/ctl" delete "$2"
}

# a logical pool makes a volume group of it
logical_xml() # GROUP DEVICE
{
	echo "<pool type='logical'><source><device path='$2'/><name>$1</name></source></pool>"
}

try_logical()
{
	define logical "$(logical_xml new "$1")"
	refused "$pools/logical/ctl" build "$2"
	refused "$pools/logical/ctl" 'build overwrite' "$2"
}

for type in fs disk logical; do
	have "$type" || continue
	echo "-- $type"
	# a disk pool has whole disks
	[ "$type" = disk ] || "try_$type" "${disk}1" "mounted on '/'"
	"try_$type" "$disk" "mounted on '/'"
	"try_$type" "$(ls /dev/disk/by-id/wwn-*00002)" "mounted on '/'"
	"try_$type" "$looped" "mounted on '/loop'"
	"try_$type" "$pv" "used-lv stands on it"
	"try_$type" "$swap" "swap space"
	"try_$type" "$map" "mounted on '/map'"
	rmdir "$pools/$type"
done
if have logical; then
	define group "$(logical_xml used "$pv")"
	expect_error "'lv'" put "$pools/group/ctl" delete
	rmdir "$pools/group"
fi
[ "$(sums)" = "$before" ] || fail "a refused build or delete changed something"

# -- volumes: wipe, and where they can be deleted rm --

begin() # NAME XML
{
	echo "-- volumes of $1"
	define "$1" "$2"
	put "$pools/$1/ctl" start
}

kept() # POOL VOLUME WHO [given]
{
	refused "$pools/$1/info/$2/ctl" 'wipe zero' "$3"
	[ "${4-}" = given ] || refuse EBUSY "$3" rm "$pools/$1/volumes/$2"
}

if have disk; then
	begin disk "$(disk_xml "$disk")"
	kept disk "${disk#/dev/}1" "mounted on '/'"
	refused "$pools/disk/ctl" stop "mounted on '/'"
fi
if have logical; then
	begin logical "$(logical_xml used "$pv")"
	kept logical lv "mounted on '/lv'"
	refused "$pools/logical/ctl" stop "mounted on '/lv'"
fi
if have mpath; then
	begin mpath "<pool type='mpath'><target><path>/dev/mapper</path></target></pool>"
	kept mpath "${map##*/}" "mounted on '/map'" given
fi
if have scsi; then
	unit() # DISK: its number
	{
		basename "$(readlink -f "/sys/block/${1#/dev/}/device")"
	}
	host=$(unit "$disk")
	begin scsi "<pool type='scsi'><source><adapter name='host${host%%:*}'/></source>\
<target><path>/dev/disk/by-path</path></target></pool>"
	for each in "$disk=mounted on '/'" "$pv=used-lv stands on it" "$swap=swap space"; do
		unit=$(unit "${each%%=*}")
		kept scsi "unit:${unit#*:}" "${each#*=}" given
	done
fi
[ "$(sums)" = "$before" ] || fail "a refused wipe or deletion changed something"

# and its neighbour may be
if have fs; then
	define fs "$(fs_xml ext4 "${disk}2" /target)"
	put "$pools/fs/ctl" 'build overwrite'
	[ "$(blkid -p -o value -s TYPE "${disk}2")" = ext4 ] || fail "the other partition has no filesystem"
fi
umount "$storage"
daemon_ended || exit 1
