#!/bin/sh
# The daemon is killed, and the kernel cannot end all of it: one thread keeps /dev/fuse and SOURCE's lock, so
# that whoever uses the mount waits for ever. The next mount ends it, and works.
. "${0%/*}/lib.sh"
need_backend dir
need python3
[ "$(id -u)" = 0 ] || skip "only root may end such a connection"

cd "$tmp"
# keep PID MOUNT: holds a thread of it at the last point before its end, while MOUNT is mounted
cat >keep.py <<'END'
import ctypes, os, signal, sys, time
pid, mount = int(sys.argv[1]), sys.argv[2]
SEIZE, INTERRUPT, CONT, TRACE_EXIT = 0x4206, 0x4207, 7, 1 << 6
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long] * 4
def mounted():
    return any(line.split()[1] == mount for line in open("/proc/self/mounts"))
thread = max(int(t) for t in os.listdir(f"/proc/{pid}/task"))
if ptrace(SEIZE, thread, 0, TRACE_EXIT) < 0:
    sys.exit("nobody may trace here: " + os.strerror(ctypes.get_errno()))
os.kill(pid, signal.SIGKILL)
os.waitpid(thread, 0x40000000) # __WALL
print("held", flush=True)
until = time.time() + 60
while mounted() and time.time() < until:
    time.sleep(0.05)
time.sleep(0.5) # the lock goes later than the mount
END

dir_pool a
echo data >"$storage/pools/a/volumes/v"
mkfifo says
python3 keep.py "$daemon" "$storage" >says &
keeper=$!
read -r said_ <says
[ "$said_" = held ] || fail "no thread is held"
until grep -q '^State:.Z' "/proc/$daemon/status"; do sleep 0.02; done
timeout 1 stat -f "$storage" >/dev/null 2>&1 && fail "the dead mount answers"
[ -d "/proc/$daemon/task/$(ls "/proc/$daemon/task" | tail -n 1)" ] || fail "nothing of the daemon is left"

was=$daemon
"$storagefs" -f "$source" "$storage" >>"$log" 2>&1 &
daemon=$!
eventually 30 test -r "$storage/README"
grep -q "(process $was) was killed" "$log" || fail "it was no dead mount"
eventually 5 grep -qx running "$storage/pools/a/state"
is data "$storage/pools/a/volumes/v"
wait "$keeper" || fail "the tracer had $?"
wait "$was" 2>/dev/null || :
[ "$(grep -c " $storage " /proc/self/mountinfo)" = 1 ] || fail "the dead mount is still there"
