#!/bin/sh
# A pool whose source hangs hurts itself alone: its own operations end in time with an error, and
# everything else, its state, error and xml included, answers at once.
# limit: 180
# tsan
mount_options=timeout=10
. "${0%/*}/lib.sh"
need_backend fake
need fio python3

# at_once COMMAND…: long before what hangs is given up
at_once()
{
	timeout 5 "$@" >"$tmp/out" 2>"$tmp/err" || {
		cat "$tmp/err" >&2
		fail "hung, or failed: $*"
	}
}

others_answer()
{
	at_once ls "$storage" "$storage/pools" "$storage/pools/bad"
	at_once cat "$storage/pools/bad/state" "$storage/pools/bad/error" "$storage/pools/bad/xml"
	at_once ls -l "$storage/pools/good/volumes"
	at_once dd if="$storage/pools/good/volumes/v" of=/dev/null bs=4k count=4
	at_once dd if=/dev/zero of="$storage/pools/good/volumes/w" bs=4k count=4
	at_once cat "$storage/pools/good/info/v/xml"
	at_once mkdir "$storage/pools/new"
	at_once rmdir "$storage/pools/new"
}

fake_pool good files
fake_pool bad provisioned
head -c 4194304 /dev/urandom >"$tmp/data"
cp "$tmp/data" "$storage/pools/good/volumes/v"
cp "$tmp/data" "$storage/pools/bad/volumes/v"
cd "$storage/pools/bad"

# reads that never come back: one process, then 64 in flight of one
control bad read stuck
dd if=volumes/v of=/dev/null bs=4k count=1 2>"$tmp/dd" &
reader=$!
sleep 0.1
others_answer
if wait "$reader"; then fail "a stuck read succeeded"; fi
grep -q 'Connection timed out' "$tmp/dd" || fail "a stuck read said: $(cat "$tmp/dd")"
grep -q 'no answer within 10 s' info/v/error || fail "its error does not say why"
fio --name=hung --filename=volumes/v --rw=randread --bs=4k --size=4M --ioengine=libaio \
	--iodepth=64 --direct=1 --readonly >"$tmp/fio" 2>&1 &
reader=$!
sleep 0.5
others_answer
if wait "$reader"; then fail "64 stuck reads succeeded"; fi

# ^C is honoured, and leaves nothing in the kernel
python3 - <<END || fail "an interrupted read did not end"
import os, signal, subprocess, sys, time
p = subprocess.Popen(["dd", "if=volumes/v", "of=/dev/null", "bs=4k", "count=1"],
                     stderr=subprocess.DEVNULL)
time.sleep(0.3)
start = time.time()
p.kill()
p.wait()
sys.exit(time.time() - start > 5)
END
control_off bad read
cmp "$tmp/data" volumes/v || fail "the volume is not what it was"

# what looks at names: many at once, more than there are threads
control bad vol_stat stuck
pids=
for i in $(seq 40); do
	stat "volumes/name$i" >/dev/null 2>&1 &
	pids="$pids $!"
done
sleep 0.3
others_answer
for pid in $pids; do wait "$pid" || :; done
control_off bad vol_stat
eventually 5 ls volumes/v
cmp "$tmp/data" volumes/v || fail "the volume is not what it was"

# a change of the hung directory is told as soon as it may be, one elsewhere at once
control bad list stuck
ls volumes >/dev/null 2>&1 &
lister=$!
sleep 0.1
control good event 'added outside'
eventually 1 ls "$storage/pools/good/volumes/outside"
kill -0 "$lister" || fail "it was told only after the hung listing"
wait "$lister" || :
control_off bad list
eventually 5 ls volumes
