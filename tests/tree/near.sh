#!/bin/sh
# The threads that serve one client move to its CPU, and back when another one asks; all that is
# asked is answered as ever.
. "${0%/*}/lib.sh"
need_backend dir
need python3
[ "$(nproc)" -gt 1 ] || skip "one CPU"

dir_pool a
python3 - "$storage/pools/a/state" "$daemon" <<'END' || fail "the serving threads are not where they should be"
import os, sys, threading
path, daemon = sys.argv[1], sys.argv[2]
everywhere = os.sched_getaffinity(0)

def read():
    with open(path) as f:
        assert f.read() == "running\n"

def moved():
    """The CPUs of the threads that are not everywhere."""
    found = set()
    for tid in os.listdir(f"/proc/{daemon}/task"):
        cpus = os.sched_getaffinity(int(tid))
        if cpus != everywhere:
            found |= cpus
    return found

for cpu in sorted(everywhere)[:2]:
    os.sched_setaffinity(0, {cpu})
    for _ in range(200):
        for _ in range(100):
            read()
        if moved() == {cpu}:
            break
    else:
        sys.exit(f"a client on CPU {cpu}, but its threads are on {moved()}")

os.sched_setaffinity(0, everywhere)
turns = [threading.Semaphore(1), threading.Semaphore(0)]
stop = False

def take_turns(me):
    while not stop:
        turns[me].acquire()
        read()
        turns[1 - me].release()

other = threading.Thread(target=take_turns, args=(1,))
other.start()
for _ in range(20000):
    turns[0].acquire()
    read()
    if not moved():
        stop = True
    turns[1].release()
    if stop:
        break
left = moved()
stop = True
turns[1].release()
other.join()
sys.exit(f"two clients, but some threads stayed on {left}" if left else 0)
END
