#!/bin/sh
# Lines that are appended to a volume through the mount, and to the same file natively, by turns: none
# is written over another.
# quick
mount=no
. "${0%/*}/lib.sh"
need_backend dir

mkdir "$tmp/a"
for options in no-passthrough ''; do
	mount_storage "$options"
	if [ -e "$storage/pools/a" ]; then eventually 5 put "$storage/pools/a/ctl" start; else dir_pool a; fi
	: >"$tmp/a/log"
	: >"$tmp/lines"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		echo "natively $i" >>"$tmp/a/log"
		echo "here $i" >>"$storage/pools/a/volumes/log"
		printf 'natively %s\nhere %s\n' "$i" "$i" >>"$tmp/lines"
	done
	cmp "$tmp/lines" "$tmp/a/log" || fail "with '$options' there is $(cat "$tmp/a/log")"
	# in several requests
	head -c 3000000 /dev/zero | dd of="$storage/pools/a/volumes/log" bs=3000000 iflag=fullblock \
		oflag=append conv=notrunc status=none
	[ "$(stat -c %s "$tmp/a/log")" = $((3000000 + $(stat -c %s "$tmp/lines"))) ] || fail "a large write was torn"
	eventually 5 cmp "$tmp/a/log" "$storage/pools/a/volumes/log"
	umount_storage
done
