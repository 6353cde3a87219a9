#!/bin/sh
# 64 reads of one process in flight hang in a pool whose source is silent, and more wait behind them:
# another pool goes on at its full speed, and the hung ones end in time.
# limit: 120
# tsan
mount_options=timeout=20
. "${0%/*}/lib.sh"
need_backend fake
need fio python3

fake_pool bad provisioned
dir_pool good
head -c 33554432 /dev/urandom >"$tmp/data"
cp "$tmp/data" "$storage/pools/good/volumes/v"
head -c 4194304 /dev/urandom >"$tmp/small"
cp "$tmp/small" "$storage/pools/bad/volumes/v"

# round: the milliseconds that work in the good pool takes
round()
{
	start_=$(date +%s%N)
	cmp "$tmp/data" "$storage/pools/good/volumes/v" || fail "the good pool reads something else"
	dd if="$tmp/data" of="$storage/pools/good/volumes/w" bs=64k status=none oflag=direct
	i_=0
	while [ "$i_" -lt 40 ]; do
		echo x >"$storage/pools/good/volumes/n$i_"
		cat "$storage/pools/good/info/n$i_/capacity" "$storage/pools/bad/state" >/dev/null
		rm "$storage/pools/good/volumes/n$i_"
		i_=$((i_ + 1))
	done
	echo $((($(date +%s%N) - start_) / 1000000))
}

round >/dev/null
alone=$(round)
control bad read stuck
fio --name=hung --filename="$storage/pools/bad/volumes/v" --rw=randread --bs=4k --size=4M --io_size=256k \
	--ioengine=libaio --iodepth=64 --direct=1 --readonly >"$tmp/fio" 2>&1 &
hung=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	dd if="$storage/pools/bad/volumes/v" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null &
	hung="$hung $!"
done
sleep 0.7
beside=$(round)
kill -0 "${hung%% *}" || fail "the reads did not hang: $(cat "$tmp/fio")"
echo "alone $alone ms, beside 64 hung reads $beside ms"
# generous: a thread that waits for the silent source would make it seconds
[ "$beside" -lt $((alone * 5 + 5000)) ] || fail "the good pool took $beside ms instead of $alone"
start=$(date +%s)
for pid in $hung; do
	if wait "$pid"; then fail "a stuck read succeeded"; fi
done
[ $(($(date +%s) - start)) -le 100 ] || fail "the hung reads ended late"
grep -q 'no answer within 20 s' "$storage/pools/bad/info/v/error" || fail "the error does not say why"
control_off bad read
eventually 10 cmp "$tmp/small" "$storage/pools/bad/volumes/v"
