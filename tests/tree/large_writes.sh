#!/bin/sh
# Many large writes and reads on their way at once, that end in any order: each byte arrives where it
# belongs, while the memory that they lie in is used again and again.
# limit: 60
# tsan
. "${0%/*}/lib.sh"
need python3

fake_pool p provisioned
cd "$storage/pools/p"
touch volumes/v
truncate -s 32M volumes/v
control p write delay=2

python3 - <<'END' || fail "bytes are not where they were written"
import os, random, threading
K, ROOM = 1024, 4 << 20
SIZES = [4 * K, 64 * K, 64 * K + 512, 128 * K, 512 * K - 512, 512 * K, 1024 * K]
noise = os.urandom(2 << 20)
wrong = []

def work(which):
    chance, mine = random.Random(which), bytearray(ROOM)
    fd = os.open("volumes/v", os.O_RDWR)
    base = which * ROOM
    os.pwrite(fd, mine, base)
    for turn in range(60):
        size = chance.choice(SIZES)
        at = chance.randrange(0, ROOM - size, 512)
        start = chance.randrange(len(noise) - size)
        piece = noise[start:start + size]
        assert os.pwrite(fd, piece, base + at) == size
        mine[at:at + size] = piece
        size = chance.choice(SIZES)
        at = chance.randrange(0, ROOM - size, 512)
        if os.pread(fd, size, base + at) != mine[at:at + size]:
            wrong.append(f"{size} bytes at {base + at}, turn {turn}")
    os.fsync(fd)
    os.close(fd)
    with open("volumes/v", "rb", 0) as f:
        if os.pread(f.fileno(), ROOM, base) != mine:
            wrong.append(f"the part at {base} as a whole")

threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
if wrong:
    raise SystemExit("\n".join(wrong))
END
