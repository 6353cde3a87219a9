#!/bin/sh
# Bad documents, by whichever way they come: the write, rename, and a definition before its pool. Each
# is refused with a sentence that says why, and neither pool nor volume is other than before.
# limit: 240
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
echo data >"$storage/pools/a/volumes/v"
before=$(cat "$storage/pools/a/xml.saved")
stored=$(cat "$source/a.xml")
describes=$(cat "$storage/pools/a/info/v/xml")
python3 - "$storage" "$tmp/a" <<'END'
import errno, os, sys
storage, target = sys.argv[1], sys.argv[2].encode()
pool = storage + "/pools/a"

def commit(path, text, piece):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for at in range(0, len(text), piece):
            os.write(fd, text[at:at + piece])
    finally:
        os.close(fd)

def refused(codes, says, do, *args):
    try:
        do(*args)
    except OSError as e:
        assert e.errno in codes, (says, args[0], e)
    else:
        raise SystemExit(f"not refused: {says}: {args[0]}")
    said = open(storage + "/error").read()
    assert any(s in said for s in says.split("|")), (says, said)

A = b"A" * (64 << 20)
P, E = b"<pool type='dir'><target><path>" + target + b"</path></target>", b"</pool>"
V, W = b"<volume><name>v</name><capacity>5</capacity>", b"</volume>"
both = [  # what, behind an opening that is fine, why
    (b"<a", "line 1"),
    (b"<a></b>", "mismatch|line 1"),
    (b"<a b='1' b='2'/>", "line 1"),
    (b"& ", "stands alone"),
    (b"&nbsp;", "nbsp"),
    (b"<!-- " + A, "1 MiB|64 KiB"),
    (b"<a>" + A + b"</a>", "1 MiB"),
    (b"<a b='" + A + b"'/>", "64 KiB|1 MiB"),
    (b"<a>" * 300, "256 deep"),
    (b"<a>" * 100000, "256 deep"),
    (b"\0", "not UTF-8"),
    (b"\xff", "not UTF-8"),
    (b"\xed\xa0\x80", "not UTF-8"),
    (b"&#0;", "line 1"),
    (b"<!DOCTYPE a>", "line 1"),
]
whole = [
    (b"<?xml version='1.0' encoding='klingon'?>%s", "encoding"),
    (b"<?xml version='1.0' encoding='UTF-16'?>%s", "encoding|UTF-8|line 1"),
    (b"<!DOCTYPE x>%s", "DOCTYPE"),
    (b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]>%s", "DOCTYPE"),
    (b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>%s", "DOCTYPE"),
    (b"%sgarbage", "behind the root"), (b"%s<more/>", "behind the root"), (b"%s</x>", "behind the root"),
    (b"%s\0", "behind the root"), (b"%s" + b"%s", "behind the root"),
]
def documents(head, tail):
    for middle, says in both:
        yield head + middle + tail, says
    for frame, says in whole:
        yield frame.replace(b"%s", head + tail), says

pools = list(documents(P, E)) + [
    (b"<pool type='floppy'/>", "floppy"), (b"<pool/>", "type"), (b"<volume/>", "volume"),
    (P + b"<uuid>x</uuid>" + E, "uuid|UUID"), (b"x", "line 1"),
    (P.replace(b"</target>", b"<permissions><mode>99</mode></permissions></target>") + E, "mode"),
    (P.replace(b"</target>", b"<permissions><owner>99999999999999999999</owner></permissions></target>") + E, "owner"),
    (b"<pool type='rbd'><source><name>x</name><host name='h' port='99999999999'/></source></pool>", "port"),
]
volumes = list(documents(V, W)) + [
    (b"<volume><capacity unit='ZB'>1</capacity></volume>", "ZB"),
    (b"<volume><capacity>-1</capacity></volume>", "-1"),
    (b"<volume><capacity>1.5</capacity></volume>", "1.5"),
    (b"<volume><capacity unit='EiB'>99</capacity></volume>", "too large"),
    (b"<volume><capacity>99999999999999999999999</capacity></volume>", "99999999999999999999999|too large"),
    (b"<volume><capacity unit='GiB'>18446744073709551615</capacity></volume>", "too large"),
    (b"<volume><capacity>5</capacity><target><format type='floppy'/></target></volume>", "floppy"),
    (b"<pool type='dir'/>", "pool"), (b"<volume/>", "capacity"),
]

def by_rename(path, text):
    commit(path + ".new", text, 131072)
    try:
        os.rename(path + ".new", path)
    finally:
        try:
            os.unlink(path + ".new")
        except OSError:
            pass

def pending(text):
    name = storage + "/pools/later"
    try:
        commit(name + ".xml", text, 131072)
        os.mkdir(name)
        assert open(name + "/state").read() == "undefined\n", text[:80]
        os.rmdir(name)
    finally:
        if os.path.exists(name + ".xml"):
            os.unlink(name + ".xml")

bad = (errno.EINVAL, errno.EFBIG)
for text, says in pools:
    small = len(text) < 1 << 19
    refused(bad, says, commit, pool + "/xml", text, 131072)
    if len(text) < 5000:
        refused(bad, says, commit, pool + "/xml", text, 1)
    if small:
        refused((errno.EBADMSG,), says, by_rename, pool + "/xml", text)
    refused(bad + (errno.EBADMSG,), says, pending, text)
for text, says in volumes:
    os.mkdir(pool + "/info/new")
    refused(bad, says, commit, pool + "/info/new/xml", text, 131072)
    assert not os.path.exists(pool + "/volumes/new"), text[:80]
    os.rmdir(pool + "/info/new")
    refused(bad, says, commit, pool + "/info/v/xml", text, 131072)
END
[ "$(cat "$storage/pools/a/xml.saved")" = "$before" ] || fail "the definition changed"
[ "$(cat "$source/a.xml")" = "$stored" ] || fail "the stored definition changed"
[ "$(cat "$storage/pools/a/info/v/xml")" = "$describes" ] || fail "the volume changed"
is data "$storage/pools/a/volumes/v"
[ "$(ls "$storage/pools")" = a ] || fail "pools were left: $(ls "$storage/pools")"
rss=$(awk '/VmRSS/ { print $2 }' "/proc/$daemon/status")
[ "$rss" -lt 400000 ] || fail "the daemon takes $rss KiB"
! grep -q '^[^<]*error *:' "$log" || fail "a library printed: $(grep '^[^<]*error *:' "$log" | head -3)"
