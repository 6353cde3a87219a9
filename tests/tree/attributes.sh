#!/bin/sh
# The small files of a pool: what they say, who keeps them, and that they cannot be misused.
# quick
# tsan
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
cd "$storage/pools/a"

is 0 autostart
put autostart 1
is 1 autostart
[ -L "$source/autostart/a.xml" ] || fail "no autostart/a.xml in SOURCE"
[ -e "$source/autostart/a.xml" ] || fail "autostart/a.xml leads nowhere"
put autostart 1
put autostart 0
[ ! -L "$source/autostart/a.xml" ] || fail "autostart/a.xml is still in SOURCE"
is 0 protected
put protected 1
is 1 protected
put protected 0
put autostart 1

# values are one line, in one write; blanks around are no value's
grep -q '^verbs: .*stop' ctl || fail "ctl says $(cat ctl)"
grep -q 'start' ctl && fail "a running pool can be started: $(cat ctl)"
put ctl refresh
put ctl stop
is inactive state
grep -q '^verbs: .*start' ctl || fail "ctl says $(cat ctl)"
put ctl start
is running state
printf 'stop' >ctl
is inactive state
printf 'start' >ctl

# mode and owner are fixed, and may be set to what they are, as cp -p does
echo 0 >"$tmp/value"
cp -p "$tmp/value" autostart
is 0 autostart
put autostart 1
chmod "$(stat -c %a volumes)" volumes
[ "$(id -u)" != 0 ] || chown 0:0 . ctl volumes
refuse EPERM 'mount options' chmod 600 autostart
refuse EPERM 'mount options' chmod 700 .
refuse EPERM "pool's directory" chmod 700 volumes

# read-only files are that
for name in state uuid type capacity allocation available error xml.saved; do
	if put "$name" x 2>/dev/null; then
		fail "$name can be written"
	fi
done

# sizes are the filesystem's
total=$(stat -f -c '%b %S' "$tmp/a" | awk '{ printf "%.0f", $1 * $2 }')
is "$total" capacity
free=$(cat available)
[ "$free" -gt 0 ] || fail "nothing is available"
# of one moment: the filesystem is not ours alone
awk -F '[<>]' '/<capacity/ { c = $3 } /<allocation/ { a = $3 } /<available/ { f = $3 }
	END { exit !(c > 0 && a + f == c) }' xml || fail "more or less than there is: $(cat xml)"

# a reader's snapshot is one text, whatever happens meanwhile
exec 9<state
put ctl stop
[ "$(cat <&9)" = running ] || fail "the snapshot changed under its reader"
exec 9<&-
is inactive state
put ctl start

# sizes are those of now
for _ in 1 2 3; do
	put ctl stop
	[ "$(stat -c %s state)" = 9 ] || fail "state is $(stat -c %s state) bytes, not inactive"
	put ctl start
	[ "$(stat -c %s state)" = 8 ] || fail "state is $(stat -c %s state) bytes, not running"
done
mkdir ../late
[ "$(stat -c %s ../late/type)$(stat -c %s ../late/uuid)" = 00 ] || fail "late has a type already"
mkdir "$tmp/late"
put ../late/xml "<pool type='dir'><target><path>$tmp/late</path></target></pool>"
[ "$(stat -c %s ../late/type) $(stat -c %s ../late/uuid)" = "4 37" ] || fail "late's sizes are old"
put ../late/ctl stop
rmdir ../late

# over a restart
cd /
umount_storage
mount_storage
cd "$storage/pools/a"
is 1 autostart
eventually 5 grep -qx running state
fake_pool f files
put "$storage/pools/f/autostart" 1
cd /
umount_storage
mount_storage no-autostart
cd "$storage/pools/f"
sleep 0.3
is inactive state
put ctl start
is running state

# what a backend can do
grep -q . "$storage/backends/dir" || fail "backends/dir is empty"
grep -qw qcow2 "$storage/backends/dir" || fail "backends/dir does not name formats"
for type in dir fs netfs logical disk iscsi iscsi-direct scsi mpath rbd sheepdog; do
	[ -f "$storage/backends/$type" ] || fail "no backends/$type"
	cat "$storage/backends/$type" >/dev/null
done

# metrics
grep -q '^# EOF' "$storage/metrics" || fail "metrics is no OpenMetrics text"
grep -q '^storagefs_' "$storage/metrics" || fail "no metrics"
need promtool # tests/run unpacks it
promtool check metrics <"$storage/metrics" || fail "promtool"
