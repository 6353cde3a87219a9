#!/bin/sh
# A target that turns read-only under us, and a SOURCE that is: EROFS for what changes them, reading goes on.
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need qemu-img

mkdir "$tmp/disk"
mount -t tmpfs -o size=16m tmpfs "$tmp/disk"
mount -t tmpfs -o size=4m tmpfs "$source"
mount_storage
dir_pool a "$tmp/disk"
pool=$storage/pools/a
echo data >"$pool/volumes/v"
qemu-img create -q -f qcow2 "$pool/volumes/image" 1M

mount -o remount,ro "$tmp/disk"
cd "$pool"
refuse EROFS "$tmp/disk" touch volumes/new
refuse EROFS v rm volumes/v
refuse EROFS v mv volumes/v volumes/w
expect_errno EROFS sh -c 'echo more >>volumes/v'
expect_errno EROFS truncate -s 0 volumes/v
expect_errno EROFS chmod 600 volumes/v
refuse EROFS image put info/image/capacity 2M
refuse EROFS v put info/v/ctl 'wipe zero'
expect_error s touch snapshots/image/s
mkdir info/n
refuse EROFS n put info/n/xml '<volume><capacity>4096</capacity></volume>'
rmdir info/n
[ "$(ls volumes | tr '\n' ' ')" = 'image v ' ] || fail "the volumes are $(ls volumes)"
is data volumes/v
is 1048576 info/image/capacity
put ctl refresh
put ctl stop
put ctl start
is data volumes/v
mount -o remount,rw "$tmp/disk"
touch volumes/new
rm volumes/new

cd /
umount_storage

# SOURCE: its lock holds it writable while it is mounted; before, it is refused
mount -o remount,ro "$source"
if timeout 20 "$storagefs" -f "$source" "$storage" >"$tmp/out" 2>&1; then
	fail "a read-only SOURCE was mounted read-write"
fi
grep -q "$source.*Read-only file system" "$tmp/out" || fail "it says $(cat "$tmp/out")"
mount_storage ro
eventually 10 is data "$pool/volumes/v" # it is started after mounting
umount_storage
mount -o remount,rw "$source"
mount_storage
eventually 10 put "$pool/ctl" start
is data "$pool/volumes/v"
