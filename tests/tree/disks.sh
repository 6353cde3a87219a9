# Disk pools for a story: sourced after lib.sh; see loops.sh for its devices.
# shellcheck shell=sh disable=SC2154

. "$repo/tests/tree/loops.sh"
need sfdisk partx blockdev

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

# sfdisk_field DEVICE NUMBER FIELD: what sfdisk reads in the table
sfdisk_field()
{
	sfdisk -d "$1" 2>/dev/null | sed -n "s/^[^ ]*[^0-9]$2 :.* *$3= *\([^,]*\).*/\1/p"
}
