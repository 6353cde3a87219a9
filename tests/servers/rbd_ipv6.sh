#!/bin/sh
# A cluster that is there by IPv6 alone: by each way to write its address, by either protocol of the
# monitor, discovered, and gone and back.
# limit: 120
mount_options=timeout=4
[ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6 2>/dev/null)" = 0 ] || {
	echo "no IPv6 here"
	exit 77
}
cluster_options=HOST=::1
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

M=1048576
pools=$storage/pools
head -c $((5 * M)) /dev/urandom >"$tmp/data"
set_key

# xml HOST PORT
xml()
{
	rbd_xml | sed "s/<host name='127.0.0.1' port='$mon'/<host name='$1' port='$2'/"
}

# The monitor's map has both of its ports: librados goes on by the newer protocol.
by_ipv6()
{
	ss -Htnp state established dst '[::1]' dport ">= :$((mon - 1))" dport "<= :$mon" |
		grep -q "pid=$daemon," || fail "$host, $port: not by IPv6"
}

for port in $((mon - 1)) "$mon"; do
	for host in ::1 '[::1]' 0:0::1 ip6-localhost; do
		case $host in
		ip6*) getent ahostsv6 "$host" >/dev/null 2>&1 || continue ;;
		esac
		mkdir "$pools/p"
		xml "$host" "$port" >"$pools/p/xml" || fail "$host, $port: $(cat "$pools/p/error")"
		is running "$pools/p/state"
		by_ipv6
		grep -qF "<host name='$host' port='$port'/>" "$pools/p/xml" || fail "$(cat "$pools/p/xml")"
		cp "$tmp/data" "$pools/p/volumes/v" || fail "$host: $(cat "$pools/p/error")"
		sync "$pools/p/volumes/v"
		same "$pools/p/volumes/v" "$tmp/data"
		same_as_ceph v "$tmp/data"
		rm "$pools/p/volumes/v"
		put "$pools/p/ctl" stop
		rmdir "$pools/p"
	done
done

# discovered there
at="$storage/sources/rbd/[::1]:$mon"
put "$at" "<source><auth type='ceph' username='stor'><secret usage='$usage'/></auth></source>"
cat "$at" >"$tmp/sources" || fail "$(cat "$storage/error")"
grep -q '<name>images</name>' "$tmp/sources" || fail "no pool is found: $(cat "$tmp/sources")"
grep -q "<host name='\(::1\|\[::1\]\)' port='$mon'/>" "$tmp/sources" || fail "$(cat "$tmp/sources")"

# a wrong key is refused at once, not by a timeout
put "$storage/secrets/$usage" 'AQBxxxxxxxxxxxAAxxxxxxxxxxxxxxxxxxxxxw=='
mkdir "$pools/wrong"
xml ::1 "$mon" >"$pools/wrong/xml" 2>/dev/null || :
expect_errno EACCES put "$pools/wrong/ctl" start
