#!/bin/sh
# Snapshots and clones as files: taken, read, reverted to, deleted in any order; copy on write; and
# another client that snapshots under our feet.
# limit: 120
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"

sheepdog_pool p
cd "$storage/pools/p"

head -c $((9 * M)) /dev/urandom >"$tmp/first"
head -c $((9 * M)) /dev/urandom >"$tmp/second"

overwrite() # FILE VOLUME
{
	dd if="$1" of="volumes/$2" bs=1M conv=notrunc,fsync status=none
}

same() # FILE OTHER
{
	cmp -n $((9 * M)) "$1" "$2" || fail "$1 is not $2"
}

# clone NAME BACKING [BYTES]
clone()
{
	mkdir "info/$1"
	put "info/$1/xml" "<volume><name>$1</name><capacity unit='bytes'>${3-$((9 * M))}</capacity>
		<backingStore><path>$2</path></backingStore></volume>"
}

# -- taken, read, written beside --

cp "$tmp/first" volumes/v
eventually 2 size $((9 * M)) volumes/v
touch snapshots/v/one
[ "$(ls snapshots/v)" = one ] || fail "the list is $(ls snapshots/v)"
[ "$(ls volumes)" = v ] || fail "a snapshot is among the volumes: $(ls volumes)"
expect_errno EEXIST sh -c 'set -C; : >snapshots/v/one'
overwrite "$tmp/second" v
same snapshots/v/one "$tmp/first"
same volumes/v "$tmp/second"
sheep_same v "$tmp/first" one
sheep_same v "$tmp/second"
size $((9 * M)) snapshots/v/one
if sh -c 'echo x >>snapshots/v/one' 2>/dev/null; then
	fail "a snapshot was written"
fi

# a part of an object: the rest of it is copied
touch 'snapshots/v/two words, é'
printf changed | dd of=volumes/v bs=1 seek=$((5 * M)) conv=notrunc,fsync status=none
same 'snapshots/v/two words, é' "$tmp/second"
cmp -n $((5 * M)) volumes/v "$tmp/second" || fail "copy on write lost what is before"
cmp -i $((5 * M + 7)) -n $((4 * M - 7)) volumes/v "$tmp/second" ||
	fail "copy on write lost what is behind"
sheep_read v "$tmp/read"
printf changed | cmp -i 0:$((5 * M)) -n 7 - "$tmp/read" || fail "another client reads other bytes"

# punched where a snapshot owns the bytes
fallocate -p -o 0 -l $((4 * M)) volumes/v
[ "$(head -c $((4 * M)) volumes/v | tr -d '\0' | wc -c)" = 0 ] || fail "not punched"
same 'snapshots/v/two words, é' "$tmp/second"

# growth and shrinking do not reach a snapshot
put info/v/capacity 'shrink 2M'
put info/v/capacity 12M
[ "$(tr -d '\0' <volumes/v | wc -c)" = 0 ] || fail "what was cut off is back"
same 'snapshots/v/two words, é' "$tmp/second"
same snapshots/v/one "$tmp/first"

# -- reverted, to either; the snapshots stay --

put info/v/ctl 'revert one'
same volumes/v "$tmp/first"
size $((9 * M)) volumes/v
put info/v/ctl 'revert two words, é'
same volumes/v "$tmp/second"
[ "$(ls snapshots/v | tr '\n' ,)" = 'one,two words, é,' ] || fail "revert: $(ls snapshots/v)"
overwrite "$tmp/first" v
same 'snapshots/v/two words, é' "$tmp/second"
expect_errno ENOENT put info/v/ctl 'revert missing'
exec 9<volumes/v
refuse EBUSY '' put info/v/ctl 'revert one'
exec 9<&-
eventually 2 put info/v/ctl 'revert one'

# -- clones: by the snapshot's path, VOLUME@SNAPSHOT, and by nothing else --

clone c v@one
same volumes/c "$tmp/first"
is v@one info/c/backing
grep -q '<backingStore>' info/c/xml || fail "no backing store: $(cat info/c/xml)"
overwrite "$tmp/second" c
same volumes/c "$tmp/second"
same snapshots/v/one "$tmp/first"
clone larger v@one $((20 * M))
size $((20 * M)) volumes/larger
cmp -n $((9 * M)) volumes/larger "$tmp/first" || fail "a larger clone differs"
[ "$(tail -c $((11 * M)) volumes/larger | tr -d '\0' | wc -c)" = 0 ] || fail "a larger clone's end"
if [ -z "$real" ]; then # one that could not be made larger was not made
	fault write:inode result 0x03
	expect_errno EIO clone torn v@one $((20 * M))
	[ "$(tell fired)" -gt 0 ] || fail "nothing met the fault"
	[ ! -e volumes/torn ] || fail "there is a clone of another size"
	rmdir info/torn
fi
mkdir info/bad
for backing in v@missing nothing@one v "$PWD/volumes/v" /etc/passwd; do
	if put info/bad/xml "<volume><name>bad</name><capacity>9437184</capacity>
		<backingStore><path>$backing</path></backingStore></volume>" 2>/dev/null; then
		fail "a clone of $backing"
	fi
	[ ! -e volumes/bad ] || fail "a clone of $backing is there"
done
rmdir info/bad

