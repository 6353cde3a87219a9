#!/bin/sh
# iSCSI pools by the kernel's initiator, on the kernel's own target: CHAP, units, who uses one, a target
# that goes away, a restart, failed starts, and a session that was there before. Nothing stays behind.
# limit: 240
mount_options=timeout=120
. "${0%/*}/vm.sh"
need_backend iscsi
need iscsiadm iscsid

target=iqn.2026-11.test:kernel
lio=/sys/kernel/config/target
tpg=$lio/iscsi/$target/tpgt_1
initiator_daemon=

story_end()
{
	ip link set lo up
	umount "$tmp/at"
	iscsiadm.real -m node -U all
	iscsiadm.real -m node -o delete
	[ -z "$initiator_daemon" ] || kill "$initiator_daemon"
	mv /usr/sbin/iscsiadm.real /usr/sbin/iscsiadm
	echo 0 >"$tpg/enable"
	rm -f "$tpg"/lun/lun_*/disk
	rmdir "$tpg"/lun/lun_* "$tpg"/np/* "$tpg" "$lio/iscsi/$target" "$lio"/core/fileio_0/*
	return 0
} >"$tmp/end" 2>&1

# -- a target --

unit() # NUMBER MIB
{
	truncate -s "$2M" "$tmp/disk$1"
	mkdir -p "$lio/core/fileio_0/d$1"
	echo "fd_dev_name=$tmp/disk$1,fd_dev_size=$(($2 << 20))" >"$lio/core/fileio_0/d$1/control"
	echo 1 >"$lio/core/fileio_0/d$1/enable"
	echo "storagefs-$1" >"$lio/core/fileio_0/d$1/wwn/vpd_unit_serial"
	mkdir "$tpg/lun/lun_$1"
	ln -s "$lio/core/fileio_0/d$1" "$tpg/lun/lun_$1/disk"
}

modprobe -a target_core_mod target_core_file iscsi_target_mod iscsi_tcp
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
mkdir -p "$tpg/np/127.0.0.1:3260"
unit 0 16
unit 1 24
printf %s host >"$tpg/auth/userid" # a newline would be part of it
printf %s 'pass word#1' >"$tpg/auth/password"
printf %s disks >"$tpg/auth/userid_mutual"
printf %s 'word of disks' >"$tpg/auth/password_mutual"
for attribute in authentication=1 generate_node_acls=1 demo_mode_write_protect=0 cache_dynamic_acls=1; do
	echo "${attribute#*=}" >"$tpg/attrib/${attribute%=*}"
done
echo 1 >"$tpg/enable"

# -- the initiator, every word said to which is kept --

mv /usr/sbin/iscsiadm /usr/sbin/iscsiadm.real
cat >/usr/sbin/iscsiadm <<END
#!/bin/sh
echo "\$*" >>$tmp/words
exec /usr/sbin/iscsiadm.real "\$@"
END
chmod 755 /usr/sbin/iscsiadm
mkdir -p /run/lock/iscsi
setsid iscsid -f >"$tmp/iscsid" 2>&1 & # at its end it kills its process group
initiator_daemon=$!
eventually 60 test -e /sys/class/iscsi_transport/tcp

sessions()
{
	cat /sys/class/iscsi_session/*/targetname 2>/dev/null | grep -cx "$target" || :
}

nothing_left()
{
	[ "$(sessions)" = 0 ] || fail "there is a session"
	left=$(find /etc/iscsi/nodes /etc/iscsi/ifaces -type f 2>/dev/null || :)
	[ -z "$left" ] || fail "left behind: $left"
}

# -- a pool --

pool=$storage/pools/san
by_path=/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-$target-lun-
define() # NAME PORT TARGET
{
	put "$storage/pools/$1/xml" "<pool type='iscsi'><source><host name='127.0.0.1' port='$2'/><device path='$3'/>\
<auth type='chap' username='host'><secret usage='san'/></auth></source>\
<target><path>/dev/disk/by-path</path></target></pool>"
}

put "$storage/secrets/san" 'wrong'
mkdir "$pool"
define san 3260 "$target"
is inactive "$pool/state"
wrong() # on a busy machine the target may be too slow at first
{
	! put "$pool/ctl" start && grep -q "refuses the initiator.*'host'" "$pool/error"
}
eventually 60 wrong
eventually 30 nothing_left

