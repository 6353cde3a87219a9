#!/bin/sh
# VDIs through ordinary tools, and what another client of the cluster sees of it: names, sizes,
# uploads, holes, space; the other way round as well.
# limit: 120
sheep_options='--nodes 3 --copies 2 --room 12884901888'
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"

sheepdog_pool p
cd "$storage/pools/p"

# holds AT-LEAST FILE: its size is that, but for rounding up to a unit of 64 KiB at most
holds()
{
	got_=$(stat -c %s "$2")
	if [ "$got_" -lt "$1" ] || [ "$got_" -ge $(($1 + 65536)) ]; then
		fail "the size of $2 is $got_, not $1"
	fi
}

# -- names --

newline='
'
for name in plain 'with blanks in' ' first' 'grün é 名' "two${newline}lines" 'back\slash' \
	x.xml; do
	touch "volumes/$name"
	size 0 "volumes/$name"
	[ -n "$real" ] || sheep_names | grep -qxF "$(quoted "$name")" ||
		fail "no VDI '$name': $(sheep_names)"
	expect_errno EEXIST sh -c 'set -C; : >"$1"' sh "volumes/$name"
done
long=$(printf '%0255d' 7)
touch "volumes/$long"
[ "$(ls volumes | wc -l)" = 9 ] || fail "the list is $(ls volumes)" # one has a newline
sheep_create 'from the other' $((10 * M))
put ctl refresh
size $((10 * M)) 'volumes/from the other'
expect_errno ENOENT stat volumes/missing
is network info/plain/type
for name in plain 'with blanks in' ' first' 'grün é 名' "two${newline}lines" 'back\slash' x.xml \
	"$long" 'from the other'; do
	rm "volumes/$name"
done
[ -z "$(ls -A volumes)" ] || fail "rm left $(ls volumes)"
[ -z "$(sheep_names)" ] || fail "another client still sees $(sheep_names)"

# -- uploads: an upload in one step, read by the other client, and the other way round --

head -c $((30 * M + 12345)) /dev/urandom >"$tmp/data"
cp "$tmp/data" volumes/up
eventually 2 holds $((30 * M + 12345)) volumes/up
cmp -n $((30 * M + 12345)) "$tmp/data" volumes/up || fail "the upload differs"
sheep_same up "$tmp/data"
is "$(stat -c %s volumes/up)" info/up/capacity
sheep_create other $((32 * M))
sheep_write other 4096 "$tmp/data"
put ctl refresh
tail -c +4097 volumes/other | cmp -n $((30 * M + 12345)) - "$tmp/data" ||
	fail "what another client wrote reads differently"
cat "$tmp/data" >volumes/cat
sheep_same cat "$tmp/data"
rm volumes/cat volumes/other

# from then on it is full where it ends: dd fills it, not the pool
expect_errno ENOSPC dd if=/dev/zero of=volumes/up bs=1M
holds $((30 * M + 12345)) volumes/up
[ "$(tr -d '\0' <volumes/up | wc -c)" = 0 ] || fail "dd did not fill the volume"

# -- sizes --

truncate -s $((20 * M)) volumes/v
size $((20 * M)) volumes/v
[ "$(stat -c %b volumes/v)" = 0 ] || fail "an empty volume has blocks"
printf tail | dd of=volumes/v bs=1 seek=$((20 * M - 4)) conv=notrunc status=none
expect_errno ENOSPC sh -c 'printf x | dd of=volumes/v bs=1 seek=20971520 conv=notrunc'
truncate -s $((40 * M)) volumes/v
size $((40 * M)) volumes/v
[ "$(tail -c $((20 * M)) volumes/v | tr -d '\0' | wc -c)" = 0 ] || fail "growth is not zeros"
put info/v/capacity 50M
size $((50 * M)) volumes/v
refuse EPERM 'shrink' truncate -s $((8 * M)) volumes/v
refuse EINVAL 'shrink 4M' put info/v/capacity 4M
put info/v/capacity 'shrink 18M'
size $((18 * M)) volumes/v
put info/v/capacity 24M
[ "$(tr -d '\0' <volumes/v | wc -c)" = 0 ] || fail "what was cut off is back"
refuse EFBIG 4398046511104 put info/v/capacity 5TiB # 2^20 objects of 4 MiB at most
truncate -s 4T volumes/most
size $((4 << 40)) volumes/most
printf end | dd of=volumes/most bs=1 seek=$(((4 << 40) - 3)) conv=notrunc status=none
[ "$(tail -c 3 volumes/most)" = end ] || fail "the end of 4 TiB"
rm volumes/most

# -- sparse copies over old bytes; what is beyond stays --

truncate -s $((10 * M)) "$tmp/sparse"
head -c 5000 /dev/urandom | dd of="$tmp/sparse" bs=1 seek=$((3 * M + 17)) conv=notrunc status=none
head -c 70000 /dev/urandom | dd of="$tmp/sparse" bs=64k seek=100 conv=notrunc status=none
truncate -s $((16 * M)) volumes/old
tr '\0' o </dev/zero | dd of=volumes/old bs=1M count=16 iflag=fullblock conv=notrunc status=none
cp --sparse=always "$tmp/sparse" volumes/old
size $((16 * M)) volumes/old
cmp -n $((10 * M)) "$tmp/sparse" volumes/old || fail "a sparse cp over a volume differs"
[ "$(tail -c $((6 * M)) volumes/old | tr -d o | wc -c)" = 0 ] ||
	fail "beyond the copy: not the old bytes"
