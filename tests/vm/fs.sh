# Filesystems and the pools on them: sourced after vm.sh.
# shellcheck shell=sh disable=SC2154,SC2034

. "$repo/tests/tree/loops.sh"

at=$tmp/at
pools=$storage/pools
mkdir "$at"
seq 1 20000 >"$tmp/data"

# says TYPE: libblkid finds it on $disk
says()
{
	found_=$(blkid -p -o value -s TYPE "$disk") || :
	[ "$found_" = "$1" ] || fail "there is '$found_' on the disk, not $1"
}

# shows TYPE: that is what the kernel has mounted at $at
shows()
{
	[ "$(findmnt -no FSTYPE "$at")" = "$1" ] || fail "mounted as $(findmnt -no FSTYPE "$at")"
}

stop()
{
	put "$pool/ctl" stop
	is inactive "$pool/state"
	[ "$(mounts_at "$at")" = 0 ] || fail "stop left it mounted"
}

# again TYPE: the stopped pool, started as auto
again()
{
	fs_xml auto "$disk" "$at" >"$tmp/auto.xml"
	cp "$tmp/auto.xml" "$pool/xml"
	put "$pool/ctl" start
	is running "$pool/state"
	shows "$1"
}
