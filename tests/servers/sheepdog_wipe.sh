#!/bin/sh
# Wiping: zeros over what is the volume's own, or all of it given back; snapshots keep theirs.
# limit: 60
sheep_options='--shift 20'
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"

sheepdog_pool p
cd "$storage/pools/p"
head -c $((5 * M + 1000)) /dev/urandom >"$tmp/data"
head -c $((5 * M + 1000)) /dev/zero >"$tmp/zeros"

allocated() # VOLUME: bytes
{
	du --block-size=1 "volumes/$1" | cut -f1
}

# wipe ALGORITHM: the kernel tells of the last close a little late
wipe()
{
	eventually 10 put info/v/ctl "wipe $1" 2>/dev/null
}

cp "$tmp/data" volumes/v
own=$(allocated v)
wipe zero
sheep_same v "$tmp/zeros"
cmp volumes/v "$tmp/zeros" || fail "wiped, it reads as something else"
[ "$(allocated v)" = "$own" ] || fail "wiping with zeros gave space back"

cp "$tmp/data" volumes/v
wipe trim
sheep_same v "$tmp/zeros"
eventually 10 sh -c '[ "$(du --block-size=1 volumes/v | cut -f1)" = 0 ]'
[ "$(stat -c %s volumes/v)" = $((5 * M + 1000)) ] || fail "trimmed, it has another size"

# what a snapshot has stays its own
cp "$tmp/data" volumes/v
touch snapshots/v/s
dd if="$tmp/data" of=volumes/v bs=1M count=1 conv=notrunc status=none
wipe zero
cmp volumes/v "$tmp/zeros" || fail "wiped, it reads as something else"
sheep_same v "$tmp/data" s
[ -n "$real" ] || [ "$(allocated v)" = $M ] || fail "it has $(allocated v) bytes, its own object is one"
cp "$tmp/data" volumes/v
wipe trim
sheep_same v "$tmp/data" s

expect_errno EOPNOTSUPP put info/v/ctl 'wipe dod'
grep -q 'zero or trim' info/v/error || fail "the error is: $(cat info/v/error)"
rm snapshots/v/s volumes/v
no_leftovers
