#!/bin/sh
# Images that others made in every way there is: each listed with its size and what it uses, read
# and written. One that is broken says so and hurts no other.
# limit: 300
cluster_options=POOLS=data
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"
need python3

M=1048576
rbd_pool p
cd "$storage/pools/p"
head -c $((6 * M)) /dev/urandom >"$tmp/data"

make() # NAME OPTION…
{
	name=$1
	shift
	rbd create --size 12M "$@" "$name" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
	names="$names $name"
}

names=
make plain
RBD_FORCE_ALLOW_V1=1
export RBD_FORCE_ALLOW_V1 # what Ceph makes no more, but reads
make old --image-format 1
make no-map --image-feature layering
make locked --image-feature layering,exclusive-lock
make mapped --image-feature layering,exclusive-lock,object-map
make small --object-size 64K
make large --object-size 32M
make striped --object-size 1M --stripe-unit 64K --stripe-count 4
make journal --image-feature layering,exclusive-lock,journaling
make elsewhere --data-pool data
make invalid
make resized
rbd resize --no-progress --size 20M resized
rbd resize --no-progress --allow-shrink --size 12M resized

# written by others: what we list is what they say
head -c $((4 * M)) "$tmp/data" >"$tmp/piece"
ask_ceph images <<END
for name in '$names'.split():
    with rbd.Image(pool, name) as image:
        image.write(open('$tmp/piece', 'rb').read(), 3 << 20)
with rbd.Image(pool, 'invalid') as image:
    ident = image.id()
pool.remove_object('rbd_object_map.' + ident)
END
rbd info invalid >/dev/null # whoever opens it next finds that out
[ "$(ls volumes | sort)" = "$(rbd ls | sort)" ] || fail "the list is $(ls volumes), not $(rbd ls)"
for name in $names; do
	size $((12 * M)) "volumes/$name"
	used=$(image_used "$name")
	[ "$(du -B 1 "volumes/$name" | cut -f 1)" = "$used" ] ||
		fail "du of $name: $(du -B 1 "volumes/$name"), not $used"
	dd if="volumes/$name" bs=1M skip=3 count=4 status=none | cmp - "$tmp/piece" ||
		fail "$name reads other bytes"
	exec 9<"volumes/$name"
	dd if="$tmp/data" of="volumes/$name" bs=1M seek=1 conv=notrunc,fsync status=none
	for _ in 1 2 3 4 5 6 7 8; do # its writer leaves after close has returned
		dd bs=1M count=1 of="$tmp/head" status=none <&9 || fail "$name has lost its reader"
	done
	exec 9<&-
	dd if="volumes/$name" bs=1M skip=1 count=6 status=none | cmp - "$tmp/data" ||
		fail "$name does not keep what is written"
	same_as_ceph "$name" "volumes/$name"
	truncate -s 14M "volumes/$name"
	image_size $((14 * M)) "$name"
	cp --sparse=auto "volumes/$name" "$tmp/out"
	same "volumes/$name" "$tmp/out" || fail "a sparse cp of $name takes bytes for holes"
done

# very large: the size is right and nothing walks through it
rbd create --size 1T huge
size 1099511627776 volumes/huge
timeout 60 du volumes/huge >"$tmp/out" || fail "du of a large image takes for ever"
echo end | timeout 60 dd of=volumes/huge bs=1M seek=1048575 conv=notrunc status=none
[ "$(tail -c $M volumes/huge | head -c 3)" = end ] || fail "the end of a large image"
timeout 60 python3 - volumes/huge <<'END' || fail "SEEK_DATA in a large image"
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
at = os.lseek(fd, 0, os.SEEK_DATA)
sys.exit(not (1048575 << 20) - (4 << 20) <= at <= 1048575 << 20)
END

# more objects than can be asked for in a call: where one ends it says so, and no data is missed
rbd create --size 64T vast
rbd create --size 64T --image-feature layering vast-without-map
for name in vast vast-without-map; do
	echo middle | dd of="volumes/$name" bs=1M seek=1000 conv=notrunc status=none
done
echo end | dd of=volumes/vast bs=1M seek=$((64 * M - 1)) conv=notrunc status=none
timeout 60 python3 - volumes/vast <<'END' || fail "data of a vast image"
import os, sys
M = 1 << 20
fd = os.open(sys.argv[1], os.O_RDONLY)
data, at = [], 0
while at < 64 * M * M:
    begin = os.lseek(fd, at, os.SEEK_DATA)
    at = os.lseek(fd, begin, os.SEEK_HOLE)
    data.append((begin // M, at // M))
sys.exit(data != [(1000, 1004), (64 * M - 4, 64 * M)])
END
timeout 60 python3 - volumes/vast-without-map <<'END' || fail "data of a vast image without a map"
import os, sys
M = 1 << 20
fd = os.open(sys.argv[1], os.O_RDONLY)
if os.lseek(fd, 0, os.SEEK_DATA) != 1000 * M or os.lseek(fd, 1000 * M, os.SEEK_HOLE) != 1004 * M:
    sys.exit("the data that there is")
at = os.lseek(fd, 1004 * M, os.SEEK_DATA)
hole = os.lseek(fd, at, os.SEEK_HOLE)
sys.exit(not 1004 * M < at < hole < 64 * M * M or hole != os.lseek(fd, hole, os.SEEK_HOLE))
END

# what is not in the pool's own list: trash, another namespace
rbd create --size 1M thrown
rbd trash mv thrown
rbd namespace create images/space
rbd create --size 1M images/space/inside
ls volumes >"$tmp/out"
! grep -qx -e thrown -e inside "$tmp/out" || fail "the list has $(cat "$tmp/out")"

# names that no file can have are left out; the rest is whole
ask_ceph images <<'END'
for name in ('with/slash', '.', '..'):
    try:
        rbd.RBD().create(pool, name, 1 << 20)
    except Exception as e:
        print(e, file=sys.stderr)
END
ls volumes >"$tmp/out" || fail "a name with a slash fails the list"
for name in $names huge; do
	grep -qx "$name" "$tmp/out" || fail "$name is missing beside odd names"
done
ls -l volumes >"$tmp/out" || fail "$(cat "$tmp/out")"

# a header that is gone, one that is rubbish, a directory entry without an image
rbd create --size 1M headless
rbd create --size 1M rubbish
ask_ceph images <<'END'
def ident(name):
    with rbd.Image(pool, name) as image:
        return image.id()
pool.remove_object('rbd_header.' + ident('headless'))
header = 'rbd_header.' + ident('rubbish')
for key in ('size', 'order', 'object_prefix'):
    with rados.WriteOpCtx() as op:
        pool.set_omap(op, (key,), (b'\xff' * 3,))
        pool.operate_write_op(op, header)
END
ls volumes >"$tmp/out" || fail "a broken image fails the list"
for name in $names headless rubbish; do
	grep -qx "$name" "$tmp/out" || fail "$name is missing beside broken ones"
done
for name in headless rubbish; do
	if cat "volumes/$name" >/dev/null 2>"$tmp/err"; then fail "$name can be read"; fi
	grep -q "$name" "$storage/error" || fail "the error does not name it: $(cat "$storage/error")"
done
size $((14 * M)) volumes/plain
cmp -n 100 volumes/plain volumes/no-map
is running state
