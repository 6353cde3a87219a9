#!/bin/sh
# Each operation of a backend that fails: its errno arrives, the error says it, nothing is lost, and
# the next try works.
# tsan
. "${0%/*}/lib.sh"

fake_pool f files
cd "$storage/pools/f"
echo data >volumes/v
echo more >volumes/w
touch snapshots/v/s

fails() # OPERATION ERRNO COMMAND…
{
	operation=$1
	control f "$operation" "errno=$2"
	shift
	expect_errno "$@"
	control_off f "$operation"
	is running state
}

fails vol_create EIO touch volumes/new
[ ! -e volumes/new ] || fail "a volume that could not be made is there"
fails vol_create ENOSPC touch volumes/new
touch volumes/new
fails vol_delete EIO rm volumes/new
[ -e volumes/new ] || fail "a volume that could not be deleted is gone"
rm volumes/new
fails vol_rename EIO mv volumes/v volumes/x
is data volumes/v
[ ! -e volumes/x ] || fail "half a rename"
fails vol_open EIO cat volumes/v
fails vol_open EACCES cat volumes/v
fails read EIO cat volumes/v
fails write ENOSPC dd if=/dev/zero of=volumes/v bs=5 count=1 conv=notrunc
is data volumes/v
fails flush EIO dd if=/dev/zero of=volumes/w bs=1 count=1 conv=notrunc,fsync
fails vol_resize EIO put info/v/capacity 1M
fails vol_describe EIO cat info/v/xml
fails snap_create EIO touch snapshots/v/t
fails snap_delete EIO rm snapshots/v/s
fails snap_list EIO ls snapshots/v
fails snap_revert EIO put info/v/ctl 'revert s'
fails vol_wipe EIO put info/v/ctl 'wipe zero'
is data volumes/v

# a refresh that fails never stops the pool
fails refresh EIO put ctl refresh
grep -q 'told to fail' error || fail "the error is $(cat error)"

# a stop that fails leaves it running
fails stop EIO put ctl stop
is data volumes/v
put ctl stop

# a start that fails leaves it inactive, and says why
control f start errno=ENODEV
expect_errno ENODEV put ctl start
[ "$(cat state)" = inactive ] || fail "the state is $(cat state)"
grep -q 'told to fail' error || fail "the error is $(cat error)"
control_off f start
put ctl start
is data volumes/v

# not built yet: the sentence says what to type
put ctl stop
control f unbuilt
expect_error build put ctl start
put ctl build
put ctl start
is running state

# away: shown at once, back by itself
control f away
eventually 5 grep -qx away state
if timeout 40 cat volumes/v 2>/dev/null; then
	fail "a pool that is away gives bytes"
fi
cat xml error >/dev/null
control_off f away
eventually 10 grep -qx running state
is data volumes/v
