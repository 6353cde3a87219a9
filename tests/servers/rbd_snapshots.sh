#!/bin/sh
# Snapshots and clones of images, ours and those that Ceph's own command made.
# limit: 300
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

M=1048576
rbd_pool p
cd "$storage/pools/p"
head -c $((6 * M)) /dev/urandom >"$tmp/first"
head -c $((6 * M)) /dev/urandom >"$tmp/second"

snapshots_of() # IMAGE: their names by Ceph's own command
{
	rbd snap ls --format json "$1" | tr '{' '\n' | sed -n 's/.*"name":"\([^"]*\)".*/\1/p'
}

# taken by us and by others, read, revert, removed
cp "$tmp/first" volumes/v
touch snapshots/v/s1
[ "$(snapshots_of v)" = s1 ] || fail "Ceph has the snapshots '$(snapshots_of v)'"
expect_errno EEXIST sh -c 'set -C; : >snapshots/v/s1'
dd if="$tmp/second" of=volumes/v conv=notrunc bs=1M status=none
same snapshots/v/s1 "$tmp/first" || fail "a snapshot's bytes changed"
same volumes/v "$tmp/second" || fail "the volume has the snapshot's bytes"
size $((6 * M)) snapshots/v/s1
same_as_ceph v@s1 snapshots/v/s1
rbd snap create --no-progress "v@of others"
eventually 3 ls "snapshots/v/of others"
same "snapshots/v/of others" "$tmp/second" || fail "a snapshot of others differs"
if sh -c 'echo x >>snapshots/v/s1' 2>/dev/null; then fail "a snapshot was written"; fi
expect_errno ENOENT cat snapshots/v/nothing
expect_errno ENOENT ls snapshots/nothing
put info/v/ctl 'revert s1'
same volumes/v "$tmp/first" || fail "revert"
same_as_ceph v "$tmp/first"
put info/v/ctl 'revert of others'
same volumes/v "$tmp/second" || fail "revert to a snapshot of others"
refuse ENOENT nothing put info/v/ctl 'revert nothing'
exec 9<>volumes/v
refuse EBUSY '' put info/v/ctl 'revert s1'
exec 9<&-

# a snapshot keeps its size, and a revert brings it back
truncate -s $((8 * M)) volumes/v
size $((6 * M)) snapshots/v/s1
same snapshots/v/s1 "$tmp/first"
eventually 3 put info/v/ctl 'revert s1'
eventually 2 size $((6 * M)) volumes/v
same volumes/v "$tmp/first" || fail "revert to another size"

# what a writer has been told is written is in the snapshot, though he has not closed
{
	cat "$tmp/second"
	touch snapshots/v/running
	cat "$tmp/second"
} 1<>volumes/v 2>"$tmp/err" || :
same snapshots/v/running "$tmp/second" || fail "a snapshot under a writer misses what was written"

# the volume with its snapshots: not removed, renamed together
refuse EBUSY s1 rm volumes/v
grep -q running "$storage/error" || fail "not all snapshots are named: $(cat "$storage/error")"
mv volumes/v volumes/w
same snapshots/w/s1 "$tmp/first" || fail "mv lost a snapshot"
[ ! -e snapshots/v ] || fail "the old name still has snapshots"
mv volumes/w volumes/v
rm "snapshots/v/of others" snapshots/v/running
[ "$(ls snapshots/v)" = s1 ] || fail "the list is $(ls snapshots/v)"
[ "$(snapshots_of v)" = s1 ] || fail "Ceph still has $(snapshots_of v)"

# protected snapshots, and those with children
rbd snap protect v@s1
refuse EBUSY protected rm snapshots/v/s1
rbd clone v@s1 child1
refuse EBUSY child1 rm snapshots/v/s1
same volumes/child1 "$tmp/first" || fail "a clone that others made differs"
is images/v@s1 info/child1/backing
put info/child1/ctl flatten
is '' info/child1/backing
rbd info child1 | grep -q parent && fail "flatten left the parent"
rbd snap unprotect v@s1
same volumes/child1 "$tmp/first" || fail "flatten changed the bytes"

