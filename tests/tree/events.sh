#!/bin/sh
# The file events: a line for each change, followed by tail -f and poll.
# quick
. "${0%/*}/lib.sh"
need_backend dir
need python3

tail -f -n +1 "$storage/events" >"$tmp/followed" &
follower=$!
dir_pool a
touch "$storage/pools/a/volumes/v"
mv "$storage/pools/a/volumes/v" "$storage/pools/a/volumes/with blank"
touch "$tmp/a/outside"
for text in ' a .*running' ' a .*v' 'with\\x20blank' 'outside'; do
	eventually 5 grep -q -e "$text" "$storage/events"
	eventually 5 grep -q -e "$text" "$tmp/followed"
done
kill "$follower"
wait "$follower" 2>/dev/null || :
grep -Evq '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z ' "$storage/events" &&
	fail "a line is no event: $(cat "$storage/events")"

python3 - "$storage" <<'END'
import os, select, sys, threading, time
storage = sys.argv[1]
fd = os.open(storage + "/events", os.O_RDONLY)
while os.read(fd, 65536):
    pass
p = select.poll()
p.register(fd, select.POLLIN)
assert not p.poll(200), "poll says there is more at the end"
def later():
    time.sleep(0.3)
    open(storage + "/pools/a/volumes/polled", "w").close()
t = threading.Thread(target=later)
t.start()
assert p.poll(10000), "poll did not wake"
t.join()
time.sleep(0.1)
assert b"polled" in os.read(fd, 65536)
END

# cat ends, grep -r ends
cat "$storage/events" >/dev/null
rm "$storage/pools/a/volumes/with blank"
eventually 5 grep -q 'blank' "$storage/events"
