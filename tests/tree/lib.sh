# What every story stands on: sourced first, it gives a private mount at $storage of SOURCE $source
# and a scratch directory $tmp, and at the end fails the story unless the daemon ended cleanly.
#
# Before sourcing, a story may set mount_options, or mount=no to call mount_storage itself.
# Header lines that tests/run reads: "# limit: SECONDS", "# quick" (part of --quick),
# "# tsan" (runs under ThreadSanitizer too). Exit status 77 skips.
# shellcheck shell=sh disable=SC2034

set -eu

# A mount namespace of our own: whatever happens, nothing stays mounted on this machine.
if [ -z "${STORY_NAMESPACE-}" ] && [ "$(id -u)" = 0 ]; then
	STORY_NAMESPACE=1 exec unshare --mount "$0" "$@"
fi

here=$(cd "${0%/*}" && pwd)
repo=$(cd "$here" && while [ ! -f COPYING ]; do cd ..; done && pwd)
# shellcheck disable=SC2012  # our own names
: "${STORAGEFS_BUILD:=$(ls -dt "$repo"/build*/fs 2>/dev/null | sed -n '1s,/fs$,,p')}"
[ -n "$STORAGEFS_BUILD" ] || { echo "nothing is built yet: see tests/run"; exit 1; }
storagefs=$STORAGEFS_BUILD/fs/storagefs

tmp=$(mktemp -d "${TMPDIR:-/tmp}/storagefs.XXXXXX")
chmod 755 "$tmp"
source=$tmp/source
storage=$tmp/storage
log=$tmp/log
daemon=
mkdir "$source" "$storage"
: >"$log"
export LC_ALL=C
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
export TSAN_OPTIONS="second_deadlock_stack=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
umask 022

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

skip()
{
	echo "$*"
	exit 77
}

# Here the shell reads itself what is short: in a VM each process takes a fifth of a second.

# contents FILE: $got_, as $(cat FILE) has it
contents()
{
	got_=
	while IFS= read -r line_ || [ -n "$line_" ]; do
		got_=$got_$line_$newline
	done <"$1" || return 1
	while [ "${got_%"$newline"}" != "$got_" ]; do
		got_=${got_%"$newline"}
	done
}
newline='
'

# has_text TEXT FILE: as grep -qF
has_text()
{
	while IFS= read -r line_ || [ -n "$line_" ]; do
		case $line_ in *"$1"*) return 0 ;; esac
	done <"$2"
	return 1
}

# -- what a story needs; without it the story is skipped --

need()
{
	for tool_; do
		command -v "$tool_" >/dev/null || skip "$tool_ is not installed"
	done
}

need_root()
{
	[ "$(id -u)" = 0 ] || skip "not root"
}

need_backend()
{
	[ -e "$STORAGEFS_BUILD/backends/$1.so" ] || skip "the backend $1 is not built"
}

