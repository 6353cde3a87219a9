#!/bin/sh
# LUNs as files, on both types: names, descriptions and sizes; what is written through us is read by
# others and the other way round; what LUNs cannot do is refused.
# limit: 90
# tsan
. "${0%/*}/../tree/lib.sh"
targets='plain thin'
. "${0%/*}/tgt.sh"

M=1048576
one=$(unit 1)
two=$(unit 2)
head -c $((16 * M)) /dev/urandom >"$tmp/data"

described() # TYPE POOL
{
	cd "$storage/pools/$2"
	is "$1" type
	[ "$(ls volumes)" = "$(printf '%s\n%s' "$one" "$two")" ] || fail "the volumes are $(ls volumes)"
	[ "$(ls info)" = "$(ls volumes)" ] || fail "info/ has $(ls info)"
	size $((16 * M)) volumes/"$one"
	size $((8 * M)) volumes/"$two"
	is $((16 * M)) "info/$one/capacity"
	is $((24 * M)) capacity
	is $((24 * M)) allocation
	is 0 available
	[ "$(stat -f -c %b volumes)" -gt 0 ] || fail "df has no size"
	[ "$(df --output=size,avail -B 1 . | tail -n 1 | tr -s ' ' | sed 's/^ //')" = "$((24 * M)) 0" ] ||
		fail "df says $(df -B 1 .)"
	[ "$(stat -c '%F %b' "volumes/$one")" = "regular file $((16 * M / 512))" ] ||
		fail "stat says $(stat "volumes/$one")"
}

# both as libvirt prints them, but for its capacity, which lacks a block
described_direct()
{
	key=ip-127.0.0.1:$port-iscsi-$iqn:plain-lun-1
	is "$key" "info/$one/key"
	is "$key" "info/$one/path"
	is network "info/$one/type"
	cat >"$tmp/want" <<-END
		<volume type='network'>
		  <name>$one</name>
		  <key>$key</key>
		  <capacity unit='bytes'>$((16 * M))</capacity>
		  <allocation unit='bytes'>$((16 * M))</allocation>
		  <target>
		    <path>$key</path>
	END
	head -n 7 "info/$one/xml" | cmp "$tmp/want" - || fail "the description is $(cat "info/$one/xml")"
}

described_iscsi()
{
	is "/dev/disk/by-path/ip-127.0.0.1:$port-iscsi-$iqn:plain-lun-1" "info/$one/path"
	is block "info/$one/type"
	grep -qx '3[0-9a-f]\{16,32\}' "info/$one/key" || fail "the key is $(cat "info/$one/key")"
	cmp -s "info/$one/key" "info/$two/key" && fail "two LUNs have one key"
	grep -q "<volume type='block'>" "info/$one/xml" || fail "the type is $(cat "info/$one/xml")"
}

valid()
{
	! command -v xmllint >/dev/null ||
		xmllint --nonet --noout --relaxng "$repo/docs/schema/$1.rng" "$2" 2>"$tmp/err" ||
		fail "$2 is not valid: $(cat "$tmp/err")"
}

# written through us, read on the target and by qemu; and the other way round
data()
{
	cp "$tmp/data" "volumes/$one"
	sync "volumes/$one"
	cmp "$tmp/data" "$tgt/plain.1" || fail "the target does not have what was written"
	cmp "$tmp/data" "volumes/$one" || fail "what was written is not read"
	qemu-img compare -q -f raw -F raw "$tmp/data" "$(url plain 1)" || fail "qemu reads another thing"
	qemu-io -f raw -c 'write -q -P 77 1000 5000' "$(url plain 1)" >/dev/null
	dd if="volumes/$one" bs=1000 skip=1 count=5 status=none | cmp - "$tmp/77" ||
		fail "what qemu wrote is not read"
}
pattern 77 5000 >"$tmp/77"

# every way to write: many deep and direct, mapped, at odd places, by fallocate; fsync says all is there
ways()
{
	cp "$tgt/plain.1" "$tmp/same"
	python3 - "volumes/$one" "$tmp/same" <<-'END' || fail "writers differ"
		import mmap, os, random, sys, threading
		rnd = random.Random(11)
		for path in sys.argv[1:]:
		    rnd.seed(11)
		    fd = os.open(path, os.O_RDWR)
		    with mmap.mmap(fd, 1 << 20, offset=4 << 20) as m:
		        m[100:5100] = bytes([9]) * 5000
		        m.flush()
		    work = [(rnd.randrange(8 << 20), bytes([i]) * rnd.choice([1, 511, 513, 70000]))
		            for i in range(60)]
		    for off, data in work:
		        assert os.pwrite(fd, data, off) == len(data)
		    direct = os.open(path, os.O_RDWR | os.O_DIRECT)
		    def run(i):
		        page = mmap.mmap(-1, 65536)
		        page.write(bytes([100 + i]) * 65536)
		        for j in range(4):
		            assert os.pwritev(direct, [page], (8 << 20) + (i * 4 + j) * 65536) == 65536
		    jobs = [threading.Thread(target=run, args=(i,)) for i in range(8)]
		    [j.start() for j in jobs]
		    [j.join() for j in jobs]
		    os.fdatasync(fd)
		    os.fsync(direct)
		    os.close(fd)
		    os.close(direct)
	END
	cmp "$tmp/same" "$tgt/plain.1" || fail "the target does not have what was written"
	cmp "$tmp/same" "volumes/$one" || fail "what was written is not read"
	fallocate -p -o 4096 -l 100000 "$tmp/same"
	fallocate -p -o 4096 -l 100000 "volumes/$one" ||
		fallocate -z -n -o 4096 -l 100000 "volumes/$one" || fail "neither punched nor zeroed"
	sync "volumes/$one"
	cmp "$tmp/same" "$tgt/plain.1" || fail "zeroing did something else"
}

