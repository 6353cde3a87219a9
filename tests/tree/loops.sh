# Block devices for a story: sourced after lib.sh, and what it makes ends with the story.
# shellcheck shell=sh disable=SC2154

need_root
need losetup blkid

loops=''

# new_loop SIZE: a blank device of its own, whose path is then $loop
new_loop()
{
	file_=$(mktemp "$tmp/disk.XXXXXX")
	truncate -s "$1" "$file_"
	loop=$(losetup -f --show "$file_") || skip "there are no loop devices"
	loops="$loops $loop"
}

story_end()
{
	mounts_below_tmp | sort -r | while read -r at_; do umount -l "$at_"; done
	for loop in $loops; do
		losetup -d "$loop" || return 1
	done
}

# need_filesystem TYPE…: the kernel has the driver
need_filesystem()
{
	for type_; do
		grep -qw "$type_" /proc/filesystems || modprobe -q "$type_" ||
			skip "the kernel has no $type_"
	done
}

# fs_xml FORMAT DEVICE TARGET [OPTION…]: the definition of an fs pool
fs_xml()
{
	echo "<pool type='fs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>"
	echo "<source><device path='$2'/><format type='$1'/></source>"
	echo "<target><path>$3</path></target>"
	shift 3
	[ $# -eq 0 ] || {
		echo "<fs:mount_opts>"
		printf "<fs:option name='%s'/>" "$@"
		echo "</fs:mount_opts>"
	}
	echo "</pool>"
}

# define_fs NAME FORMAT DEVICE TARGET [OPTION…]; it may well not start
define_fs()
{
	name_=$1
	shift
	mkdir -p "$storage/pools/$name_"
	fs_xml "$@" >"$tmp/$name_.xml"
	cp "$tmp/$name_.xml" "$storage/pools/$name_/xml"
}

# how often something is mounted there
mounts_at()
{
	awk -v at="$1" '$5 == at { n++ } END { print n + 0 }' /proc/self/mountinfo
}
