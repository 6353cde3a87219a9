#!/bin/sh
# An ordinary user runs storagefs through fusermount3, for the pools that need no privilege.
mount=no
. "${0%/*}/lib.sh"
need_backend dir
need_user

mkdir "$tmp/images"
chown nobody:nogroup "$tmp/images"

as_user "$storagefs" "$source" "$storage" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
as_user mkdir "$storage/pools/a"
as_user sh -c "echo \"<pool type='dir'><target><path>$tmp/images</path></target></pool>\" >'$storage/pools/a/xml'"
as_user sh -c "echo hello >'$storage/pools/a/volumes/v'"
[ "$(as_user cat "$storage/pools/a/volumes/v")" = hello ] || fail "the volume's bytes differ"

# who may not give it away does not make it larger either
echo "<volume><capacity>1048576</capacity><target><permissions><owner>0</owner></permissions></target></volume>" \
	>"$tmp/larger.xml"
expect_errno EPERM as_user cp "$tmp/larger.xml" "$storage/pools/a/info/v/xml"
size 6 "$tmp/images/v"
[ "$(cat "$tmp/images/v")" = hello ] || fail "the file's bytes differ"
as_user head -c 3000000 /dev/urandom >"$tmp/data"
as_user cp "$tmp/data" "$storage/pools/a/volumes/w"
as_user cmp "$tmp/data" "$storage/pools/a/volumes/w"
as_user fusermount3 -u "$storage"
gone()
{
	! pgrep -f "^[^ ]*storagefs $source " >/dev/null
}
eventually 10 gone
