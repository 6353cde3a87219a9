#!/bin/sh
# A scsi pool on the virtio adapter that the VM's disks are on: its volumes against what the kernel, udev
# and scsi_id say, their bytes against the disks', who uses one, and units that come and go.
# limit: 120
. "${0%/*}/vm.sh"
need_backend scsi
need lsblk vgcreate mkswap

M=1048576
pool=$storage/pools/p
vols=$pool/volumes
device=$(readlink -f "/sys/block/${VM_DISK0#/dev/}/device")
hctl=${device##*/}
number=${hctl%%:*}
unit=unit:${hctl#*:}

# define NAME ADAPTER [TARGET]
define()
{
	mkdir -p "$storage/pools/$1"
	put "$storage/pools/$1/xml" "<pool type='scsi'><source>$2</source>\
<target><path>${3-/dev/disk/by-path}</path></target></pool>"
}

units() # what the kernel has of the adapter
{
	lsblk -Sno HCTL | sed -n "s/ //g; s/^$number:/unit:/p" | sort
}

same_units()
{
	[ "$(ls "$vols")" = "$(units)" ]
}

define p "<adapter name='scsi_host$number'/>"
is running "$pool/state"
same_units || fail "the volumes are: $(ls "$vols")"
refuse EEXIST "'p'" define q "<adapter name='host$number'/>"
rmdir "$storage/pools/q"

# -- what is said of a unit --

disk=$(disk 0)
size "$(blockdev --getsize64 "$disk")" "$vols/$unit"
is "$(blockdev --getsize64 "$disk")" "$pool/info/$unit/capacity"
is block "$pool/info/$unit/type"
is "$(/lib/udev/scsi_id --whitelisted --replace-whitespace --device="$disk")" "$pool/info/$unit/key"
path=$(cat "$pool/info/$unit/path")
case $path in /dev/disk/by-path/*) ;; *) fail "the path is $path" ;; esac
[ "$(readlink -f "$path")" = "$disk" ] || fail "$path is another disk"
[ "$(stat -c %a:%G "$vols/$unit")" = "$(stat -c %a:%G "$disk")" ] || fail "mode and owner differ"
sum=$(lsblk -Sbno SIZE,HCTL | awk -v n="$number:" 'index($2, n) == 1 { s += $1 } END { printf "%.0f\n", s }')
is "$sum" "$pool/capacity"

# -- bytes --

head -c $((8 * M)) /dev/urandom >"$tmp/data"
tr '\0' o </dev/zero | dd of="$disk" bs=1M count=12 iflag=fullblock conv=fsync 2>"$tmp/err"
dd if="$tmp/data" of="$vols/$unit" bs=1M conv=notrunc,fsync 2>"$tmp/err"
dd if="$disk" of="$tmp/got" bs=1M count=8 iflag=direct 2>"$tmp/err"
cmp "$tmp/data" "$tmp/got" || fail "what was synced is not on the disk"
dd if="$vols/$unit" of="$tmp/got" bs=64k count=128 iflag=direct 2>"$tmp/err"
cmp "$tmp/data" "$tmp/got" || fail "a direct read differs"
dd if="$tmp/data" of="$vols/$unit" bs=512k seek=2 oflag=direct conv=notrunc 2>"$tmp/err"
cmp -i 0:$M -n $((8 * M)) "$tmp/data" "$disk" || fail "a direct write differs"

# what a sparse cp skips reads as zeros, the rest is as it was
tr '\0' o </dev/zero | dd of="$disk" bs=1M count=12 iflag=fullblock conv=fsync 2>"$tmp/err"
truncate -s $((10 * M)) "$tmp/sparse"
head -c 5000 /dev/urandom | dd of="$tmp/sparse" bs=1 seek=$((3 * M + 17)) conv=notrunc 2>"$tmp/err"
cp --sparse=always "$tmp/sparse" "$vols/$unit"
cmp -n $((10 * M)) "$tmp/sparse" "$disk" || fail "a sparse cp differs"
[ "$(dd if="$disk" bs=1M skip=10 count=2 2>"$tmp/err" | tr -d o | wc -c)" = 0 ] ||
	fail "what is beyond the copy is not the old bytes"
fallocate -p -o $((3 * M + 1000)) -l $((5 * M)) "$vols/$unit"
[ "$(dd if="$disk" bs=1M skip=4 count=4 2>"$tmp/err" | tr -d '\0' | wc -c)" = 0 ] ||
	fail "a hole does not read as zeros"
cmp -n $((3 * M + 1000)) "$tmp/sparse" "$disk" || fail "the hole took what is before it"
expect_errno ENOSPC dd if=/dev/zero of="$vols/$unit" bs=1M seek=1020 count=5 conv=notrunc

# given: there or not
refuse EOPNOTSUPP 'made' touch "$vols/unit:0:0:99"
refuse EOPNOTSUPP 'removed' rm "$vols/$unit"
refuse EOPNOTSUPP 'resized' truncate -s 2G "$vols/$unit"
refuse EOPNOTSUPP 'resized' truncate -s 1M "$vols/$unit"

# -- who uses it --

busy() # WHY: no verb or build touches what is in use
{
	head -c 65536 "$disk" >"$tmp/before"
	refuse EBUSY "$1" put "$pool/info/$unit/ctl" 'wipe zero'
	head -c 65536 "$disk" | cmp - "$tmp/before" || fail "what was in use was wiped"
}

mkfs.ext4 -q "$vols/$unit" 64M
mkdir "$tmp/at"
mount "$disk" "$tmp/at"
busy "mounted on '$tmp/at'"
umount "$tmp/at"
mkswap -q "$disk" 2>"$tmp/err"
swapon "$disk"
busy 'swap space'
swapoff "$disk"
disk=$(disk 0)
pvcreate -q -y "$disk" >"$tmp/out" 2>&1
vgcreate -q vmscsi "$disk" >"$tmp/out" 2>&1
lvcreate -q -y -Zn -l 1 -n lv vmscsi >"$tmp/out" 2>&1
busy 'vmscsi-lv stands on it'
vgchange -q -an vmscsi >"$tmp/out" 2>&1
busy "volume group 'vmscsi'"
vgremove -q -y vmscsi >"$tmp/out" 2>&1
pvremove -q -y "$disk" >"$tmp/out" 2>&1
exec 9<"$disk"
busy "has open '$disk'"
exec 9<&-
tr '\0' o </dev/zero | dd of="$disk" bs=1M count=3 iflag=fullblock conv=fsync 2>"$tmp/err"
put "$pool/info/$unit/ctl" 'wipe zero'
[ "$(dd if="$disk" bs=1M count=3 2>"$tmp/err" | tr -d '\0' | wc -c)" = 0 ] || fail "it was not wiped"
put "$pool/info/$unit/ctl" 'wipe trim'
refuse EINVAL 'no way' put "$pool/info/$unit/ctl" 'wipe clean'

# only to be read
blockdev --setro "$disk"
refuse EROFS 'only be read' dd if=/dev/zero of="$vols/$unit" bs=4k count=1 conv=notrunc
refuse EROFS 'only be read' put "$pool/info/$unit/ctl" 'wipe zero'
cmp -n 4096 "$disk" "$vols/$unit"
blockdev --setrw "$disk"

# -- units come and go --

exec 9<"$vols/$unit"
echo 1 >"$device/delete"
eventually 10 same_units
[ ! -e "$vols/$unit" ] || fail "a unit that went is still there"
grep -q "$unit" "$storage/events" || fail "the events do not tell of it"
dd bs=4k count=1 <&9 >"$tmp/out" 2>"$tmp/err" && [ -s "$tmp/out" ] && fail "a unit that went was read"
exec 9<&-
put "$pool/ctl" refresh
[ -e "$vols/$unit" ] || fail "a refresh does not find what is back"
same_units || fail "the volumes are: $(ls "$vols")"
[ "$(readlink -f "$(cat "$pool/info/$unit/path")")" != "" ] || fail "its path leads nowhere"

# -- names of adapters --

put "$pool/ctl" stop
is inactive "$pool/state"
lsblk -Sno HCTL | grep -q "$hctl" || fail "stop took the units away"
rmdir "$pool"
cat "$storage/sources/scsi" >"$tmp/sources"
pci=$(readlink -f "/sys/class/scsi_host/host$number/device" | grep -o '[0-9a-f]*:[0-9a-f]*:[0-9a-f]*\.[0-9]' | tail -n 1)
slot=${pci#*:*:}
address="<address domain='0x0000' bus='0x${pci%:*}' slot='0x${slot%.*}' function='0x${slot#*.}'/>"
address=$(echo "$address" | sed 's/0x0000:/0x/')
tr -d '\n' <"$tmp/sources" | grep -q "<parentaddr unique_id='0'> *$address" ||
	fail "there is no $address in the sources: $(cat "$tmp/sources")"
define p "<adapter type='scsi_host'><parentaddr unique_id='0'>$address</parentaddr></adapter>" /dev/disk/by-id
is running "$pool/state"
same_units || fail "the volumes are: $(ls "$vols")"
case $(cat "$pool/info/$unit/path") in
/dev/disk/by-id/*) ;;
*) fail "the path is not by-id: $(cat "$pool/info/$unit/path")" ;;
esac
kill_daemon
umount -l "$storage"
mount_storage
eventually 20 grep -qx running "$pool/state"
same_units || fail "the volumes are: $(ls "$vols")"
define none "<adapter name='host99'/>"
is inactive "$storage/pools/none/state"
grep -q "no SCSI adapter 'host99'.*host$number" "$storage/pools/none/error" ||
	fail "the error is: $(cat "$storage/pools/none/error")"
define odd "<adapter name='adapter1'/>"
grep -q "called as host3" "$storage/pools/odd/error" || fail "the error is: $(cat "$storage/pools/odd/error")"
