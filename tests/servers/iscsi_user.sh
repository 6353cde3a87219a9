#!/bin/sh
# An ordinary user has iSCSI pools: nothing of them needs a privilege.
# limit: 60
mount=no
. "${0%/*}/../tree/lib.sh"
targets='plain chap'
. "${0%/*}/tgt.sh"
need_user

as_user "$storagefs" "$source" "$storage" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
story_end()
{
	as_user fusermount3 -u "$storage" 2>/dev/null
	tgt stop
}
head -c 8388608 /dev/urandom >"$tmp/data"
as_user sh -c "echo alicesecret12 >'$storage/secrets/alice'"
for type in iscsi-direct iscsi; do
	pool=$storage/pools/$type
	as_user mkdir "$pool"
	as_user sh -c 'echo "$1" >"$2"' sh "$(iscsi_xml "$type" chap "$(auth alice)")" "$pool/xml"
	[ "$(as_user cat "$pool/state")" = running ] || fail "$(as_user cat "$pool/error")"
	as_user cp "$tmp/data" "$pool/volumes/$(unit 1)"
	as_user sync "$pool/volumes/$(unit 1)"
	cmp "$tmp/data" "$tgt/chap.1" || fail "the target does not have what was written"
	as_user cmp "$tmp/data" "$pool/volumes/$(unit 1)" || fail "what was written is not read"
	as_user sh -c "echo stop >'$pool/ctl'"
done
as_user grep -q "$iqn:plain" "$storage/sources/iscsi/127.0.0.1:$port" || fail "nothing is discovered"
as_user fusermount3 -u "$storage"
gone()
{
	! pgrep -f "^[^ ]*storagefs $source " >/dev/null
}
eventually 10 gone
