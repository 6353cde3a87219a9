#!/bin/sh
# Tables of every format, and partitions for every use, on loop devices: made, found again by the next
# start, and what libblkid and sfdisk say of them.
# limit: 200
. "${0%/*}/lib.sh"
. "${0%/*}/disks.sh"

seq 1 100000 >data

# libblkid finds that table; it does not know a BSD one on a whole disk, nor that of a PC-98
has_table() # NAME
{
	found=$(blkid -p -o value -s PTTYPE "$loop") || :
	[ "$found" = "$1" ] || fail "libblkid finds '$found', not '$1'"
}

# table LABEL LIBBLKID FIRST: the name that libblkid has for it, the first partition's number
table()
{
	echo "-- $1"
	new_disk 64M
	define_disk "$1" "$1" "$loop"
	pool=$storage/pools/$1
	is inactive "$pool/state"
	put "$pool/ctl" build
	refuse EEXIST 'not empty' put "$pool/ctl" build
	has_table "$2"
	put "$pool/ctl" start
	[ -z "$(ls "$pool/volumes")" ] || fail "there are volumes: $(ls "$pool/volumes")"
	first=$name$3
	touch "$pool/volumes/$first"
	[ "$(stat -c %s "$pool/volumes/$first")" -ge $M ] || fail "$first has $(stat -c %s "$pool/volumes/$first")"
	# the table is not in the partition: filling it leaves the table as it is
	dd if=/dev/zero of="$pool/volumes/$first" bs=64k status=none conv=notrunc 2>/dev/null count=16
	cp data "$pool/volumes/$first"
	refuse EINVAL 'next one is' touch "$pool/volumes/${name}15"
	second=$(sed -n "s/.*next one is '\([^']*\)'.*/\1/p" "$storage/error")
	mkdir "$pool/info/$second"
	put "$pool/info/$second/capacity" 10M
	touch "$pool/volumes/$second"
	[ "$(stat -c %s "$pool/volumes/$second")" -ge $((10 * M)) ] || fail "$second is too small"
	dd if=/dev/zero of="$pool/volumes/$second" bs=1M status=none conv=notrunc 2>out || :
	eventually 5 put "$pool/ctl" stop
	has_table "$2"

	# the kernel forgets them, and the next start tells it
	partx -d "$loop"
	put "$pool/ctl" start
	[ "$(ls "$pool/volumes" | tr '\n' ' ')" = "$first $second " ] || fail "the list is: $(ls "$pool/volumes")"
	cmp -n 588895 data "$pool/volumes/$first"
	eventually 5 rm "$pool/volumes/$first"
	[ "$(ls "$pool/volumes")" = "$second" ] || fail "the list is: $(ls "$pool/volumes")"
	eventually 5 rm "$pool/volumes/$second"
	eventually 5 put "$pool/ctl" stop

	# another format than the definition's
	other=gpt
	[ "$1" != gpt ] || other=dos
	define_disk "$1" "$other" "$loop"
	is inactive "$pool/state"
	refuse EINVAL "it has '$1'" put "$pool/ctl" start
	define_disk "$1" unknown "$loop"
	put "$pool/ctl" start
	eventually 5 put "$pool/ctl" stop
	put "$pool/ctl" delete
	refuse ENODEV 'not built yet' put "$pool/ctl" start
	[ -z "$(blkid -p "$loop")" ] || fail "delete left $(blkid -p "$loop")"
	rmdir "$pool"
}
[ "$(stat -c %s data)" = 588895 ] || fail "data has another size"
table dos dos 1
table gpt gpt 1
table mac mac 2
table bsd '' 1
table sun sun 1
table dvh sgi 1
table pc98 dos 1

# what partitions are for
uses() # LABEL TYPES: as sfdisk shows those of linux, fat16, fat32, linux-swap, linux-lvm, linux-raid
{
	echo "-- uses $1"
	new_disk 64M
	define_disk u "$1" "$loop"
	pool=$storage/pools/u
	put "$pool/ctl" build
	put "$pool/ctl" start
	number=1
	shift
	for format in none linux fat16 fat32 linux-swap linux-lvm linux-raid; do
		if [ "$number" = 4 ] && [ -n "$extended" ]; then
			mkdir "$pool/info/${name}4"
			put "$pool/info/${name}4/capacity" 30M
			put "$pool/info/${name}4/format" extended
			touch "$pool/volumes/${name}4"
			is extended "$pool/info/${name}4/format"
			number=5
		fi
		mkdir "$pool/info/$name$number"
		put "$pool/info/$name$number/format" "$format"
		put "$pool/info/$name$number/capacity" 2M
		touch "$pool/volumes/$name$number"
		size $((2 * M)) "$pool/volumes/$name$number"
		type=$(sfdisk_field "$loop" "$number" type)
		[ "$type" = "$1" ] || fail "$format is of type '$type', not $1"
		case $format,$type in
		none,* | fat*,E*) ;;
		*) is "$format" "$pool/info/$name$number/format" ;;
		esac
		# what it is shown as, it can be written as; and none says nothing
		cat "$pool/info/$name$number/xml" >"$tmp/same.xml"
		cp "$tmp/same.xml" "$pool/info/$name$number/xml"
		sed "s/<format type='[^']*'/<format type='none'/" "$tmp/same.xml" >"$tmp/none.xml"
		cp "$tmp/none.xml" "$pool/info/$name$number/xml"
		number=$((number + 1))
		shift
	done
	eventually 5 put "$pool/ctl" stop
	rmdir "$pool"
}
extended=yes
uses dos 83 83 6 b 82 8e fd
extended=
linux=0FC63DAF-8483-4772-8E79-3D69D8477DE4
windows=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7
uses gpt $linux $linux $windows $windows 0657FD6D-A4AB-43C4-84E5-0933C84B4F4F \
	E6D6D379-F507-44C2-A23C-238F2A3DF928 A19D880F-05FC-4D3B-A006-743F0F84911E
expect_errno EINVAL sh -c "mkdir '$storage/pools/p'; env printf '%s\n' \"<pool type='disk'>
<source><device path='/dev/loop0'/><format type='amiga'/></source><target><path>/dev</path></target></pool>\" >'$storage/pools/p/xml'"
