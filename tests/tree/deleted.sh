#!/bin/sh
# An open volume whose name is removed, or taken by another, is still the file that was opened.
# tsan
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
cd "$storage/pools/a/volumes"
python3 - "$tmp/a" <<'END'
import os, sys

native = sys.argv[1]

def descriptor_works(fd, text):
    assert os.pread(fd, 100, 0) == text
    assert os.fstat(fd).st_size == len(text)
    os.fchmod(fd, 0o600)
    os.utime(fd, (1, 2))
    assert os.fstat(fd).st_mode & 0o7777 == 0o600
    os.pwrite(fd, b"!", len(text))
    os.ftruncate(fd, 3)
    assert os.fstat(fd).st_size == 3

# removed, then a new file of the same name
fd = os.open("v", os.O_RDWR | os.O_CREAT, 0o644)
os.write(fd, b"removed")
os.unlink("v")
assert not os.path.exists(native + "/v")
descriptor_works(fd, b"removed")
with open("v", "wb") as f:
    f.write(b"another file")
assert os.fstat(fd).st_size == 3
assert os.stat("v").st_size == 12 and os.stat("v").st_mode & 0o7777 != 0o600
os.close(fd)

# renamed over
fd = os.open("v", os.O_RDWR)
with open("new", "wb") as f:
    f.write(b"new")
os.rename("new", "v")
descriptor_works(fd, b"another file")
assert open("v", "rb").read() == b"new"
os.close(fd)

# renamed, and still the same
fd = os.open("v", os.O_RDWR)
os.rename("v", "w")
assert os.fstat(fd).st_size == 3 and os.fstat(fd).st_nlink == 1
os.ftruncate(fd, 10)
assert os.stat("w").st_size == 10 == os.stat(native + "/w").st_size
os.close(fd)

# replaced from outside while it is open
fd = os.open("w", os.O_RDWR)
with open(native + "/x", "wb") as f:
    f.write(b"from outside")
os.rename(native + "/x", native + "/w")
assert os.pread(fd, 3, 0) == b"new"
import time
end = time.time() + 20
while open("w", "rb").read() != b"from outside":
    assert time.time() < end, "the name still leads to the file that was replaced"
    time.sleep(0.02)
os.pwrite(fd, b"old", 0)
assert open(native + "/w", "rb").read() == b"from outside"
os.close(fd)
END
