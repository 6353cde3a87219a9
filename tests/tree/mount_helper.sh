#!/bin/sh
# mount(8), fstab and umount: every way in that an administrator has, with the exit codes of mount(8).
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir

helper=$STORAGEFS_BUILD/mount-helper/mount.storagefs
[ -x "$helper" ] || skip "mount.storagefs is not built"

# mount(8) looks in /sbin: this namespace gets a copy of its own. Nothing of the host's is mounted
# below $tmp, which is removed at the end.
mkdir "$tmp/sbin"
mount -t tmpfs tmpfs "$tmp/sbin"
cp -a /usr/sbin/. "$tmp/sbin"
mount --move "$tmp/sbin" /usr/sbin
ln -sf "$helper" /usr/sbin/mount.storagefs
ln -sf mount.storagefs /usr/sbin/mount.fuse.storagefs
touch "$tmp/fstab"
mount --bind "$tmp/fstab" /etc/fstab

status_of() # STATUS COMMAND…
{
	want_=$1
	shift
	got_=0
	"$@" >"$tmp/out" 2>&1 || got_=$?
	[ "$got_" = "$want_" ] || fail "exit status $got_, not $want_: $*: $(cat "$tmp/out")"
}

gone()
{
	! pgrep -f "^[^ ]*storagefs .*$source " >/dev/null
}

unmount()
{
	umount "$1"
	eventually 10 gone
}

mounted()
{
	grep -q " $1 .* - fuse.storagefs $source " /proc/self/mountinfo ||
		fail "$1 is not mounted: $(grep "$tmp" /proc/self/mountinfo)"
}

# the plain way
status_of 0 mount -t storagefs "$source" "$storage"
mounted "$storage"
[ -r "$storage/README" ] || fail "no README"
pid=$(pgrep -f "^[^ ]*storagefs .*$source ")
[ "$(readlink "/proc/$pid/cwd")" = / ] || fail "the daemon holds the directory that mount was run in"
dir_pool a
unmount "$storage"
status_of 0 mount -t fuse.storagefs "$source" "$storage"
mounted "$storage"
unmount "$storage"

# fstab, twice, with what administrators and systemd put there
cat >"$tmp/fstab" <<END
$source $storage storagefs nofail,_netdev,x-systemd.automount,x-gvfs-hide,comment=x,gid=1,mode=0750,timeout=9,nosuid,nodev 0 0
END
status_of 0 mount -a
mounted "$storage"
status_of 0 mount -a
[ "$(grep -c " $storage " /proc/self/mountinfo)" = 1 ] || fail "mount -a mounted twice"
[ "$(stat -c '%g %a' "$storage/pools")" = '1 750' ] || fail "options of fstab did not arrive"
grep " $storage " /proc/self/mountinfo | grep -q 'nosuid.*nodev\|nodev.*nosuid' || fail "no nosuid,nodev"
put "$storage/pools/a/autostart" 1

# remount: ro and rw, for the kernel and the daemon; what is not named stays
status_of 0 mount -o remount,ro "$storage"
expect_errno EROFS mkdir "$storage/pools/b"
expect_errno EROFS touch "$storage/pools/a/volumes/v"
is running "$storage/pools/a/state"
grep " $storage " /proc/self/mountinfo | grep -q 'nosuid' || fail "remount dropped nosuid"
status_of 0 mount -o remount,rw,timeout=5 "$storage"
touch "$storage/pools/a/volumes/v"
put "$storage/pools/a/autostart" 0
status_of 0 mount -o remount "$storage"
status_of 1 mount -o remount,sparkling "$storage"
status_of 1 mount -o remount,timeout=never "$storage"
# by the line of fstab
status_of 0 mount "$storage" -o remount,ro
status_of 0 umount "$storage"
eventually 10 gone
status_of 0 mount "$storage"
mounted "$storage"
unmount "$storage"

# a read-only mount becomes writable only when it can have the lock
status_of 0 mount -t storagefs -o ro "$source" "$storage"
mkdir "$tmp/second"
status_of 0 mount -t storagefs "$source" "$tmp/second"
status_of 32 "$helper" "$source" "$storage" -o remount,rw
grep -q 'cannot remount' "$tmp/out" || fail "the message is: $(cat "$tmp/out")"
umount "$tmp/second"
unmount "$storage"

# fake, verbose, sloppy
status_of 0 mount -f -t storagefs "$source" "$storage"
status_of 0 "$helper" "$source" "$storage" -f -v -n -o rw,nofail
grep -q "storagefs $source $storage" "$tmp/out" || fail "-v says $(cat "$tmp/out")"
! mountpoint -q "$storage" || fail "-f mounted"
status_of 1 mount -t storagefs -o sparkling "$source" "$storage"
grep -q sparkling "$tmp/out" || fail "the unknown option is not named: $(cat "$tmp/out")"
status_of 0 mount -s -t storagefs -o sparkling,mode=0700 "$source" "$storage"
[ "$(stat -c %a "$storage/pools")" = 700 ] || fail "-s dropped a known option"
unmount "$storage"

# a relative source; a source that is made; comma lists in pieces
cd "$tmp"
status_of 0 mount -t storagefs source "$storage"
mounted "$storage"
unmount "$storage"
status_of 0 "$helper" "$source" "$storage" -o mode=0711 -o gid=2
[ "$(stat -c '%g %a' "$storage/pools")" = '2 711' ] || fail "two -o"

# failures
mkdir "$tmp/third"
status_of 32 mount -t storagefs "$source" "$tmp/third"
grep -q "[0-9]" "$tmp/out" || fail "the holder is not named: $(cat "$tmp/out")"
unmount "$storage"
status_of 1 "$helper"
status_of 1 "$helper" "$source"
status_of 1 "$helper" --nonsense a b
status_of 32 "$helper" "$source" "$tmp/missing"
echo file >"$tmp/file"
status_of 32 "$helper" "$tmp/file" "$storage"
status_of 32 "$helper" "$source" "$tmp/file"
status_of 32 "$helper" / /proc -o remount,ro

# a dead mount is cleared by the next one, also by mount -a
status_of 0 mount -a
kill -9 "$(pgrep -f "^[^ ]*storagefs .*$source ")"
eventually 5 gone
if ls "$storage" 2>/dev/null; then
	fail "the dead mount answers"
fi
status_of 0 mount "$storage"
eventually 5 ls "$storage/pools"
unmount "$storage"

# unmounting while something is open, and lazily
status_of 0 mount -a
exec 9<"$storage/README"
status_of 32 umount "$storage"
exec 9<&-
umount -l "$storage"
eventually 10 gone
