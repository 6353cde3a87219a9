#!/bin/sh
# Tables with bytes turned over, two tables on one disk, and several at work on one table: no crash, no half
# list, and the table is one that sfdisk takes.
# limit: 120
. "${0%/*}/lib.sh"
. "${0%/*}/disks.sh"

new_disk 64M

# -- damaged tables --

cat >damage.py <<'END'
import random, sys
rnd = random.Random(int(sys.argv[2]))
with open(sys.argv[1], "r+b") as f:
    for _ in range(rnd.choice([1, 2, 8, 40])):
        f.seek(rnd.randrange(rnd.choice([512, 1024, 2048, 17408])))
        f.write(bytes([rnd.choice([0, 255, rnd.randrange(256)])]))
END
for format in dos gpt mac sun; do
	define_disk p "$format" "$loop"
	[ "$(cat "$pool/state")" = running ] || put "$pool/ctl" 'build overwrite'
	[ "$(cat "$pool/state")" = running ] || put "$pool/ctl" start
	first=${name}1
	[ "$format" != mac ] || first=${name}2
	touch "$pool/volumes/$first"
	put "$pool/ctl" stop
	dd if="$loop" of=good bs=64k count=1 status=none
	for seed in 1 2 3 4 5 6; do
		dd if=good of="$loop" bs=64k conv=notrunc status=none
		/usr/bin/python3 damage.py "$loop" "$seed"
		put "$pool/ctl" start 2>out || {
			[ -n "$(cat "$pool/error")" ] || fail "no reason is given"
			continue
		}
		ls -l "$pool/volumes" >list
		cat "$pool/xml" >xml
		touch "$pool/volumes/${name}3" 2>out || :
		eventually 5 put "$pool/ctl" stop
	done
	dd if=good of="$loop" bs=64k conv=notrunc status=none
	partx -d "$loop" 2>/dev/null || :
done
rmdir "$pool"

# -- a dos table before the gpt, for other systems: no change takes it away --

new_pool gpt 64M
touch "$pool/volumes/${name}1"
printf '\200\0\0\0\014\0\0\0\0\010\0\0\0\010\0\0' | dd of="$loop" bs=1 seek=462 conv=notrunc,fsync status=none
sfdisk -d "$loop" >good 2>/dev/null
dd if="$loop" of=sector bs=512 count=1 status=none
refuse EOPNOTSUPP hybrid touch "$pool/volumes/${name}2"
refuse EOPNOTSUPP hybrid put "$pool/info/${name}1/capacity" 2M
refuse EOPNOTSUPP hybrid rm "$pool/volumes/${name}1"
size $M "$pool/volumes/${name}1"
cmp -n 512 sector "$loop"
sfdisk -d "$loop" 2>/dev/null | cmp - good
put "$pool/ctl" stop
refuse EBUSY "${name}1" put "$pool/ctl" delete
put "$pool/ctl" 'build overwrite'
cmp -s -n 512 sector "$loop" && fail "build overwrite left the other table"
rmdir "$pool"

# -- several at once --

new_pool gpt 200M
for n in 1 2 3 4; do
	mkdir "$pool/info/$name$n"
	put "$pool/info/$name$n/capacity" 20M
	touch "$pool/volumes/$name$n"
done
head -c $((20 * M)) /dev/urandom >data
jobs=
for n in 1 2 3 4; do
	cp data "$pool/volumes/$name$n" &
	jobs="$jobs $!"
	for try in 5 6 7 8; do
		touch "$pool/volumes/$name$try" 2>/dev/null &
		jobs="$jobs $!"
	done
done
for job in $jobs; do
	wait "$job" || :
done
for n in 1 2 3 4; do
	cmp data "$pool/volumes/$name$n"
done
sfdisk --verify "$loop" >out 2>&1 || fail "$(cat out)"
n=$(sfdisk -d "$loop" 2>/dev/null | grep -c ' : start')
[ "$(ls "$pool/volumes" | wc -l)" = "$n" ] || fail "the table has $n, the list $(ls "$pool/volumes")"
[ "$n" -ge 5 ] || fail "no touch came through"
