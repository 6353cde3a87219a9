#!/bin/sh
# A glusterfs pool on a volume of this machine's glusterd.
# limit: 120
. "${0%/*}/vm.sh"
need_backend netfs
need glusterd gluster mount.glusterfs
. "${0%/*}/netfs.sh"

story_end()
{
	mounts_below_tmp | sort -r | while read -r at_; do umount -fl "$at_"; done
	for pid in ${server-} $(cat /run/gluster/vols/*/*.pid 2>/dev/null); do
		kill "$pid" 2>/dev/null || :
	done
}

# no peer may be on loopback addresses
ip addr add 192.0.2.1/32 dev lo
rm -rf /var/lib/glusterd
mkdir -p /var/lib/glusterd /var/log/glusterfs /run/gluster "$tmp/brick" "$tmp/at"
# its geo-replication would be configured first, in a minute of Python
rm -f /usr/lib/*/glusterfs/gsyncd /usr/libexec/glusterfs/gsyncd
glusterd --no-daemon --log-level=ERROR &
server=$!
eventually 60 test -S /run/glusterd.socket
eventually 60 gluster --mode=script volume info
gluster --mode=script volume create images "192.0.2.1:$tmp/brick" force
gluster --mode=script volume start images

pool=$storage/pools/p
define p glusterfs 192.0.2.1 images "$tmp/at"
is running "$pool/state"
[ "$(findmnt -no FSTYPE "$tmp/at")" = fuse.glusterfs ] || fail "mounted as $(findmnt -no FSTYPE "$tmp/at")"
seq 1 20000 >"$tmp/data"
cp "$tmp/data" "$pool/volumes/v"
cmp "$tmp/data" "$tmp/brick/v"
mv "$pool/volumes/v" "$pool/volumes/w"
truncate -s 1M "$pool/volumes/w"
size 1048576 "$tmp/brick/w"
[ "$(ls "$pool/volumes")" = w ] || fail "the list is: $(ls "$pool/volumes")"

# what was mounted before is found
kill_daemon
umount -l "$storage"
mount_storage
eventually 60 grep -qx running "$pool/state"
[ "$(mounts_at "$tmp/at")" = 1 ] || fail "it was mounted again"
rm "$pool/volumes/w"
put "$pool/ctl" stop
[ "$(mounts_at "$tmp/at")" = 0 ] || fail "stop left it mounted"

define p glusterfs 192.0.2.1 other "$tmp/at"
expect_error "cannot mount '192.0.2.1:other'" put "$pool/ctl" start
