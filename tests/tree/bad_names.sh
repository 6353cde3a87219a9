#!/bin/sh
# Names at and beyond the limits, for pools, volumes, snapshots and what is planned: kept byte for byte
# over a remount, or refused with the reason.
mount=no
. "${0%/*}/lib.sh"
need_backend dir
need python3

mount_storage
cat >"$tmp/names.py" <<'END'
import errno, os, sys
storage, tmp, again = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3] == "again"
pools = storage + b"/pools/"

def code(fn, *args):
    try:
        fn(*args)
        return 0
    except OSError as e:
        return e.errno

def put(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(fd, text)
    finally:
        os.close(fd)

good = ["ä€💾".encode(), b"a b", b"-rf", b"x" * 200, b"%s%n", b"<&'\">", b"$(id)", b"x.xml.d", "ü".encode() * 100,
        b".hidden", b"a\tb", b"volumes", b"..."]
if not again:
    for i, n in enumerate(good):
        os.makedirs(tmp + b"/t%d" % i)
        assert code(os.mkdir, pools + n) == 0, n
        assert code(put, pools + n + b"/xml", b"<pool type='dir'><target><path>%s/t%d</path></target></pool>" % (tmp, i)) == 0, \
            (n, open(storage + b"/error").read())
        assert code(put, pools + n + b"/volumes/" + n, n) == 0, n
for i, n in enumerate(good):
    assert n in os.listdir(pools), (n, os.listdir(pools))
    if again:
        put(pools + n + b"/ctl", b"start\n")
    assert open(pools + n + b"/state").read() == "running\n", n
    assert os.listdir(pools + n + b"/volumes") == [n] == os.listdir(tmp + b"/t%d" % i)
    assert open(pools + n + b"/volumes/" + n, "rb").read() == n
    assert open(pools + n + b"/info/" + n + b"/xml", "rb").read().startswith(b"<volume")
assert len(os.listdir(pools)) == len(good)

def refused(codes, says, fn, *args):
    r = code(fn, *args)
    assert r in codes, (args, r)
    if says:
        said = open(storage + b"/error", "rb").read()
        assert says.encode() in said, (args, said)

long = [b"x" * 256, b"x" * 1000, b"x" * 4095]
first = pools + good[0]
for n in long:
    for path in (pools + n, first + b"/info/" + n, first + b"/snapshots/" + n):
        refused({errno.ENAMETOOLONG}, None, os.mkdir, path)
    refused({errno.ENAMETOOLONG}, None, put, first + b"/volumes/" + n, b"")
    refused({errno.ENAMETOOLONG}, None, os.rename, first + b"/volumes/" + good[0], first + b"/volumes/" + n)
    refused({errno.ENAMETOOLONG, errno.EINVAL}, None, put, storage + b"/secrets/" + n, b"secret")
# what a file of SOURCE cannot be named
for n in (b"x" * 255, b"x" * 251, "ü".encode() * 127):
    refused({errno.ENAMETOOLONG, errno.EINVAL}, None, os.mkdir, pools + n)
for n, says in ((b"a.xml", ".xml"), (b".xml", ".xml"), (b"a\nb", "newline|line"), (b"\n", "newline|line")):
    refused({errno.EINVAL}, None, os.mkdir, pools + n)
    said = open(storage + b"/error").read()
    assert any(s in said for s in says.split("|")) and said.count("\n") == 1, said
for n in (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80"):
    refused({errno.EINVAL, errno.EILSEQ}, "UTF-8", os.mkdir, pools + n)
# volumes may have any name, also 255 bytes of it
for n in (b"x" * 255, b"\xff" * 255, "ü".encode() * 127, b"a\nb", b"v.xml", b".xml", b"\x01"):
    path = first + b"/volumes/" + n
    assert code(put, path, b"data") == 0, n
    assert open(path, "rb").read() == b"data"
    assert n in os.listdir(first + b"/volumes") and n in os.listdir(first + b"/info")
    assert open(first + b"/info/" + n + b"/capacity").read() == "4\n"
    assert code(os.rename, path, first + b"/volumes/short") == 0
    assert code(os.rename, first + b"/volumes/short", path) == 0
    assert code(os.unlink, path) == 0
    assert n not in os.listdir(first + b"/volumes")
END
python3 "$tmp/names.py" "$storage" "$tmp" first
umount_storage
mount_storage
python3 "$tmp/names.py" "$storage" "$tmp" again
