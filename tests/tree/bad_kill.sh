#!/bin/sh
# kill -9 at every call with which a definition, an attribute or a volume is stored: what was there is
# there afterwards, or what was to be, whole; nothing else.
# limit: 240
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need strace xmllint

pools=$storage/pools
mkdir "$tmp/old" "$tmp/new"
echo data >"$tmp/old/v"
cat >"$source/p.xml" <<END
<pool type='dir'>
  <name>p</name>
  <uuid>0a5a4d75-5cba-4bd6-8ef6-8f4b61e2f1a1</uuid>
  <target><path>$tmp/old</path></target>
</pool>
END

# The change, done to the pool p while it is killed.
change()
{
	case $1 in
	redefine) put "$pools/p/xml" "<pool type='dir'><uuid>0a5a4d75-5cba-4bd6-8ef6-8f4b61e2f1a1</uuid>\
<target><path>$tmp/new</path></target></pool>" ;;
	define)
		mkdir "$pools/q"
		put "$pools/q/xml" "<pool type='dir'><target><path>$tmp/new</path></target></pool>" ;;
	protect) put "$pools/p/protected" 1 ;;
	rename) mv "$pools/p" "$pools/r" ;;
	undefine) rmdir "$pools/p" ;;
	esac
}

# What ran when the daemon was killed is taken over after mounting, in a moment or already: once it
# has been started and stopped it stays so.
stopped()
{
	put "$pools/p/ctl" start && put "$pools/p/ctl" stop
}

# Or killed already: what it takes over it opens.
traced()
{
	daemon_gone || grep -q "^TracerPid:.$strace" "/proc/$daemon/status"
}

# What was killed a moment ago may still answer.
survived()
{
	cat "$storage/jobs" >"$tmp/out" 2>"$tmp/err" && sleep 0.2 && ! daemon_gone
}

well() # CHANGE
{
	for file in "$source"/*.xml; do
		[ ! -e "$file" ] || xmllint --noout "$file" || fail "$1: $file is broken"
	done
	grep -qs -e "$tmp/old<" -e "$tmp/new<" "$source/p.xml" "$source/r.xml" "$source/p.xml~" ||
		fail "$1: the definition is lost: $(ls -A "$source")"
	mount_storage no-autostart
	case $1 in
	undefine) [ ! -e "$pools/p" ] || is inactive "$pools/p/state" ;;
	rename)
		[ -e "$pools/p" ] || [ -e "$pools/r" ] || fail "rename: neither name is there"
		[ ! -e "$pools/p" ] || [ ! -e "$pools/r" ] || fail "rename: both names are there" ;;
	*)
		is 0a5a4d75-5cba-4bd6-8ef6-8f4b61e2f1a1 "$pools/p/uuid"
		grep -q '^[01]$' "$pools/p/protected" ;;
	esac
	for pool in "$pools"/*; do
		[ -e "$pool" ] || continue
		eventually 5 put "$pool/ctl" start # it may be being adopted
		is running "$pool/state"
	done
	is data "$tmp/old/v"
	umount_storage
}

cp -a "$source" "$tmp/before"
died=0
for change in redefine define protect rename undefine; do
	at=1
	while [ "$at" -le 25 ]; do
		rm -rf "$source"
		cp -a "$tmp/before" "$source"
		mount_storage no-autostart
		case $change in rename | undefine) eventually 10 stopped ;; esac
		strace -f -qq -o "$tmp/trace" -p "$daemon" \
			-e trace=openat,fchmod,fsync,rename,renameat,renameat2,unlink,unlinkat,symlinkat,linkat,mkdirat \
			-e inject=openat,fchmod,fsync,rename,renameat,renameat2,unlink,unlinkat,symlinkat,linkat,mkdirat:signal=KILL:when=$at &
		strace=$!
		eventually 10 traced
		change "$change" 2>/dev/null &
		wait $! 2>"$tmp/err" || :
		# strace 6.1 may wait for ever for a thread that died while it detaches
		kill -9 "$strace" 2>/dev/null || :
		wait "$strace" 2>/dev/null || :
		if survived; then
			umount_storage
			well "$change"
			break
		fi
		died=$((died + 1))
		eventually 10 daemon_gone
		wait "$daemon" 2>/dev/null || :
		daemon=
		umount "$storage"
		well "$change"
		at=$((at + 1))
	done
	echo "$change: killed at $((at - 1)) calls"
done
[ "$died" -ge 15 ] || fail "it was killed only $died times"
