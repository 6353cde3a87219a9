#!/bin/sh
# The daemon is killed with a pool of each type running. The next one finds what the kernel holds as it
# is, mounts, volume groups, sessions and maps: nothing is there twice, nothing is lost, and stop undoes
# it still.
# limit: 300
mount_options=timeout=20
. "${0%/*}/vm.sh"
need dmsetup lvm sfdisk
. "$repo/tests/tree/loops.sh"
. "${0%/*}/netfs.sh"
. "${0%/*}/lio.sh"

map=''
story_end()
{
	stop_nfs
	stop_lio >"$tmp/end" 2>&1
	vgremove -qqff vg0 >"$tmp/end" 2>&1
	[ -z "$map" ] || dmsetup remove --retry "$map"
	mounts_below_tmp | sort -r | while read -r at_; do umount -fl "$at_"; done
}

pools=$storage/pools
running='' # their names

# begin TYPE: whether pools of it are built; their pool has the type's name
begin()
{
	[ -e "$STORAGEFS_BUILD/backends/$1.so" ] || return 1
	echo "-- $1"
	mkdir "$pools/$1"
	running="$running $1"
}

# begun TYPE VOLUME: the pool runs, and its volume has bytes to be found again
begun()
{
	[ "$(cat "$pools/$1/state")" = running ] || put "$pools/$1/ctl" start
	is running "$pools/$1/state"
	echo "the bytes of $1" | dd of="$pools/$1/volumes/$2" conv=notrunc 2>/dev/null
	eval "volume_$1=\$2"
}

first_line() # TYPE
{
	eval "volume_=\$volume_$1"
	# shellcheck disable=SC2154  # eval sets it
	head -n 1 "$pools/$1/volumes/$volume_"
}

# -- a pool of each type --

mkdir "$tmp/images" "$tmp/fs" "$tmp/net"
begin dir
put "$pools/dir/xml" "<pool type='dir'><target><path>$tmp/images</path></target></pool>"
touch "$pools/dir/volumes/v"
begun dir v

if begin fs; then
	fs_xml ext4 "$(disk 0)" "$tmp/fs" >"$tmp/fs.xml"
	cp "$tmp/fs.xml" "$pools/fs/xml"
	put "$pools/fs/ctl" 'build no-overwrite'
	put "$pools/fs/ctl" start
	touch "$pools/fs/volumes/v"
	begun fs v
fi
if begin netfs; then
	start_nfs "$tmp/srv"
	netfs_xml nfs 127.0.0.1 /export "$tmp/net" >"$tmp/netfs.xml"
	cp "$tmp/netfs.xml" "$pools/netfs/xml"
	touch "$pools/netfs/volumes/v"
	begun netfs v
fi

if begin logical; then
	put "$pools/logical/xml" "<pool type='logical'><source><device path='$(disk 1)'/><name>vg0</name>\
</source></pool>"
	put "$pools/logical/ctl" build
	put "$pools/logical/ctl" start
	touch "$pools/logical/volumes/v"
	begun logical v
fi
if begin disk; then
	table=$(disk 2)
	put "$pools/disk/xml" "<pool type='disk'><source><device path='$table'/><format type='gpt'/></source>\
<target><path>/dev</path></target></pool>"
	put "$pools/disk/ctl" build
	put "$pools/disk/ctl" start
	touch "$pools/disk/volumes/${table#/dev/}1"
	begun disk "${table#/dev/}1"
fi
if begin scsi; then
	unit=$(disk 3)
	hctl=$(basename "$(readlink -f "/sys/block/${unit#/dev/}/device")")
	put "$pools/scsi/xml" "<pool type='scsi'><source><adapter name='host${hctl%%:*}'/></source>\
<target><path>/dev/disk/by-path</path></target></pool>"
	begun scsi "unit:${hctl#*:}"
fi
if begin mpath; then
	map_paths
	put "$pools/mpath/xml" "<pool type='mpath'><target><path>/dev/mapper</path></target></pool>"
	begun mpath "${map##*/}"
fi
if begin iscsi; then
	start_lio iqn.2026-11.test:restart
	lio_unit 0 16
	put "$pools/iscsi/xml" "<pool type='iscsi'><source><host name='127.0.0.1' port='3260'/>\
<device path='iqn.2026-11.test:restart'/></source><target><path>/dev/disk/by-path</path></target></pool>"
	begun iscsi unit:0:0:0
fi

# -- the daemon is killed, and another one comes --

held() # all that the kernel holds for the pools
{
	awk -v storage="$storage" '$5 != storage { print $3, $4, $5, $6 }' /proc/self/mountinfo
	dmsetup table
	ls /sys/class/iscsi_session /sys/class/fc_vports /sys/class/scsi_host 2>/dev/null || :
	lsblk -rno NAME,SIZE
}

sync
held >"$tmp/before"
states() { for pool in $running; do echo "$pool $(cat "$pools/$pool/state")"; done; }
kill_daemon
umount -l "$storage"
held >"$tmp/without"
cmp "$tmp/before" "$tmp/without" || fail "the daemon's end let go of something"
mount_storage
all_run() { ! states | grep -v ' running$'; }
eventually 30 all_run
held >"$tmp/after"
cmp "$tmp/before" "$tmp/after" || fail "$(diff "$tmp/before" "$tmp/after")"
for pool in $running; do
	[ "$(first_line "$pool")" = "the bytes of $pool" ] || fail "the volume of $pool has other bytes"
done

# twice in a row, and started by hand: as it is
for pool in $running; do
	put "$pools/$pool/ctl" start
done
held >"$tmp/after"
cmp "$tmp/before" "$tmp/after" || fail "start changed what was running: $(diff "$tmp/before" "$tmp/after")"

# what was found can be stopped, and comes again
for pool in $running; do
	echo "-- stop $pool"
	put "$pools/$pool/ctl" stop
	is inactive "$pools/$pool/state"
done
[ "$(mounts_at "$tmp/fs")$(mounts_at "$tmp/net")" = 00 ] || fail "stop left something mounted"
[ -z "$(lvs --noheadings -S lv_active=active vg0 2>/dev/null)" ] || fail "stop left an LV active"
[ -z "$(ls /sys/class/iscsi_session 2>/dev/null)" ] || fail "stop left a session"
for pool in $running; do
	echo "-- start $pool"
	put "$pools/$pool/ctl" start
	[ "$(first_line "$pool")" = "the bytes of $pool" ] || fail "the volume of $pool has other bytes"
	put "$pools/$pool/ctl" stop
done
