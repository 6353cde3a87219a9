#!/bin/sh
# System calls that shell tools do not make by themselves, on volumes of a dir pool.
# tsan
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
cd "$storage/pools/a/volumes"
python3 - "$tmp/a" <<'END'
import ctypes, errno, fcntl, mmap, os, struct, sys

native = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)

def refused(code, fn, *args):
    try:
        fn(*args)
    except OSError as e:
        assert e.errno == code, (fn, e)
        return
    raise AssertionError(f"{fn} succeeded")

# positional I/O, growth, append, holes
fd = os.open("v", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
assert os.pwrite(fd, b"abc", 1000) == 3
assert os.fstat(fd).st_size == 1003
assert os.pread(fd, 10, 995) == b"\0" * 5 + b"abc"
assert os.pread(fd, 10, 2000) == b""
refused(errno.EEXIST, os.open, "v", os.O_RDWR | os.O_CREAT | os.O_EXCL)
a = os.open("v", os.O_WRONLY | os.O_APPEND)
os.write(a, b"tail")
assert os.stat("v").st_size == 1007
os.close(a)
os.ftruncate(fd, 8 << 20)
assert os.stat("v").st_size == 8 << 20 == os.stat(native + "/v").st_size
os.fsync(fd)
os.fdatasync(fd)

# SEEK_DATA, SEEK_HOLE agree with the file itself
os.pwrite(fd, b"x" * 4096, 4 << 20)
n = os.open(native + "/v", os.O_RDONLY)
for whence in os.SEEK_DATA, os.SEEK_HOLE:
    for off in 0, 4096, 1 << 20, 4 << 20, (4 << 20) + 4096:
        def at(f):
            try:
                return os.lseek(f, off, whence)
            except OSError as e:
                return -e.errno
        assert at(fd) == at(n), (whence, off, at(fd), at(n))
refused(errno.ENXIO, os.lseek, fd, 9 << 20, os.SEEK_DATA)

# fallocate
KEEP, PUNCH, ZERO, COLLAPSE = 1, 2, 16, 8
def fallocate(mode, off, length):
    if libc.fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(length)) < 0:
        raise OSError(ctypes.get_errno(), "fallocate")
fallocate(0, 0, 10 << 20)
assert os.fstat(fd).st_size == 10 << 20
fallocate(KEEP, 10 << 20, 1 << 20)
assert os.fstat(fd).st_size == 10 << 20
os.pwrite(fd, b"y" * 65536, 65536)
fallocate(PUNCH | KEEP, 65536, 4096)
assert os.pread(fd, 8192, 65536) == b"\0" * 4096 + b"y" * 4096
fallocate(ZERO, 73728, 4096)
assert os.pread(fd, 4096, 73728) == b"\0" * 4096
refused(errno.EOPNOTSUPP, fallocate, COLLAPSE, 0, 4096)
os.posix_fallocate(fd, 0, 11 << 20)
assert os.fstat(fd).st_size == 11 << 20

# mmap, both ways coherent with read and write
m = mmap.mmap(fd, 1 << 20)
m[100:105] = b"mmap!"
m.flush()
assert os.pread(fd, 5, 100) == b"mmap!"
assert os.pread(n, 5, 100) == b"mmap!"
os.pwrite(fd, b"pwrite", 200)
assert m[200:206] == b"pwrite"
m.close()

# O_DIRECT
d = os.open("v", os.O_RDWR | os.O_DIRECT)
buf = mmap.mmap(-1, 65536)
buf[:] = b"d" * 65536
assert os.pwritev(d, [buf], 1 << 20) == 65536
buf[:] = b"\0" * 65536
assert os.preadv(d, [buf], 1 << 20) == 65536
assert buf[:] == b"d" * 65536
assert os.pread(n, 65536, 1 << 20) == b"d" * 65536
os.close(d)

# copy_file_range inside the pool
to = os.open("copy", os.O_RDWR | os.O_CREAT, 0o600)
left, size = os.fstat(fd).st_size, os.fstat(fd).st_size
os.lseek(fd, 0, os.SEEK_SET)
while left:
    done = os.copy_file_range(fd, to, left)
    assert done > 0
    left -= done
assert os.pread(to, size, 0) == os.pread(fd, size, 0)
os.pwrite(fd, b"changed", 0)
assert os.pread(to, 7, 0) != b"changed"

# rename flags
def renameat2(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags) < 0:
        raise OSError(ctypes.get_errno(), "renameat2")
refused(errno.EEXIST, renameat2, "v", "copy", 1)
ino = os.stat(native + "/v").st_ino
renameat2("v", "copy", 2)
assert os.stat(native + "/copy").st_ino == ino
renameat2("copy", "v2", 1)
assert os.stat(native + "/v2").st_ino == ino
renameat2("v", "copy", 0)
os.rename("v2", "v")

# unlinked and replaced files stay usable for who has them open
os.unlink("v")
assert os.pread(fd, 7, 0) == b"changed"
os.pwrite(fd, b"still", 0)
assert os.fstat(fd).st_size == 11 << 20
refused(errno.ENOENT, os.stat, "v")
os.close(fd)

# locks are the backing file's own
with open("locked", "w") as f:
    f.write("x" * 100)
here = os.open("locked", os.O_RDWR)
there = os.open(native + "/locked", os.O_RDWR)
OFD_SETLK, OFD_GETLK = 37, 36
def ofd(f, kind, start, length):
    fcntl.fcntl(f, OFD_SETLK, struct.pack("hhqqi4x", kind, 0, start, length, 0))
fcntl.flock(here, fcntl.LOCK_EX | fcntl.LOCK_NB)
refused(errno.EAGAIN, fcntl.flock, there, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.flock(here, fcntl.LOCK_UN)
fcntl.flock(there, fcntl.LOCK_SH | fcntl.LOCK_NB)
refused(errno.EAGAIN, fcntl.flock, here, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.flock(here, fcntl.LOCK_SH | fcntl.LOCK_NB)
fcntl.flock(here, fcntl.LOCK_UN)
fcntl.flock(there, fcntl.LOCK_UN)
ofd(here, fcntl.F_WRLCK, 0, 10)
refused(errno.EAGAIN, ofd, there, fcntl.F_WRLCK, 5, 10)
ofd(there, fcntl.F_WRLCK, 10, 10)
refused(errno.EAGAIN, ofd, here, fcntl.F_WRLCK, 15, 1)
ofd(here, fcntl.F_UNLCK, 0, 0)
ofd(there, fcntl.F_WRLCK, 0, 100)
os.close(there)
ofd(here, fcntl.F_WRLCK, 0, 100)
fcntl.lockf(here, fcntl.LOCK_UN)
if os.fork() == 0:
    try:
        other = os.open("locked", os.O_RDWR)
        refused(errno.EAGAIN, ofd, other, fcntl.F_RDLCK, 50, 1)
        os._exit(0)
    finally:
        os._exit(1)
assert os.wait()[1] == 0

# times
os.utime("locked", ns=(10 ** 18, 10 ** 18 + 5))
assert os.stat("locked").st_mtime_ns == 10 ** 18 + 5 == os.stat(native + "/locked").st_mtime_ns

# st_ino: equal in readdir and stat, never 0
for e in os.scandir("."):
    assert e.inode() == os.stat(e.name).st_ino != 0, e.name

# without -o xattr there are none
refused(errno.EOPNOTSUPP, os.getxattr, "locked", "user.x")
END
