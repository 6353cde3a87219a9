#!/bin/sh
# Bad definitions are refused in the write that shows them, and what was there stays in force.
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
xml=$storage/pools/a/xml
before=$(cat "$storage/pools/a/xml.saved")
good="<pool type='dir'><uuid>$(cat "$storage/pools/a/uuid")</uuid><target><path>$tmp/a</path></target></pool>"

unchanged()
{
	[ "$(cat "$storage/pools/a/xml.saved")" = "$before" ] || fail "the definition changed: $1"
	is running "$storage/pools/a/state"
}

while IFS='|' read -r text said; do
	refuse EINVAL "$said" put "$xml" "$text"
	grep -qF -e "$said" "$storage/pools/a/error" || fail "pools/a/error does not say '$said'"
	unchanged "$text"
done <<END
<pool type='dir'><target></pool>|target
<pool type='dir'/>|target
<pool type='floppy'><target><path>/x</path></target></pool>|floppy
<pool><target><path>/x</path></target></pool>|type
<volume><name>x</name></volume>|volume
not xml at all|line 1
<!DOCTYPE pool><pool type='dir'><target><path>/x</path></target></pool>|DOCTYPE
<pool type='dir'><target><path>/x</path></target></pool><pool/>|line
<pool type='dir'><target><path>/x</path></target></pool>rest|line
<pool type='dir'><uuid>nonsense</uuid><target><path>/x</path></target></pool>|nonsense
<pool type='dir'><target><path>/x</path><permissions><mode>0999</mode></permissions></target></pool>|mode
<pool type='dir'><target><path>/x</path><permissions><owner>me</owner></permissions></target></pool>|owner
<pool type='logical'><source><name>vg</name></source></pool> &undefined;|line
END

# what follows the root may be comments, white space, processing instructions
printf '<?xml version="1.0"?>\n<!-- before -->\n%s\n<!-- after -->\n<?pi x?>\n\n' "$good" >"$xml"
printf '%s\r\n' "$good" >"$xml"

# a document in pieces; one that stays incomplete
{ printf '%s' "${good%%<target>*}"; printf '%s\n' "<target>${good#*<target>}"; } >"$xml"
python3 - "$xml" "$good" <<'END'
import errno, os, sys
path, good = sys.argv[1], sys.argv[2].encode()

fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
for i in range(len(good)):
    assert os.write(fd, good[i:i + 1]) == 1
os.close(fd)

fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
os.write(fd, good[:40])
try:
    os.close(fd)
    raise SystemExit("closing an incomplete document succeeded")
except OSError as e:
    assert e.errno == errno.EINVAL, e

# other closes of the same description are no end
fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
os.write(fd, good[:40])
if os.fork() == 0:
    try:
        os.close(fd)
        os._exit(0)
    except OSError:
        os._exit(1)
assert os.wait()[1] == 0
os.write(fd, good[40:])
os.close(fd)

# an open without a write commits nothing
os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))

# not in sequence
fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
try:
    os.pwrite(fd, good, 100)
    raise SystemExit("a write behind the end succeeded")
except OSError as e:
    assert e.errno == errno.EINVAL, e
try:
    os.close(fd)
except OSError:
    pass
END
unchanged "documents in pieces"

# other encodings
printf '<?xml version="1.0" encoding="ISO-8859-1"?>\n%s\n' "$good" >"$xml"
printf '%s\n' "$good" | iconv -t UTF-16 >"$xml"
printf '\357\273\277%s\n' "$good" >"$xml"
expect_errno EINVAL python3 -c "
import sys
open(sys.argv[1], 'wb', 0).write(b'<pool type=\'dir\'><name>\xff\xfe</name></pool>')" "$xml"
expect_errno EINVAL python3 -c "
import sys
open(sys.argv[1], 'wb', 0).write(b'<pool type=\'dir\'>\0</pool>')" "$xml"
unchanged encodings
