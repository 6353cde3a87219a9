#!/bin/sh
# A volume group from build to delete, its volumes, and what is refused; lvs and vgs are the witnesses.
# limit: 240
mount_options=timeout=150 # a busy machine runs lvm for half a minute
. "${0%/*}/vm.sh"
need_backend logical
need lvm mkfs.ext2
. "${0%/*}/lvm.sh"

a=$(disk 0)
b=$(disk 1)
pool=$storage/pools/vg0

# -- building --

define vg0 "<device path='$a'/><device path='$b'/>"
is inactive "$pool/state"
grep -q 'echo build' "$pool/error" || fail "the error is: $(cat "$pool/error")"
mkfs.ext2 -q "$b"
refuse EEXIST ext2 put "$pool/ctl" build
mount -t ext2 "$b" "$mnt"
refuse EBUSY 'mounted on' put "$pool/ctl" 'build overwrite'
umount "$mnt"
[ -z "$(blkid -o value -s TYPE "$a")" ] || fail "a refused build wrote to $a"
put "$pool/ctl" 'build overwrite'
[ "$(vg pv_count)" = 2 ] || fail "the volume group has $(vg pv_count) disks"
refuse EEXIST "'vg0' already" put "$pool/ctl" build
put "$pool/ctl" start
is running "$pool/state"
[ -z "$(ls "$pool/volumes")" ] || fail "there are volumes: $(ls "$pool/volumes")"
is "$(vg vg_size)" "$pool/capacity"
is "$(vg vg_free)" "$pool/available"
grep -q "<path>/dev/vg0</path>" "$pool/xml" || fail "no target path"

kill_daemon
umount -l "$storage"
mount_storage
eventually 60 grep -qx running "$pool/state"

# -- volumes --

touch "$pool/volumes/v"
size 4194304 "$pool/volumes/v"
[ "$(lv v lv_size)" = 4194304 ] || fail "v has $(lv v lv_size) bytes"
refuse EINVAL "does not begin with 'snapshot'" touch "$pool/volumes/snapshot1"
refuse EINVAL 'consists of' touch "$pool/volumes/with blank"
refuse EINVAL '_tdata' touch "$pool/volumes/x_tdata"
expect_errno EEXIST sh -c "set -C; : >'$pool/volumes/v'"

# an upload in one step; its close trims what it grew by
head -c 9000001 /dev/urandom >"$tmp/data"
cp "$tmp/data" "$pool/volumes/copy"
[ "$(lv copy lv_size)" = 12582912 ] || fail "copy has $(lv copy lv_size) bytes"
size 12582912 "$pool/volumes/copy"
cmp -n 9000001 "$tmp/data" /dev/vg0/copy
cmp -n 9000001 "$tmp/data" "$pool/volumes/copy"

# extents, key and path
cat "$pool/info/copy/xml" >"$tmp/xml"
grep -q "<key>$(lv copy lv_uuid)</key>" "$tmp/xml" || fail "$(cat "$tmp/xml")"
grep -q "<path>/dev/vg0/copy</path>" "$tmp/xml" || fail "$(cat "$tmp/xml")"
first=$(lv copy seg_pe_ranges | sed 's/.*:\([0-9]*\)-.*/\1/')
grep -q "<extent start='$((first * 4194304))' end='$(((first + 3) * 4194304))'/>" "$tmp/xml" ||
	fail "the extents are not those of $(lv copy seg_pe_ranges): $(cat "$tmp/xml")"

# sizes
echo 20M >"$pool/info/copy/capacity"
[ "$(lv copy lv_size)" = 20971520 ] || fail "copy has $(lv copy lv_size) bytes"
expect_errno EPERM truncate -s 8M "$pool/volumes/copy"
mkfs.ext2 -q /dev/vg0/v
mount -t ext2 /dev/vg0/v "$mnt"
refuse EBUSY 'mounted on' put "$pool/info/v/ctl" 'wipe zero'
refuse EBUSY 'mounted on' rm "$pool/volumes/v"
refuse EBUSY 'mounted on' put "$pool/ctl" stop
is running "$pool/state"
[ "$(lv copy lv_active)" = active ] || fail "a refused stop deactivated others"
umount "$mnt"
echo 'shrink 5M' >"$pool/info/copy/capacity"
[ "$(lv copy lv_size)" = 8388608 ] || fail "copy has $(lv copy lv_size) bytes"
cmp -n 8388608 "$tmp/data" /dev/vg0/copy

