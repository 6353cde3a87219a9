#!/bin/sh
# What editors and copying tools do to a file works on an xml.
. "${0%/*}/lib.sh"
need_backend dir
need vi rsync python3

dir_pool a
pool=$storage/pools/a
put "$pool/ctl" stop
cd "$pool"
n=0

# the permissions' mode is what each edit changes
mode_is()
{
	n=$((n + 1))
	grep -q "<mode>$1</mode>" xml || fail "$2: $(cat xml)"
	grep -q "<mode>$1</mode>" "$source/a.xml" || fail "$2 did not reach SOURCE"
	ls -A >"$tmp/names"
	for name in xml state ctl volumes; do
		grep -qx "$name" "$tmp/names" || fail "$2: $name is gone"
	done
}

with_mode()
{
	printf "<pool type='dir'><uuid>%s</uuid><target><path>%s</path><permissions><mode>%s</mode></permissions></target></pool>\n" \
		"$(cat uuid)" "$tmp/a" "$1"
}

with_mode 0701 >xml
mode_is 0701 redirection
sed -i 's/0701/0702/' xml
mode_is 0702 'sed -i'
sed -i.bak 's/0702/0703/' xml
mode_is 0703 'sed -i.bak'
rm -f xml.bak
vi -es -u NONE -c '%s/0703/0704/' -c 'wq' xml </dev/null || fail "vi: $(cat error)"
mode_is 0704 vi
vi -es -u NONE -c 'set backup writebackup backupcopy=no' -c '%s/0704/0705/' -c 'wq' xml </dev/null ||
	fail "vi with backups: $(cat error)"
mode_is 0705 'vi with backups'
vi -es -u NONE -c 'set backupcopy=yes' -c '%s/0705/0706/' -c 'wq' xml </dev/null ||
	fail "vi with copies: $(cat error)"
mode_is 0706 'vi with copies'
with_mode 0707 >"$tmp/new.xml"
rsync "$tmp/new.xml" xml
mode_is 0707 rsync
with_mode 0711 >"$tmp/new.xml"
rsync --inplace "$tmp/new.xml" xml
mode_is 0711 'rsync --inplace'
with_mode 0712 >"$tmp/new.xml"
install -m 644 "$tmp/new.xml" xml
mode_is 0712 install
with_mode 0713 >"$tmp/new.xml"
mv "$tmp/new.xml" xml
mode_is 0713 mv
with_mode 0714 | tee xml >/dev/null
mode_is 0714 tee
with_mode 0715 >"$tmp/new.xml"
cp "$tmp/new.xml" xml
mode_is 0715 cp
cp -a "$tmp/new.xml" xml
with_mode 0716 | dd of=xml bs=7 status=none
mode_is 0716 'dd bs=7'
with_mode 0717 >new
mv new xml
mode_is 0717 'mv of a scratch file'
python3 - <<'END'
import os, tempfile
text = open("xml").read().replace("0717", "0720")
fd, name = tempfile.mkstemp(dir=".")
with os.fdopen(fd, "w") as f:
    f.write(text)
    f.flush()
    os.fsync(f.fileno())
os.replace(name, "xml")
END
mode_is 0720 python
python3 -c '
import sys
with open("xml", "r+") as f:
    text = f.read().replace("0720", "0721")
    f.seek(0)
    f.truncate()
    f.write(text)'
mode_is 0721 'python r+'

# a bad one is refused, and the old one stays
echo '<pool' >bad
expect_errno EBADMSG mv bad xml
mode_is 0721 'a bad document by mv'
rm -f bad

# unlinking and renaming away change nothing live, until a document takes the name
rm xml
grep -q 0721 "$source/a.xml" || fail "rm of xml reached SOURCE"
with_mode 0722 >xml
mode_is 0722 'a new document after rm'
mv xml away
grep -q 0722 "$source/a.xml" || fail "mv of xml reached SOURCE"
with_mode 0723 >"$tmp/new.xml"
mv "$tmp/new.xml" xml
mode_is 0723 'a new document after mv'
rm -f away
expect_errno EPERM rm state
expect_errno EPERM mv state other
expect_errno EPERM rm ctl

# scratch files hold what was written, and are in memory
head -c 100000 /dev/urandom >"$tmp/scratch"
cp "$tmp/scratch" scratch
cmp "$tmp/scratch" scratch
mv scratch scratch2
cmp "$tmp/scratch" scratch2
rm scratch2
[ ! -e "$source/scratch" ] || fail "a scratch file reached SOURCE"

# the same on the description of a volume
put ctl start
mkdir info/v
printf '<volume><capacity>1000000</capacity></volume>\n' >"$tmp/vol.xml"
cp "$tmp/vol.xml" info/v/xml
size 1000000 volumes/v
sed -i 's,<capacity unit=.bytes.>1000000,<capacity unit="bytes">2000000,' info/v/xml
size 2000000 volumes/v
vi -es -u NONE -c '%s/>2000000</>3000000</' -c 'wq' info/v/xml </dev/null || fail "$(cat error)"
is 3000000 info/v/capacity
