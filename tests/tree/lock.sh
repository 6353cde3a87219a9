#!/bin/sh
# A read-write mount locks SOURCE: a second one fails with exit status 32, naming the first's pid.
# quick
. "${0%/*}/lib.sh"

mkdir "$tmp/other"
status=0
"$storagefs" -f "$source" "$tmp/other" >"$tmp/out" 2>&1 || status=$?
[ "$status" = 32 ] || fail "the exit status is $status: $(cat "$tmp/out")"
grep -qw "$daemon" "$tmp/out" || fail "pid $daemon is not named: $(cat "$tmp/out")"
! mountpoint -q "$tmp/other" || fail "it is mounted twice"
status=0
"$storagefs" "$source" "$tmp/other" >"$tmp/out" 2>&1 || status=$?
[ "$status" = 32 ] || fail "detached, the exit status is $status: $(cat "$tmp/out")"
grep -qw "$daemon" "$tmp/out" || fail "detached, pid $daemon is not named: $(cat "$tmp/out")"
[ -r "$storage/README" ] || fail "the first mount suffered"

# the lock ends with its holder
umount_storage
mount_storage

# other ways to fail
for arguments in '' 'x' '--nonsense' '-o nonsense a b' '-o timeout=never a b' 'a b c'; do
	status=0
	# shellcheck disable=SC2086  # words
	"$storagefs" $arguments >"$tmp/out" 2>&1 || status=$?
	[ "$status" = 1 ] || fail "storagefs $arguments: exit status $status, $(cat "$tmp/out")"
	[ -s "$tmp/out" ] || fail "storagefs $arguments says nothing"
done
status=0
"$storagefs" -f "$tmp/new-source" "$tmp/missing/directory" >"$tmp/out" 2>&1 || status=$?
[ "$status" = 32 ] || [ "$status" = 2 ] || fail "a missing mountpoint: exit status $status"
grep -q missing "$tmp/out" || fail "a missing mountpoint: $(cat "$tmp/out")"
"$storagefs" --version >/dev/null
"$storagefs" --help | grep -q timeout || fail "--help"
