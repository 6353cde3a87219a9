#!/bin/sh
# Names that nobody should use.
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
python3 - "$storage" "$tmp/a" <<'END'
import errno, os, sys
storage, native = sys.argv[1].encode(), sys.argv[2].encode()
pools, volumes, info = storage + b"/pools/", storage + b"/pools/a/volumes/", storage + b"/pools/a/info/"

def code(fn, *args):
    try:
        fn(*args)
        return 0
    except OSError as e:
        return e.errno

names = [b"-rf", b"a b", b" ", b"'", b'"', b"\\", b"&", b"<x>", b"]]>", b"%s%n%d", b"$(id)", b";",
         b"`id`", b"\t", b"\n", b"\x01", b"\x7f", "ä".encode(), b"\xff\xfe", b"\xc0\xaf", b"..x", b"...",
         b".x", b"~", b"*", b"?", b"[", b"x" * 255, "ü".encode() * 127, b"xml", b"ctl", b"plans", b"#x",
         b"con", b"x.xml", b"x.xml~", b"@", b"a:b", b"\xef\xbf\xbe", b"\xed\xa0\x80"]
for n in names:
    assert code(lambda: os.close(os.open(volumes + n, os.O_CREAT | os.O_WRONLY, 0o600))) == 0, n
    assert os.path.exists(native + b"/" + n), n
    assert n in os.listdir(volumes), n
    assert n in os.listdir(info), n
    fd = os.open(info + n + b"/capacity", os.O_RDONLY)
    assert os.read(fd, 100) == b"0\n"
    os.close(fd)
    r = code(lambda: open(info + n + b"/xml", "rb").read())
    try:
        n.decode()
        legal = all(c >= 32 or c in (9, 10, 13) for c in n) and "\ufffe" not in n.decode()
    except UnicodeDecodeError:
        legal = False
    if legal:
        assert r == 0, (n, r)
    else:
        assert r in (0, errno.EILSEQ), (n, r)
for n in names:
    assert code(os.rename, volumes + n, volumes + b"renamed") == 0, n
    assert code(os.unlink, volumes + b"renamed") == 0, n
assert os.listdir(native) == []

for n in [b"x" * 256, b"x" * 4000]:
    assert code(os.mkdir, pools + n) == errno.ENAMETOOLONG, n
    assert code(lambda: os.open(volumes + n, os.O_CREAT)) == errno.ENAMETOOLONG, n

for n in [b"x.xml", b"a\nb", b".xml"]:
    assert code(os.mkdir, pools + n) == errno.EINVAL, (n, code(os.mkdir, pools + n))
for n in names:
    r = code(os.mkdir, pools + n)
    if r == 0:
        assert open(pools + n + b"/state").read() == "undefined\n"
        xml = b"<pool type='dir'><target><path>/nowhere</path></target></pool>\n"
        fd = os.open(pools + n + b"/xml", os.O_WRONLY | os.O_TRUNC)
        d = code(os.write, fd, xml)
        os.close(fd)
        assert d in (0, errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG), (n, d)
        assert code(os.rmdir, pools + n) == 0, n
    else:
        assert r in (errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG), (n, r)
assert set(os.listdir(pools)) == {b"a"}, os.listdir(pools)

for n in names:
    r = code(os.mkdir, info + n)
    assert r in (0, errno.EILSEQ), (n, r)
    if r == 0:
        assert code(os.rmdir, info + n) == 0

for n in names:
    r = code(lambda: os.close(os.open(storage + b"/secrets/" + n, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)))
    assert r in (0, errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG), (n, r)
for n in [b"-o", b"`id`", b"x" * 255, b"[::1]:99999", b":", b"a:b:c", b"\xff", b"h:0", b"a b"]:
    for t in [b"netfs", b"iscsi", b"rbd", b"sheepdog"]:
        code(lambda: open(storage + b"/sources/" + t + b"/" + n, "rb").read())
END
is running "$storage/pools/a/state"
events=$(cat "$storage/events")
[ -n "$events" ] || fail "no events"
