# logical pools' definitions, and lvm's own word of them: sourced after vm.sh.
# shellcheck shell=sh disable=SC2154

mnt=$tmp/mnt
mkdir "$mnt"

# define NAME [SOURCE-ELEMENTS]: a pool of the volume group NAME; it may well not start
define()
{
	mkdir -p "$storage/pools/$1"
	echo "<pool type='logical'><source>${2-}<name>$1</name></source></pool>" >"$tmp/$1.xml"
	cp "$tmp/$1.xml" "$storage/pools/$1/xml"
}

# vg FIELD, lv NAME FIELD: of the volume group vg0; bytes
vg()
{
	vgs --noheadings --nosuffix --units b -o "$1" vg0 2>/dev/null | tr -d ' '
}

lv()
{
	lvs --noheadings --nosuffix --units b -o "$2" "vg0/$1" 2>/dev/null | tr -d ' '
}

# same FILE SNAPSHOT: they begin with the same 9000000 bytes. The kernel keeps nothing of a snapshot, and
# cmp reads pieces of 4 KiB: in emulation that takes a minute.
same()
{
	dd if="$2" bs=1M status=none 2>>"$log" | cmp -n 9000000 "$1" -
}