# clones by description
mkdir info/child2
cat >info/child2/xml <<END
<volume><name>child2</name><backingStore><path>images/v@s1</path><format type='raw'/></backingStore>
</volume>
END
size $((6 * M)) volumes/child2
same volumes/child2 "$tmp/first" || fail "a clone differs"
rbd info child2 | grep -q 'parent: images/v@s1' || fail "Ceph knows no parent: $(rbd info child2)"
rbd children v@s1 | grep -q child2 || fail "Ceph knows no child"
grep -q '<path>images/v@s1</path>' info/child2/xml || fail "the description has no backingStore"
[ "$(image_used child2)" = 0 ] || fail "a new clone uses $(image_used child2) bytes"
[ "$(du -k volumes/child2 | cut -f 1)" = 0 ] || fail "du of a new clone: $(du -k volumes/child2)"
cp --sparse=auto volumes/child2 "$tmp/out"
cmp "$tmp/out" "$tmp/first" || fail "a sparse cp of a clone took its parent's bytes for holes"
cp volumes/child2 volumes/full
rbd info full | grep -q parent && fail "a copy depends on its source's parent"
same volumes/full "$tmp/first" || fail "a copy of a clone differs"
dd if="$tmp/second" of=volumes/child2 conv=notrunc bs=1M seek=1 skip=1 count=1 status=none
dd if=volumes/child2 bs=1M count=1 status=none | cmp -n $M - "$tmp/first" ||
	fail "a first write further on took what a clone has before it"
dd if="$tmp/second" of=volumes/child2 conv=notrunc bs=1M count=2 status=none
same volumes/child2 "$tmp/second" $((2 * M)) || fail "a clone does not keep what is written"
cmp -i $((2 * M)) volumes/child2 "$tmp/first" || fail "writing a clone lost the rest"
fallocate -p -o $((4 * M)) -l $M volumes/child2
[ "$(dd if=volumes/child2 bs=1M skip=4 count=1 status=none | tr -d '\0' | wc -c)" = 0 ] ||
	fail "punching a clone showed its parent's bytes"
same snapshots/v/s1 "$tmp/first" || fail "writing a clone changed its parent"
same_as_ceph v "$tmp/second"
refuse EBUSY child2 rm snapshots/v/s1
mkdir info/larger
cat >info/larger/xml <<END
<volume><capacity unit='MiB'>10</capacity>
<backingStore><path>images/v@s1</path></backingStore></volume>
END
size $((10 * M)) volumes/larger
same volumes/larger "$tmp/first" $((6 * M)) || fail "a larger clone differs"
[ "$(tail -c $((4 * M)) volumes/larger | tr -d '\0' | wc -c)" = 0 ] || fail "its rest is not zero"
rm volumes/larger
mkdir info/piece
put info/piece/backing images/v@s1
touch volumes/piece
same volumes/piece "$tmp/first" || fail "a clone piece by piece differs"
rm volumes/piece
mkdir info/bad
refuse ENOENT nothing put info/bad/xml \
	"<volume><backingStore><path>images/v@nothing</path></backingStore></volume>"
refuse ENOENT nowhere put info/bad/xml \
	"<volume><backingStore><path>images/nowhere@s1</path></backingStore></volume>"
rmdir info/bad
put info/child2/ctl flatten
rbd info child2 | grep -q parent && fail "flatten left the parent"
same volumes/child2 "$tmp/second" $((2 * M)) || fail "flatten lost what was written"

# protected pool: snapshots are taken, not removed
put protected 1
touch snapshots/v/s2
refuse EPERM '' rm snapshots/v/s2
refuse EPERM '' put info/v/ctl 'revert s2'
put protected 0
rm snapshots/v/s2 snapshots/v/s1
[ -z "$(snapshots_of v)" ] || fail "snapshots are left: $(snapshots_of v)"
rm volumes/v
rbd ls | grep -qx v && fail "the image is still there"
[ -z "$(ls snapshots/child2)" ] || fail "a volume without snapshots has $(ls snapshots/child2)"

# snapshots that are not shown keep an image as well: the sentence says whose they are
rbd create --size 8M member
rbd group create several
rbd group image add several member
rbd group snap create several@all
refuse EBUSY 'of a group' rm volumes/member
touch snapshots/member/own
refuse EBUSY "('own'): remove them first" rm volumes/member
rm snapshots/member/own
rbd group snap rm several@all
refuse EBUSY 'belongs to a group' rm volumes/member
rbd group image rm several member
rm volumes/member
rbd create --size 8M base
touch snapshots/base/s
rbd clone --rbd-default-clone-format 2 base@s stands
rbd snap rm --no-progress base@s
refuse EBUSY 'that clones stand on' rm volumes/base
rm volumes/stands
rm volumes/base
rbd mirror pool enable images image >/dev/null
rbd create --size 8M mirrored
rbd mirror image enable mirrored snapshot >/dev/null
rbd mirror image demote mirrored >/dev/null
refuse EINVAL 'not primary' rm volumes/mirrored
