#!/bin/sh
# copy_file_range between volumes of different pools, and of one that has no way of its own: the bytes
# go through the daemon, many pieces at once. Every byte arrives; a source that fails or hangs is
# told, and hurts nobody else.
# limit: 90
# tsan
mount_options=timeout=3
. "${0%/*}/lib.sh"
need python3

M=1048576
dir_pool d
fake_pool p provisioned
fake_pool q provisioned
fake_pool g given
cd "$storage/pools"
head -c $((20 * M + 4321)) /dev/urandom >"$tmp/data"
cp "$tmp/data" d/volumes/v

# cp, in every direction
cp d/volumes/v p/volumes/v
cp p/volumes/v q/volumes/v
cp q/volumes/v q/volumes/w
cp q/volumes/w d/volumes/back
eventually 5 size $((24 * M)) q/volumes/w
for copy in p/volumes/v q/volumes/v q/volumes/w d/volumes/back; do
	cmp -n $((20 * M + 4321)) "$tmp/data" $copy || fail "$copy differs"
done
size $((24 * M)) d/volumes/back

# any offset and length, more than the source has, more than the target holds
cat >"$tmp/copy.py" <<'END'
import os, random, sys
def copy(a, a_off, b, b_off, n):
    done = 0
    while done < n:
        got = os.copy_file_range(a, b, n - done, a_off + done, b_off + done)
        if not got:
            break
        done += got
    return done
END
python3 - <<END || fail "copies at any offset differ"
exec(open("$tmp/copy.py").read())
rnd = random.Random(5)
data = open("$tmp/data", "rb").read()
want = bytearray(data.ljust(24 << 20, b"\0"))
have = bytearray(open("q/volumes/w", "rb").read())
want[len(data):] = have[len(data):]
for source in "d/volumes/v", "p/volumes/v", "q/volumes/v":
    a, b = os.open(source, os.O_RDONLY), os.open("q/volumes/w", os.O_RDWR)
    for n in 1, 4095, 4097, 262143, 262145, 3000001, 9000000:
        x, y = rnd.randrange((11 << 20)), rnd.randrange((11 << 20))
        assert copy(a, x, b, y, n) == n
        want[y:y + n] = data[x:x + n]
    end = os.fstat(a).st_size
    want[5:105] = os.pread(a, 100, end - 100)
    assert copy(a, end - 100, b, 5, 1000) == 100
    assert copy(a, end + 5, b, 5, 10) == 0
    assert copy(a, 0, b, (24 << 20) - 1000, 1000) == 1000
    want[(24 << 20) - 1000:] = data[:1000]
    try:
        copy(a, 0, b, 24 << 20, 10)
        sys.exit("wrote behind the end")
    except OSError as e:
        assert e.errno == 28, e
    os.fsync(b)
    os.close(a)
    os.close(b)
got = open("q/volumes/w", "rb").read()
for i in range(0, len(want), 4096):
    assert got[i:i + 4096] == want[i:i + 4096], (source, i)
END

# what skips holes reads as zeros over old bytes, as by any writer
truncate -s $((8 * M)) "$tmp/d/sparse"
head -c 70000 /dev/urandom | dd of="$tmp/d/sparse" bs=64k seek=77 conv=notrunc status=none
tr '\0' o </dev/zero | dd of=g/volumes/unit0 bs=1M count=16 iflag=fullblock conv=notrunc status=none
cp --sparse=always d/volumes/sparse g/volumes/unit0
cmp -n $((8 * M)) "$tmp/d/sparse" g/volumes/unit0 || fail "a sparse copy over a volume differs"
head -c $((65 * M)) /dev/zero >"$tmp/d/large"
expect_errno ENOSPC cp d/volumes/large g/volumes/unit0

# one side fails: the errno arrives, and the next try works
fails() # POOL OPERATION
{
	control "$1" "$2" errno=EIO
	expect_errno EIO cp p/volumes/v q/volumes/v
	control_off "$1" "$2"
	cp p/volumes/v q/volumes/v
	cmp -n $((20 * M)) "$tmp/data" q/volumes/v || fail "the copy after a failure differs"
}
fails p read
fails q write

# one side hangs: twenty copies end in time, and nobody else waits for them (or has ETIMEDOUT)
truncate -s $((4 * M)) p/volumes/small
for i in $(seq 20); do truncate -s $((4 * M)) "q/volumes/small$i"; done
hangs() # POOL OPERATION OTHER
{
	control "$1" "$2" stuck
	pids=
	for i in $(seq 20); do
		timeout 15 cp p/volumes/small "q/volumes/small$i" 2>"$tmp/cp$i" &
		pids="$pids $!"
	done
	sleep 0.5
	for at in d "$3"; do
		timeout 20 dd if="$at/volumes/v" of=/dev/null bs=4k count=1 2>"$tmp/dd" ||
			fail "$at waits for $1: $(cat "$tmp/dd")"
		timeout 20 ls "$at/volumes" >"$tmp/out" || fail "$at has no list while $1 hangs"
	done
	timeout 20 cp d/volumes/sparse d/volumes/sparse2 || fail "d cannot copy while $1 hangs"
	for pid in $pids; do
		result=0
		wait "$pid" || result=$?
		[ "$result" = 1 ] || fail "a copy with a source that hangs ended with $result"
	done
	! cat "$tmp"/cp[0-9]* | grep -v -e 'timed out' -e 'Input/output error' || fail "another error"
	control_off "$1" "$2"
	eventually 10 cp p/volumes/v q/volumes/v
	cmp -n $((20 * M)) "$tmp/data" q/volumes/v || fail "the copy after a hang differs"
}
hangs p read q
hangs q write p
