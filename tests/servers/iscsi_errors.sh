#!/bin/sh
# What cannot be reached is refused within the timeout, in a sentence that says why: unknown targets and
# hosts, closed and silent ports, servers that are none. Nothing else waits for it.
# limit: 90
# shellcheck disable=SC2030,SC2031  # each of the servers is met in a directory of its own

mount_options=timeout=3
. "${0%/*}/../tree/lib.sh"
targets=plain
. "${0%/*}/tgt.sh"

iscsi_pool good iscsi-direct plain
free=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
start_hostile ''

good=$port
for type in iscsi-direct iscsi; do
	refused_pool ENODEV "$iqn:nosuch" "unknown-$type" "$type" nosuch
	rmdir "$storage/pools/unknown-$type"
	host=no-such-host.invalid
	refused_pool ENODEV 'no-such-host.invalid' "unresolvable-$type" "$type" plain
	rmdir "$storage/pools/unresolvable-$type"
	host=127.0.0.1
	port=$free
	refused_pool EIO "127.0.0.1:$free" "closed-$type" "$type" plain
	grep -q -i 'refused' "$storage/pools/closed-$type/error" ||
		fail "the error does not say why: $(cat "$storage/pools/closed-$type/error")"
	rmdir "$storage/pools/closed-$type"
	port=$good
done

# All that a server can do wrong, each on a port of its own: the start ends in time and says where; a
# server that lies may have a pool, and whatever that shows.
meet() # WHAT PORT
{
	pool=$storage/pools/$1
	port=$2
	mkdir "$pool"
	within 12 sh -c 'printf %s "$1" >"$2"' sh "$(iscsi_xml iscsi-direct plain)" "$pool/xml" || :
	case $1:$(cat "$pool/state") in
	liar*:running | grows:running | flushes-shortly:running)
		within 12 ls -l "$pool/volumes" || :
		within 12 sh -c 'cat "$1"/info/*/*' sh "$pool" || :
		within 12 sh -c 'head -qc 9999 "$1"/volumes/* | wc -c' sh "$pool" || :
		within 12 sh -c 'echo stop >"$1"' sh "$pool/ctl" || fail "$1: no stop: $(cat "$pool/error")" ;;
	*:inactive)
		grep -q "127.0.0.1:$port" "$pool/error" || fail "$1: its error is '$(cat "$pool/error")'" ;;
	*)
		fail "$1: its pool is $(cat "$pool/state")" ;;
	esac
	case $1 in
	silent | login-then-silent)
		grep -q -i 'within\|answer' "$pool/error" || fail "$1: its error is '$(cat "$pool/error")'" ;;
	esac
	found=0
	within 12 cat "$storage/sources/iscsi/127.0.0.1:$port" && found=1
	case $1:$found in
	liar* | grows* | *:0) ;;
	*) fail "$1: discovery of a server that is none: $(cat "$tmp/out")" ;;
	esac
	rmdir "$pool"
}

pids=
while read -r what port; do
	(tmp=$tmp/$what; mkdir "$tmp"; meet "$what" "$port") &
	pids="$pids $!"
done <"$tmp/hostile"

# meanwhile others answer
port=$(sed -n 's/^silent //p' "$tmp/hostile")
mkdir "$storage/pools/waits"
put "$storage/pools/waits/xml" "$(iscsi_xml iscsi-direct plain)" 2>/dev/null &
starter=$!
all_answer "$storage/pools" "$storage/pools/waits/state" "$storage/pools/waits/error" \
	"$storage/pools/good/volumes/$(unit 1)" "$storage/pools/good/xml"
wait "$starter" || :
for pid in $pids; do wait "$pid" || failed=1; done
[ -z "${failed-}" ] || fail "see above"
cat "$storage/pools/good/volumes/$(unit 1)" >/dev/null
