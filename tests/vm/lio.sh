# A target of the kernel for its own initiator: sourced after vm.sh.
# shellcheck shell=sh disable=SC2154

lio=/sys/kernel/config/target
lio_initiator=''

# start_lio TARGET: without authentication, on 127.0.0.1; and the initiator's daemon
start_lio()
{
	need iscsiadm iscsid
	lio_tpg=$lio/iscsi/$1/tpgt_1
	modprobe -a target_core_mod target_core_file iscsi_target_mod iscsi_tcp
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	mkdir -p "$lio_tpg/np/127.0.0.1:3260" /run/lock/iscsi
	for attribute_ in authentication=0 generate_node_acls=1 demo_mode_write_protect=0 \
		cache_dynamic_acls=1; do
		echo "${attribute_#*=}" >"$lio_tpg/attrib/${attribute_%=*}"
	done
	echo 1 >"$lio_tpg/enable"
	iscsid -f >"$tmp/iscsid" 2>&1 &
	lio_initiator=$!
	eventually 60 test -e /sys/class/iscsi_transport/tcp
}

# lio_unit NUMBER MIB: a LUN of that size, on a file
lio_unit()
{
	truncate -s "$2M" "$tmp/disk$1"
	mkdir -p "$lio/core/fileio_0/d$1"
	echo "fd_dev_name=$tmp/disk$1,fd_dev_size=$(($2 << 20))" >"$lio/core/fileio_0/d$1/control"
	echo 1 >"$lio/core/fileio_0/d$1/enable"
	mkdir "$lio_tpg/lun/lun_$1"
	ln -s "$lio/core/fileio_0/d$1" "$lio_tpg/lun/lun_$1/disk"
}

stop_lio()
{
	[ -n "$lio_initiator" ] || return 0
	iscsiadm -m node -U all
	iscsiadm -m node -o delete
	kill "$lio_initiator"
	echo 0 >"$lio_tpg/enable"
	rm -f "$lio_tpg"/lun/lun_*/disk
	rmdir "$lio_tpg"/lun/lun_* "$lio_tpg"/np/* "$lio_tpg" "${lio_tpg%/*}" "$lio"/core/fileio_0/*
}
