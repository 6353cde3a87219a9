#!/bin/sh
# Two volumes change places in one call: every name, descriptor and size is at once that of the other.
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
fake_pool f files
for pool in a f; do
	cd "$storage/pools/$pool/volumes"
	[ "$(stat -c %A .)" = drwxr-xr-x ] || fail "volumes/ of $pool is $(stat -c %A .)"
	python3 - <<'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)

def write(name, text):
    with open(name, "w") as f:
        f.write(text)

def is_(name, text):
    assert os.stat(name).st_size == len(text), (name, os.stat(name).st_size, text)
    with open(name) as f:
        got = f.read()
    assert got == text, (name, got, text)

a, b = "first", "second, longer"
write("v", a)
write("w", b)
for i in range(200):
    fd = os.open("v", os.O_RDONLY)
    if libc.renameat2(-100, b"v", -100, b"w", 2) < 0:
        raise OSError(ctypes.get_errno(), "exchange")
    a, b = b, a
    is_("v", a)
    is_("w", b)
    assert os.read(fd, 100) == b.encode(), i
    os.close(fd)
    if i % 3 == 0:
        with open("v", "a") as f:
            f.write(".")
        a += "."
        is_("v", a)
    if i % 7 == 0:
        os.stat("w")
        os.unlink("w")
        write("w", b)
    if i % 5 == 0:
        os.rename("v", "x")
        os.rename("w", "v")
        os.rename("x", "w")
        a, b = b, a
END
done
