#!/bin/sh
# CHAP one way and mutual, a target that only some initiators see, and discovery: the right secret
# logs in, a wrong or a missing one is refused with a sentence, and no secret is shown anywhere.
# limit: 60
# tsan
. "${0%/*}/../tree/lib.sh"
targets='chap mutual hidden'
. "${0%/*}/tgt.sh"

M=1048576
set_secrets
put "$storage/secrets/wrong" notthesecret1
usable()
{
	size $((8 * M)) "$storage/pools/$1/volumes/$(unit 1)"
	dd if=/dev/zero of="$storage/pools/$1/volumes/$(unit 1)" bs=4k count=1 conv=notrunc,fsync status=none
}

for type in iscsi-direct iscsi; do
	iscsi_pool "$type-right" "$type" chap "$(auth alice)"
	usable "$type-right"
	put "$storage/pools/$type-right/ctl" stop
	rmdir "$storage/pools/$type-right"
	refused_pool EACCES secret "$type-bad" "$type" chap "$(auth alice wrong)"
	rmdir "$storage/pools/$type-bad"
	refused_pool EACCES "'nobody'" "$type-user" "$type" chap "$(auth nobody alice)"
	rmdir "$storage/pools/$type-user"
	refused_pool EACCES CHAP "$type-none" "$type" chap
	rmdir "$storage/pools/$type-none"
	refused_pool ENOENT nosuch "$type-unset" "$type" chap "$(auth alice nosuch)"

	# the secret is looked for at each start: set now, it is right now
	put "$storage/secrets/nosuch" alicesecret12
	put "$storage/pools/$type-unset/ctl" start
	usable "$type-unset"
	put "$storage/pools/$type-unset/ctl" stop
	rmdir "$storage/pools/$type-unset"
	rm "$storage/secrets/nosuch"

	refused_pool ENODEV hidden "$type-other" "$type" hidden
	rmdir "$storage/pools/$type-other"
	iscsi_pool "$type-one" "$type" hidden '' "$iqn:one"
	usable "$type-one"
	put "$storage/pools/$type-one/ctl" stop
	rmdir "$storage/pools/$type-one"
done

# mutual: the target proves itself with the secret alice/mutual, a user's name and a password
printf 'bob\nbobsecret1234\n' >"$storage/secrets/alice%2Fmutual"
iscsi_pool mutual iscsi-direct mutual "$(auth alice)"
usable mutual
put "$storage/pools/mutual/ctl" stop
printf 'bob\nnotbobssecret\n' >"$storage/secrets/alice%2Fmutual"
expect_errno EACCES put "$storage/pools/mutual/ctl" start
grep -q 'prove' "$storage/pools/mutual/error" || fail "the error is $(cat "$storage/pools/mutual/error")"
refused_pool EACCES secret impostor iscsi-direct chap "$(auth alice)"
rm "$storage/secrets/alice%2Fmutual"
put "$storage/pools/mutual/ctl" start
put "$storage/pools/mutual/ctl" stop

# discovery: of what there is, in the form of a pool's <source>; with CHAP where the portal wants it
found=$storage/sources/iscsi/127.0.0.1:$port
cat "$found" >"$tmp/sources" || fail "discovery: $(cat "$storage/error")"
for target in chap mutual; do
	grep -q "<device path='$iqn:$target'/>" "$tmp/sources" || fail "not found: $(cat "$tmp/sources")"
done
grep -q "<host name='127.0.0.1' port='$port'/>" "$tmp/sources" || fail "no host: $(cat "$tmp/sources")"
! grep -q hidden "$tmp/sources" || fail "what is hidden is shown"
put "$found" "<source><initiator><iqn name='$iqn:one'/></initiator></source>"
grep -q "$iqn:hidden" "$found" || fail "what this initiator may see is not shown"
rm "$found"
tgt make discovery
expect_errno EACCES cat "$found"
grep -q -i 'chap' "$storage/error" || fail "the error is $(cat "$storage/error")"
put "$found" "<source>$(auth alice)</source>"
grep -q "$iqn:chap" "$found" || fail "discovery with CHAP finds nothing"
put "$found" "<source>$(auth alice wrong)</source>"
expect_errno EACCES cat "$found"

# none of them is anywhere
umount_storage
for secret in alicesecret12 bobsecret1234 notthesecret1; do
	! grep -q "$secret" "$log" || fail "a secret is in the log"
done
