# Disk pools for a story: sourced after lib.sh; see loops.sh for its devices. Its pool is $pool, and it
# works in $tmp.
# shellcheck shell=sh disable=SC2034,SC2154  # for the story; lib.sh and loops.sh have set them

need_backend disk
. "$repo/tests/tree/loops.sh"
need sfdisk partx blockdev

M=1048576
pool=$storage/pools/p
cd "$tmp" || exit 1

# new_disk SIZE: a blank device, $loop; its partitions are $name and a number
new_disk()
{
	new_loop "$1"
	name=${loop#/dev/}p
}

# define_disk NAME FORMAT DEVICE [TARGET [ATTRIBUTES]]; it may well not start
define_disk()
{
	mkdir -p "$storage/pools/$1"
	cat >"$tmp/$1.xml" <<END
<pool type='disk'><source><device path='$3' ${5-}/><format type='$2'/></source>
<target><path>${4-/dev}</path></target></pool>
END
	cp "$tmp/$1.xml" "$storage/pools/$1/xml"
}

# new_pool FORMAT SIZE: the pool, built on a blank device and started
new_pool()
{
	new_disk "$2"
	define_disk p "$1" "$loop"
	put "$pool/ctl" build
	put "$pool/ctl" start
}

# sfdisk_field DEVICE NUMBER FIELD: what sfdisk reads in the table
sfdisk_field()
{
	sfdisk -d "$1" 2>/dev/null | sed -n "s/^[^ ]*[^0-9]$2 :.* *$3= *\([^,]*\).*/\1/p"
}
