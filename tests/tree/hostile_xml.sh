#!/bin/sh
# XML that is huge, deep, or wants to be clever: refused quickly, and what was there stays.
# limit: 180
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
before=$(cat "$storage/pools/a/xml.saved")
touch "$storage/pools/a/volumes/v"
python3 - "$storage" "$tmp/a" <<'END'
import errno, os, sys, time
storage, target = sys.argv[1], sys.argv[2]

def refused(path, text, codes=(errno.EINVAL,)):
    start = time.monotonic()
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    code = 0
    try:
        at = 0
        while at < len(text):
            at += os.write(fd, text[at:at + 131072])
    except OSError as e:
        code = e.errno
    try:
        os.close(fd)
    except OSError as e:
        code = code or e.errno
    assert code in codes, (path, text[:60], code)
    assert time.monotonic() - start < 100, (path, text[:60], "slow")

big = b"A" * (64 << 20)
path = target.encode()
good = b"<pool type='dir'><target><path>" + path + b"</path></target>%s</pool>"
bombs = [
    b"<pool type='dir'><!--" + big + b"--></pool>",
    b"<pool type='dir'><target><path>/" + big + b"</path></target></pool>",
    b"<pool type='dir' x='" + big + b"'/>",
    b"<pool><" + big + b"/></pool>",
    b" " * (2 << 20) + b"<pool type='dir'/>",
    b"<pool type='dir'>" * 100000,
    b"<pool type='dir'>" + b"<a>" * 300 + b"</a>" * 300 + b"</pool>",
    b"<pool type='dir'>" + b"<a/>" * (1 << 19) + b"</pool>",
    b"<!DOCTYPE pool [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
    b"<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><pool type='dir'><name>&c;</name></pool>",
    b"<!DOCTYPE pool [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><pool type='dir'><name>&x;</name></pool>",
    b"<!DOCTYPE pool SYSTEM 'http://127.0.0.1:1/x.dtd'><pool type='dir'/>",
    b"<pool type='dir'>&#0;</pool>", b"<pool type='dir'>\0</pool>", b"\0", b"\xff\xfe<\0", b"<", b"<pool",
    b"<pool type='dir'/><pool type='dir'/>", good % b"" + b"x", good % b"" + b"</pool>",
    b"<?xml version='1.0' encoding='nonsense'?><pool type='dir'/>",
    b"<?xml version='1.0' encoding='UTF-8'?><pool type='dir'><name>\xe4</name></pool>",
    b"<?xml version='9.9'?", b"]]>", b"<pool xmlns='urn:x' type='dir'", b"{\"pool\": 1}",
    b"<pool type='\xc3\xa4'/>",
    b"<pool type=''/>", b"<POOL type='dir'/>",
]
for bomb in bombs:
    refused(storage + "/pools/a/xml", bomb, (errno.EINVAL, errno.EFBIG))
for bomb in bombs[:14] + [
    b"<volume><capacity unit='ZB'>1</capacity></volume>",
    b"<volume><capacity>-1</capacity></volume>",
    b"<volume><capacity>99999999999999999999999</capacity></volume>",
    b"<volume><capacity unit='EiB'>8</capacity></volume>",
    b"<volume><capacity>1</capacity><capacity>2</capacity" ,
    b"<volume/>",
    b"<volume><capacity>10</capacity><target><format type='../../x'/></target></volume>",
]:
    os.mkdir(storage + "/pools/a/info/n")
    refused(storage + "/pools/a/info/n/xml", bomb.replace(b"pool", b"volume"),
            (errno.EINVAL, errno.EFBIG, errno.EEXIST))
    assert not os.path.exists(storage + "/pools/a/volumes/n"), bomb[:60]
    os.rmdir(storage + "/pools/a/info/n")
# a pending definition
refused(storage + "/pools/a/xml", bombs[0], (errno.EINVAL, errno.EFBIG))
try:
    fd = os.open(storage + "/pools/new.xml", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"<pool")
    os.close(fd)
except OSError as e:
    assert e.errno == errno.EINVAL
# scratch files cannot eat all memory
written = 0
try:
    with open(storage + "/pools/a/scratch", "wb", 0) as f:
        for i in range(64):
            written += f.write(big[:1 << 20])
except OSError as e:
    assert e.errno in (errno.EFBIG, errno.ENOSPC, errno.EINVAL), e
assert written < 64 << 20, "a scratch file of 64 MiB"
os.unlink(storage + "/pools/a/scratch")
# nor when they are cut to next to nothing
try:
    for i in range(100):
        with open(storage + "/pools/a/cut%d" % i, "wb", 0) as f:
            f.write(big[:3 << 20])
            f.truncate(1)
    assert False, "memory for a hundred files of 3 MiB"
except OSError as e:
    assert e.errno == errno.ENOSPC, e
for j in range(i + 1):
    os.unlink(storage + "/pools/a/cut%d" % j)
with open(storage + "/pools/a/again", "wb", 0) as f:
    f.write(big[:3 << 20])
os.unlink(storage + "/pools/a/again")
# values
for name in ["ctl", "autostart", "protected", "info/v/capacity", "info/v/ctl"]:
    refused(storage + "/pools/a/" + name, big[:1 << 20])
    refused(storage + "/pools/a/" + name, b"\0\n")
    refused(storage + "/pools/a/" + name, b"\xff\n")
END
[ "$(cat "$storage/pools/a/xml.saved")" = "$before" ] || fail "the definition changed"
is running "$storage/pools/a/state"
rss=$(awk '/VmRSS/ { print $2 }' "/proc/$daemon/status")
echo "RSS $rss KiB"
