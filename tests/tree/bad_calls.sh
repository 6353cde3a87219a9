#!/bin/sh
# Each call with which a definition, an attribute, a secret or a target directory is stored fails,
# and kills the daemon: what was there is there afterwards, or what was to be; failures are told.
# limit: 240
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need xmllint

shim=$STORAGEFS_BUILD/tests/tree/failing_calls.so
[ -e "$shim" ] || skip "failing_calls is not built"
runtime=$(ldd "$storagefs" | sed -n 's/.*lib[at]san[^ ]* => \([^ ]*\).*/\1/p')
{
	echo '#!/bin/sh'
	echo "export FAILING_CALLS='$tmp/call' FAILING_BELOW='$source:$tmp/data'"
	echo "export LD_PRELOAD='$runtime $shim'"
	echo "exec '$storagefs' \"\$@\""
} >"$tmp/storagefs"
chmod +x "$tmp/storagefs"
storagefs=$tmp/storagefs
pools=$storage/pools
uuid=0a5a4d75-5cba-4bd6-8ef6-8f4b61e2f1a

# call N ERRNO: which of those that come next fails; errno 0: it kills
round=0
call()
{
	round=$((round + 1))
	: >"$tmp/call.log"
	echo "$round $1 $2" >"$tmp/call"
}

definition() # NAME DIRECTORY DIGIT
{
	echo "<pool type='dir'><name>$1</name><uuid>$uuid$3</uuid><target>\
<path>$tmp/data/$2</path></target></pool>"
}

# A mount of what SOURCE is before each change: p starts by itself, and is protected or will be.
begin() # CHANGE
{
	[ -z "$daemon" ] || umount_storage
	rm -rf "${source:?}" "${tmp:?}/data"
	mkdir "$source" "$source/autostart" "$source/attributes" "$source/secrets" "$tmp/data" \
		"$tmp/data/old" "$tmp/data/new"
	definition p old 1 >"$source/p.xml"
	definition b built 3 >"$source/b.xml"
	chmod 600 "$source"/*.xml
	ln -s ../p.xml "$source/autostart/p.xml"
	case $1 in
	undefine | protect) echo "protected 0" ;;
	*) echo "protected 1" ;;
	esac >"$source/attributes/p"
	printf first >"$source/secrets/s"
	call 0 0
	mount_storage no-autostart
}

change()
{
	case $1 in
	redefine) definition p new 1 >"$pools/p/xml" ;;
	define)
		definition q new 2 >"$pools/q.xml"
		mkdir "$pools/q" ;;
	rename) mv -T "$pools/p" "$pools/r" ;;
	undefine) rmdir "$pools/p" ;;
	protect) put "$pools/p/protected" 1 ;;
	secret) put "$storage/secrets/s" second ;;
	build) put "$pools/b/ctl" build ;;
	esac
}

# look FILE: all that counts; what SOURCE has of a name without a pool does not
look()
{
	{
		(cd "$source" && xmllint --noout ./*.xml && grep -o "$uuid.\|$tmp/[a-z/]*" ./*.xml)
		grep . "$source/secrets/s"
		(cd "$source" && find . -name '.new-*')
		(cd "$tmp/data" && find . -printf '%p %m\n' | sort)
		for pool in "$pools"/*/; do
			echo "$pool"
			cat "$pool/autostart" "$pool/protected" "$pool/uuid"
		done
	} >"$1" 2>&1
}

well() # CHANGE FILE…: it looks as one of them
{
	what=$1
	shift
	look "$tmp/is"
	for file; do
		! cmp -s "$file" "$tmp/is" || return 0
	done
	diff "$1" "$tmp/is" >&2 || :
	fail "$what: neither the old nor the new after $(grep -e FAILED -e KILLED "$tmp/call.log")"
}

killed=0
for change in redefine define rename undefine protect secret build; do
	begin "$change"
	look "$tmp/before"
	call 0 0
	change "$change"
	look "$tmp/after"
	calls=$(wc -l <"$tmp/call.log")
	[ "$calls" -ge 3 ] || fail "$change: $calls calls"

	begin "$change"
	at=1
	while [ "$at" -le "$calls" ]; do
		call "$at" 5
		if change "$change" 2>"$tmp/err"; then
			# what cannot be cleared away is no failure: the next mount does it
			umount_storage
			call 0 0
			mount_storage no-autostart
			well "$change" "$tmp/after"
			begin "$change"
		else
			grep -q 'Input/output error' "$storage/error" || fail "$change: no sentence"
			rm -f "$pools/q.xml"
			well "$change" "$tmp/before"
		fi
		at=$((at + 1))
	done

	at=1
	while [ "$at" -le "$calls" ]; do
		call "$at" 0
		change "$change" 2>"$tmp/err" &
		wait $! 2>"$tmp/out" || :
		eventually 10 daemon_gone
		wait "$daemon" 2>/dev/null || :
		daemon=
		umount "$storage"
		call 0 0
		mount_storage no-autostart
		killed=$((killed + 1))
		well "$change" "$tmp/before" "$tmp/after"
		cmp -s "$tmp/before" "$tmp/is" || begin "$change"
		at=$((at + 1))
	done
	echo "$change: $calls calls"
done
[ "$killed" -ge 40 ] || fail "it was killed only $killed times"
