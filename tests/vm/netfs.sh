# netfs pools' definitions, and a server of this kernel: sourced after vm.sh.
# shellcheck shell=sh disable=SC2154

# netfs_xml FORMAT HOST DIR TARGET [SOURCE-ELEMENTS [OPTION…]]
netfs_xml()
{
	echo "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>"
	echo "<source><host name='$2'/><dir path='$3'/><format type='$1'/>${5-}</source>"
	echo "<target><path>$4</path></target>"
	[ $# -gt 5 ] && shift 5 && {
		echo "<fs:mount_opts>"
		printf "<fs:option name='%s'/>" "$@"
		echo "</fs:mount_opts>"
	}
	echo "</pool>"
}

# define NAME and the words of netfs_xml; it may well not start
define()
{
	name_=$1
	shift
	mkdir -p "$storage/pools/$name_"
	netfs_xml "$@" >"$tmp/$name_.xml"
	cp "$tmp/$name_.xml" "$storage/pools/$name_/xml"
}

mounts_at()
{
	awk -v at="$1" '$5 == at { n++ } END { print n + 0 }' /proc/self/mountinfo
}

nfs_servers=''

# start_nfs DIRECTORY: 127.0.0.1 exports DIRECTORY as the root of NFSv4, and DIRECTORY/export
start_nfs()
{
	need rpcbind exportfs rpc.nfsd rpc.mountd showmount
	modprobe -a nfsd lockd nfs nfsv3 nfsv4
	mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
	mkdir -p "$1/export" /var/lib/nfs/v4recovery /run/rpc_pipefs /run/rpcbind
	mount -t rpc_pipefs rpc /run/rpc_pipefs 2>/dev/null || :
	cat >/etc/exports <<END
$1 127.0.0.1(rw,fsid=0,no_subtree_check,insecure,no_root_squash)
$1/export 127.0.0.1(rw,no_root_squash,no_subtree_check,insecure,fsid=1)
END
	rpcbind -w -f &
	nfs_servers=$!
	eventually 60 rpcinfo -p 127.0.0.1
	exportfs -ra
	rpc.mountd -F &
	nfs_servers="$nfs_servers $!"
	rpc.nfsd -G 10 -L 10 2
	echo Y >/proc/fs/nfsd/v4_end_grace
	eventually 60 showmount -e 127.0.0.1
}

stop_nfs()
{
	rpc.nfsd 0
	for pid_ in $nfs_servers; do
		kill "$pid_" 2>/dev/null || :
	done
}
