#!/bin/sh
# What is read ahead of a reader: fewer requests for who reads in a row, none more for who does not,
# and never other bytes than were there when he asked; another client's are seen within a second.
# limit: 180
# tsan
. "${0%/*}/../tree/lib.sh"
sheep_options="--nodes 3 --copies 2"
. "${0%/*}/sheep.sh"
fake_only

sheepdog_pool p
cd "$storage/pools/p"
head -c $((24 * M)) /dev/urandom >"$tmp/data"
truncate -s $((24 * M)) volumes/v
dd if="$tmp/data" of=volumes/v bs=1M conv=notrunc,fsync status=none

# reads FILE: how many requests it takes to read the volume, 16 KiB at a time, into FILE
reads()
{
	tell forget
	dd if=volumes/v of="$1" bs=16k status=none
	cmp "$1" "$tmp/data" || fail "other bytes were read"
	tell counts | awk '$1 == "read" { print $2 }'
}

# -- in a row: whole pieces, unless the machine is too busy to read them in time --

few()
{
	[ "$(reads "$tmp/read")" -lt 800 ]
}
eventually 60 few

# -- not in a row, or many at once: what was asked for and no more --

python3 - volumes/v "$tmp/data" "$here/sheep_tell" "$sheep" <<'END' || fail "reads in no row"
import os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
name, data, tell, sheep = sys.argv[1:]
fd, plain = os.open(name, os.O_RDONLY), os.open(data, os.O_RDONLY)

def count(places, size, threads):
    subprocess.run([tell, sheep, "forget"], check=True)
    with ThreadPoolExecutor(threads) as pool:
        for at, got in zip(places, pool.map(lambda at: os.pread(fd, size, at), places)):
            assert got == os.pread(plain, size, at), at
    counts = subprocess.run([tell, sheep, "counts"], check=True, capture_output=True).stdout
    return int(dict(line.split() for line in counts.splitlines())[b"read"])

backwards = list(range((20 << 20) - 65536, 0, -65536))
assert (n := count(backwards, 65536, 1)) == len(backwards), (n, len(backwards))
apart = list(range(0, 20 << 20, 2 << 20))
assert (n := count(apart, 1 << 19, 1)) == len(apart), (n, len(apart))
END

# -- whoever reads sees what was written, punched or resized before, also while it is under way --

truncate -s $((24 * M)) volumes/w "$tmp/plain"
dd if="$tmp/data" of="$tmp/plain" bs=1M count=13 conv=notrunc status=none
dd if="$tmp/data" of=volumes/w bs=1M count=13 conv=notrunc,fsync status=none
tell jitter 0.02
python3 - "$tmp/plain" volumes/w <<'END' || fail "a reader did not see what was written"
import ctypes, os, random, sys
rnd = random.Random(5)
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
readers = [os.open(name, os.O_RDONLY) for name in sys.argv[1:]]
writers = [[os.open(name, os.O_RDWR | flag) for name in sys.argv[1:]] for flag in (0, os.O_DSYNC)]
for row in range(12):
    at = rnd.randrange(8 << 20)
    for step in range(40):
        size = rnd.choice([65536, 262144, 1 << 20])
        plain, volume = (os.pread(fd, size, at) for fd in readers)
        assert plain == volume, (row, step, at)
        at += len(plain)
        if step < 8 or rnd.random() < 0.7:
            continue
        place, data = at + rnd.randrange(4 << 20), rnd.randbytes(rnd.choice([100, 300000]))
        fds = rnd.choice(writers)
        for fd in fds:
            if step % 3:
                os.pwrite(fd, data, min(place, (24 << 20) - len(data)))
            else:
                assert libc.fallocate(fd, 3, min(place, 20 << 20), 500000) == 0
END

# also what is answered and not stored yet
tell jitter 0
python3 - "$tmp/plain" volumes/w <<'END' || fail "a reader did not see what was gathered"
import os, sys
plain, volume = (os.open(name, os.O_RDWR) for name in sys.argv[1:])
for turn in range(6):
    at = 2 << 20
    for step in range(64):
        assert os.pread(plain, 65536, at) == os.pread(volume, 65536, at), (turn, step)
        at += 65536
        if step == 4:
            data = os.urandom(1 << 20)
            for fd in (plain, volume):
                os.pwrite(fd, data, 4 << 20)
END
tell jitter 0.02

# a reader and a writer at once: a read has all that was answered before it began
truncate -s $((16 * M)) volumes/race
dd if="$tmp/data" of=volumes/race bs=1M count=16 conv=notrunc,fsync status=none
timeout 100 python3 - volumes/race <<'END' || fail "a read was older than a write that had ended"
import os, random, struct, sys, threading, time
BLOCK, BLOCKS = 65536, 256
rnd = random.Random(7)
done, place, over = [0] * BLOCKS, [0], threading.Event()

