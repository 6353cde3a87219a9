#!/bin/sh
# Extended and logical partitions of a dos table: names, room, what is refused, what is in an extended one
# is never written over.
# limit: 90
. "${0%/*}/lib.sh"
. "${0%/*}/disks.sh"

new_pool dos 128M

# an extended one is asked for by its format, and takes a size
touch "$pool/volumes/${name}1"
mkdir "$pool/info/${name}2"
put "$pool/info/${name}2/format" extended
expect_errno EINVAL touch "$pool/volumes/${name}2"
put "$pool/info/${name}2/capacity" 50M
touch "$pool/volumes/${name}2"
is extended "$pool/info/${name}2/format"
is $((50 * M)) "$pool/info/${name}2/capacity"
is 0 "$pool/info/${name}2/allocation"
[ "$(sfdisk_field "$loop" 2 type)" = 5 ] || [ "$(sfdisk_field "$loop" 2 type)" = f ] || fail "$(sfdisk -d "$loop")"
size 1024 "$pool/volumes/${name}2"
mkdir "$pool/info/${name}3"
put "$pool/info/${name}3/format" extended
put "$pool/info/${name}3/capacity" 10M
refuse EINVAL 'extended partition' touch "$pool/volumes/${name}3"
rmdir "$pool/info/${name}3"

# names say which kind
refuse EINVAL "'${name}3', or '${name}5'" touch "$pool/volumes/${name}6"
touch "$pool/volumes/${name}5"
mkdir "$pool/info/${name}6"
put "$pool/info/${name}6/capacity" 10M
touch "$pool/volumes/${name}6"
touch "$pool/volumes/${name}7"
touch "$pool/volumes/${name}3"
[ "$(ls "$pool/volumes" | tr '\n' ' ')" = "${name}1 ${name}2 ${name}3 ${name}5 ${name}6 ${name}7 " ] ||
	fail "the list is: $(ls "$pool/volumes")"
sfdisk -d "$loop" | grep -q 'overlap' && fail "$(sfdisk -d "$loop")"
sfdisk --verify "$loop" >out 2>&1 || fail "$(cat out)"
is $((12 * M)) "$pool/info/${name}2/allocation"
is $((14 * M)) "$pool/allocation"

# the last logical one grows into what is free in the extended one, and no further
head -c $((20 * M)) /dev/urandom >data
cp data "$pool/volumes/${name}7"
size $((20 * M)) "$pool/volumes/${name}7"
cmp data "/dev/${name}7"
refuse ENOSPC '' put "$pool/info/${name}7/capacity" 60M
refuse ENOSPC 'in its extended partition' sh -c "mkdir '$pool/info/${name}8' &&
	env printf '40M\n' >'$pool/info/${name}8/capacity' && touch '$pool/volumes/${name}8'"
rmdir "$pool/info/${name}8"
eventually 5 rm "$pool/volumes/${name}3"
put "$pool/info/${name}2/capacity" 60M
is $((60 * M)) "$pool/info/${name}2/capacity"
put "$pool/info/${name}7/capacity" 30M
cmp -n $((20 * M)) data "/dev/${name}7"
refuse EBUSY 'not the last' rm "$pool/volumes/${name}5"
refuse EBUSY 'not the last' rm "$pool/volumes/${name}6"
refuse EBUSY 'logical' rm "$pool/volumes/${name}2"
refuse EBUSY 'no longer be in it' put "$pool/info/${name}2/capacity" 'shrink 10M'
is $((60 * M)) "$pool/info/${name}2/capacity"

# nothing writes the tables in it
sfdisk -d "$loop" >before
refuse EPERM 'extended' cp data "$pool/volumes/${name}2"
refuse EPERM 'extended' put "$pool/info/${name}2/ctl" 'wipe zero'
head -c 1024 "$pool/volumes/${name}2" >ebr
cmp -n 1024 ebr "/dev/${name}2"
sfdisk -d "$loop" >after
cmp before after

for n in 7 6 5 2 1; do
	eventually 5 rm "$pool/volumes/$name$n"
done
[ -z "$(ls "$pool/volumes")" ] || fail "the list is: $(ls "$pool/volumes")"

# tables without extended partitions
new_loop 64M
define_disk g gpt "$loop"
pool=$storage/pools/g
put "$pool/ctl" build
put "$pool/ctl" start
mkdir "$pool/info/${loop#/dev/}p1"
put "$pool/info/${loop#/dev/}p1/format" extended
put "$pool/info/${loop#/dev/}p1/capacity" 10M
refuse EINVAL "format 'dos'" touch "$pool/volumes/${loop#/dev/}p1"