put "$storage/secrets/san" 'pass word#1'
env printf 'disks\nword of disks\n' >"$storage/secrets/san%2Fmutual"
eventually 60 put "$pool/ctl" start
is running "$pool/state"
[ "$(sessions)" = 1 ] || fail "there are $(sessions) sessions"
[ "$(ls "$pool/volumes")" = "unit:0:0:0
unit:0:0:1" ] || fail "the volumes are: $(ls "$pool/volumes")"
size 16777216 "$pool/volumes/unit:0:0:0"
size 25165824 "$pool/volumes/unit:0:0:1"
is 41943040 "$pool/capacity"
is 0 "$pool/available"
eventually 30 is "${by_path}0" "$pool/info/unit:0:0:0/path"
eventually 30 is "${by_path}1" "$pool/info/unit:0:0:1/path"
[ -b "${by_path}1" ] || fail "there is no ${by_path}1"
is "$(udevadm info -q property --property=ID_SERIAL --value "${by_path}0")" "$pool/info/unit:0:0:0/key"
find /etc/iscsi/nodes -type f ! -perm 600 | grep . && fail "others can read the record"
grep -e 'pass word' -e 'word of' "$tmp/words" "$log" && fail "a password was said aloud"

# -- its bytes --

volume=$pool/volumes/unit:0:0:1
head -c 3M /dev/urandom >"$tmp/data"
dd if="$tmp/data" of="$volume" bs=1M conv=notrunc,fsync status=none
cmp -n 3145728 "$tmp/data" "${by_path}1"
cmp -n 3145728 "$tmp/data" "$tmp/disk1"
dd if=/dev/zero of="$volume" bs=1M status=none 2>"$tmp/err" && fail "it has no end"
grep -q 'No space left' "$tmp/err" || fail "$(cat "$tmp/err")"
size 25165824 "$volume"
refuse EOPNOTSUPP iscsi rm "$volume"

# -- who uses it --

mkfs.ext4 -q "${by_path}0"
mkdir "$tmp/at"
mount "${by_path}0" "$tmp/at"
refuse EBUSY "$tmp/at" put "$pool/ctl" stop
refuse EBUSY "$tmp/at" put "$pool/info/unit:0:0:0/ctl" 'wipe zero'
umount "$tmp/at"
exec 7<"${by_path}1"
refuse EBUSY 'has open' put "$pool/ctl" stop
exec 7<&-
is running "$pool/state"

# -- new units, and a restart --

# the kernel hears of new units in the answer to a command, and not for sure: refresh asks
unit 2 8
put "$pool/ctl" refresh
size 8388608 "$pool/volumes/unit:0:0:2"
unit 3 8
put "$pool/ctl" refresh
size 8388608 "$pool/volumes/unit:0:0:3"

# the kernel keeps one that the target no longer has, until a refresh asks; not one that is in use
rm "$tpg/lun/lun_2/disk" "$tpg/lun/lun_3/disk"
rmdir "$tpg/lun/lun_2" "$tpg/lun/lun_3"
exec 7<"${by_path}2"
put "$pool/ctl" refresh
[ ! -e "$pool/volumes/unit:0:0:3" ] || fail "a unit that went is still there"
[ -e "$pool/volumes/unit:0:0:2" ] || fail "a unit that is in use was forgotten"
exec 7<&-
mkdir "$tpg/lun/lun_2"
ln -s "$lio/core/fileio_0/d2" "$tpg/lun/lun_2/disk"
kill_daemon
umount -l "$storage"
mount_storage timeout=40
eventually 60 is running "$pool/state"
[ "$(sessions)" = 1 ] || fail "there are $(sessions) sessions"
size 8388608 "$pool/volumes/unit:0:0:2"

# -- the target goes away and comes back --

ip link set lo down
eventually 120 is away "$pool/state"
grep -q 'does not answer' "$pool/error" || fail "the error is: $(cat "$pool/error")"
expect_errno ETIMEDOUT ls "$pool/volumes"
ip link set lo up
eventually 120 is running "$pool/state"
cmp -n 1048576 /dev/zero "$volume"

# one that is dead does not hold the pool, once the kernel gives up: what cmp has read ahead keeps
# the volume open until then (two minutes, if nobody says otherwise)
echo 20 | tee /sys/class/iscsi_session/*/recovery_tmo >/dev/null
ip link set lo down
eventually 120 is away "$pool/state"
stops()
{
	read -r begun _ </proc/uptime
	put "$pool/ctl" stop || return 1
	read -r ended _ </proc/uptime
	echo $((${ended%.*} - ${begun%.*})) >"$tmp/took"
}
eventually 60 stops
read -r took <"$tmp/took"
[ "$took" -lt 45 ] || fail "stop took longer than the timeout"
is inactive "$pool/state"
ip link set lo up
eventually 30 nothing_left

# -- somebody logs out --

eventually 60 put "$pool/ctl" start
iscsiadm.real -m session --logout
eventually 60 is away "$pool/state"
grep -q 'logged out' "$pool/error" || fail "the error is: $(cat "$pool/error")"
put "$pool/ctl" stop
eventually 30 nothing_left

# -- what cannot be started --

refused() # PORT TARGET
{
	define san "$1" "$2"
	put "$pool/ctl" start 2>"$tmp/err" && fail "started: $1 $2"
	is inactive "$pool/state"
	eventually 30 nothing_left
}
refused 3260 iqn.2026-11.test:none
grep -q "target 'iqn.2026-11.test:none'" "$pool/error" || fail "the error is: $(cat "$pool/error")"
refused 3261 "$target"
grep -q 127.0.0.1:3261 "$pool/error" || fail "the error is: $(cat "$pool/error")"
refused 3260 ../x
grep -q slash "$pool/error" || fail "the error is: $(cat "$pool/error")"

# -- a session that somebody has made is taken, and its record is his --

echo 0 >"$tpg/attrib/authentication"
iscsiadm.real -m node -T "$target" -p 127.0.0.1:3260 -I default -o new
iscsiadm.real -m node -T "$target" -p 127.0.0.1:3260 --login
define san 3260 "$target"
[ "$(cat "$pool/state")" = running ] || eventually 60 put "$pool/ctl" start
[ "$(sessions)" = 1 ] || fail "there are $(sessions) sessions"
cmp -n 1048576 /dev/zero "$volume"
eventually 60 put "$pool/ctl" stop # a busy machine is slow to close
[ "$(sessions)" = 0 ] || fail "stop left the session"
[ -n "$(find /etc/iscsi/nodes -type f)" ] || fail "somebody else's record is gone"