def write():
    fds = [os.open(sys.argv[1], os.O_WRONLY | flag) for flag in (0, os.O_DSYNC)]
    stamp = 0
    while not over.is_set():
        block = min(place[0] + rnd.randrange(1, 40), BLOCKS - 1)
        stamp += 1
        os.pwrite(rnd.choice(fds), struct.pack("<Q", stamp) * (BLOCK // 8), block * BLOCK)
        done[block] = stamp
        time.sleep(rnd.choice([0, 0, 0.05]))

fd = os.open(sys.argv[1], os.O_RDWR)
for block in range(BLOCKS):
    os.pwrite(fd, bytes(BLOCK), block * BLOCK)
os.fsync(fd)
thread = threading.Thread(target=write)
thread.start()
wrong, end = None, time.monotonic() + 5
while time.monotonic() < end and not wrong:
    for block in range(BLOCKS):
        place[0], before = block, done[block]
        got, = struct.unpack_from("<Q", os.pread(fd, BLOCK, block * BLOCK))
        if got < before:
            wrong = f"block {block} has {got}, {before} was written"
over.set()
thread.join()
sys.exit(wrong)
END
tell jitter 0
rm volumes/w volumes/race

# -- another client's writes: at once by who opens the volume, within a second by who has it open --

head -c $((2 * M)) /dev/zero | tr '\0' x >"$tmp/theirs"
python3 - volumes/v "$tmp/theirs" "$here/sheep_tell" "$sheep" <<'END' || fail "theirs was not seen"
import os, subprocess, sys, time
name, theirs, tell, sheep = sys.argv[1:]
fd = os.open(name, os.O_RDONLY)
for at in range(0, 8 << 20, 1 << 18):
    os.pread(fd, 1 << 18, at)
subprocess.run([tell, sheep, "fill", "v", str(8 << 20), theirs], check=True)
other = os.open(name, os.O_RDONLY)
assert os.pread(other, 1 << 18, 8 << 20) == b"x" * (1 << 18), "opened after it"
os.close(other)
for at in range(8 << 20, 16 << 20, 1 << 18):
    os.pread(fd, 1 << 18, at)
subprocess.run([tell, sheep, "fill", "v", str(16 << 20), theirs], check=True)
time.sleep(1)
assert os.pread(fd, 1 << 18, 16 << 20) == b"x" * (1 << 18), "a second after it"
END
dd if="$tmp/data" of=volumes/v bs=1M conv=notrunc,fsync status=none

# -- what fails ahead of a reader is not his failure; a sheep that goes is none at all --

# meets ACTION…: one of the later reads does; whatever dd says, its bytes are right
meets()
{
	fault read:data nth=9 "$@"
	said=0
	dd if=volumes/v of="$tmp/read" bs=1M status=none || said=$?
	cmp -n "$(stat -c %s "$tmp/read")" "$tmp/read" "$tmp/data" || fail "$*: other bytes"
	[ "$(tell fired)" -gt 0 ] || fail "$*: nothing met it"
	tell off
}

# on a busy machine it may be one that the reader asked for himself
for result in 0x03 0x02; do
	for _ in 1 2 3 4 5; do
		meets result "$result"
		[ "$said" != 0 ] || break
	done
done
for action in reset reset-after 'cut 100000' later twice die; do
	# shellcheck disable=SC2086  # words
	meets $action
	[ "$said" = 0 ] || fail "$action: a reader was told"
done
tell start all

# -- readers that are gone, and a pool that is stopped, while there is no answer --

dd if=volumes/v bs=64k status=none 2>/dev/null | {
	head -c $((3 * M)) >/dev/null
	tell jitter 0.5
}
timeout -s KILL 1 dd if=volumes/v of=/dev/null bs=256k 2>/dev/null || :
put ctl stop
tell jitter 0
put ctl start
is running state
cmp volumes/v "$tmp/data" || fail "other bytes after a new start"

# -- snapshots, holes, and more readers than there is room for --

touch snapshots/v/s
truncate -s $((20 * M)) volumes/sparse
dd if="$tmp/data" of=volumes/sparse bs=1M skip=9 seek=9 count=5 conv=notrunc,fsync status=none
{
	head -c $((9 * M)) /dev/zero
	tail -c +$((9 * M + 1)) "$tmp/data" | head -c $((5 * M))
	head -c $((6 * M)) /dev/zero
} >"$tmp/sparse"
pids=
for _ in 1 2 3 4; do
	cmp volumes/v "$tmp/data" &
	pids="$pids $!"
	cmp snapshots/v/s "$tmp/data" &
	pids="$pids $!"
	cmp volumes/sparse "$tmp/sparse" &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || fail "one of many readers read other bytes"
done
rm snapshots/v/s volumes/*
no_leftovers