# need_user: for stories of an ordinary user, who has SOURCE and the mount point; with mount=no.
need_user()
{
	need_root
	need setpriv fusermount3
	chown nobody:nogroup "$source" "$storage"
	as_user test -w /dev/fuse || chmod 666 /dev/fuse || skip "no /dev/fuse for users"
	as_user test -x "$storagefs" || skip "the build tree is closed to users"
	[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not set-uid"
}

as_user()
{
	setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all env HOME="$tmp" "$@"
}

# -- the daemon --

daemon_gone()
{
	{ read -r stat_ <"/proc/$daemon/stat"; } 2>/dev/null || return 0
	case ${stat_##*) } in Z*) return 0 ;; *) return 1 ;; esac
}

is_mounted()
{
	while read -r _ _ _ _ at_ _; do
		[ "$at_" != "$storage" ] || return 0
	done </proc/self/mountinfo
	return 1
}

# mount_storage [OPTIONS]: OPTIONS instead of $mount_options
# shellcheck disable=SC2120
mount_storage()
{
	options_=${1-${mount_options-}}
	"$storagefs" -f ${options_:+-o "$options_"} "$source" "$storage" >>"$log" 2>&1 &
	daemon=$!
	tries_=0
	until is_mounted; do
		if daemon_gone || [ "$tries_" -gt 1000 ]; then
			fail "the daemon did not mount $storage"
		fi
		sleep 0.02
		tries_=$((tries_ + 1))
	done
}

# Waits for the daemon's end; false unless it came in time with exit status 0.
daemon_ended()
{
	tries_=0
	until daemon_gone || [ "$tries_" -gt 1500 ]; do
		sleep 0.02
		tries_=$((tries_ + 1))
	done
	if ! daemon_gone; then
		echo "FAILED: the daemon did not end within 30 seconds of the unmount" >&2
		return 1
	fi
	status_=0
	wait "$daemon" 2>/dev/null || status_=$?
	daemon=
	[ "$status_" = 0 ] || {
		echo "FAILED: the daemon's exit status is $status_" >&2
		return 1
	}
}

try_umount()
{
	umount "$storage" || {
		fuser -vm "$storage" 2>&1 || :
		echo "FAILED: $storage cannot be unmounted" >&2
		return 1
	}
	daemon_ended
}

umount_storage()
{
	try_umount || exit 1
}

# kill -9, as a power cut does it; the dead mount stays.
kill_daemon()
{
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null || :
	daemon=
}

sanitizer_reported()
{
	grep -Eq 'ERROR: (Address|Leak|Undefined)|WARNING: ThreadSanitizer|runtime error:' "$log"
}

mounts_below_tmp()
{
	while read -r _ _ _ _ at_ _; do
		case $at_ in "$tmp"/*) echo "$at_" ;; esac
	done </proc/self/mountinfo
}

# What ends with the story, after the daemon and however it ends: one that starts servers defines its
# own, which stops them.
story_end()
{
	:
}

end()
{
	result_=$?
	trap - EXIT
	trap '' INT TERM HUP
	set +e
	cd /
	if [ -n "$daemon" ] && [ "$result_" = 0 ]; then
		try_umount || result_=1
	fi
	if [ -n "$daemon" ]; then
		umount -l "$storage" 2>/dev/null
		kill "$daemon" 2>/dev/null
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			daemon_gone && break
			sleep 0.2
		done
		daemon_gone || kill -9 "$daemon"
		wait "$daemon" 2>/dev/null
	fi
	story_end || {
		echo "FAILED: what the story started did not end cleanly"
		result_=1
	}
	if sanitizer_reported; then
		echo "FAILED: a sanitizer reported"
		result_=1
	fi
	if [ "$result_" != 0 ] && [ "$result_" != 77 ]; then
		echo "--- the daemon's log ($log):"
		tail -n 150 "$log"
	fi
	[ -z "$(mounts_below_tmp)" ] ||
		mounts_below_tmp | sort -r | while read -r at_; do umount -l "$at_"; done
	# what a mount is bound to is on this filesystem as well: rm would not stop there
	if [ -n "$(mounts_below_tmp)" ]; then
		echo "FAILED: $tmp is kept, something in it is still mounted"
		exit 1
	fi
	chmod -R u+rwX "$tmp" 2>/dev/null
	rm -rf --one-file-system "$tmp"
	exit "$result_"
}
trap end EXIT
trap 'exit 143' INT TERM HUP

# -- expectations --

errno_text()
{
	case $1 in
	EACCES) echo "Permission denied" ;;
	EAGAIN) echo "Resource temporarily unavailable" ;;
	EBADMSG) echo "Bad message" ;;
	EBUSY) echo "Device or resource busy" ;;
	EDQUOT) echo "Disk quota exceeded" ;;
	EEXIST) echo "File exists" ;;
	EFBIG) echo "File too large" ;;
	EILSEQ) echo "Invalid or incomplete multibyte" ;;
	EINVAL) echo "Invalid argument" ;;
	EIO) echo "Input/output error" ;;
	EISDIR) echo "Is a directory" ;;
	ENAMETOOLONG) echo "File name too long" ;;
	ENODEV) echo "No such device" ;;
	ENOENT) echo "No such file or directory" ;;
	ENOSPC) echo "No space left on device" ;;
	ENOTDIR) echo "Not a directory" ;;
	ENOTEMPTY) echo "Directory not empty" ;;
	EOPNOTSUPP) echo "Operation not supported" ;;
	EPERM) echo "Operation not permitted" ;;
	EROFS) echo "Read-only file system" ;;
	ETIMEDOUT) echo "Connection timed out" ;;
	EXDEV) echo "Invalid cross-device link" ;;
	*) fail "errno_text does not know $1" ;;
	esac
}

# expect_errno ERRNO COMMAND…: it fails and its message has the text of ERRNO
expect_errno()
{
	want_=$(errno_text "$1")
	shift
	if "$@" >"$tmp/out" 2>"$tmp/err"; then
		fail "succeeded instead of '$want_': $*"
	fi
	has_text "$want_" "$tmp/err" || {
		cat "$tmp/err" >&2
		fail "did not say '$want_': $*"
	}
}

# expect_error TEXT COMMAND…: it fails and the sentence in the tree's error file has TEXT
expect_error()
{
	want_=$1
	shift
	if "$@" >"$tmp/out" 2>"$tmp/err"; then
		fail "succeeded instead of an error with '$want_': $*"
	fi
	has_text "$want_" "$storage/error" || {
		cat "$tmp/err" "$storage/error" >&2
		fail "the error does not say '$want_': $*"
	}
}

# refuse ERRNO TEXT COMMAND…: both of the above
refuse()
{
	errno_=$1
	text_=$2
	shift 2
	expect_errno "$errno_" "$@"
	has_text "$text_" "$storage/error" || {
		cat "$storage/error" >&2
		fail "the error does not say '$text_': $*"
	}
}

# is VALUE FILE: the file has exactly this line
is()
{
	contents "$2" || fail "cannot read $2"
	# the shell does not tell the end of a file from an error
	[ -n "$1" ] || got_=$(cat "$2") || fail "cannot read $2"
	[ "$got_" = "$1" ] || fail "$2 is '$got_', not '$1'"
}

# size BYTES FILE: what stat says
size()
{
	got_=$(stat -c %s "$2") || fail "no $2"
	[ "$got_" = "$1" ] || fail "the size of $2 is $got_, not $1"
}

# eventually SECONDS COMMAND…: succeeds within the time; on a busy machine within ten times that
eventually()
{
	for_=$(($1 * 10))
	read -r up_ _ </proc/uptime
	until_=$((${up_%.*} + for_))
	shift
	until ("$@") 2>"$tmp/err" >"$tmp/out"; do
		read -r up_ _ </proc/uptime
		if [ "${up_%.*}" -gt "$until_" ]; then
			cat "$tmp/out" "$tmp/err" >&2
			fail "not within $for_ s: $*"
		fi
		sleep 0.02
	done
}

# -- doing things --

# put FILE LINE: one write(2), whose errno is printed (a shell's own echo does not say it)
put()
{
	/usr/bin/printf '%s\n' "$2" >"$1"
}

# A luks image with the passphrase "x". On a busy machine qemu-img may fail to find out how slow to
# make the key ("Unable to get accurate CPU usage"): then it is asked again.
luks_image() # FILE SIZE
{
	luks_tries=10
	until qemu-img create -q -f luks --object secret,id=s,data=x -o key-secret=s,iter-time=10 \
		"$1" "$2"; do
		luks_tries=$((luks_tries - 1))
		[ "$luks_tries" -gt 0 ] || fail "qemu-img makes no luks image"
	done
}

# dir_pool NAME [DIRECTORY]: a running dir pool; its directory is made where missing
dir_pool()
{
	dir_=${2-$tmp/$1}
	mkdir -p "$dir_"
	mkdir "$storage/pools/$1"
	put "$storage/pools/$1/xml" "<pool type='dir'><target><path>$dir_</path></target></pool>"
	is running "$storage/pools/$1/state"
}

# fake_pool NAME CLASS: a running pool of the fake backend, CLASS files, provisioned or given. What
# control says of its control directory comes about; see backends/fake/fake.h.
fake_pool()
{
	need_backend fake
	mkdir -p "$tmp/control/$1"
	mkdir "$storage/pools/$1"
	put "$storage/pools/$1/xml" "<pool type='fake'><source><name>$tmp/control/$1</name>\
<format type='$2'/></source></pool>"
	is running "$storage/pools/$1/state"
}

# control POOL WHAT [TEXT]; control_off POOL WHAT
control()
{
	mkdir -p "$tmp/control/$1"
	printf '%s\n' "${3-}" >"$tmp/control/$1/.new"
	mv "$tmp/control/$1/.new" "$tmp/control/$1/$2"
}

control_off()
{
	rm -f "$tmp/control/$1/$2"
}

if [ "${mount-yes}" = yes ]; then
	mount_storage "${mount_options-}"
fi
