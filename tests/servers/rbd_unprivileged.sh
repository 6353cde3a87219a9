#!/bin/sh
# An ordinary user with an rbd pool, without root anywhere.
mount=no
. "${0%/*}/../tree/lib.sh"
need_user
cluster=no
. "${0%/*}/ceph.sh"

start_cluster
chmod 755 "$cluster" # for the port; the keys stay the administrator's
pool=$storage/pools/p
head -c 3000320 /dev/urandom >"$tmp/data"
rbd_xml >"$tmp/xml"
cp "$cluster/key.stor" "$tmp/key"
chown nobody "$tmp/key"

as_user "$storagefs" "$source" "$storage" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
as_user sh -c "cat '$tmp/key' >'$storage/secrets/$usage'"
as_user mkdir "$pool"
as_user cp "$tmp/xml" "$pool/xml"
[ "$(as_user cat "$pool/state")" = running ] || fail "$(as_user cat "$pool/error")"
as_user cp "$tmp/data" "$pool/volumes/v"
as_user cmp "$tmp/data" "$pool/volumes/v" || fail "the volume differs"
same_as_ceph v "$tmp/data"
as_user touch "$pool/snapshots/v/s"
as_user cmp "$tmp/data" "$pool/snapshots/v/s" || fail "the snapshot differs"
as_user rm "$pool/snapshots/v/s" "$pool/volumes/v"
[ -z "$(rbd ls)" ] || fail "rm left $(rbd ls)"
as_user fusermount3 -u "$storage"
gone()
{
	! pgrep -f "^[^ ]*storagefs $source " >/dev/null
}
eventually 20 gone
