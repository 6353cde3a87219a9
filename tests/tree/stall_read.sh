#!/bin/sh
# A client reads what lies in memory, and so fast that one thread alone serves it; then what its disk
# has to give, which does not answer. Nobody else waits for that: no text, no listing, and no read of
# what lies in memory, of that pool or of another.
# tsan
mount_options=no-passthrough
. "${0%/*}/lib.sh"
need_backend dir
. "${0%/*}/loops.sh"
need_filesystem ext4
need python3

dir_pool a
fake_pool disk given
loop=$(losetup -f --show "$storage/pools/disk/volumes/unit0") || skip "there are no loop devices"
loops="$loops $loop"
mkfs.ext4 -q -F "$loop"
mkdir "$tmp/slow"
mount "$loop" "$tmp/slow"
dir_pool slow "$tmp/slow"
head -c 16M /dev/urandom >"$storage/pools/a/volumes/v"
cp "$storage/pools/a/volumes/v" "$storage/pools/slow/volumes/warm"
cp "$storage/pools/a/volumes/v" "$storage/pools/slow/volumes/cold"
cat "$tmp/slow/warm" >/dev/null

# reads LIMIT FILE…: of 4 KiB each, in the beginning, and the last one
reads()
{
	limit_=$1
	shift
	timeout "$limit_" python3 - "$@" <<'END'
import os, sys
for path in sys.argv[1:]:
    fd = os.open(path, os.O_RDONLY)
    for i in range(1000):
        os.pread(fd, 4096, i * 7919 % 64 * 4096)
    os.pread(fd, 4096, 4095 * 4096)
END
}

# Of the filesystem's own file: what was written and is dropped, but for the beginning, has to
# come from the disk.
forget()
{
	sync -f "$tmp/slow"
	dd if="$tmp/slow/cold" iflag=nocache count=0 status=none
	head -c 256K "$tmp/slow/cold" >/dev/null
}

for round in 1 2 3; do
	forget
	control disk read hang
	(
		reads 100 "$storage/pools/slow/volumes/warm" "$storage/pools/slow/volumes/cold"
		cmp "$storage/pools/a/volumes/v" "$storage/pools/slow/volumes/cold"
	) &
	client=$!
	for _ in 1 2 3; do
		sleep 0.2
		kill -0 "$client" || fail "the client waits for nothing"
		timeout 20 cat "$storage/pools/a/state" >/dev/null || fail "another client waits, too"
		timeout 20 ls -l "$storage/pools/a/volumes" >/dev/null || fail "a listing waits, too"
		reads 20 "$storage/pools/a/volumes/v" || fail "reads of another pool wait, too"
		reads 20 "$storage/pools/slow/volumes/warm" || fail "reads from memory wait, too"
	done
	control_off disk read
	wait "$client" || fail "in round $round the client had $?"
done

put "$storage/pools/slow/ctl" stop
umount "$tmp/slow"
losetup -d "$loop"
loops=${loops% *}
