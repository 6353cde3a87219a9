#!/bin/sh
# Portals: by IPv6, in all the ways that an address is written; and those that send who logs in to
# another one.
# limit: 60
. "${0%/*}/../tree/lib.sh"
targets=plain
. "${0%/*}/tgt.sh"

M=1048576
one=$(unit 1)
good=$port
tgt adm --mode portal --op new --param "portal=[::1]:$port" || skip "tgtd has no IPv6"
start_hostile "$good"
head -c $((16 * M)) /dev/urandom >"$tmp/data"

# usable POOL: written and read, and seen by others
usable()
{
	cp "$tmp/data" "$storage/pools/$1/volumes/$one" || fail "$(cat "$storage/pools/$1/error")"
	sync "$storage/pools/$1/volumes/$one"
	cmp "$tmp/data" "$tgt/plain.1" || fail "$1: the target does not have what was written"
	cmp "$tmp/data" "$storage/pools/$1/volumes/$one" || fail "$1: what was written is not read"
	pattern 1 1000 | dd of="$tgt/plain.1" conv=notrunc status=none
}

for host in ::1 '[::1]' 0:0::1 ip6-localhost; do
	case $host in
	ip6*) getent ahostsv6 "$host" >/dev/null 2>&1 || continue ;;
	esac
	name=v6-$(echo "$host" | tr -dc '[:alnum:]')${#host}
	iscsi_pool "$name" iscsi-direct plain
	usable "$name"
	ss -Htn state established dst '[::1]' dport "= :$good" | grep -q . || fail "$host: not by IPv6"
	put "$storage/pools/$name/ctl" stop
done
host='::1'
iscsi_pool six iscsi plain
is "/dev/disk/by-path/ip-[::1]:$good-iscsi-$iqn:plain-lun-1" "$storage/pools/six/info/$one/path"
grep -q "<host name='::1' port='$good'/>" "$storage/pools/six/xml" || fail "$(cat "$storage/pools/six/xml")"
grep -q "$iqn:plain" "$storage/sources/iscsi/[::1]:$good" || fail "nothing is discovered by IPv6"

# of an IPv6 target that goes and comes
tgt stop
tgt again
eventually 20 sh -c "cat '$storage/pools/six/volumes/$one' >/dev/null 2>&1"
usable six
put "$storage/pools/six/ctl" stop

# sent elsewhere: followed to where it is, also anew when that connection ends
host=127.0.0.1
for way in 4 6; do
	port=$(sed -n "s/^moves-$way //p" "$tmp/hostile")
	iscsi_pool "moved-$way" iscsi-direct plain
	usable "moved-$way"
	is "ip-127.0.0.1:$port-iscsi-$iqn:plain-lun-1" "$storage/pools/moved-$way/info/$one/key"
done
tgt stop
tgt again
for way in 4 6; do
	eventually 20 sh -c "cat '$storage/pools/moved-$way/volumes/$one' >/dev/null 2>&1"
	usable "moved-$way"
done

# sent round in a circle, or to a name that would have to be resolved: refused, and told why
for way in round name; do
	port=$(sed -n "s/^moves-$way //p" "$tmp/hostile")
	refused_pool EIO 'has moved' "moved-$way" iscsi-direct plain
done
