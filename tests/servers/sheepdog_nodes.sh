#!/bin/sh
# A cluster of several nodes: when the one that we talk to dies, falls silent or resets connections,
# the next one takes over, and what is under way goes on.
# limit: 120
mount_options=timeout=8
sheep_options='--nodes 3 --copies 2 --shift 20'
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"
fake_only

sheepdog_pool p
cd "$storage/pools/p"
head -c $((12 * M)) /dev/urandom >"$tmp/data"
head -c $((12 * M)) /dev/urandom >"$tmp/other"
cp "$tmp/data" volumes/v

# asked: the nodes that we have connections to
asked()
{
	tell connections
}

# the node of the definition dies in the middle of writing, reading, creating: nothing is noticed
truncate -s $((12 * M)) volumes/w
fault write:data nth=5 die
dd if="$tmp/other" of=volumes/v bs=256k conv=notrunc,fsync status=none || fail "a node died: write"
[ "$(tell fired)" = 1 ] || fail "no node died"
cmp -n $((12 * M)) volumes/v "$tmp/other" || fail "after a node died"
tell start all
fault create nth=3 die
dd if="$tmp/data" of=volumes/w bs=256k conv=notrunc,fsync status=none || fail "a node died: create"
tell start all
fault write:inode nth=2 die
dd if="$tmp/data" of=volumes/v bs=256k conv=notrunc,fsync status=none || fail "a node died: map"
tell off
tell start all
fault read nth=4 die
cmp -n $((12 * M)) volumes/w "$tmp/data" || fail "a node died: read"
tell start all
sheep_same v "$tmp/data"
sheep_same w "$tmp/data"

# a write is answered, but the copy that was just being recovered has not kept it
for what in create write:data write:inode; do
	truncate -s $((12 * M)) volumes/kept
	[ "$what" != write:data ] || cp "$tmp/data" volumes/kept
	before=$(tell fired)
	fault "$what" lose
	dd if="$tmp/other" of=volumes/kept bs=256k conv=notrunc,fsync status=none || fail "lost: $what"
	[ "$(tell fired)" = $((before + 1)) ] || fail "nothing was lost: $what"
	tell off
	sheep_same kept "$tmp/other"
	rm volumes/kept
done
# a map that names the snapshot's objects is not stored twice, so that it was lost is told
cp "$tmp/data" volumes/kept
touch snapshots/kept/s
fault write:inode lose
expect_errno EIO dd if="$tmp/other" of=volumes/kept bs=256k conv=notrunc,fsync
grep -q 'was not kept' info/kept/error || fail "the error is: $(cat info/kept/error)"
tell off
dd if="$tmp/other" of=volumes/kept bs=256k conv=notrunc,fsync status=none || fail "after a lost map"
sheep_same kept "$tmp/other"
sheep_same kept "$tmp/data" s
rm snapshots/kept/s volumes/kept

# two of three are gone
tell kill 0
tell kill 1
cmp -n $((12 * M)) volumes/w "$tmp/data" || fail "with one node left"
touch volumes/made
rm volumes/made
# and then the last one, while others are back
tell start 0
tell kill 2
cmp -n $((12 * M)) volumes/v "$tmp/data" || fail "with another node left"
tell start all

# all of them: errors in time, and on again without anybody's help
tell kill all
fails_in_time dd if=volumes/v of=/dev/null bs=64k iflag=direct count=1
tell start 1
eventually 15 cmp -n $((12 * M)) volumes/v "$tmp/data"
tell start all

# the one that we talk to falls silent: reads go elsewhere within the timeout
for node in 0 1 2; do
	tell silent "$node"
	timeout 20 cmp -n $((12 * M)) volumes/v "$tmp/data" || fail "node $node is silent"
	tell speak "$node"
done

# verbs while nodes come and go; what takes effect once takes effect once
for node in 0 1 2; do
	fault new node="$node" die
	touch "volumes/made$node"
	[ -e "volumes/made$node" ] || fail "not made"
	tell off
	tell start all
done
fault delete die
rm volumes/made0
[ ! -e volumes/made0 ] || fail "not deleted"
tell off
tell start all
fault new die
touch snapshots/v/once
[ "$(ls snapshots/v)" = once ] || fail "snapshots are $(ls snapshots/v)"
[ "$(tell list | grep -c ' v .* once$')" = 1 ] || fail "taken twice: $(tell list)"
[ "$(tell list | grep -c '^s v ')" = 1 ] || fail "taken twice: $(tell list)"
tell off
tell start all
cmp -n $((12 * M)) snapshots/v/once "$tmp/data" || fail "the snapshot"
rm snapshots/v/once volumes/*
no_leftovers