# names
mv "$pool/volumes/copy" "$pool/volumes/moved"
[ "$(lv moved lv_size)" = 8388608 ] || fail "mv"
refuse EEXIST 'already' mv -f "$pool/volumes/moved" "$pool/volumes/v"
[ "$(ls "$pool/volumes")" = "$(printf 'moved\nv')" ] || fail "the list is $(ls "$pool/volumes")"

# what others do shows
lvcreate -qy -n str -i 2 -I 64k -l 4 vg0
[ "$(ls "$pool/volumes")" = "$(printf 'moved\nstr\nv')" ] || fail "the list is $(ls "$pool/volumes")"
[ "$(grep -c '<extent ' "$pool/info/str/xml")" = 2 ] || fail "$(cat "$pool/info/str/xml")"
lvrename -q vg0 str strip
lvextend -q -l 6 vg0/strip
size 25165824 "$pool/volumes/strip"
is "$(vg vg_free)" "$pool/available"
lvremove -qy vg0/strip
[ ! -e "$pool/volumes/strip" ] || fail "a removed one is there"

# full: what was written stays
truncate -s 4M "$pool/volumes/v"
expect_errno ENOSPC dd if=/dev/urandom of="$pool/volumes/v" bs=64k status=none
size 4194304 "$pool/volumes/v"
refuse ENOSPC 'bytes left' put "$pool/info/v/capacity" 100G

# growing until the group has no more
lvcreate -qqy -n filler -l $(($(vg vg_free_count) - 4)) vg0
head -c 20000000 /dev/urandom >"$tmp/big"
expect_errno ENOSPC cp "$tmp/big" "$pool/volumes/big"
size 16777216 "$pool/volumes/big"
cmp -n 16777216 "$tmp/big" "$pool/volumes/big"
lvremove -qqy vg0/filler
rm "$pool/volumes/big"

# in use by a process
sleep 600 3</dev/vg0/v &
user=$!
refuse EBUSY '(sleep)' rm "$pool/volumes/v"
refuse EBUSY '(sleep)' put "$pool/ctl" stop
kill "$user"
wait "$user" || :

# wiping
put "$pool/info/v/ctl" 'wipe zero'
cmp -n 4194304 /dev/vg0/v /dev/zero

# -- discovery --

cat "$storage/sources/logical" >"$tmp/sources"
for line in "<device path='$a'/>" "<device path='$b'/>" '<name>vg0</name>' "<format type='lvm2'/>"; do
	grep -q "$line" "$tmp/sources" || fail "no $line in $(cat "$tmp/sources")"
done

# -- a restart --

kill_daemon
umount -l "$storage"
mount_storage
eventually 60 grep -qx running "$pool/state"
[ "$(ls "$pool/volumes")" = "$(printf 'moved\nv')" ] || fail "the list is $(ls "$pool/volumes")"

# -- its end --

put "$pool/ctl" stop
is inactive "$pool/state"
[ -z "$(lv v lv_active)" ] || fail "stop left v active"
refuse EBUSY "such as 'moved'" put "$pool/ctl" delete
refuse EEXIST "'vg0' already" put "$pool/ctl" build
lvchange -qay vg0/v
refuse EBUSY 'vg0-v stands on it' put "$pool/ctl" 'build overwrite'
put "$pool/ctl" start
rm "$pool/volumes/moved" "$pool/volumes/v"
put "$pool/ctl" stop
put "$pool/ctl" delete
[ -z "$(vgs --noheadings 2>"$tmp/err")" ] || fail "delete left the group"
[ -z "$(blkid -o value -s TYPE "$a" "$b")" ] || fail "delete left marks"
rmdir "$pool"
