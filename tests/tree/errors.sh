#!/bin/sh
# Each row of the table of errors: the errno, and a sentence in the error files.
# quick
. "${0%/*}/lib.sh"
need_backend dir

pools=$storage/pools
dir_pool a
touch "$pools/a/volumes/v"
mkdir "$pools/stopped" "$tmp/s"
put "$pools/stopped/xml" "<pool type='dir'><target><path>$tmp/s</path></target></pool>"
put "$pools/stopped/ctl" stop
mkdir "$pools/undefined"

# malformed or invalid, unknown verb, bad value, bad unit
refuse EINVAL "line 1" put "$pools/undefined/xml" '<pool'' type=x>'
refuse EINVAL dance put "$pools/a/ctl" dance
refuse EINVAL '' put "$pools/a/ctl" 'start stop'
refuse EINVAL '' put "$pools/a/ctl" ''
refuse EINVAL maybe put "$pools/a/autostart" maybe
refuse EINVAL 2 put "$pools/a/protected" 2
refuse EINVAL "'Q'" put "$pools/a/info/v/capacity" 10Q
refuse EINVAL '' put "$pools/a/info/v/ctl" 'wipe nicely'
refuse EINVAL '' put "$storage/jobs" 'stop everything'
refuse EINVAL '' sh -c "printf 'start\nstop\n' | dd of='$pools/a/ctl' status=none"
refuse EINVAL '' sh -c "cat '$pools/a/ctl' | dd of='$pools/a/ctl' status=none"

# no such thing
expect_errno ENOENT cat "$pools/nothing/state"
expect_errno ENOENT cat "$pools/a/volumes/nothing"
expect_errno ENOENT cat "$pools/a/info/nothing/xml"
expect_errno ENOENT rm "$pools/a/volumes/nothing"
expect_errno ENOENT cat "$storage/nothing"
expect_errno ENOENT cat "$pools/a/nothing"
expect_errno ENOENT rmdir "$pools/nothing"

# taken
refuse EEXIST "'a'" put "$pools/undefined/xml" "<pool type='dir'><target><path>$tmp/a</path></target></pool>"
expect_errno EEXIST mkdir "$pools/a"

# wrong state, in use
refuse EBUSY 'stop' rmdir "$pools/a"
refuse EBUSY '' mv "$pools/a" "$pools/b"
exec 9<"$pools/a/volumes/v"
refuse EBUSY v put "$pools/a/ctl" stop
exec 9<&-
put "$pools/a/ctl" stop
put "$pools/a/ctl" start
put "$pools/a/ctl" start
refuse EBUSY '' put "$pools/a/ctl" build
refuse EBUSY '' put "$pools/a/ctl" delete

# not running: EAGAIN with the command, never an empty list
for directory in volumes info snapshots; do
	refuse EAGAIN "'start'" ls "$pools/stopped/$directory"
done
refuse EAGAIN "'start'" touch "$pools/stopped/volumes/v"
refuse EAGAIN '' put "$pools/stopped/ctl" refresh
for name in capacity allocation available; do
	is 0 "$pools/stopped/$name"
	is 0 "$pools/undefined/$name"
done
refuse EAGAIN '' ls "$pools/undefined/volumes"
expect_error 'definition' put "$pools/undefined/ctl" start
expect_error 'xml' put "$pools/undefined/ctl" start

# this type cannot do it, or its module is not here
mkdir "$pools/tape"
put "$pools/tape/xml" "<pool type='sheepdog'><source><name>x</name><host name='h' port='7000'/></source></pool>"
[ "$(cat "$pools/tape/state")" != running ] || fail "a pool without a backend runs"
[ -e "$STORAGEFS_BUILD/backends/sheepdog.so" ] ||
	refuse EOPNOTSUPP sheepdog put "$pools/tape/ctl" start
rmdir "$pools/tape"

# protected; unlink of an attribute; mkdir where none is meant
refuse EPERM '' rm "$pools/a/state"
refuse EPERM '' rm "$pools/a/ctl"
refuse EPERM '' mkdir "$pools/a/directory"
refuse EPERM 'nothing is made here' mkdir "$storage/directory"
refuse EPERM '' mkdir "$pools/a/volumes/directory"
refuse EPERM '' rmdir "$pools/a/volumes"
refuse EPERM '' rmdir "$pools/a/info/v"
expect_errno EPERM rmdir "$storage/pools"
put "$pools/a/protected" 1
refuse EPERM protected rm "$pools/a/volumes/v"
put "$pools/a/protected" 0

# a missing target
rm "$pools/a/volumes/v"
rmdir "$tmp/a"
refuse EIO "$tmp/a" touch "$pools/a/volumes/w"
if ls "$pools/a/volumes" 2>/dev/null; then
	fail "listed a directory that is gone"
fi
mkdir "$tmp/a"
put "$pools/a/ctl" refresh
touch "$pools/a/volumes/w"

# where the sentences are
put "$pools/a/autostart" 3 2>/dev/null || :
grep -q autostart "$pools/a/error" || fail "pools/a/error: $(cat "$pools/a/error")"
grep -q 'pools/a' "$storage/error" || fail "the root's error has no path: $(cat "$storage/error")"
put "$pools/a/info/w/capacity" nonsense 2>/dev/null || :
grep -q nonsense "$pools/a/info/w/error" || fail "info/w/error: $(cat "$pools/a/info/w/error")"
grep -q autostart "$log" || fail "the log does not have it"
# a volume that could not be made has no error of its own to read
refuse EPERM 'pipes' mkfifo "$pools/a/volumes/pipe"
grep -q 'pipes' "$pools/a/error" || fail "pools/a/error: $(cat "$pools/a/error")"
# what a walk meets in a pool that could not be started does not hide why it could not
mkdir "$pools/lost"
put "$pools/lost/xml" "<pool type='dir'><target><path>$tmp/lost</path></target></pool>"
refuse EAGAIN 'pools/lost/error' ls "$pools/lost/volumes"
refuse EAGAIN 'pools/lost/error' touch "$pools/lost/volumes/v"
grep -q 'not built yet' "$pools/lost/error" || fail "pools/lost/error: $(cat "$pools/lost/error")"
put "$pools/lost/ctl" build
put "$pools/lost/ctl" start
is '' "$pools/lost/error"
# close(2) refuses what its write refused: that is told once, and again for the next document
for n in 1 2; do
	expect_errno EINVAL python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
try:
    os.write(fd, b"<pool><nowhere></pool>")
finally:
    os.close(fd)' "$pools/a/xml"
	[ "$(grep -c nowhere "$log")" = $n ] || fail "document $n is told otherwise than once:
$(grep nowhere "$log")"
done
# a name that is looked up and is not there is no failure
before=$(cat "$storage/error")
[ ! -e "$pools/a/volumes/looked-up" ]
[ "$(cat "$storage/error")" = "$before" ] || fail "a lookup left an error"
