#!/bin/sh
# Volumes of a dir pool under tools that make filesystems and images, and rsync.
. "${0%/*}/lib.sh"
need_backend dir
need qemu-img qemu-io rsync mkfs.ext4

dir_pool a
cd "$storage/pools/a/volumes"

# qemu-img makes, resizes, converts and checks images here
qemu-img create -q -f qcow2 q 64M
is qcow2 ../info/q/format
is 67108864 ../info/q/capacity
qemu-io -f qcow2 -c 'write -P 7 1M 64k' q >/dev/null
qemu-img resize -q q 128M
is 134217728 ../info/q/capacity
qemu-img check -q q
qemu-img convert -O raw q raw
size 134217728 raw
qemu-img compare -q q raw
qemu-img convert -O qcow2 raw back
qemu-img compare -q q back
qemu-img create -q -f qcow2 -F qcow2 -b "$tmp/a/q" child
is "$tmp/a/q" ../info/child/backing
grep -q "<format type='qcow2'/>" ../info/child/xml || fail "no format of the backing image"
echo 256M >../info/q/capacity
is 268435456 ../info/q/capacity
[ "$(qemu-img info --output=json q | python3 -c 'import json,sys; print(json.load(sys.stdin)["virtual-size"])')" = 268435456 ] ||
	fail "qemu-img sees another size"

# filesystems
truncate -s 32M fs
mkfs.ext4 -q -F fs
e2fsck -fn fs >/dev/null 2>&1 || fail "e2fsck"
if [ "$(id -u)" = 0 ] && loop=$(losetup --show -f fs 2>/dev/null); then
	mkdir "$tmp/mnt"
	if mount "$loop" "$tmp/mnt"; then
		cp /bin/ls "$tmp/mnt/ls"
		sync
		cmp /bin/ls "$tmp/mnt/ls"
		refuse EBUSY 'loop device' put ../ctl stop
		umount "$tmp/mnt"
	fi
	losetup -d "$loop"
	e2fsck -fn fs >/dev/null 2>&1 || fail "e2fsck after mounting"
fi

# rsync both ways, and --delete
mkdir "$tmp/from" "$tmp/to"
for i in 1 2 3 4 5; do head -c "$((i * 10000))" /dev/urandom >"$tmp/from/r$i"; done
rsync -a "$tmp/from/" ./
for i in 1 2 3 4 5; do cmp "$tmp/from/r$i" "r$i"; done
rsync -a --inplace --no-whole-file "$tmp/from/" ./
rsync -a ./ "$tmp/to/"
diff -r "$tmp/a" "$tmp/to"
rm r1
rsync -a --delete ./ "$tmp/to/"
[ ! -e "$tmp/to/r1" ] || fail "rsync --delete did not"
rsync -a --sparse "$tmp/to/raw" ./raw2
cmp raw raw2

# who started us may have SIGCHLD ignored: the ends of tools are seen all the same
cd /
umount_storage
cat >"$tmp/deaf" <<E2
#!/bin/sh
exec env --ignore-signal=CHLD '$storagefs' "\$@"
E2
chmod +x "$tmp/deaf"
storagefs=$tmp/deaf
mount_storage
eventually 5 grep -qx running "$storage/pools/a/state"
mkdir "$storage/pools/a/info/deaf"
echo qcow2 >"$storage/pools/a/info/deaf/format"
echo 1G >"$storage/pools/a/info/deaf/capacity"
touch "$storage/pools/a/volumes/deaf"
is qcow2 "$storage/pools/a/info/deaf/format"
