#!/bin/sh
# wipe: zeros, holes stay holes; the other algorithms are scrub's.
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
cd "$storage/pools/a"
truncate -s 8M volumes/v
head -c 100000 /dev/urandom | dd of=volumes/v bs=4k seek=256 conv=notrunc status=none
put info/v/ctl 'wipe zero'
size 8388608 volumes/v
cmp -n 8388608 volumes/v /dev/zero || fail "wipe zero left data"
[ "$(du -k volumes/v | cut -f 1)" -le 512 ] || fail "wipe filled the holes: $(du -k volumes/v)"
head -c 100000 /dev/urandom >volumes/r
cp volumes/r "$tmp/r"
if command -v scrub >/dev/null; then
	put info/r/ctl 'wipe random'
	size 100000 volumes/r
	cmp -s volumes/r "$tmp/r" && fail "wipe random left the data"
fi
refuse EINVAL nonsense put info/r/ctl 'wipe nonsense'
exec 9<>volumes/v
refuse EBUSY '' put info/v/ctl 'wipe zero'
exec 9<&-
grep -q wipe info/v/ctl || fail "ctl says $(cat info/v/ctl)"

# a wipe ends with the daemon: it would go on over what is written to the volume after the next mount
if command -v scrub >"$tmp/out" && command -v setpriv >"$tmp/out"; then
	truncate -s 400M volumes/k
	(put info/k/ctl 'wipe gutmann' 2>"$tmp/err" || :) &
	writer=$!
	scrub=
	story_end()
	{
		[ -z "$scrub" ] || kill -9 "$scrub"
	}
	scrubs()
	{
		pgrep -P "$daemon" -x scrub
	}
	eventually 20 scrubs
	scrub=$(scrubs)
	cd /
	kill_daemon
	wait "$writer"
	eventually 1 sh -c "! kill -0 $scrub"
	scrub=
	umount "$storage"
fi
