#!/bin/sh
# LUNs that change their size while they are open, whether the target says so or not: what is open has
# the new size, without being opened anew.
# limit: 60
. "${0%/*}/../tree/lib.sh"
targets=plain
. "${0%/*}/tgt.sh"

M=1048576
one=$(unit 1)
two=$(unit 2)
start_hostile ''

iscsi_pool plain iscsi-direct plain
cd "$storage/pools/plain"
head -c $((12 * M)) /dev/urandom >"$tmp/data"
head -c $((8 * M)) "$tmp/data" >"volumes/$two"
exec 7<>"volumes/$two"

# another backing file under the same name is what tgtd has for a resize, and it tells nobody
resized() # MIB
{
	tgt adm --mode logicalunit --op update --tid 1 --lun 2 --params online=0
	cp "$tgt/plain.2" "$tgt/resized"
	truncate -s "$1M" "$tgt/resized"
	tgt adm --mode logicalunit --op update --tid 1 --lun 2 --params "path=$tgt/resized"
	put ctl refresh
	eventually 1 size $(($1 * M)) "volumes/$two" # the kernel hears of it a moment later
	is $(($1 * M)) "info/$two/capacity"
	is $((($1 + 16) * M)) capacity
	[ "$(stat -L -c %s /proc/self/fd/7)" = $(($1 * M)) ] || fail "an open LUN has $(stat -L -c %s /proc/self/fd/7)"
}

resized 12
tail -c +$((8 * M + 1)) "$tmp/data" | dd bs=$M seek=8 conv=notrunc,fsync status=none >&7 ||
	fail "what is new of an open LUN is not written"
cmp "$tmp/data" "$tgt/resized" || fail "the target does not have what was written"
cmp "$tmp/data" "volumes/$two" || fail "what was written is not read"
cmp "$tmp/data" - </proc/self/fd/7 || fail "what was written is not read from what was open"
mv "$tgt/resized" "$tgt/plain.2"

resized 4
[ "$(wc -c <"volumes/$two")" = $((4 * M)) ] || fail "a smaller LUN has $(wc -c <"volumes/$two") bytes"
cmp -n $((4 * M)) "$tmp/data" "volumes/$two" || fail "a smaller LUN has other bytes"
expect_errno ENOSPC dd if="$tmp/data" of="volumes/$two" bs=$M seek=3 count=2 conv=notrunc
cmp -n $((8 * M)) "volumes/$one" /dev/zero || fail "a resize hurts another"
exec 7<&-

# a target that says so: nobody has to ask
port=$(sed -n 's/^grows //p' "$tmp/hostile")
iscsi_pool grows iscsi-direct plain
cd "$storage/pools/grows"
exec 7<"volumes/$one"
for mib in 16 4; do
	sync /proc/self/fd/7
	dd of=/dev/null bs=4k count=1 iflag=direct status=none <&7
	eventually 10 size $((mib * M)) "volumes/$one"
	[ "$(stat -L -c %s /proc/self/fd/7)" = $((mib * M)) ] || fail "an open LUN has $(stat -L -c %s /proc/self/fd/7)"
	[ "$(wc -c <"volumes/$one")" = $((mib * M)) ] || fail "it reads $(wc -c <"volumes/$one") bytes"
done
exec 7<&-
