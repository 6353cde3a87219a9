#!/bin/sh
# What a server, or somebody between, can do to a conversation: nothing hangs, nothing crashes, what
# was there stays, and the next operation works.
# limit: 120
mount_options=timeout=3
sheep_options='--shift 20'
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"
fake_only

eio=$(errno_text EIO)
etimedout=$(errno_text ETIMEDOUT)
sheepdog_pool p
cd "$storage/pools/p"
head -c $((4 * M)) /dev/urandom >"$tmp/data"
head -c $((4 * M)) /dev/urandom >"$tmp/other"
cp "$tmp/data" volumes/v

# try COMMAND…: may fail, in time
try()
{
	result=0
	timeout 12 "$@" >"$tmp/out" 2>"$tmp/err" || result=$?
	[ "$result" != 124 ] || fail "hung: $*"
}

overwrite() # FILE VOLUME
{
	dd if="$1" of="volumes/$2" bs=128k conv=notrunc,fsync status=none
}

try_overwrite() # FILE VOLUME
{
	try dd if="$1" of="volumes/$2" bs=128k conv=notrunc,fsync status=none
}

healthy()
{
	tell off
	eventually 10 cmp -n $((4 * M)) volumes/v "$tmp/data"
}

# -- one answer of each kind is spoilt, in each way; a single one is survived or told --

for way in reset reset-after 'cut 0' 'cut 20' 'cut 50' 'part 20' stall ignore 'garbage 5000' \
	twice later 'delay 0.3' 'alter 8 0x7fffffff' 'alter 12 0xffffffff' 'alter 12 7' \
	'opcode 0x77'; do
	echo "--- $way"
	for what in read write:data; do
		# shellcheck disable=SC2086  # words
		fault "$what" nth=2 $way
		case $what in
		read) try cmp -n $((4 * M)) volumes/v "$tmp/data" ;;
		*) try_overwrite "$tmp/data" v ;;
		esac
		[ "$(tell fired)" -gt 0 ] || fail "no $what met '$way'"
		case $way:$what in
		twice:* | later:* | delay*)
			[ "$result" = 0 ] || fail "$what after '$way': $(cat "$tmp/err")" ;;
		*:read)
			[ "$result" = 0 ] || grep -q -e "$eio" -e "$etimedout" "$tmp/err" ||
				fail "$what after '$way': $(cat "$tmp/err")" ;;
		esac
		healthy
		[ "$result" = 0 ] || overwrite "$tmp/data" v || fail "does not write after '$way'"
	done
done

# -- what the server refuses is told, with its words; nothing else is hurt --

for code in 0x01 0x03 0x05 0x06 0x15; do
	echo "--- $code"
	fault write:data times=0 result "$code"
	try_overwrite "$tmp/other" v
	[ "$result" != 0 ] || fail "a write that was refused by $code succeeded"
	tell off
	overwrite "$tmp/data" v
done
fault create times=0 result 0x15
truncate -s $((4 * M)) volumes/w
expect_errno ENOSPC dd if="$tmp/data" of=volumes/w bs=64k conv=notrunc,fsync
grep -qi 'space\|full' info/w/error || fail "the error is: $(cat info/w/error)"
tell off
overwrite "$tmp/data" w
cmp -n $((4 * M)) volumes/w "$tmp/data" || fail "after a full cluster"
for code in 0x03 0x0a; do
	fault read:data times=0 result "$code"
	expect_errno EIO dd if=volumes/v of=/dev/null bs=64k count=1 iflag=direct
	healthy
done
# what passes: the cluster is busy with itself
for code in 0x81 0x82 0x86 0x8f; do
	fault write:data times=3 result "$code"
	overwrite "$tmp/data" v || fail "a write was not tried again after $code"
	tell off
done

# an object is gone: that is an error, not zeros
fault read:data times=0 result 0x02
try cmp -n $((4 * M)) volumes/v "$tmp/data"
[ "$result" != 0 ] || fail "a missing object was read"
grep -q 'differ' "$tmp/out" && fail "a missing object reads as other bytes"
healthy

# -- a list is whole or fails --

touch volumes/a volumes/b
for nth in 1 2 3; do
	echo "--- list $nth"
	tell off
	put ctl refresh
	fault read:inode nth="$nth" times=0 result 0x03
	try ls volumes
	[ "$result" = 0 ] || grep -q "$eio" "$tmp/err" || fail "ls: $(cat "$tmp/err")"
	[ "$result" != 0 ] || [ "$(tr '\n' ' ' <"$tmp/out")" = 'a b v w ' ] ||
		fail "a short list: $(cat "$tmp/out")"
done
tell off
for what in vdis deleted; do
	put ctl refresh
	fault "$what" times=0 result 0x06
	try ls volumes
	[ "$result" != 0 ] || [ "$(tr '\n' ' ' <"$tmp/out")" = 'a b v w ' ] ||
		fail "a short list: $(cat "$tmp/out")"
	tell off
done

# -- verbs that break in the middle leave something that can be used, or deleted --

for what in new write:inode delete read:inode info; do
	for way in 'result 0x03' reset-after; do
		echo "--- $what $way"
		# shellcheck disable=SC2086  # words
		fault "$what" times=0 $way
		try touch volumes/broken
		try truncate -s 3M volumes/broken
		try touch snapshots/v/broken
		try rm volumes/a
		try put info/b/capacity 2M
		tell off
		healthy
		rm -f volumes/broken snapshots/v/broken
		rm -f volumes/a
		touch volumes/a
		left=$(ls volumes snapshots/v | tr '\n' ' ')
		[ "$left" = 'snapshots/v:  volumes: a b v w ' ] || fail "after $what, $way: $left"
	done
done
overwrite "$tmp/other" w
sheep_same w "$tmp/other"

# a new volume between create and its map: the write failed, what is written then is there
fault write:inode times=0 result 0x03
truncate -s $((4 * M)) volumes/torn || :
tell off
truncate -s $((4 * M)) volumes/torn
fault write:inode times=0 result 0x03
try_overwrite "$tmp/other" torn
[ "$result" != 0 ] || fail "a write whose map was refused succeeded"
tell off
overwrite "$tmp/data" torn
cmp -n $((4 * M)) volumes/torn "$tmp/data" || fail "after a refused map"
sheep_same torn "$tmp/data"

# an inode that is nonsense: refused with a sentence, and the others are there
fault read:inode times=0 garbage
try ls -l volumes
try cat info/v/xml
tell off
healthy
rm volumes/*
no_leftovers
