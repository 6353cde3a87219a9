#!/bin/sh
# A disk pool from the blank device on: its table, partitions made, filled, grown, shrunk and removed
# with ordinary tools, and what others (sfdisk, blkid, the kernel) say of each step.
# vm
# limit: 120
. "${0%/*}/lib.sh"
. "${0%/*}/disks.sh"

new_disk 200M

# nothing is there, and only build makes it
define_disk p gpt "$loop"
is inactive "$pool/state"
grep -q 'not built yet: echo build > ctl' "$pool/error" || fail "the error is: $(cat "$pool/error")"
[ -z "$(blkid -p "$loop")" ] || fail "defining it changed the device"
put "$pool/ctl" build
[ "$(blkid -p -o value -s PTTYPE "$loop")" = gpt ] || fail "build made no table"
refuse EEXIST '(gpt)' put "$pool/ctl" build
put "$pool/ctl" start
is running "$pool/state"
[ -z "$(ls "$pool/volumes")" ] || fail "there are volumes: $(ls "$pool/volumes")"
is $((200 * M - 33 * 512)) "$pool/capacity"
is 0 "$pool/allocation"
is $((200 * M - 67 * 512)) "$pool/available"
grep -q "<freeExtent start='17408' end='$((200 * M - 33 * 512))'/>" "$pool/xml" || fail "$(cat "$pool/xml")"

# touch: the next name alone, a MiB, aligned
refuse EINVAL "'${name}1'" touch "$pool/volumes/foo"
refuse EINVAL "'${name}1'" touch "$pool/volumes/${name}2"
touch "$pool/volumes/${name}1"
size $M "$pool/volumes/${name}1"
[ "$(ls "$pool/volumes")" = "${name}1" ] || fail "the list is: $(ls "$pool/volumes")"
[ "$(sfdisk_field "$loop" 1 start)" = 2048 ] || fail "it is not aligned: $(sfdisk -d "$loop")"
[ "$(blockdev --getsize64 "/dev/${name}1")" = $M ] || fail "the kernel does not know it"

# an upload grows it, and close trims it
head -c $((30 * M + 5)) /dev/urandom >data
cp data "$pool/volumes/${name}1"
eventually 5 size $((31 * M)) "$pool/volumes/${name}1"
cmp -n $((30 * M + 5)) data "/dev/${name}1"
cmp -n $((30 * M + 5)) data "$pool/volumes/${name}1"
[ "$(sfdisk_field "$loop" 1 size)" = $((31 * 2048)) ] || fail "the table says: $(sfdisk -d "$loop")"
is $((31 * M)) "$pool/info/${name}1/capacity"
expect_errno ENOSPC dd if=/dev/zero of="$pool/volumes/${name}1" bs=1M conv=notrunc
size $((31 * M)) "$pool/volumes/${name}1"
cp data "$pool/volumes/${name}1"
cmp -n $((30 * M + 5)) data "$pool/volumes/${name}1"

# with a size, from a description and from a plan
mkdir "$pool/info/${name}2"
cat >"$pool/info/${name}2/xml" <<END
<volume><name>x</name><capacity unit='M'>20</capacity><target><format type='linux-lvm'/></target></volume>
END
size $((20 * M)) "$pool/volumes/${name}2"
is linux-lvm "$pool/info/${name}2/format"
grep -q "<extent start='$((32 * M))' end='$((52 * M))'/>" "$pool/info/${name}2/xml" || fail "$(cat "$pool/info/${name}2/xml")"
grep -q "<device path='$loop'>" "$pool/info/${name}2/xml" || fail "$(cat "$pool/info/${name}2/xml")"
cp "$pool/info/${name}2/xml" again.xml
cp again.xml "$pool/info/${name}2/xml"
is "/dev/${name}2" "$pool/info/${name}2/path"
is "/dev/${name}2" "$pool/info/${name}2/key"
mkdir "$pool/info/${name}3"
put "$pool/info/${name}3/capacity" 10M
touch "$pool/volumes/${name}3"
size $((10 * M)) "$pool/volumes/${name}3"
is $((61 * M)) "$pool/allocation"

