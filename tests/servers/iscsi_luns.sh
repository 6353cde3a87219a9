#!/bin/sh
# LUNs of all kinds: blocks of 4096 bytes, thin, read-only, offline, reserved by another initiator,
# added and removed while the pool runs; what is wrong with one hurts no other.
# limit: 90
. "${0%/*}/../tree/lib.sh"
targets='odd thin plain'
. "${0%/*}/tgt.sh"
need iscsi-inq iscsi-readcapacity16 fallocate

M=1048576
iscsi_pool odd iscsi-direct odd
cd "$storage/pools/odd"
large=$(unit 1)
readonly=$(unit 2)
fine=$(unit 3)
offline=$(unit 16684) # 300, as REPORT LUNS addresses it

# all are there, the one that is not ready too, which says so
[ "$(ls volumes)" = "$(printf '%s\n' "$large" "$offline" "$readonly" "$fine")" ] ||
	fail "the LUNs are $(ls volumes)"
is $((40 * M)) capacity
ls -l volumes >"$tmp/out" || fail "one bad LUN breaks ls -l"
if cat "volumes/$offline" >"$tmp/out" 2>"$tmp/err"; then fail "an offline LUN was read"; fi
[ "$(wc -c <"$tmp/out")" = 0 ] || fail "an offline LUN gave bytes"
grep -q -i 'not ready\|offline' "info/$offline/error" || fail "its error is $(cat "info/$offline/error")"
cat "info/$offline/xml" "info/$fine/xml" >/dev/null || fail "one bad LUN breaks a description"
cmp -n $((8 * M)) "volumes/$fine" /dev/zero || fail "one bad LUN hurts another"

# back online, it is a LUN as any
tgt adm --mode logicalunit --op update --tid 1 --lun 300 --params online=1
came_back()
{
	put ctl refresh
	size $((8 * M)) "volumes/$offline"
}
eventually 10 came_back
pattern 3 5000 | dd of="volumes/$offline" bs=5000 seek=3 conv=notrunc,fsync status=none
pattern 3 5000 | cmp -i 0:15000 -n 5000 - "$tgt/odd.300" || fail "300 is another LUN"
iscsi-readcapacity16 "$(url odd 16684)" >"$tmp/rc" 2>&1 || fail "$(cat "$tmp/rc")"

# read-only: read as any, refused when opened or written
pattern 9 $((8 * M)) >"$tgt/odd.2"
put ctl refresh
cmp "volumes/$readonly" "$tgt/odd.2" || fail "a read-only LUN is not read"
expect_errno EROFS dd if=/dev/zero of="volumes/$readonly" bs=4k count=1 conv=notrunc,fsync
expect_errno EROFS put "info/$readonly/ctl" 'wipe zero'
pattern 9 $((8 * M)) | cmp - "$tgt/odd.2" || fail "a read-only LUN was written"

# large blocks: what is smaller or odd is read, changed and written, also by many at once
iscsi-readcapacity16 "$(url odd 1)" | grep -qx 'LOGICAL BLOCK LENGTH IN BYTES:4096' ||
	fail "the target has other blocks: $(iscsi-readcapacity16 "$(url odd 1)")"
head -c $((16 * M)) /dev/urandom >"$tmp/same"
cp "$tmp/same" "volumes/$large"
python3 - "volumes/$large" "$tmp/same" <<'END' || fail "writers differ"
import os, random, sys, threading
# disjoint pieces that share blocks, in any order: every byte is written once
rnd = random.Random(7)
cuts = sorted(rnd.sample(range(1, 1 << 20), 150))
pieces = [(a, b) for a, b in zip([0] + cuts, cuts + [1 << 20])]
rnd.shuffle(pieces)
for path in sys.argv[1:]:
    fd = os.open(path, os.O_RDWR)
    direct = path != sys.argv[2] and os.open(path, os.O_RDWR | os.O_DIRECT)
    work, lock = iter(pieces), threading.Lock()
    def run():
        while True:
            with lock:
                piece = next(work, None)
            if not piece:
                return
            a, b = piece
            assert os.pwrite(fd, bytes([(a * 7 + b) % 251]) * (b - a), a) == b - a
    jobs = [threading.Thread(target=run) for _ in range(8)]
    [j.start() for j in jobs]
    [j.join() for j in jobs]
    for a, n in (5 << 20, 1), ((6 << 20) - 1, 2), ((7 << 20) + 511, 5000), ((16 << 20) - 7, 7):
        assert os.pwrite(fd, b"\x42" * n, a) == n
        assert os.pread(fd, n, a) == b"\x42" * n
    assert os.pread(fd, 100, (16 << 20) - 3) == b"\x42" * 3
    os.fsync(fd)
END
cmp "$tmp/same" "$tgt/odd.1" || fail "the LUN of large blocks is not what was written"
cmp "$tmp/same" "volumes/$large" || fail "the LUN of large blocks reads as another thing"
fallocate -z -n -o 1234 -l 300000 "$tmp/same"
fallocate -z -n -o 1234 -l 300000 "volumes/$large" ||
	fallocate -p -o 1234 -l 300000 "volumes/$large" || fail "neither zeroed nor punched"
sync "volumes/$large"
cmp "$tmp/same" "$tgt/odd.1" || fail "zeroing odd bytes of large blocks did something else"

