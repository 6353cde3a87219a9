#!/bin/sh
# Locks of all three kinds, between processes on the mount, and with users of the native path.
. "${0%/*}/lib.sh"
need_backend dir
need python3 flock

dir_pool a
fake_pool f files
truncate -s 1M "$storage/pools/a/volumes/v" "$storage/pools/f/volumes/v"

# locks A B: what is locked through A is locked through B
cat >"$tmp/locks.py" <<'END'
import errno, fcntl, os, struct, subprocess, sys, time
a, b = sys.argv[1:3]
OFD_GETLK, OFD_SETLK, OFD_SETLKW = 36, 37, 38

def lock(fd, kind, start, length, how=fcntl.F_SETLK):
    fl = struct.pack("hhqqi4x", kind, 0, start, length, 0)
    try:
        fcntl.fcntl(fd, how, fl)
    except OSError as e:
        assert e.errno in (errno.EAGAIN, errno.EACCES), e
        return False
    return True

def soon(ask, *what):
    """FUSE is told of the last close of a description behind close(2)'s back."""
    for _ in range(250):
        if ask(*what):
            return True
        time.sleep(0.02)
    return False

def other(kind, start, length, how):
    """The same asked by another process."""
    pid = os.fork()
    if pid == 0:
        fd = os.open(b, os.O_RDWR)
        os._exit(0 if lock(fd, kind, start, length, how) else 1)
    return os.waitpid(pid, 0)[1] == 0

def held_is(fd, what):
    fl = fcntl.fcntl(fd, OFD_GETLK, struct.pack("hhqqi4x", W, 0, 0, 0, 0))
    return struct.unpack("hhqqi4x", fl)[:4] == what

W, R, U = fcntl.F_WRLCK, fcntl.F_RDLCK, fcntl.F_UNLCK
fd = os.open(a, os.O_RDWR)
for how in fcntl.F_SETLK, OFD_SETLK:
    assert soon(lock, fd, W, 100, 10, how)
    for their in fcntl.F_SETLK, OFD_SETLK:
        assert not other(W, 105, 1, their), (how, their)
        assert not other(R, 0, 0, their), (how, their)
        assert soon(other, W, 110, 10, their), (how, their)
    assert soon(lock, fd, R, 100, 10, how)
    assert soon(other, R, 100, 10, OFD_SETLK)
    assert not other(W, 100, 10, OFD_SETLK)
    asking = os.open(b, os.O_RDWR)
    assert soon(held_is, asking, (R, 0, 100, 10))
    os.close(asking)
    assert lock(fd, U, 0, 0, how)
    assert soon(other, W, 0, 0, OFD_SETLK)

# a process' record locks end with its first close, an open file description's with its last
again = os.open(a, os.O_RDWR)
assert soon(lock, fd, W, 0, 0)
os.close(again)
assert soon(other, W, 0, 0, fcntl.F_SETLK)
twin = os.dup(fd)
assert soon(lock, fd, W, 0, 0, OFD_SETLK)
os.close(fd)
assert not other(W, 0, 0, OFD_SETLK)
os.close(twin)
assert soon(other, W, 0, 0, OFD_SETLK), "an OFD lock outlived its description"

# flock
one, two = os.open(a, os.O_RDWR), os.open(b, os.O_RDONLY)
fcntl.flock(one, fcntl.LOCK_EX)
try:
    fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
    sys.exit("two hold an exclusive flock")
except BlockingIOError:
    pass
fcntl.flock(one, fcntl.LOCK_UN)
fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)

# it ends with its own description, though others of the file stay open
def had(fd):
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

os.close(one)
os.close(two)
one, two = os.open(a, os.O_RDWR), os.open(a, os.O_RDWR)
assert soon(had, one)
os.close(one)
assert soon(had, two), "a flock outlived its description"
fcntl.flock(two, fcntl.LOCK_UN)

# who waits gets it when it is free
pid = os.fork()
if pid == 0:
    fd = os.open(b, os.O_RDWR)
    lock(fd, W, 0, 0)
    open(sys.argv[3], "w").close()
    time.sleep(0.5)
    open(sys.argv[3] + ".freed", "w").close()
    os._exit(0)
while not os.path.exists(sys.argv[3]):
    time.sleep(0.01)
fd = os.open(a, os.O_RDWR)
assert lock(fd, W, 0, 0, fcntl.F_SETLKW)
assert os.path.exists(sys.argv[3] + ".freed"), "two hold one lock"
os.waitpid(pid, 0)
END
locks()
{
	rm -f "$tmp/held"
	python3 "$tmp/locks.py" "$1" "$2" "$tmp/held" || fail "locks through $1 and $2 differ"
}
locks "$storage/pools/a/volumes/v" "$storage/pools/a/volumes/v"
locks "$storage/pools/a/volumes/v" "$tmp/a/v"
locks "$tmp/a/v" "$storage/pools/a/volumes/v"
locks "$storage/pools/f/volumes/v" "$storage/pools/f/volumes/v"

# QEMU's image locks: who has it open natively is seen through the mount, and the other way round
if command -v qemu-io >/dev/null; then
	qemu-img create -q -f qcow2 "$tmp/a/q" 1M
	for pair in "$tmp/a/q $storage/pools/a/volumes/q" "$storage/pools/a/volumes/q $tmp/a/q"; do
		# shellcheck disable=SC2086  # two paths without blanks
		set -- $pair
		mkfifo "$tmp/in"
		qemu-io -f qcow2 "$1" <"$tmp/in" >"$tmp/qemu" 2>&1 &
		qemu=$!
		exec 8>"$tmp/in"
		echo 'read 0 512' >&8
		eventually 5 grep -q 'read 512' "$tmp/qemu"
		if qemu-io -f qcow2 -c 'write 0 512' "$2" >"$tmp/second" 2>&1; then
			fail "two QEMUs write $1 and $2"
		fi
		grep -q 'Failed to get' "$tmp/second" || fail "$(cat "$tmp/second")"
		if [ "$1" = "$tmp/a/q" ]; then
			refuse EBUSY "'q', or an image below it, is locked" put "$storage/pools/a/info/q/capacity" 2M
			refuse EBUSY "'q', or an image below it, is locked" touch "$storage/pools/a/snapshots/q/s"
		fi
		exec 8>&-
		wait "$qemu"
		rm "$tmp/in"
		qemu-io -f qcow2 -c 'write 0 512' "$2" >"$tmp/second" 2>&1 || fail "$(cat "$tmp/second")"
	done
fi