# growth: into what is free behind it, and no further
refuse ENOSPC 'with the free space behind it' put "$pool/info/${name}2/capacity" 21M
truncate -s 20000000 "$pool/volumes/${name}3"
size $((20 * M)) "$pool/volumes/${name}3"
put "$pool/info/${name}3/capacity" 30M
[ "$(sfdisk_field "$loop" 3 size)" = $((30 * 2048)) ] || fail "the table says: $(sfdisk -d "$loop")"
refuse EPERM shrink truncate -s 5M "$pool/volumes/${name}3"
put "$pool/info/${name}3/capacity" 'shrink 5M'
size $((5 * M)) "$pool/volumes/${name}3"
cmp -n $((30 * M + 5)) data "$pool/volumes/${name}1"

# what is in use stays: an open one, one that the host has
exec 9<"$pool/volumes/${name}2"
refuse EBUSY 'has it open' rm "$pool/volumes/${name}2"
exec 9<&-
exec 9<"/dev/${name}2"
refuse EBUSY 'in use' rm "$pool/volumes/${name}2"
exec 9<&-
[ "$(sfdisk_field "$loop" 2 size)" = $((20 * 2048)) ] || fail "a refused rm changed the table"
eventually 5 rm "$pool/volumes/${name}2"
[ ! -e "$pool/volumes/${name}2" ] || fail "it is there still"
[ ! -e "/sys/class/block/${name}2" ] || fail "the kernel has it still"
[ "$(ls "$pool/volumes" | tr '\n' ' ')" = "${name}1 ${name}3 " ] || fail "the list is: $(ls "$pool/volumes")"
refuse EINVAL "'${name}2'" touch "$pool/volumes/${name}4"
touch "$pool/volumes/${name}2"
expect_errno EOPNOTSUPP mv "$pool/volumes/${name}2" "$pool/volumes/${name}9"

# what others do to the table is seen
sfdisk -q --no-reread --no-tell-kernel --append "$loop" <<END >out 2>&1 || fail "$(cat out)"
start=200000, size=2048
END
partx -a -n 4 "$loop"
[ "$(ls "$pool/volumes" | wc -l)" = 4 ] || fail "the list is: $(ls "$pool/volumes")"
size $M "$pool/volumes/${name}4"
partx -d "$loop"
[ "$(ls "$pool/volumes" | wc -l)" = 4 ] || fail "the kernel was not told again: $(ls "$pool/volumes")"
cmp -n $((30 * M + 5)) data "$pool/volumes/${name}1"

# over what was there: what a sparse copy skips reads as zeros, what is behind it stays
tr '\0' o </dev/zero | dd of="$pool/volumes/${name}1" bs=1M count=31 iflag=fullblock conv=notrunc status=none
truncate -s $((10 * M)) sparse
head -c 70000 data | dd of=sparse bs=4k seek=700 conv=notrunc status=none
cp --sparse=always sparse "$pool/volumes/${name}1"
cmp -n $((10 * M)) sparse "/dev/${name}1"
[ "$(tail -c $((21 * M)) "$pool/volumes/${name}1" | tr -d o | wc -c)" = 0 ] || fail "what is behind the copy is gone"
size $((31 * M)) "$pool/volumes/${name}1"
fallocate -p -o $((12 * M)) -l $((2 * M)) "$pool/volumes/${name}1"
cmp -n $((2 * M)) -i 0:$((12 * M)) /dev/zero "/dev/${name}1"
dd if=data of="$pool/volumes/${name}1" bs=256k count=8 oflag=direct conv=notrunc,fsync status=none
dd if="/dev/${name}1" bs=256k count=8 iflag=direct status=none | cmp -n $((2 * M)) - data
/usr/bin/python3 - "$pool/volumes/${name}1" data <<'END'
import mmap, sys
with open(sys.argv[1], "rb") as f, open(sys.argv[2], "rb") as d:
    m = mmap.mmap(f.fileno(), 1 << 20, prot=mmap.PROT_READ)
    assert m[:] == d.read(1 << 20)
END

# wiped
put "$pool/info/${name}1/ctl" 'wipe zero'
cmp -n $((31 * M)) /dev/zero "$pool/volumes/${name}1"

# stop and start change nothing; delete wants no volumes
sfdisk -d "$loop" >before
put "$pool/ctl" stop
expect_errno EBUSY put "$pool/ctl" delete
put "$pool/ctl" start
sfdisk -d "$loop" >after
cmp before after
for n in 1 2 3 4; do
	rm "$pool/volumes/$name$n"
done
put "$pool/ctl" stop
put "$pool/ctl" delete
[ -z "$(blkid -p "$loop")" ] || fail "delete left $(blkid -p "$loop")"
