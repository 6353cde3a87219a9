#!/bin/sh
# A target that hangs, dies and comes back: it hurts its own pool alone, what is asked of that ends in
# time, and what fsync acknowledged is there when the target is, without a restart of ours.
# limit: 180
# tsan
mount_options=timeout=3
. "${0%/*}/../tree/lib.sh"
targets=plain
. "${0%/*}/tgt.sh"

M=1048576
one=$(unit 1)
two=$(unit 2)
dir_pool other
head -c $((8 * M)) /dev/urandom >"$tmp/data"
cp "$tmp/data" "$storage/pools/other/volumes/v"

# looks at everything while POOL's target does not answer
others_answer() # POOL
{
	all_answer "$storage" "$storage/pools" "$storage/pools/$1" "$storage/pools/$1/state" \
		"$storage/pools/$1/error" "$storage/pools/$1/xml" "$storage/pools/other/xml" \
		"$storage/pools/other/volumes" "$storage/pools/other/info/v/xml"
	cmp "$tmp/data" "$storage/pools/other/volumes/v" || fail "another pool's bytes differ"
}

# ended COMMAND…: within timeout= and a little, with EIO or ETIMEDOUT
ended()
{
	if within 8 "$@"; then
		fail "succeeded with a dead target: $*"
	fi
	grep -q -e "$(errno_text EIO)" -e "$(errno_text ETIMEDOUT)" "$tmp/err" ||
		fail "ended otherwise: $* ($(cat "$tmp/err"))"
}

# 64 reads in flight end as one does, and nobody waits behind them
many_end() # of descriptor 7
{
	python3 - <<-'END' || fail "64 reads of a dead target"
		import os, threading, time
		fd = 7
		begin, ended = time.monotonic(), []
		def run(i):
		    try:
		        ended.append(os.pread(fd, 4096, i * 65536))
		    except OSError as e:
		        ended.append(e.errno)
		jobs = [threading.Thread(target=run, args=(i,)) for i in range(64)]
		[j.start() for j in jobs]
		[j.join() for j in jobs]
		took = time.monotonic() - begin
		assert took < 8, f"{took} s"
		assert all(e in (5, 110) for e in ended), ended
	END
}

# a list is whole, or there is none
whole_list() # POOL
{
	if within 8 ls "$storage/pools/$1/volumes"; then
		[ "$(cat "$tmp/out")" = "$(printf '%s\n%s' "$one" "$two")" ] ||
			fail "a dead target has the LUNs $(cat "$tmp/out")"
	fi
}

# one after the other acknowledges what it has written, until it may not
cat >"$tmp/writer.py" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
i = 0
while True:
    i += 1
    at = i * 7 % 1000 * 4096
    os.pwrite(fd, i.to_bytes(8, "big") * 512, at)
    os.fsync(fd)
    print(i, at, flush=True)
END

acknowledged()
{
	python3 - "$1" "$2" <<-'END' || fail "what fsync acknowledged is lost"
		import sys
		last = {}
		lines = open(sys.argv[1]).read().split("\n")[:-1]
		assert len(lines) > 20, f"only {len(lines)} writes"
		for line in lines:
		    i, at = map(int, line.split())
		    last[at] = i
		with open(sys.argv[2], "rb") as f:
		    for at, i in last.items():
		        f.seek(at)
		        got = f.read(4096)
		        # one more may have been written before its fsync failed
		        more = i + 1000
		        if got not in (i.to_bytes(8, "big") * 512, more.to_bytes(8, "big") * 512):
		            sys.exit(f"{at} does not hold {i} but {got[:16]}")
	END
}

# the target hangs in the middle of writes for longer than the timeout, or dies
for type in iscsi-direct iscsi; do
	iscsi_pool "$type" "$type" plain
	pool=$storage/pools/$type
	for how in pause stop; do
		: >"$tmp/acknowledged"
		python3 "$tmp/writer.py" "$pool/volumes/$one" >"$tmp/acknowledged" 2>"$tmp/writer" &
		writer=$!
		enough()
		{
			[ "$(wc -l <"$tmp/acknowledged")" -gt 40 ]
		}
		eventually 20 enough
		exec 7<"$pool/volumes/$two"
		tgt $how
		many_end &
		many=$!
		whole_list "$type"
		others_answer "$type"
		ended dd if="$pool/volumes/$two" of=/dev/null bs=4k count=1
		ended dd if="$tmp/data" of="$pool/volumes/$two" bs=64k count=10 conv=notrunc,fsync
		others_answer "$type"
		wait "$many" || exit 1
		exec 7<&-
		if wait "$writer"; then fail "the writer ended well"; fi
		grep -q -e 'Errno 5' -e 'Errno 110' "$tmp/writer" || fail "the writer: $(cat "$tmp/writer")"
		eventually 10 grep -qx away "$pool/state"
		others_answer "$type"
		case $how in
		pause) tgt continue ;;
		stop) tgt again ;;
		esac
		eventually 20 grep -qx running "$pool/state"
		acknowledged "$tmp/acknowledged" "$tgt/plain.1"
		acknowledged "$tmp/acknowledged" "$pool/volumes/$one"
		cp "$tmp/data" "$pool/volumes/$two"
		sync "$pool/volumes/$two"
		cmp "$tmp/data" "$tgt/plain.2" || fail "the pool does not write as before"
	done

	# a hang shorter than the timeout is only a delay
	tgt pause
	dd if="$tmp/data" of="$pool/volumes/$two" bs=1M conv=notrunc,fsync 2>"$tmp/dd" &
	writer=$!
	sleep 0.5
	tgt continue
	wait "$writer" || fail "a short hang: $(cat "$tmp/dd")"

	# stop with a dead target ends in time; so does a start, and another when it is there again
	tgt pause
	within 10 sh -c "echo stop >'$pool/ctl'" || fail "stop: $(cat "$tmp/err" "$pool/error")"
	is inactive "$pool/state"
	if within 10 sh -c "env printf 'start\n' >'$pool/ctl'"; then fail "a dead target starts"; fi
	all_answer "$pool/state" "$pool/error"
	tgt continue
	put "$pool/ctl" start
	cmp "$tmp/data" "$pool/volumes/$two" || fail "the bytes differ after a new start"
	[ "$type" = iscsi ] || { put "$pool/ctl" stop && rmdir "$pool"; }
done

# and so does the unmount, which leaves nothing
tgt pause
begin=$(date +%s)
umount_storage
[ $(($(date +%s) - begin)) -le 15 ] || fail "unmounting took $(($(date +%s) - begin)) s"
