#!/bin/sh
# Owner, group and mode of volumes: the file's own, the pool's defaults, who created it.
. "${0%/*}/lib.sh"
need_root
need_backend dir
need setpriv

dir_pool a
volumes=$storage/pools/a/volumes
as_user()
{
	setpriv --reuid 1234 --regid 1234 --clear-groups "$@"
}

umask 022
touch "$volumes/v"
case $(stat -c '%u %g %a' "$volumes/v") in
"0 0 "?[0-7]0) ;;
*) fail "a new volume is $(stat -c '%u %g %a' "$volumes/v")" ;;
esac
umask 077
touch "$volumes/closed"
[ "$(stat -c %a "$volumes/closed")" = 600 ] || fail "the umask was not applied"
umask 022
chown 1234:1235 "$volumes/v"
chmod 664 "$volumes/v"
[ "$(stat -c '%u %g %a' "$volumes/v")" = '1234 1235 664' ] || fail "chown, chmod: $(stat -c '%u %g %a' "$volumes/v")"
[ "$(stat -c '%u %g %a' "$tmp/a/v")" = '1234 1235 664' ] || fail "chown, chmod did not reach the file"
grep -q '<owner>1234</owner>' "$storage/pools/a/info/v/xml" || fail "the description has another owner"
grep -q '<mode>0664</mode>' "$storage/pools/a/info/v/xml" || fail "the description has another mode"

# volumes/ has the target's owner and mode: they decide who may create and list
[ "$(stat -c '%u %g %a' "$volumes")" = "$(stat -c '%u %g %a' "$tmp/a")" ] || fail "volumes/ differs from the target"
expect_errno EACCES as_user touch "$volumes/mine"
expect_errno EACCES as_user sh -c "echo x > '$volumes/closed'"
chown 1234:1234 "$tmp/a"
eventually 3 sh -c "[ \$(stat -c %u '$volumes') = 1234 ]"
as_user touch "$volumes/mine"
[ "$(stat -c '%u %g' "$volumes/mine")" = '1234 1234' ] || fail "the maker does not own it"
[ "$(stat -c '%u %g' "$tmp/a/mine")" = '1234 1234' ] || fail "the maker does not own the file"
as_user sh -c "echo mine > '$volumes/mine'"
is mine "$volumes/mine"
expect_errno EPERM as_user chown 0 "$volumes/mine"
as_user rm "$volumes/mine"
expect_errno EACCES as_user sh -c "echo stop > '$storage/pools/a/ctl'"
expect_errno EACCES as_user mkdir "$storage/pools/x"
expect_errno EACCES as_user ls "$storage/sources"

# the pool's permissions are its volumes' owner
mkdir "$storage/pools/b" "$tmp/b"
put "$storage/pools/b/xml" "<pool type='dir'><target><path>$tmp/b</path><permissions><mode>0755</mode><owner>77</owner><group>88</group></permissions></target></pool>"
touch "$storage/pools/b/volumes/v"
[ "$(stat -c '%u %g' "$storage/pools/b/volumes/v")" = '77 88' ] || fail "the pool's permissions are no default"

# a description's permissions
mkdir "$storage/pools/a/info/d"
put "$storage/pools/a/info/d/xml" '<volume><capacity>1</capacity><target><permissions><mode>0604</mode><owner>5</owner><group>6</group></permissions></target></volume>'
[ "$(stat -c '%u %g %a' "$volumes/d")" = '5 6 604' ] || fail "the description's permissions: $(stat -c '%u %g %a' "$volumes/d")"

# where the storage cannot hold them, SOURCE does
fake_pool f provisioned
touch "$storage/pools/f/volumes/v"
chown 1234:1235 "$storage/pools/f/volumes/v"
chmod 640 "$storage/pools/f/volumes/v"
[ "$(stat -c '%u %g %a' "$storage/pools/f/volumes/v")" = '1234 1235 640' ] || fail "chown on the fake"
mv "$storage/pools/f/volumes/v" "$storage/pools/f/volumes/w"
[ "$(stat -c '%u %g %a' "$storage/pools/f/volumes/w")" = '1234 1235 640' ] || fail "mv lost the owner"
grep -q . "$source/attributes/f" || fail "attributes/f is empty"
rm "$storage/pools/f/volumes/w"
touch "$storage/pools/f/volumes/w"
[ "$(stat -c '%u' "$storage/pools/f/volumes/w")" = 0 ] || fail "a new volume has the old one's owner"
