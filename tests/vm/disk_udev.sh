#!/bin/sh
# A disk pool beside udev: a SCSI disk by its lasting name, links to its partitions, partitions that are in
# use while others come and go, a list that is never short, and 128 of them.
# limit: 120
. "${0%/*}/vm.sh"
. "$repo/tests/tree/disks.sh"
need udevadm

disk=$(disk 0)
name=${disk#/dev/}
number=$(printf %s "$VM_DISK0" | sed 's,.*/,,')
[ "$number" = "$name" ] || fail "disk 0 is $disk"
id=$(find /dev/disk/by-id -name 'wwn-*00000' | while read -r link; do
	[ "$(readlink -f "$link")" != "$disk" ] || echo "$link"
done | head -n 1)
[ -n "$id" ] || fail "the disk has no lasting name"
define_disk p gpt "$id" /dev/disk/by-path
put "$pool/ctl" build
put "$pool/ctl" start
grep -q "<device path='$id'>" "$pool/xml" || fail "$(cat "$pool/xml")"
grep -q "<device path='[^']*'/>" "$storage/sources/disk" || fail "the sources are: $(cat "$storage/sources/disk")"
grep -A1 "path='/dev/disk/by-id/.*0a00000'" "$storage/sources/disk" | grep -q "type='gpt'" || fail "$(cat "$storage/sources/disk")"

touch "$pool/volumes/${name}1"
path=$(cat "$pool/info/${name}1/path")
case $path in
/dev/disk/by-path/*-part1) [ "$(readlink -f "$path")" = "${disk}1" ] || fail "$path leads elsewhere" ;;
*) fail "the path of the volume is $path" ;;
esac
put "$pool/info/${name}1/capacity" 20M
mkfs.ext4 -q "${disk}1"
mkdir "$tmp/mnt"
touch "$pool/volumes/${name}2"

# udev reads no table anew for what we change: no other partition goes, not even for a moment
udevadm settle
udevadm monitor --kernel --subsystem-match=block >"$tmp/events" &
monitor=$!
eventually 30 grep -q 'KERNEL' "$tmp/events"
touch "$pool/volumes/${name}3"
head -c $((9 * M)) /dev/urandom >"$tmp/data"
cp "$tmp/data" "$pool/volumes/${name}3"
cmp "$tmp/data" "${disk}3"
eventually 5 rm "$pool/volumes/${name}2"
udevadm settle
eventually 10 grep -q "remove.*/${name}2 " "$tmp/events"
kill "$monitor"
grep -E "(add|remove).*/${name}1 " "$tmp/events" && fail "partition 1 went: $(cat "$tmp/events")"
[ "$(grep -cE "(add|remove).*/${name}3 " "$tmp/events")" = 1 ] || fail "partition 3 went: $(cat "$tmp/events")"

# what others do has udev read the table anew: a list is whole all the same
cat >"$tmp/list.py" <<'END'
import os, sys, time
until = time.monotonic() + 600
while not os.path.exists(sys.argv[2]) and time.monotonic() < until:
    names = os.listdir(sys.argv[1])
    if not {sys.argv[3] + "1", sys.argv[3] + "3"} <= set(names):
        sys.exit(f"the list was {names}")
END
/usr/bin/python3 "$tmp/list.py" "$pool/volumes" "$tmp/enough" "$name" &
lister=$!
for _ in 1 2 3; do
	: >"$disk" # udev reads the table anew
	udevadm settle
done
: >"$tmp/enough"
wait "$lister" || fail "a list was short"
size $((20 * M)) "$pool/volumes/${name}1"

# mounted, it stays; so it does when the daemon is killed
mount "${disk}1" "$tmp/mnt"
touch "$pool/volumes/${name}2"
refuse EBUSY "mounted on '$tmp/mnt'" rm "$pool/volumes/${name}1"
refuse EBUSY "mounted on '$tmp/mnt'" put "$pool/ctl" stop
kill_daemon
umount -l "$storage"
mount_storage
eventually 20 grep -qx running "$pool/state"
[ "$(ls "$pool/volumes" | tr '\n' ' ')" = "${name}1 ${name}2 ${name}3 " ] || fail "the list is: $(ls "$pool/volumes")"
umount "$tmp/mnt"

# other users of a partition are named as well
mkswap -q "${disk}3"
swapon "${disk}3"
refuse EBUSY 'swap space' rm "$pool/volumes/${name}3"
swapoff "${disk}3"
wipefs -q -a "${disk}3"
pvcreate -qq -ff -y "${disk}3" >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
vgcreate -qq vgdisk "${disk}3" >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
lvcreate -qq -y -n lv -l 1 vgdisk >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
refuse EBUSY 'vgdisk-lv' rm "$pool/volumes/${name}3"
refuse EBUSY 'vgdisk-lv' put "$pool/info/${name}3/ctl" 'wipe zero'
vgremove -qqff vgdisk >"$tmp/out" 2>&1
refuse EBUSY 'physical volume' rm "$pool/volumes/${name}3"
# and the groups that LVM of this host sees and does not touch: another host's, several hosts'
vgcreate -qq --systemid elsewhere vgthere "${disk}3" >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
refuse EBUSY "'vgthere'" put "$pool/info/${name}3/ctl" 'wipe zero'
wipefs -q -a "${disk}3"
vgcreate -qq vgshared "${disk}3" >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
vgcfgbackup -qq -f "$tmp/group" vgshared
sed -i 's/^\tflags = .*/&\n\tlock_type = "sanlock"\n\tlock_args = "1.0.0:lvmlock"/' "$tmp/group"
vgcfgrestore -qq -f "$tmp/group" vgshared
refuse EBUSY "'vgshared'" rm "$pool/volumes/${name}3"
wipefs -q -a "${disk}3"
eventually 10 rm "$pool/volumes/${name}3"

# 128, which is what the table can have, made by another program; udev, which takes a third of a second
# for each, comes to them later
udevadm control --stop-exec-queue
{
	echo 'label: gpt'
	seq 1 128 | sed 's/.*/size=2048/'
} | sfdisk -q --wipe never "$disk"
eventually 20 sh -c "[ \$(ls '$pool/volumes' | wc -l) = 128 ]"
refuse ENOSPC 'as many' touch "$pool/volumes/${name}129"
ls -l "$pool/volumes" >"$tmp/out"
[ "$(grep -c " $M " "$tmp/out")" = 128 ] || fail "not all have a MiB: $(cat "$tmp/out")"
put "$pool/ctl" stop
put "$pool/ctl" 'build overwrite'
eventually 20 sh -c "! test -e '${disk}1'"
udevadm control --start-exec-queue
