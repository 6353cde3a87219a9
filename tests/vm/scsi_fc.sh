#!/bin/sh
# scsi pools on Fibre Channel (over Ethernet, both ends here): on a host by its names, with a unit of a
# target; and on virtual ports that start makes and stop removes.
# limit: 120
. "${0%/*}/vm.sh"
need_backend scsi
need lsblk ip

modprobe -a libfcoe fcoe tcm_fc target_core_file configfs veth || skip "the kernel has no FCoE"
mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
fc=/sys/class/fc_host
pool=$storage/pools/p
vols=$pool/volumes

# -- two ports that see each other; a disk on the second --

ip link add v0 type veth peer name v1
ip link set v0 address 02:00:00:00:00:10
ip link set v1 address 02:00:00:00:00:11
ip link set v0 up
ip link set v1 up
echo v1 >/sys/module/libfcoe/parameters/create_vn2vn
config=/sys/kernel/config/target
truncate -s 64M "$tmp/disk"
mkdir -p "$config/core/fileio_0/d0"
echo "fd_dev_name=$tmp/disk,fd_dev_size=67108864" >"$config/core/fileio_0/d0/control"
echo fc0 >"$config/core/fileio_0/d0/wwn/vpd_unit_serial"
echo 1 >"$config/core/fileio_0/d0/enable"
there=$config/fc/20:00:02:00:00:00:00:11/tpgt_1
mkdir -p "$there/lun/lun_0" "$there/acls/20:00:02:00:00:00:00:10/lun_0"
ln -s "$config/core/fileio_0/d0" "$there/lun/lun_0/d0"
ln -s "$there/lun/lun_0" "$there/acls/20:00:02:00:00:00:00:10/lun_0/l0"
echo v0 >/sys/module/libfcoe/parameters/create_vn2vn

host_of() # PORT-NAME: its number
{
	for name in "$fc"/host*/port_name; do
		[ "$(cat "$name")" != "0x$1" ] || basename "${name%/port_name}" | tr -d '[:lower:]'
	done
}

has_disk()
{
	lsblk -Sno HCTL | grep -q "^ *$number:"
}

eventually 60 test -n "$(host_of 2000020000000010)"
number=$(host_of 2000020000000010)
wwnn=$(sed s/0x// "$fc/host$number/node_name")
eventually 60 grep -qx Online "$fc/host$number/port_state"

define() # ATTRIBUTES of the adapter
{
	mkdir -p "$pool"
	put "$pool/xml" "<pool type='scsi'><source><adapter type='fc_host' $1/></source>\
<target><path>/dev/disk/by-id</path></target></pool>"
}

# -- a host by its names --

grep -q "wwnn='$wwnn' wwpn='2000020000000010'" "$storage/sources/scsi" ||
	fail "the sources have no such host: $(cat "$storage/sources/scsi")"
define "wwnn='$wwnn' wwpn='2000020000000010'"
is running "$pool/state"
eventually 60 has_disk
eventually 20 test -e "$vols/unit:0:0:0"
echo hello | dd of="$vols/unit:0:0:0" conv=notrunc,fsync 2>"$tmp/err"
[ "$(head -n 1 "$tmp/disk")" = hello ] || fail "what was written is not on the target"
case $(cat "$pool/info/unit:0:0:0/path") in
/dev/disk/by-id/*) ;;
*) fail "the path is $(cat "$pool/info/unit:0:0:0/path")" ;;
esac
put "$pool/ctl" stop
[ -e "$fc/host$number" ] || fail "stop took the host away"
has_disk || fail "stop took the disk away"
rmdir "$pool"

# -- a virtual port --

wwpn=2100020000000055
ports() # how many virtual ports there are
{
	find /sys/class/fc_vports -mindepth 1 | wc -l
}

ours="wwnn='2000020000000055' wwpn='$wwpn' parent='scsi_host$number'"
define "$ours"
is running "$pool/state"
port=$(host_of $wwpn)
[ -n "$port" ] || fail "no virtual port was made"
[ "$(ports)" = 1 ] || fail "there are $(ports) virtual ports"
readlink -f "$fc/host$port" | grep -q "/host$number/vport-$number:" || fail "it is on another host"
[ -z "$(ls "$vols")" ] || fail "there are units: $(ls "$vols")"
grep -q "wwpn='$wwpn'" "$storage/sources/scsi" || fail "the sources do not have it"

# after kill -9 it is taken as it is, and known to be ours
kill_daemon
umount -l "$storage"
mount_storage
eventually 20 grep -qx running "$pool/state"
[ "$(ports)" = 1 ] || fail "a second virtual port was made"
put "$pool/ctl" stop
[ -z "$(host_of $wwpn)" ] || fail "stop left the virtual port"

# one that is not to be managed stays; one that somebody else made, too
define "$ours managed='no'"
put "$pool/ctl" start
put "$pool/ctl" stop
[ -n "$(host_of $wwpn)" ] || fail "managed='no' did not keep the port"
echo "$wwpn:2000020000000055" >"$fc/host$number/vport_delete"
eventually 20 sh -c "[ -z '$(host_of $wwpn)' ] || [ ! -e /sys/class/fc_vports/vport-* ]"
echo "$wwpn:2000020000000055" >"$fc/host$number/vport_create"
define "$ours"
put "$pool/ctl" start
put "$pool/ctl" stop
[ -n "$(host_of $wwpn)" ] || fail "stop removed a port that it had not made"

# the wrong parent; no such parent; managed='yes' removes it whoever made it
other=$(host_of 2000020000000011)
define "wwnn='2000020000000055' wwpn='$wwpn' parent='scsi_host$other'"
refuse EINVAL "is on host$number" put "$pool/ctl" start
define "wwnn='2000020000000056' wwpn='2100020000000056' parent='scsi_host99'"
refuse ENODEV "no SCSI adapter 'host99'" put "$pool/ctl" start
define "wwnn='2000020000000056' wwpn='2100020000000056' parent='scsi_host0'"
refuse ENODEV 'no Fibre Channel host' put "$pool/ctl" start
define "$ours managed='yes'"
put "$pool/ctl" start
put "$pool/ctl" stop
[ -z "$(host_of $wwpn)" ] || fail "managed='yes' kept the port"

# a parent by its names
define "wwnn='2000020000000055' wwpn='$wwpn' parent_wwnn='$wwnn' parent_wwpn='2000020000000010'"
put "$pool/ctl" start
readlink -f "$fc/host$(host_of $wwpn)" | grep -q "/host$number/vport-" || fail "it is on another host"

# it goes from outside: away, never an empty list
echo "$wwpn:2000020000000055" >"$fc/host$number/vport_delete"
eventually 30 grep -qx away "$pool/state"
put "$pool/ctl" stop
is inactive "$pool/state"
