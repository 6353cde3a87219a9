#!/bin/sh
# A signal that asks nobody to end fails no call on a file; one that does, ends it at once.
# tsan
. "${0%/*}/lib.sh"
need python3

fake_pool f provisioned
cd "$storage/pools/f"
echo x >volumes/v

cat >"$tmp/open.py" <<'E2'
import os, signal, sys
# handled, and not restarting: what open(2) answers is seen
for name in ("USR1", "CHLD", "ALRM", "INT"):
    sig = getattr(signal, "SIG" + name)
    signal.signal(sig, lambda *_: None)
    signal.siginterrupt(sig, True)
print("ready", flush=True)
# not os.open, which tries again
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.open(sys.argv[1].encode(), os.O_RDONLY)
print("opened" if fd >= 0 else os.strerror(ctypes.get_errno()), flush=True)
E2

start() # an open that hangs, its process $opener
{
	control f vol_open hang
	: >"$tmp/said"
	python3 "$tmp/open.py" volumes/v >"$tmp/said" &
	opener=$!
	eventually 20 grep -q ready "$tmp/said"
	eventually 20 waits "$opener"
}

# It waits for us: the kernel shows it in a system call of FUSE.
waits()
{
	grep -q -e fuse -e request_wait "/proc/$1/stack"
}

start
kill -USR1 "$opener"
kill -CHLD "$opener"
kill -ALRM "$opener"
sleep 0.5 # nothing is to happen
grep -q Interrupted "$tmp/said" && fail "a signal that means nothing ended an open"
control_off f vol_open
wait "$opener"
grep -q opened "$tmp/said" || fail "the open failed: $(cat "$tmp/said")"

# one after the other: the kernel tells us of the first alone
start
kill -USR1 "$opener"
kill -INT "$opener"
eventually 20 grep -q Interrupted "$tmp/said"
wait "$opener"

start
kill -KILL "$opener"
wait "$opener" 2>/dev/null && fail "it lives"
control_off f vol_open
