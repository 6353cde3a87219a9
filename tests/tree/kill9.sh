#!/bin/sh
# kill -9 of the daemon while definitions are written: each is the old one or the new one afterwards.
. "${0%/*}/lib.sh"
need_backend dir

pools=$storage/pools
mkdir "$tmp/old" "$tmp/new"
definition() # DIRECTORY UUID
{
	printf "<pool type='dir'><uuid>%s</uuid><target><path>%s</path></target></pool>\n" "$2" "$1"
}
dir_pool keep
echo data >"$pools/keep/volumes/v"
put "$pools/keep/autostart" 1
mkdir "$pools/p"
put "$pools/p/xml" "<pool type='dir'><target><path>$tmp/old</path></target></pool>"
uuid=$(cat "$pools/p/uuid")

for wait in 0.01 0.05 0.1 0.2 0.3; do
	(
		while :; do
			definition "$tmp/new" "$uuid" >"$pools/p/xml"
			definition "$tmp/old" "$uuid" >"$pools/p/xml"
			echo 1 >"$pools/p/autostart"
			echo 0 >"$pools/p/autostart"
		done
	) 2>/dev/null &
	writer=$!
	sleep "$wait"
	kill_daemon
	kill -9 "$writer" 2>/dev/null || :
	wait "$writer" 2>/dev/null || :
	if ls "$storage" 2>/dev/null; then
		fail "the dead mount answers"
	fi
	xmllint --noout "$source/p.xml" || fail "the definition is broken: $(cat "$source/p.xml")"
	grep -q "<uuid>$uuid</uuid>" "$source/p.xml" || fail "the definition is another"
	grep -q -e "$tmp/old<" -e "$tmp/new<" "$source/p.xml" || fail "the definition is neither"

	# mounting again clears the dead mount
	"$storagefs" -f "$source" "$storage" >>"$log" 2>&1 &
	daemon=$!
	eventually 10 test -r "$storage/README"
	[ "$(grep -c " $storage " /proc/self/mountinfo)" = 1 ] || fail "the dead mount is still there"
	eventually 5 grep -qx running "$pools/keep/state"
	is data "$pools/keep/volumes/v"
	is "$uuid" "$pools/p/uuid"
done
[ "$(ls -A "$source" | grep -cv -e '\.xml$' -e '\.xml~$' -e '^autostart$' -e '^secrets$' -e '^attributes$')" -le 3 ] ||
	fail "temporary files pile up: $(ls -A "$source")"

# what qemu-img was making when the daemon was killed goes at the next start, and nothing else does
left()
{
	mkdir "$tmp/keep/$1"
	echo half >"$tmp/keep/$1/v.qcow2"
	touch -d "${2:-1 hour ago}" "$tmp/keep/$1"
}
left .storagefs-0123456789abcdef
left .storagefs-00000000000000aa now
left .storagefs-00000000000000bb
left .storagefs-theirs
left .storagefs-00000000000000cc
echo more >"$tmp/keep/.storagefs-00000000000000cc/other"
touch -d "1 hour ago" "$tmp/keep/.storagefs-00000000000000cc"
exec 8<"$tmp/keep/.storagefs-00000000000000bb"
flock 8
put "$pools/keep/ctl" stop
put "$pools/keep/ctl" start
exec 8<&-
[ ! -e "$tmp/keep/.storagefs-0123456789abcdef" ] || fail "what was left is still there"
for name in 00000000000000aa 00000000000000bb theirs 00000000000000cc; do
	is half "$tmp/keep/.storagefs-$name/v.qcow2"
done