# flattened: it depends on nothing any more
clone flat v@one
put info/flat/ctl flatten
is '' info/flat/backing
[ "$(stat -c %b volumes/flat)" -ge $((9 * M / 512)) ] || fail "a flat volume has no blocks"
same volumes/flat "$tmp/first"
if grep -q '<backingStore>' info/flat/xml; then fail "a flat volume has a backing store"; fi

# -- deleted in any order: what others use stays, what nobody uses goes --

rm snapshots/v/one
expect_errno ENOENT rm snapshots/v/one
same volumes/flat "$tmp/first"
same volumes/c "$tmp/second"
cmp -n $((9 * M)) volumes/larger "$tmp/first" || fail "the clone lost what it had of its snapshot"
same volumes/v "$tmp/first"
if rm volumes/v 2>/dev/null; then
	touch volumes/v
	truncate -s 8M volumes/v
	[ "$(tr -d '\0' <volumes/v | wc -c)" = 0 ] || fail "a new volume has the old bytes"
else
	expect_errno EBUSY rm volumes/v
	grep -q 'two words' info/v/error || fail "it names no snapshot: $(cat info/v/error)"
fi
rm 'snapshots/v/two words, é'
rm volumes/v volumes/flat
cmp -n $((9 * M)) volumes/larger "$tmp/first" || fail "the clone lost what it had of its snapshot"
rm volumes/*
no_objects()
{
	[ "$(tell objects)" = 0 ]
}
[ -n "$real" ] || eventually 5 no_objects

# -- another client snapshots a volume that we have open: nothing is lost, nothing goes into it --

cp "$tmp/first" volumes/w
exec 8<>volumes/w
sheep_snapshot w theirs
head -c $((9 * M)) "$tmp/second" >&8
exec 8>&-
same volumes/w "$tmp/second"
sheep_same w "$tmp/first" theirs
sheep_same w "$tmp/second"
put ctl refresh
same snapshots/w/theirs "$tmp/first"
rm snapshots/w/theirs
same volumes/w "$tmp/second"

# and then it is made larger, before anything is written again: what the snapshot has stays
cp "$tmp/first" volumes/x
exec 8<>volumes/x
printf x >&8
python3 -c 'import os; os.fsync(8)'
sheep_snapshot x theirs
python3 -c 'import os; os.ftruncate(8, 20 << 20)'
exec 8>&-
size $((20 * M)) volumes/x
for tag in theirs ''; do
	sheep_read x "$tmp/read" $tag
	case $tag:$(stat -c %s "$tmp/read") in
	theirs:$((9 * M)) | :$((20 * M))) ;;
	*) fail "x@$tag has $(stat -c %s "$tmp/read") bytes" ;;
	esac
	cmp -i 1 -n $((9 * M - 1)) "$tmp/read" "$tmp/first" || fail "x@$tag has other bytes"
done
eventually 5 rm snapshots/x/theirs
rm volumes/x

# -- another client removes a volume that we have open, and makes one of its name: another one --

truncate -s $((16 * M)) volumes/y
overwrite "$tmp/first" y
exec 8<>volumes/y
sheep_delete y
sheep_create y $((16 * M))
no_leftovers
[ -z "$real" ] || sleep 2 # objects go late: nothing tells when
for at in 1 13; do
	expect_errno EIO sh -c 'dd if="$0" bs=1M count=1 seek="$1" conv=notrunc,fsync >&8' "$tmp/second" $at
done
sheep_same y /dev/null
[ "$(tr -d '\0' <volumes/y | wc -c)" = 0 ] || fail "a new volume has the old one's bytes"
overwrite "$tmp/second" y
sheep_same y "$tmp/second"
exec 8>&-
eventually 5 rm volumes/y
no_leftovers

if [ -z "$real" ]; then
	# in the middle of a stream of writes, at both kinds of them
	before=$(tell fired)
	for when in write:data create; do
		[ "$when" = write:data ] || sheep_snapshot w shared
		fault "$when" nth=2 before snapshot w "$(echo "$when" | tr -d :)"
		overwrite "$tmp/first" w
		same volumes/w "$tmp/first"
		overwrite "$tmp/second" w
		same volumes/w "$tmp/second"
	done
	[ "$(tell fired)" = $((before + 2)) ] || fail "a snapshot was not taken between"
	sheep_same w "$tmp/second"
	# between our looking up and the snapshot: what is frozen is not a foreign volume's past
	fault new before snapshot w between
	touch snapshots/w/ours || :
	same volumes/w "$tmp/second"
	put ctl refresh
	same snapshots/w/between "$tmp/second"
	rm snapshots/w/*
	same volumes/w "$tmp/second"
	rm volumes/w
	# what was looked at before a snapshot, and is known after it, is no other volume
	cp "$tmp/first" volumes/z
	exec 8<>volumes/z
	before=$(tell fired)
	put ctl refresh
	fault read:inode delay 2
	stat volumes/z >"$tmp/out" 8>&- &
	looker=$!
	met()
	{
		[ "$(tell fired)" -gt "$before" ]
	}
	eventually 5 met
	touch snapshots/z/ours 8>&-
	wait "$looker"
	sheep_snapshot z theirs
	dd if="$tmp/second" bs=1M conv=notrunc,fsync status=none >&8 || fail "$(cat info/z/error)"
	sheep_same z "$tmp/first" theirs
	sheep_same z "$tmp/second"
	exec 8>&-
	eventually 5 rm snapshots/z/ours snapshots/z/theirs
	rm volumes/z
	no_leftovers
fi
