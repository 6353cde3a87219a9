#!/bin/sh
# A cluster that hangs or is gone hurts its own pool alone; what fsync acknowledged is there when it
# is back, and nobody needs to restart anything for that.
# limit: 120
# tsan
mount_options=timeout=3
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"
fake_only

# at_once FILE-OR-DIRECTORY…: each answers in under 100 ms, the best of several tries
at_once()
{
	python3 - "$@" <<-'END' || fail "took too long: $*"
		import os, sys, time
		def look(path):
		    if os.path.isdir(path):
		        return os.listdir(path)
		    with open(path, "rb") as f:
		        return f.read()
		slow = 0
		for path in sys.argv[1:]:
		    took = []
		    for _ in range(7):
		        start = time.monotonic()
		        look(path)
		        took.append(time.monotonic() - start)
		    if min(took) > 0.1:
		        print("%s took %d ms" % (path, min(took) * 1000))
		        slow = 1
		sys.exit(slow)
	END
}

others_answer()
{
	at_once "$storage/pools" "$pool/state" "$pool/error" "$pool/xml" "$pool/uuid" \
		"$storage/pools/good/volumes" "$storage/pools/good/volumes/v" \
		"$storage/pools/good/info/v/xml"
	timeout 5 dd if=/dev/zero of="$storage/pools/good/volumes/w" bs=64k count=16 status=none ||
		fail "another pool does not write"
}

dir_pool good
head -c $M /dev/urandom >"$storage/pools/good/volumes/v"
sheepdog_pool p
pool=$storage/pools/p
head -c $((12 * M)) /dev/urandom >"$tmp/data"
cp "$tmp/data" "$pool/volumes/v"
truncate -s $((16 * M)) "$pool/volumes/new"
truncate -s $((12 * M)) "$pool/volumes/stale"
eventually 2 size $((12 * M)) "$pool/volumes/v"

# All at once, as it comes in life.
operations_fail()
{
	failing_=
	for operation_ in 'dd if=volumes/v of=/dev/null bs=1M count=1 iflag=direct' \
		'dd if=/dev/zero of=volumes/stale bs=1M count=1 conv=notrunc,fsync' 'ls volumes' \
		'touch volumes/another' 'touch snapshots/v/s'; do
		# shellcheck disable=SC2086  # words
		(cd "$pool" && fails_in_time $operation_) &
		failing_="$failing_ $!"
	done
	for one_ in $failing_; do
		wait "$one_" || fail "an operation on a dead pool"
	done
}

# acknowledge VOLUME: a writer that fsyncs each block and tells which it did, until one fails
acknowledge()
{
	rm -f "$tmp/acknowledged"
	python3 - "$pool/volumes/$1" "$tmp/acknowledged" <<-'END' &
		import os, sys
		fd = os.open(sys.argv[1], os.O_WRONLY)
		done = 0
		with open(sys.argv[2], "w") as out:
		    try:
		        while True:
		            block = done % 256
		            os.pwrite(fd, b"%8d" % done * 512, block * 65536)
		            os.fsync(fd)
		            done += 1
		            print(done, file=out, flush=True)
		    except OSError as e:
		        print(e, file=sys.stderr)
	END
	writer=$!
	eventually 20 sh -c '[ "$(wc -l <"$1")" -gt 20 ]' sh "$tmp/acknowledged"
}

# acknowledged VOLUME: all that was is there
acknowledged()
{
	wait "$writer" || :
	done_=$(wc -l <"$tmp/acknowledged")
	python3 - "$pool/volumes/$1" "$done_" <<-'END' || fail "lost, though fsynced"
		import os, sys
		fd, done = os.open(sys.argv[1], os.O_RDONLY), int(sys.argv[2])
		assert done > 20
		for i in range(max(0, done - 255), done):
		    got = os.pread(fd, 4096, i % 256 * 65536)
		    assert got in (b"%8d" % i * 512, b"%8d" % (i + 256) * 512), (i, got[:8])
	END
}

works_again()
{
	eventually 15 ls "$pool/volumes"
	eventually 15 grep -qx running "$pool/state"
	cmp -n $((12 * M)) "$tmp/data" "$pool/volumes/v" || fail "the volume is not what it was"
	acknowledged new
	# what failed meanwhile may be carried out late, but never over what is written since
	dd if="$tmp/data" of="$pool/volumes/stale" bs=1M conv=notrunc,fsync status=none
	sleep 0.5
	sheep_same stale "$tmp/data"
	cmp -n $((12 * M)) "$tmp/data" "$pool/volumes/stale" || fail "a failed write came late"
	rm -f "$pool/volumes/another" "$pool/snapshots/v/s"
}

for how in silent stopped killed; do
	echo "--- $how"
	acknowledge new
	case $how in
	silent) tell silent 0 ;;
	stopped) kill -STOP "$sheep_pid" ;;
	killed) tell kill 0 ;;
	esac
	operations_fail &
	failing=$!
	for _ in 1 2 3; do others_answer; done
	wait "$failing" || fail "an operation on the dead pool"
	others_answer
	eventually 10 grep -qx away "$pool/state"
	grep -q -e "$port" -e 'no answer within' "$pool/error" ||
		fail "the error says: $(cat "$pool/error")"
	case $how in
	silent) tell speak 0 ;;
	stopped) kill -CONT "$sheep_pid" ;;
	killed) tell start 0 ;;
	esac
	works_again
done

# stop and the daemon's end do not wait for it longer than the timeout
tell silent 0
begin=$(date +%s)
put "$pool/ctl" stop || :
[ $(($(date +%s) - begin)) -lt 10 ] || fail "stop hung"
begin=$(date +%s)
cd /
umount_storage
[ $(($(date +%s) - begin)) -lt 15 ] || fail "the daemon's end hung"
