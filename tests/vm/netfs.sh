# A netfs pool's definition: sourced after vm.sh.
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
