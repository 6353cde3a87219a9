#!/bin/sh
# NFS pools on a server of this kernel: v3, v4.2 and auto, discovery, a restart, and a server that dies.
# limit: 240
mount_options=timeout=10
. "${0%/*}/vm.sh"
need_backend netfs
. "${0%/*}/netfs.sh"

story_end()
{
	ip link set lo up
	stop_nfs
	mounts_below_tmp | sort -r | while read -r at_; do umount -fl "$at_"; done
}

start_nfs "$tmp/srv"

# -- discovery --

cat "$storage/sources/netfs/127.0.0.1" >"$tmp/sources"
grep -q "<dir path='$tmp/srv/export'/>" "$tmp/sources" || fail "the sources are: $(cat "$tmp/sources")"
grep -q "<format type='nfs'/>" "$tmp/sources" || fail "the sources have no format"

# -- pools --

at=$tmp/at
pool=$storage/pools/p
define p nfs 127.0.0.1 "$tmp/srv/export" "$at" "<protocol ver='3'/>" nolock
is inactive "$pool/state"
put "$pool/ctl" build
seq 1 20000 >"$tmp/data"
for version in 3 4.2 auto; do
	echo "-- $version"
	case $version in
	3) define p nfs 127.0.0.1 "$tmp/srv/export" "$at" "<protocol ver='3'/>" nolock ;;
	4.2) define p nfs 127.0.0.1 /export "$at" "<protocol ver='4.2'/>" ;;
	auto) define p auto 127.0.0.1 /export "$at" ;;
	esac
	[ "$(cat "$pool/state")" = running ] || put "$pool/ctl" start
	options=$(findmnt -no OPTIONS "$at")
	case $version,$options in
	3,*vers=3,* | 4.2,*vers=4.2,* | auto,*vers=4*) ;;
	*) fail "version $version is mounted with $options" ;;
	esac
	for option in nosuid nodev noexec soft; do
		case ",$options," in *",$option,"*) ;; *) fail "no $option: $options" ;; esac
	done
	cp "$tmp/data" "$pool/volumes/v"
	cmp "$tmp/data" "$tmp/srv/export/v"
	mv "$pool/volumes/v" "$pool/volumes/w"
	truncate -s 1M "$pool/volumes/w"
	size 1048576 "$tmp/srv/export/w"
	[ "$(ls "$pool/volumes")" = w ] || fail "the list is: $(ls "$pool/volumes")"
	rm "$pool/volumes/w"
	[ "$(cat "$pool/capacity")" -gt 1000000 ] || fail "the capacity is $(cat "$pool/capacity")"
	refuse EBUSY 'works in' env -C "$at" sh -c "env printf 'stop\n' >'$pool/ctl'"
	put "$pool/ctl" stop
	[ "$(mounts_at "$at")" = 0 ] || fail "stop left it mounted"
done

# what the server does not export
mkdir "$tmp/other"
define other nfs 127.0.0.1 /none "$tmp/other"
is inactive "$storage/pools/other/state"
grep -q "cannot mount '127.0.0.1:/none'" "$storage/pools/other/error" || fail "what: $(cat "$storage/error")"
rmdir "$storage/pools/other"

# -- a restart --

echo data >"$tmp/srv/export/v"
put "$pool/ctl" start
kill_daemon
umount -l "$storage"
mount_storage
eventually 60 grep -qx running "$pool/state"
[ "$(mounts_at "$at")" = 1 ] || fail "it was mounted again"
is data "$pool/volumes/v"

# -- the server dies --

dir_pool alive
echo alive >"$storage/pools/alive/volumes/v"
ip link set lo down
ls "$pool/volumes" >"$tmp/out" 2>"$tmp/err" &
asking=$!
for what in state error xml; do
	begun=$(date +%s%N)
	cat "$pool/$what" >"$tmp/out.$what"
	[ $(($(date +%s%N) - begun)) -lt 5000000000 ] || fail "$what took long"
done
is alive "$storage/pools/alive/volumes/v"
ls "$storage/pools" >"$tmp/out.pools"
begun=$(date +%s)
if cat "$pool/volumes/v" 2>"$tmp/err"; then
	# what the kernel still has may be read
	is data "$pool/volumes/v"
else
	grep -q -e 'timed out' -e 'Input/output' "$tmp/err" || fail "$(cat "$tmp/err")"
fi
[ $(($(date +%s) - begun)) -lt 50 ] || fail "it did not end within five times the timeout"
wait "$asking" || :
eventually 150 grep -qx away "$pool/state"
grep -q 'does not answer' "$pool/error" || fail "the error is: $(cat "$pool/error")"

# it is back, and the pool with it; it dies again, and the pool can be stopped
ip link set lo up
eventually 150 grep -qx running "$pool/state"
is data "$pool/volumes/v"
ip link set lo down
put "$pool/ctl" stop || eventually 120 put "$pool/ctl" stop
is inactive "$pool/state"
[ "$(mounts_at "$at")" = 0 ] || fail "the dead mount is still there"
is alive "$storage/pools/alive/volumes/v"

put "$pool/ctl" start 2>/dev/null && fail "a dead server's share was mounted"
ip link set lo up
eventually 100 put "$pool/ctl" start
is data "$pool/volumes/v"
put "$pool/ctl" stop
