#!/bin/sh
# kill -9 of the daemon in the middle of cp: what fsync acknowledged is there after the next mount,
# and the dead one's lock does not keep anybody for ever.
# limit: 300
mount_options=timeout=60
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

M=1048576
rbd_pool p
put "$storage/pools/p/autostart" 1
cd "$storage/pools/p"
head -c $((48 * M)) /dev/urandom >"$tmp/data"
head -c $((8 * M)) "$tmp/data" >"$tmp/small"
cp "$tmp/small" volumes/kept
sync volumes/kept

# half an upload has been acknowledged, the rest is under way
truncate -s $((48 * M)) volumes/sized
dd if="$tmp/data" of=volumes/sized bs=1M count=24 conv=notrunc,fsync status=none
while :; do
	dd if="$tmp/data" of=volumes/sized bs=256k skip=96 seek=96 conv=notrunc status=none
done 2>"$tmp/err" &
writer=$!
cp "$tmp/data" volumes/new 2>"$tmp/cp" &
copier=$!
eventually 20 test -s volumes/new
kill_daemon
kill -9 "$writer" 2>/dev/null || :
wait "$writer" "$copier" 2>/dev/null || :
cd /

"$storagefs" -f -o "$mount_options" "$source" "$storage" >>"$log" 2>&1 &
daemon=$!
eventually 20 test -r "$storage/README"
eventually 30 grep -qx running "$storage/pools/p/state"
cd "$storage/pools/p"
begin=$(date +%s)
same volumes/kept "$tmp/small" || fail "a volume that nobody wrote differs"
same volumes/sized "$tmp/data" $((24 * M)) || fail "what fsync acknowledged is lost"
size $((48 * M)) volumes/sized
[ -e volumes/new ] || fail "the volume being uploaded is gone"
[ $(($(date +%s) - begin)) -lt 20 ] || fail "reading waited for the dead writer's lock"
cp "$tmp/small" volumes/another
rbd export --no-progress another - | cmp - "$tmp/small" || fail "another volume differs"

# the dead one's locks go within Ceph's half minute; whoever wants them waits or is told
eventually 60 dd if="$tmp/data" of=volumes/sized bs=1M conv=notrunc,fsync status=none
same volumes/sized "$tmp/data" || fail "writing after the crash"
eventually 60 rm volumes/new
rbd ls | grep -qx new && fail "rm left the image"
cp "$tmp/data" volumes/new
same volumes/new "$tmp/data" || fail "uploading again after the crash"
