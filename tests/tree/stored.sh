#!/bin/sh
# What is to be stored when a call returns is: writes with O_DSYNC and O_SYNC that the daemon carries
# out, and the names of a directory that is synced.
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need strace

mount_storage no-passthrough
fake_pool f provisioned
dir_pool a
volume=$storage/pools/f/volumes/v
truncate -s 1M "$volume"

# the source cannot store it: who asked for that is told by the write, nobody else
control f flush errno=EIO
dd if=/dev/zero of="$volume" bs=4k count=1 conv=notrunc status=none
for flag in dsync sync; do
	expect_errno EIO dd if=/dev/zero of="$volume" bs=4k count=1 conv=notrunc oflag=$flag status=none
done
grep -q "flush" "$storage/pools/f/info/v/error" || fail "the error is $(cat "$storage/pools/f/info/v/error")"
control_off f flush
dd if="$storage/README" of="$volume" bs=4k count=1 conv=notrunc oflag=dsync status=none
head -c "$(stat -c %s "$storage/README")" "$volume" | cmp - "$storage/README"

control f sync_names errno=EIO
expect_errno EIO sync "$storage/pools/f/volumes"
control_off f sync_names
sync "$storage/pools/f/volumes" "$storage/pools/f/info" "$storage/pools" "$storage"

# traced CALLS COMMAND…: what the daemon calls meanwhile is in $tmp/trace
traced()
{
	: >"$tmp/trace"
	strace -f -qq -o "$tmp/trace" -e trace="$1" -p "$daemon" &
	strace=$!
	eventually 10 grep -q "^TracerPid:.$strace" "/proc/$daemon/status"
	shift
	"$@"
}

untraced()
{
	kill "$strace"
	wait "$strace" || :
}

stored() # AS FLAGS
{
	traced pwritev2 dd if=/dev/zero of="$storage/pools/a/volumes/v" bs=4k count=1 oflag="$2" status=none
	eventually 5 grep -q "$1" "$tmp/trace"
	untraced
}
stored RWF_DSYNC dsync
stored RWF_DSYNC direct,dsync
stored 'RWF_SYNC' sync
mv "$storage/pools/a/volumes/v" "$storage/pools/a/volumes/w"
traced fsync sync "$storage/pools/a/volumes"
eventually 5 grep -q 'fsync.*= 0' "$tmp/trace"
untraced

# also where the kernel reads and writes files itself, but leaves O_DIRECT to us
umount_storage
mount_storage
eventually 5 put "$storage/pools/a/ctl" start
stored RWF_DSYNC direct,dsync