# thin: du and SEEK_DATA are what is allocated, punching gives back
iscsi_pool thin iscsi-direct thin
cd "$storage/pools/thin"
thin=$(unit 1)
size $((64 * M)) "volumes/$thin"
pattern 7 $((3 * M)) >"$tmp/7"
dd if="$tmp/7" of="volumes/$thin" bs=1M seek=40 conv=notrunc,fsync status=none
[ "$(du -m "volumes/$thin" | cut -f 1)" -le 16 ] || fail "du of a thin LUN says $(du -m volumes/*)"
[ "$(du -m "volumes/$thin" | cut -f 1)" -ge 3 ] || fail "du of a thin LUN says $(du -m volumes/*)"
holes()
{
	python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 40 << 20, os.SEEK_HOLE))' "volumes/$thin"
}
[ "$(holes)" = "$((40 * M)) $((43 * M))" ] || fail "data and hole are at $(holes)"
cp --sparse=auto "volumes/$thin" "$tmp/copy"
[ "$(du -m "$tmp/copy" | cut -f 1)" -le 16 ] || fail "cp filled the holes"
cmp "$tmp/copy" "$tgt/thin.1" || fail "a sparse copy of a thin LUN differs"
fallocate -p -o $((41 * M)) -l $M "volumes/$thin"
sync "volumes/$thin"
fallocate -p -o $((41 * M)) -l $M "$tmp/copy"
cmp "$tmp/copy" "$tgt/thin.1" || fail "punching did something else"
[ "$(holes)" = "$((40 * M)) $((41 * M))" ] || fail "data and hole are at $(holes)"
[ "$(du -m "$tgt/thin.1" | cut -f 1)" -le 3 ] || fail "punching gave nothing back"

# reserved by another initiator: busy, until it is released; other LUNs are not
iscsi_pool plain iscsi-direct plain
cd "$storage/pools/plain"
one=$(unit 1)
two=$(unit 2)
cat >"$tmp/reserve.py" <<'END'
import ctypes, sys
lib = ctypes.CDLL("libiscsi.so.7")
for f in "iscsi_create_context", "iscsi_reserve6_sync", "iscsi_release6_sync", "iscsi_testunitready_sync":
    getattr(lib, f).restype = ctypes.c_void_p
lib.iscsi_get_error.restype = ctypes.c_char_p
portal, target = (a.encode() for a in sys.argv[1:3])
c = ctypes.c_void_p(lib.iscsi_create_context(b"iqn.2026-11.example.storagefs:other"))
lib.iscsi_set_targetname(c, target)
lib.iscsi_set_session_type(c, 2)
assert lib.iscsi_full_connect_sync(c, portal, 1) == 0, lib.iscsi_get_error(c)
def status(task):
    return ctypes.cast(task, ctypes.POINTER(ctypes.c_int))[0]
lib.iscsi_testunitready_sync(c, 1)
assert status(lib.iscsi_reserve6_sync(c, 1)) == 0, lib.iscsi_get_error(c)
print("reserved", flush=True)
sys.stdin.readline()
assert status(lib.iscsi_release6_sync(c, 1)) == 0, lib.iscsi_get_error(c)
print("released", flush=True)
lib.iscsi_logout_sync(c)
END
mkfifo "$tmp/go"
python3 "$tmp/reserve.py" "127.0.0.1:$port" "$iqn:plain" <"$tmp/go" >"$tmp/reserver" 2>&1 &
reserver=$!
exec 8>"$tmp/go"
eventually 10 grep -q reserved "$tmp/reserver"
expect_errno EBUSY dd if=/dev/zero of="volumes/$one" bs=4k count=1 conv=notrunc,fsync
expect_errno EBUSY dd if="volumes/$one" of=/dev/null bs=4k count=1
grep -q -i reserv "info/$one/error" || fail "its error does not say why: $(cat "info/$one/error")"
dd if=/dev/zero of="volumes/$two" bs=4k count=1 conv=notrunc,fsync status=none
ls -l volumes >"$tmp/out"
echo >&8
exec 8>&-
wait "$reserver" || fail "$(cat "$tmp/reserver")"
dd if=/dev/zero of="volumes/$one" bs=4k count=1 conv=notrunc,fsync status=none

# added, removed and replaced while the pool runs
tgt add plain 7 4M
eventually 10 test -e "volumes/$(unit 7)"
size $((4 * M)) "volumes/$(unit 7)"
eventually 10 is $((28 * M)) capacity
pattern 8 1000 | dd of="volumes/$(unit 7)" conv=notrunc,fsync status=none
pattern 8 1000 | cmp -n 1000 - "$tgt/plain.7" || fail "a new LUN is not written"
tgt remove plain 7
eventually 10 sh -c "! ls volumes | grep -q '7\$'"
if cat "volumes/$(unit 7)" 2>"$tmp/err"; then fail "a LUN that is gone gives bytes"; fi
eventually 10 is $((24 * M)) capacity
rm "$tgt/plain.7"
tgt add plain 7 12M
eventually 10 test -e "volumes/$(unit 7)"
eventually 10 size $((12 * M)) "volumes/$(unit 7)"
dd if="volumes/$one" of=/dev/null bs=1M status=none || fail "a change of LUNs hurts another"
is running state

# one with a cache that knows the older way to flush it alone: it is used, and what it says is told
cd "$tmp"
start_hostile ''
port=$(sed -n 's/^flushes-shortly //p' "$tmp/hostile")
iscsi_pool shortly iscsi-direct plain
cd "$storage/pools/shortly"
expect_errno EIO dd if="$tmp/7" of="volumes/$one" bs=4k count=1 conv=notrunc,fsync
dd if="$tmp/7" of="volumes/$one" bs=4k count=1 conv=notrunc,fsync status=none || fail "it was flushed well"
