#!/bin/sh
# Logical volumes written by their users: sparse copies, punching, mmap, O_DIRECT; thin and sparse ones.
# limit: 200
mount_options=timeout=150 # a busy machine runs lvm for half a minute
. "${0%/*}/vm.sh"
need_backend logical
need lvm thin_check python3
. "${0%/*}/lvm.sh"

vgcreate -qy vg0 "$(disk 0)" >"$tmp/out"
lvcreate -qqy -n plain -l 4 vg0
lvcreate -qqy --type thin-pool -n tp -L 64M vg0 2>"$tmp/err"
define vg0
pool=$storage/pools/vg0
is running "$pool/state"
[ "$(ls "$pool/volumes")" = plain ] || fail "a thin pool is listed: $(ls "$pool/volumes")"

# planned piece by piece: thin; its room is that of what is written
mkdir "$pool/info/t"
echo 1G >"$pool/info/t/capacity"
touch "$pool/volumes/t"
[ "$(lv t pool_lv)" = tp ] || fail "t is in the pool '$(lv t pool_lv)'"
size 1073741824 "$pool/volumes/t"
[ "$(stat -c %b "$pool/volumes/t")" = 0 ] || fail "an empty thin volume has room"
is 0 "$pool/info/t/allocation"

# what a sparse copy skips on one that had data
head -c 3000000 /dev/urandom >"$tmp/image"
truncate -s 9M "$tmp/image"
head -c 70000 /dev/urandom >>"$tmp/image"
head -c 16M /dev/urandom >"$tmp/old"
for v in plain t; do
	dd if="$tmp/old" of="$pool/volumes/$v" bs=1M conv=fsync status=none
	cmp -n 16777216 "$tmp/old" "/dev/vg0/$v"
	[ "$(stat -c %b "$pool/volumes/$v")" = 32768 ] || fail "du of $v says $(stat -c %b "$pool/volumes/$v")"
	cp --sparse=always "$tmp/image" "$pool/volumes/$v"
	cmp -n "$(stat -c %s "$tmp/image")" "$tmp/image" "$pool/volumes/$v"
	cmp -n "$(stat -c %s "$tmp/image")" "$tmp/image" "/dev/vg0/$v"
	cmp -i 9507184 -n 7000000 "$tmp/old" "/dev/vg0/$v" # beyond: as it was

	fallocate -p -o 1M -l 1M "$pool/volumes/$v"
	cmp -i 1048576:0 -n 1048576 "/dev/vg0/$v" /dev/zero
	cmp -i 2097152 -n 65536 "$tmp/image" "/dev/vg0/$v"
	dd if="$tmp/old" of="$pool/volumes/$v" bs=64k count=4 seek=2 oflag=direct conv=notrunc status=none
	cmp -i 0:131072 -n 262144 "$tmp/old" "/dev/vg0/$v"
	dd if="$pool/volumes/$v" bs=64k count=4 skip=2 iflag=direct status=none | cmp -n 262144 - "$tmp/old"
	python3 - "$pool/volumes/$v" <<-'END'
		import mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR)
		m = mmap.mmap(fd, 8192, offset=4096)
		m[4090:4100] = b"0123456789"
		m.flush()
		m.close()
		os.fsync(fd)
		os.close(fd)
	END
	[ "$(dd if="/dev/vg0/$v" bs=1 skip=8186 count=10 status=none)" = 0123456789 ] ||
		fail "mmap of $v"
done
used=$(lv t data_percent)
fallocate -p -o 0 -l 16M "$pool/volumes/t"
[ "$(lv t data_percent)" = 0.00 ] || fail "punching left $used% of t at $(lv t data_percent)%"
echo 2G >"$pool/info/t/capacity"
size 2147483648 "$pool/volumes/t"
[ "$(lv t lv_size)" = 2147483648 ] || fail "t has $(lv t lv_size) bytes"

# a description: thin where it allocates less
xml()
{
	echo "<volume><name>x</name><capacity unit='M'>$1</capacity><allocation unit='M'>$2</allocation>${3-}</volume>"
}
mkdir "$pool/info/d" "$pool/info/e"
xml 100 100 >"$pool/info/d/xml"
xml 100 0 >"$pool/info/e/xml"
[ "$(lv d segtype)/$(lv e segtype)" = linear/thin ] || fail "d is $(lv d segtype), e is $(lv e segtype)"
refuse EOPNOTSUPP 'thin pool has no room' put "$pool/info/t/ctl" 'wipe zero'
dd if="$tmp/old" of="$pool/volumes/e" bs=1M count=4 conv=fsync status=none
put "$pool/info/e/ctl" 'wipe trim'
[ "$(lv e data_percent)" = 0.00 ] || fail "e has $(lv e data_percent)% after it was trimmed"
rm "$pool/volumes/e" "$pool/volumes/t"

# what was skipped is zeros for good, also where the thin pool does not zero the chunks that it gives
lvchange -qqy -Zn vg0/tp
lvchange -qqy --discards nopassdown vg0/tp
mkdir "$pool/info/z"
echo 64M >"$pool/info/z/capacity"
touch "$pool/volumes/z"
yes | head -c 64M | dd of="$pool/volumes/z" bs=1M iflag=fullblock conv=fsync status=none
cp --sparse=always "$tmp/image" "$pool/volumes/z"
dd if=/dev/zero of="$pool/volumes/z" bs=4k count=1 seek=1500 conv=notrunc,fsync status=none
echo 1 >/proc/sys/vm/drop_caches
cmp -n "$(stat -c %s "$tmp/image")" "$tmp/image" /dev/vg0/z
rm "$pool/volumes/z"

# without a thin pool
lvremove -qqy vg0/tp
mkdir "$pool/info/s" "$pool/info/f"
xml 100 8 >"$pool/info/s/xml"
[ "$(lv s lv_size)/$(lv s origin_size)" = 8388608/104857600 ] || fail "s is $(lv s lv_size) of $(lv s origin_size)"
size 104857600 "$pool/volumes/s"
dd if="$tmp/old" of="$pool/volumes/s" bs=1M count=2 seek=90 conv=notrunc,fsync status=none
cmp -i 0:94371840 -n 2097152 "$tmp/old" /dev/vg0/s
refuse EOPNOTSUPP sparse put "$pool/info/s/ctl" 'wipe zero'
refuse EOPNOTSUPP sparse put "$pool/info/s/capacity" 200M
xml 20 0 >"$pool/info/f/xml"
[ "$(lv f segtype)/$(lv f lv_size)" = linear/20971520 ] || fail "f is $(lv f segtype) of $(lv f lv_size)"
put "$pool/ctl" stop
