#!/bin/sh
# Nothing that a disk pool does touches what somebody uses, and each refusal says what that is.
# limit: 90
. "${0%/*}/lib.sh"
. "${0%/*}/disks.sh"
need_filesystem ext4

mkdir mnt

# a disk that is itself a filesystem, mounted or not
new_loop 32M
mkfs.ext4 -q "$loop"
cp "$loop" before
define_disk p gpt "$loop"
refuse EINVAL 'no table of partitions' put "$pool/ctl" start
refuse EEXIST '(ext4)' put "$pool/ctl" build
refuse EEXIST '(ext4)' put "$pool/ctl" 'build no-overwrite'
expect_error '' put "$pool/ctl" delete
cmp before "$loop" || fail "the filesystem was changed"
mount -o ro "$loop" mnt
refuse EBUSY "mounted on '$tmp/mnt'" put "$pool/ctl" 'build overwrite'
refuse EBUSY "mounted on '$tmp/mnt'" put "$pool/ctl" build
umount mnt
fsck.ext4 -fn "$loop" >out 2>&1 || fail "the filesystem was changed: $(cat out)"
cp "$loop" before
put "$pool/protected" 1
refuse EPERM protected put "$pool/ctl" 'build overwrite'
cmp before "$loop" || fail "the filesystem was changed"
put "$pool/protected" 0
rmdir "$pool"

# a partition that is mounted, while its neighbours come, grow and go
new_pool dos 128M
mkdir "$pool/info/${name}1"
put "$pool/info/${name}1/capacity" 20M
touch "$pool/volumes/${name}1"
mkfs.ext4 -q "/dev/${name}1"
mount "/dev/${name}1" mnt
seq 1 10000 >mnt/data
for try in "rm $pool/volumes/${name}1" "env printf 'wipe zero\n'" "env printf 'shrink 5M\n'"; do
	case $try in
	*wipe*) to=$pool/info/${name}1/ctl ;;
	*shrink*) to=$pool/info/${name}1/capacity ;;
	*) to=/dev/null ;;
	esac
	refuse EBUSY "mounted on '$tmp/mnt'" sh -c "$try >'$to'"
done
refuse EBUSY "mounted on '$tmp/mnt'" put "$pool/ctl" stop
touch "$pool/volumes/${name}2"
head -c $((5 * M)) /dev/urandom >data
cp data "$pool/volumes/${name}2"
eventually 5 rm "$pool/volumes/${name}2"
put "$pool/info/${name}1/capacity" 40M
[ "$(blockdev --getsize64 "/dev/${name}1")" = $((40 * M)) ] || fail "it did not grow under its filesystem"
seq 1 10000 | cmp - mnt/data
[ "$(findmnt -no SOURCE mnt)" = "/dev/${name}1" ] || fail "it is mounted no longer"
kill_daemon
umount -l "$storage"
mount_storage
eventually 20 grep -qx running "$pool/state"
[ "$(ls "$pool/volumes")" = "${name}1" ] || fail "the list is: $(ls "$pool/volumes")"
umount mnt
put "$pool/ctl" stop
mount "/dev/${name}1" mnt
sum=$(md5sum <"$loop")
refuse EBUSY "partition ${name}1: it is mounted on '$tmp/mnt'" put "$pool/ctl" 'build overwrite'
refuse EBUSY "mounted on '$tmp/mnt'" put "$pool/ctl" delete
umount mnt
expect_errno EBUSY put "$pool/ctl" delete
sfdisk_field "$loop" 1 start >out
[ "$(cat out)" = 2048 ] || fail "the table was changed"
[ -n "$sum" ]
put "$pool/ctl" 'build overwrite'
[ -z "$(sfdisk_field "$loop" 1 start)" ] || fail "there is a partition still"
[ ! -e "/sys/class/block/${name}1" ] || fail "the kernel has it still"

# a partition, a file, nothing, two devices are no disk; nor is another name another disk
put "$pool/ctl" start
touch "$pool/volumes/${name}1"
define_disk part gpt "/dev/${name}1"
refuse EINVAL 'is a partition' put "$storage/pools/part/ctl" 'build overwrite'
truncate -s 32M file
define_disk file gpt "$tmp/file"
refuse ENODEV 'not a block device' put "$storage/pools/file/ctl" 'build overwrite'
define_disk none gpt /dev/nothing-here
refuse ENODEV 'no device' put "$storage/pools/none/ctl" build
define_disk lvm lvm2 /dev/nothing
refuse EINVAL "type 'logical'" put "$storage/pools/lvm/ctl" build

# a damaged table is not repaired by the way
eventually 5 put "$pool/ctl" stop
rmdir "$pool"
new_pool gpt 64M
touch "$pool/volumes/${name}1"
dd if=/dev/zero of="$loop" bs=512 seek=$((128 * 1024 - 1)) count=1 conv=notrunc status=none
put "$pool/ctl" refresh
[ "$(ls "$pool/volumes")" = "${name}1" ] || fail "the list is: $(ls "$pool/volumes")"
refuse EIO 'table' touch "$pool/volumes/${name}2"
refuse EIO 'table' rm "$pool/volumes/${name}1"
[ "$(ls "$pool/volumes")" = "${name}1" ] || fail "the list is: $(ls "$pool/volumes")"

# and is made anew where that is asked for; not where the format cannot be made, which loses nothing
eventually 5 put "$pool/ctl" stop
exec 9<"/dev/${name}1"
refuse EBUSY 'in use' put "$pool/ctl" 'build overwrite'
exec 9<&-
[ "$(blkid -p -o value -s PTTYPE "$loop")" = gpt ] || fail "a refused build removed the table"
put "$pool/ctl" 'build overwrite'
put "$pool/ctl" start
[ -z "$(ls "$pool/volumes")" ] || fail "the list is: $(ls "$pool/volumes")"

# a kernel that has something else there: the table stays as it was
eventually 5 put "$pool/ctl" stop
rmdir "$pool"
new_pool gpt 64M
touch "$pool/volumes/${name}1"
addpart "$loop" 9 4096 2048
sfdisk -d "$loop" >table
refuse EBUSY 'kernel does not take' touch "$pool/volumes/${name}2"
refuse EBUSY 'kernel does not resize' put "$pool/info/${name}1/capacity" 10M
sfdisk -d "$loop" | cmp - table
size $M "$pool/volumes/${name}1"
[ "$(ls "$pool/volumes")" = "${name}1" ] || fail "what is not in the table is a volume: $(ls "$pool/volumes")"
delpart "$loop" 9
touch "$pool/volumes/${name}2"
[ "$(grep -c "volume-added p/${name}2" "$storage/events")" -le 1 ] || fail "told twice: $(cat "$storage/events")"

# what is away is said to be
losetup -d "$loop"
loops=${loops% *}
expect_error "" touch "$pool/volumes/${name}3"
