#!/bin/sh
# An fs pool from the blank device to the unmounted one: build, mount, volumes, who holds it, and what
# is there already after a restart.
# vm
. "${0%/*}/lib.sh"
need_backend fs
. "${0%/*}/loops.sh"
need_filesystem ext4 xfs
need mkfs.vfat

pool=$storage/pools/p
at=$tmp/a/at
new_loop 64M

# nothing is made by defining it, nor by a start
define_fs p ext4 "$loop" "$at" noatime
is inactive "$pool/state"
grep -q 'not built yet: echo build > ctl' "$pool/error" || fail "the error is: $(cat "$pool/error")"
put "$pool/ctl" build
[ -d "$at" ] || fail "build made no directory"
[ -z "$(blkid -p -o value -s TYPE "$loop")" ] || fail "build made a filesystem"
refuse EINVAL 'no filesystem' put "$pool/ctl" start
[ "$(mounts_at "$at")" = 0 ] || fail "something was mounted"

put "$pool/ctl" 'build no-overwrite'
[ "$(blkid -p -o value -s TYPE "$loop")" = ext4 ] || fail "build no-overwrite made no filesystem"
uuid=$(blkid -p -o value -s UUID "$loop")
put "$pool/ctl" start
is running "$pool/state"
is fs "$pool/type"
options=$(findmnt -no OPTIONS "$at")
for option in nosuid nodev noexec noatime; do
	case ",$options," in *",$option,"*) ;; *) fail "the mount has no $option: $options" ;; esac
done
[ "$(findmnt -no SOURCE "$at")" = "$loop" ] || fail "another device is mounted"
grep -q "<device path='$loop'/>" "$pool/xml" || fail "the description has no device"
grep -q "<format type='ext4'/>" "$pool/xml" || fail "the description has no format"
[ "$(cat "$pool/capacity")" = "$(stat -f -c '%b %S' "$at" | awk '{ print $1 * $2 }')" ] ||
	fail "the capacity is not the filesystem's"

# volumes are its files; lost+found is none
[ -z "$(ls "$pool/volumes")" ] || fail "there are volumes in a new filesystem: $(ls "$pool/volumes")"
seq 1 10000 >"$pool/volumes/v"
cmp "$pool/volumes/v" "$at/v"
refuse EBUSY 'it is running' put "$pool/ctl" 'build overwrite'
expect_errno EBUSY put "$pool/ctl" delete
put "$pool/ctl" start
[ "$(mounts_at "$at")" = 1 ] || fail "it was mounted twice"

# who holds it is named, and the pool goes on
refuse EBUSY "volume 'v' is in use" sh -c "exec 3<'$pool/volumes/v'; env printf 'stop\n' >'$pool/ctl'"
refuse EBUSY 'works in' env -C "$at" sh -c "env printf 'stop\n' >'$pool/ctl'"
refuse EBUSY "has open '$at/v'" sh -c "exec 3<'$at/v'; env printf 'stop\n' >'$pool/ctl'"
mkdir "$at/below"
mount -t tmpfs none "$at/below"
refuse EBUSY "mounted on '$at/below'" put "$pool/ctl" stop
umount "$at/below"
is running "$pool/state"
cmp "$pool/volumes/v" "$at/v"
touch "$at/native"
eventually 5 test -f "$pool/volumes/native"
rm "$pool/volumes/native"

put "$pool/ctl" stop
is inactive "$pool/state"
[ "$(mounts_at "$at")" = 0 ] || fail "stop left it mounted"
[ ! -e "$at/v" ] || fail "the bare directory has a volume"

# what is there is never made anew without being told to
refuse EEXIST "(ext4)" put "$pool/ctl" 'build no-overwrite'
[ "$(blkid -p -o value -s UUID "$loop")" = "$uuid" ] || fail "the filesystem was made anew"

# auto detects it; a mount that is there is taken as it is, also after kill -9
define_fs p auto "$loop" "$at"
is inactive "$pool/state"
mount "$loop" "$at"
put "$pool/ctl" start
is running "$pool/state"
[ "$(mounts_at "$at")" = 1 ] || fail "it was mounted over what was there"
cmp "$pool/volumes/v" "$at/v"
kill_daemon
umount -l "$storage"
[ "$(mounts_at "$at")" = 1 ] || fail "the mount went with the daemon"
mount_storage
eventually 20 grep -qx running "$pool/state"
[ "$(mounts_at "$at")" = 1 ] || fail "it was mounted again"
umount_storage
[ "$(mounts_at "$at")" = 1 ] || fail "the daemon's end unmounted it"
mount_storage
eventually 20 grep -qx running "$pool/state"
put "$pool/ctl" stop
[ "$(mounts_at "$at")" = 0 ] || fail "stop left what it had taken over"

# another filesystem in its place is not taken for it
mount -t tmpfs none "$at"
refuse EBUSY "is mounted on '$at'" put "$pool/ctl" start
umount "$at"

# unmounted behind its back: never an empty list
put "$pool/ctl" start
umount -l "$at"
refuse EIO 'was unmounted' put "$pool/ctl" refresh
[ "$(ls "$pool/volumes")" = v ] || fail "the list is: $(ls "$pool/volumes")"
put "$pool/ctl" stop
put "$pool/ctl" start
[ "$(ls "$pool/volumes")" = v ] || fail "the list is: $(ls "$pool/volumes")"
put "$pool/ctl" stop

# over what is there: only by name, and the old marks are gone
put "$pool/ctl" 'build overwrite' 2>/dev/null && fail "auto says which filesystem to make"
define_fs p xfs "$loop" "$at"
refuse EINVAL 'the device has ext4' put "$pool/ctl" start
define_fs p vfat "$loop" "$at"
put "$pool/ctl" 'build overwrite'
[ "$(wipefs -n -i -O TYPE "$loop" | sort -u)" = vfat ] || fail "there is: $(wipefs -n "$loop")"
put "$pool/ctl" delete
[ ! -e "$at" ] || fail "delete left the directory"