cp --sparse=always "$tmp/sparse" volumes/new
sheep_same new "$tmp/sparse"
dd if="$tmp/sparse" of=volumes/dd bs=4k conv=sparse status=none
cmp -n $((10 * M)) "$tmp/sparse" volumes/dd || fail "dd conv=sparse differs"

# -- holes: allocation, SEEK_DATA and SEEK_HOLE, punching whole and part objects --

truncate -s $((40 * M)) volumes/holes
for at in 4 20 24; do
	dd if="$tmp/data" of=volumes/holes bs=1M count=2 seek="$at" conv=notrunc status=none
done
[ "$(stat -c %b volumes/holes)" = $((12 * M / 512)) ] || fail "blocks: $(stat -c %b volumes/holes)"
is $((12 * M)) info/holes/allocation
extents()
{
	python3 - "$1" <<-'END'
		import os, sys
		fd, at, out = os.open(sys.argv[1], os.O_RDONLY), 0, []
		try:
		    while True:
		        data = os.lseek(fd, at, os.SEEK_DATA)
		        at = os.lseek(fd, data, os.SEEK_HOLE)
		        out.append("%d-%d" % (data >> 20, at >> 20))
		except OSError:
		    print(*out)
	END
}
[ "$(extents volumes/holes)" = '4-8 20-28' ] || fail "extents are $(extents volumes/holes)"
cp --sparse=auto volumes/holes "$tmp/copy"
cmp volumes/holes "$tmp/copy" || fail "a sparse copy out differs"
fallocate -p -o $((20 * M)) -l $((4 * M)) volumes/holes
[ "$(extents volumes/holes)" = '4-8 24-28' ] || fail "extents are $(extents volumes/holes)"
fallocate -p -o $((4 * M + 1000)) -l 5000 volumes/holes
cmp -i $((4 * M + 1000)):0 -n 5000 volumes/holes /dev/zero ||
	fail "a part of an object was not punched"
cmp -i $((4 * M)):0 -n 1000 volumes/holes "$tmp/data" || fail "punching took too much before"
cmp -i $((4 * M + 6000)):6000 -n 8000 volumes/holes "$tmp/data" ||
	fail "punching took too much behind"

# what is written where it was just punched stays, though objects are removed late
fallocate -p -o 0 -l $((40 * M)) volumes/holes
dd if="$tmp/data" of=volumes/holes bs=1M count=30 conv=notrunc,fsync status=none
no_leftovers
sleep 1 # the removal is late: nothing tells when
cmp -n $((30 * M)) volumes/holes "$tmp/data" || fail "written after punching, and lost"
sheep_read holes "$tmp/read"
cmp -n $((30 * M)) "$tmp/read" "$tmp/data" || fail "written after punching, and lost to others"

# -- descriptions --

mkdir info/plan
put info/plan/capacity 6M
touch volumes/plan
size $((6 * M)) volumes/plan
grep -q "<capacity unit='bytes'>6291456</capacity>" info/plan/xml || fail "$(cat info/plan/xml)"
grep -q "<volume type='network'>" info/plan/xml || fail "$(cat info/plan/xml)"
grep -q "<key>$flock/plan</key>" info/plan/xml || fail "$(cat info/plan/xml)"

# -- space: what the cluster has, of which each object takes as many copies as it is stored in --

if [ -z "$real" ]; then
	is $((12 << 30)) capacity
	blocks=$(($(stat -f -c '%b * %S' .)))
	[ "$blocks" = $((12 << 30)) ] || fail "df says $blocks"
	put ctl refresh
	used=$(($(cat allocation) / 1024))
	want=$(($(tell objects) * 4096))
	case $used in
	"$want" | $((want - 1))) ;;
	*) fail "allocation is $used, not $want KiB" ;;
	esac
fi

# -- rename: Sheepdog cannot, or does it right --

if mv volumes/new volumes/renamed 2>"$tmp/err"; then
	cmp -n $((10 * M)) "$tmp/sparse" volumes/renamed || fail "mv changed the bytes"
	[ ! -e volumes/new ] || fail "mv left the old name"
	sheep_same renamed "$tmp/sparse"
else
	grep -qF "$(errno_text EOPNOTSUPP)" "$tmp/err" || fail "mv said $(cat "$tmp/err")"
	cmp -n $((10 * M)) "$tmp/sparse" volumes/new || fail "a refused mv changed the bytes"
fi

# -- what goes leaves nothing behind; what is open or protected does not go --

exec 9<volumes/up
expect_errno EBUSY rm volumes/up
expect_errno EBUSY put ctl stop
exec 9<&-
put protected 1
expect_errno EPERM rm volumes/up
expect_errno EPERM fallocate -p -o 0 -l $((4 * M)) volumes/holes
put protected 0
eventually 2 rm volumes/up
rm volumes/*
no_leftovers
[ -n "$real" ] || [ "$(tell objects)" = 0 ] || fail "$(tell objects) objects are left"
put ctl stop
is inactive state
put ctl start
[ -z "$(ls -A volumes)" ] || fail "deleted volumes are back: $(ls volumes)"
