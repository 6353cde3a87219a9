#!/bin/sh
# A cluster formatted with locks: an open volume is held, another gateway's is EBUSY and named so,
# and nothing stays locked behind us. One without locks has no such thing.
sheep_options='--nodes 2 --locking'
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"
fake_only

sheepdog_pool p
cd "$storage/pools/p"
truncate -s $((4 * M)) volumes/v

locked()
{
	[ "$(tell locks)" = "$1" ]
}

exec 9<>volumes/v
printf one >&9
eventually 5 locked 'v 0'
exec 9>&-
eventually 5 locked ''

# held by another
tell hold v 1
refuse EBUSY lock sh -c 'echo x | dd of=volumes/v conv=notrunc'
[ "$(head -c 3 volumes/v)" = one ] || fail "locks are advisory: reading needs none"
tell drop v 1
echo x | dd of=volumes/v conv=notrunc status=none

# a snapshot makes another working VDI: still nothing stays locked
exec 9<>volumes/v
touch snapshots/v/s
printf two >&9
exec 9>&-
eventually 5 locked ''
rm snapshots/v/s
exec 9<>volumes/v
put ctl stop 2>/dev/null && fail "stopped, with an open volume"
exec 9>&-
eventually 10 rm volumes/v 2>/dev/null # the kernel tells of the last close a little late

# nor when the last writer closes while a snapshot is being taken
exec 9<>volumes/v
printf three >&9
before=$(tell fired)
fault new delay 2
touch snapshots/v/late 9>&- &
taker=$!
met()
{
	[ "$(tell fired)" -gt "$before" ]
}
eventually 5 met
exec 9>&-
wait "$taker"
eventually 5 locked ''
rm snapshots/v/late
echo x | dd of=volumes/v conv=notrunc status=none

# without locks
tell locking 0
tell forget
truncate -s $((4 * M)) volumes/w
echo x | dd of=volumes/w conv=notrunc status=none
rm volumes/w
