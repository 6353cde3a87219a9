#!/bin/sh
# quickstart with this build, in places of its own: twice, and undone as it says.
# limit: 240
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need qemu-img findmnt

export STORAGEFS_SOURCE="$source" STORAGEFS_DEMO="$tmp/demo" STORAGEFS_BUILD
[ -f "$STORAGEFS_BUILD/build.ninja" ] || skip "not a build tree"
"$repo/quickstart" "$storage" >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
size 1073741824 "$storage/pools/demo/volumes/disk.raw"
is 21474836480 "$storage/pools/demo/info/disk.qcow2/capacity"
is running "$storage/pools/demo/state"
grep -q 'To undo' "$tmp/out" || fail "it does not say how to undo it"
grep -q "$storage/pools/demo/volumes/disk.qcow2" "$tmp/out" || fail "it does not show the tree"
echo data | dd of="$storage/pools/demo/volumes/disk.raw" conv=notrunc status=none
"$repo/quickstart" "$storage" >"$tmp/out2" 2>&1 || fail "the second time: $(cat "$tmp/out2")"
[ "$(head -c 4 "$storage/pools/demo/volumes/disk.raw")" = data ] || fail "the second time lost data"

# the five commands, and what it says to undo it
sed -n '/^== try next/,/^$/p' "$tmp/out" | sed '1d; /tail -f/d; /^$/d' >"$tmp/try"
[ "$(wc -l <"$tmp/try")" = 4 ] || fail "not five commands: $(cat "$tmp/try")"
sh -e "$tmp/try" >"$tmp/out3" 2>&1 || fail "a command it says: $(cat "$tmp/out3")"
rm "$storage/pools/demo/volumes/copy.qcow2"
sed -n '/^To undo/,$p' "$tmp/out" | sed '1d; s, /[^ ]*build[^ ]*$,,' >"$tmp/undo"
sed -i "s,rm -r .*,rm -r $source," "$tmp/undo"
sh -e "$tmp/undo" >"$tmp/out4" 2>&1 || fail "undoing: $(cat "$tmp/out4")"
[ ! -e "$tmp/demo" ] || fail "the demo is left"
[ ! -e "$storage" ] || fail "the mountpoint is left"
