#!/bin/sh
# uid=, gid=, mode= of the mount decide who may administer; secrets and sources are the owner's.
mount_options=uid=0,gid=1234,mode=0775
. "${0%/*}/lib.sh"
need_root
need_backend dir
need setpriv

group()
{
	setpriv --reuid 4321 --regid 4321 --groups 1234 "$@"
}
other()
{
	setpriv --reuid 4321 --regid 4321 --clear-groups "$@"
}
owner_is() # "UID GID MODE" FILE
{
	[ "$(stat -c '%u %g %a' "$2")" = "$1" ] || fail "$2 is $(stat -c '%u %g %a' "$2"), not $1"
}

owner_is '0 1234 775' "$storage"
owner_is '0 1234 775' "$storage/pools"
owner_is '0 1234 444' "$storage/README"
mkdir "$tmp/a"
chmod 770 "$tmp/a"
chgrp 1234 "$tmp/a"
group mkdir "$storage/pools/a"
group sh -c "echo \"<pool type='dir'><target><path>$tmp/a</path></target></pool>\" > '$storage/pools/a/xml'"
is running "$storage/pools/a/state"
owner_is '0 1234 775' "$storage/pools/a"
owner_is '0 1234 664' "$storage/pools/a/xml"
owner_is '0 1234 664' "$storage/pools/a/ctl"
owner_is '0 1234 444' "$storage/pools/a/state"
owner_is '0 1234 770' "$storage/pools/a/volumes"
group touch "$storage/pools/a/volumes/v"
owner_is "4321 4321 $(stat -c %a "$tmp/a/v")" "$storage/pools/a/volumes/v"
group sh -c "echo stop > '$storage/pools/a/ctl'"
group sh -c "echo start > '$storage/pools/a/ctl'"
is running "$storage/pools/a/state"

expect_errno EACCES other sh -c "echo stop > '$storage/pools/a/ctl'"
expect_errno EACCES other sh -c "echo '<pool/>' > '$storage/pools/a/xml'"
expect_errno EACCES other mkdir "$storage/pools/b"
expect_errno EACCES other rmdir "$storage/pools/a"
expect_errno EACCES other ls "$storage/pools/a/volumes"
other cat "$storage/pools/a/state" "$storage/README" "$storage/pools/a/xml" >/dev/null

# secrets and sources
for who in group other; do
	expect_errno EACCES $who ls "$storage/sources"
done
group sh -c "echo key > '$storage/secrets/x'" 2>/dev/null || :
if other sh -c "echo key > '$storage/secrets/y'" 2>/dev/null; then
	fail "anyone can write secrets"
fi
for secret in "$storage"/secrets/*; do
	[ -e "$secret" ] || continue
	expect_errno EACCES other cat "$secret"
done