# a device ends where it ends, and is what it is
limits()
{
	expect_errno ENOSPC dd if="$tmp/data" of="volumes/$two" bs=1M conv=notrunc
	cmp -n $((8 * M)) "$tmp/data" "$tgt/plain.2" || fail "dd did not fill the LUN"
	expect_errno ENOSPC dd if="$tmp/data" of="volumes/$two" bs=1M
	[ "$(tail -c +$((8 * M - 99)) "volumes/$two" | wc -c)" = 100 ] || fail "its end is elsewhere"
	expect_errno EOPNOTSUPP touch volumes/new
	expect_errno EOPNOTSUPP touch "volumes/$(unit 3)"
	expect_errno EOPNOTSUPP rm "volumes/$one"
	expect_errno EOPNOTSUPP mv "volumes/$one" volumes/other
	expect_errno EOPNOTSUPP truncate -s 1G "volumes/$one"
	expect_errno EOPNOTSUPP put "info/$one/capacity" 1G
	expect_errno EOPNOTSUPP touch "snapshots/$one/s"
	touch "volumes/$one"
	size $((16 * M)) "volumes/$one"
	for no in volumes/new "volumes/unit:0:0:0" "volumes/unit:0:0:01" "volumes/unit:0:0:" \
		"volumes/unit:0:0:99999999999999999999" "volumes/unit:1:0:1" volumes/unit "volumes/$one "; do
		[ ! -e "$no" ] || fail "there is a $no"
	done
}

# O_TRUNC leaves the size; what such a writer skips reads as zeros, beyond it are the old bytes
sparse()
{
	truncate -s $((3 * M)) "$tmp/sparse"
	pattern 5 70000 | dd of="$tmp/sparse" bs=4k seek=77 conv=notrunc status=none
	pattern 6 100 | dd of="$tmp/sparse" bs=1 seek=$((2 * M + 17)) conv=notrunc status=none
	cp --sparse=always "$tmp/sparse" "volumes/$one"
	sync "volumes/$one"
	size $((16 * M)) "volumes/$one"
	cmp -n $((3 * M)) "$tmp/sparse" "volumes/$one" || fail "a sparse cp over a LUN differs"
	cmp -n $((3 * M)) "$tmp/sparse" "$tgt/plain.1" || fail "the target has not the sparse copy"
	cmp -i $((3 * M)) "$tmp/same" "$tgt/plain.1" || fail "bytes beyond the copy are others"
}

wipe()
{
	grep -q wipe "info/$one/ctl" || fail "ctl says $(cat "info/$one/ctl")"
	put "info/$one/ctl" 'wipe zero'
	cmp -n $((16 * M)) "$tgt/plain.1" /dev/zero || fail "wipe zero left data"
	size $((16 * M)) "volumes/$one"
}

# cp to and from a dir pool; qemu-img through us onto a LUN and back
copies()
{
	cp "$tmp/data" ../files/volumes/d
	cp ../files/volumes/d "volumes/$one"
	cp "volumes/$one" ../files/volumes/back
	cmp "$tmp/data" "$tmp/files/back" || fail "a copy to a LUN and back differs"
	qemu-img create -q -f qcow2 "$tmp/q" 16M
	qemu-io -f qcow2 -c 'write -q -P 3 5M 64k' "$tmp/q"
	qemu-img convert -n -f qcow2 -O raw "$tmp/q" "volumes/$one"
	qemu-img compare -q -f qcow2 -F raw "$tmp/q" "$(url plain 1)" || fail "convert differs"
	qemu-img convert -f raw -O qcow2 "volumes/$one" "$tmp/q2"
	qemu-img compare -q "$tmp/q" "$tmp/q2" || fail "convert back differs"
}

dir_pool files
for type in iscsi-direct iscsi; do
	iscsi_pool "$type" "$type" plain
	described "$type" "$type"
	"described_${type#iscsi-}"
	valid pool xml
	valid volume "info/$one/xml"
	data
	ways
	limits
	sparse
	wipe
	copies
	exec 9<"volumes/$one"
	refuse EBUSY '' put ctl stop
	exec 9<&-
	eventually 5 put ctl stop
	expect_errno EAGAIN ls volumes
	is 0 capacity
	put ctl start
	is running state
	size $((16 * M)) "volumes/$one"
	cp "info/$one/xml" "$tmp/description"
	cp "$tmp/description" "info/$one/xml" || fail "its own description is refused"
	put ctl refresh
	put ctl stop
	cd "$storage"
	rmdir "pools/$type"
done
[ -z "$(tgt ask --mode conn --op show --tid 1)" ] || fail "a session is left"
