#!/bin/sh
# Snapshots of logical volumes, thick and thin: taken, read, reverted to more than once, removed.
# limit: 200
mount_options=timeout=150 # a busy machine runs lvm for half a minute
. "${0%/*}/vm.sh"
need_backend logical
need lvm thin_check
. "${0%/*}/lvm.sh"

vgcreate -qy vg0 "$(disk 0)" >"$tmp/out"
lvcreate -qqy --type thin-pool -n tp -L 64M vg0 2>"$tmp/err"
lvcreate -qqy -n t -V 12M --thinpool vg0/tp
define vg0
pool=$storage/pools/vg0
cd "$pool"

head -c 9000000 /dev/urandom >"$tmp/first"
head -c 9000000 /dev/urandom >"$tmp/second"
touch volumes/v
truncate -s 12M volumes/v
for v in v t; do
	dd if="$tmp/first" of="volumes/$v" bs=1M conv=notrunc status=none
	touch "snapshots/$v/one"
	[ "$(lv "$v.one" origin)" = "$v" ] || fail "the snapshot's origin is $(lv "$v.one" origin)"
	[ "$(ls "snapshots/$v")" = one ] || fail "the list is $(ls "snapshots/$v")"
	[ ! -e "volumes/$v.one" ] || fail "a snapshot is a volume"
	expect_errno EEXIST sh -c "set -C; : >snapshots/$v/one"
	refuse EINVAL 'consists of' touch "snapshots/$v/a b"
	dd if="$tmp/second" of="volumes/$v" bs=1M conv=notrunc status=none
	same "$tmp/first" "snapshots/$v/one"
	size 12582912 "snapshots/$v/one"
	touch "snapshots/$v/two"
	refuse EBUSY "snapshot 'one'" rm "volumes/$v"
	refuse EBUSY 'snapshot' put "info/$v/capacity" 20M
	sleep 600 3<"/dev/vg0/$v" &
	user=$!
	refuse EBUSY '(sleep)' put "info/$v/ctl" 'revert one'
	kill "$user"
	wait "$user" || :
	put "info/$v/ctl" 'revert one'
	cmp -n 9000000 "$tmp/first" "/dev/vg0/$v"
	cmp -n 9000000 "$tmp/first" "volumes/$v"
	[ "$(ls "snapshots/$v")" = "$(printf 'one\ntwo')" ] || fail "revert left $(ls "snapshots/$v")"
	put "info/$v/ctl" 'revert two'
	cmp -n 9000000 "$tmp/second" "volumes/$v"
	same "$tmp/first" "snapshots/$v/one"
	mv "volumes/$v" "volumes/${v}2"
	[ "$(ls "snapshots/${v}2")" = "$(printf 'one\ntwo')" ] || fail "mv left $(ls "snapshots/${v}2")"
	rm "snapshots/${v}2/one" "snapshots/${v}2/two"
	[ -z "$(ls "snapshots/${v}2")" ] || fail "rm left $(ls "snapshots/${v}2")"
done

# those of others are volumes, with a backing store
lvcreate -qqy -s -kn -n clone vg0/t2
[ "$(ls volumes)" = "$(printf 'clone\nt2\nv2')" ] || fail "the list is $(ls volumes)"
is /dev/vg0/t2 info/clone/backing
rm volumes/t2
cmp -n 9000000 "$tmp/second" volumes/clone
mkdir info/w
echo "<volume><name>w</name><backingStore><path>/dev/vg0/v2</path></backingStore></volume>" >info/w/xml
cmp -n 9000000 "$tmp/second" volumes/w
refuse EBUSY "volume 'w' stands on it" rm volumes/v2
rm volumes/w

# one that could be lost is not taken
put info/v2/capacity 700M
refuse ENOSPC 'room for all' touch snapshots/v2/big
rm volumes/v2 volumes/clone
cd /
put "$pool/ctl" stop
