#!/bin/sh
# The daemon's end while a read of a volume does not come back: the request is answered, and the end
# comes within the time limit, naming the pool; one that comes back late ends it cleanly.
# tsan
mount_options=timeout=30
. "${0%/*}/lib.sh"

started()
{
	eventually 10 put "$storage/pools/f/ctl" start
	echo data >"$storage/pools/f/volumes/v"
}

ended() # STATUS
{
	tries_=0
	until daemon_gone || [ "$tries_" -gt 4000 ]; do
		sleep 0.02
		tries_=$((tries_ + 1))
	done
	daemon_gone || fail "the daemon does not end"
	status_=0
	wait "$daemon" || status_=$?
	daemon=
	[ "$status_" = "$1" ] || fail "the exit status is $status_, not $1: $(tail -n 5 "$log")"
}

# The kernel shows its read in a system call of FUSE.
waits()
{
	grep -q -e fuse -e request_wait "/proc/$1/stack" "/proc/$1/wchan"
}

fake_pool f files

# comes back before the time is over
started
control f read stuck
cat "$storage/pools/f/volumes/v" >"$tmp/got" 2>&1 &
reader=$!
eventually 5 waits "$reader"
kill "$daemon"
sleep 0.5
control_off f read
ended 0
! wait "$reader" || fail "the read succeeded after the end"

# never comes back
mount_storage timeout=2
started
control f read stuck
cat "$storage/pools/f/volumes/v" >"$tmp/got" 2>&1 &
reader=$!
eventually 5 waits "$reader"
umount -l "$storage"
ended 1
! wait "$reader" || fail "a stuck read succeeded"
grep -q "pool 'f' did not end" "$log" || fail "the pool is not named: $(cat "$log")"
! mountpoint -q "$storage" || fail "it is still mounted"
control_off f read
mount_storage
