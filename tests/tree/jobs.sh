#!/bin/sh
# Verbs are jobs: shown while they run, cancelled by number or ^C, one at a time for a pool.
# tsan
. "${0%/*}/lib.sh"

fake_pool f files
cd "$storage/pools/f"
echo x >volumes/v
idle()
{
	[ ! -s "$storage/jobs" ]
}
idle || fail "there are jobs: $(cat "$storage/jobs")"

# Not truncating: the kernel lets nobody write a file while a writer that truncated it still waits.
verb()
{
	env printf '%s\n' "$1" 1<>ctl
}

# a long verb is shown, and a second one is EBUSY
control f refresh hang
verb refresh 2>"$tmp/refresh" &
verb=$!
eventually 5 grep -q refresh "$storage/jobs"
is running state
refuse EBUSY '' verb stop
cat xml error state >/dev/null
grep -q "'f'" "$storage/jobs" || fail "the job names no pool: $(cat "$storage/jobs")"
control_off f refresh
wait "$verb" || fail "the verb failed: $(cat "$tmp/refresh")"
eventually 5 idle

# a pool is not stopped under a volume that is worked on
control f vol_wipe hang
put info/v/ctl 'wipe zero' 2>"$tmp/wipe" &
wipe=$!
eventually 5 grep -q wipe "$storage/jobs"
refuse EBUSY "volume 'v' is being wiped" put ctl stop
control_off f vol_wipe
wait "$wipe" || fail "the wipe failed: $(cat "$tmp/wipe")"
eventually 5 idle

# cancelled by number
control f refresh hang
put ctl refresh 2>"$tmp/refresh" &
verb=$!
eventually 5 grep -q refresh "$storage/jobs"
id=$(sed 's/ .*//' "$storage/jobs" | head -n 1)
refuse ENOENT '' put "$storage/jobs" "cancel 999999"
put "$storage/jobs" "cancel $id"
if wait "$verb"; then
	fail "a cancelled verb succeeded"
fi
eventually 5 idle
is running state
control_off f refresh

# ^C
control f refresh hang
timeout -s INT 1 env printf 'refresh\n' >ctl && fail "an interrupted verb succeeded"
control_off f refresh
eventually 5 idle
is running state

# another pool does not wait
control f stop stuck
put ctl stop &
verb=$!
eventually 5 grep -q stop "$storage/jobs"
is stopping state
fake_pool g files
echo y >"$storage/pools/g/volumes/v"
put "$storage/pools/g/ctl" stop
put "$storage/pools/g/ctl" start
control_off f stop
wait "$verb" || fail "the verb failed"
is inactive state
eventually 5 idle
