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
p = select.poll()
p.register(fd, select.POLLIN)
for _ in range(100): # what was seen of earlier changes may still come
    while os.read(fd, 65536):
        pass
    if not p.poll(200):
        break
else:
    sys.exit("poll says there is more at the end")
def later():
    time.sleep(0.3)
    open(storage + "/pools/a/volumes/polled", "w").close()
t = threading.Thread(target=later)
t.start()
assert p.poll(60000), "poll did not wake"
t.join()
text = os.read(fd, 65536)
while b"polled" not in text and p.poll(60000):
    text += os.read(fd, 65536)
assert b"polled" in text
END

# the oldest lines go: who follows gets each line once, who comes then what is there
touch "$storage/pools/a/volumes/n0"
tail -f -n 0 "$storage/events" >"$tmp/followed" 2>"$tmp/tail" &
follower=$!
eventually 5 grep -q . "/proc/$follower/fdinfo/3"
python3 - "$storage" <<'END'
import os, sys
storage = sys.argv[1]
volumes = storage + "/pools/a/volumes/"
fd, size = os.open(storage + "/events", os.O_RDONLY), 0
for i in range(11500):
    os.rename(f"{volumes}n{i}", f"{volumes}n{i + 1}")
    if i % 10 == 0:
        was, size = size, os.fstat(fd).st_size
        assert size >= was, f"{was} bytes became {size} for a reader"
with open(storage + "/events", "rb") as f:
    text = f.read()
    assert len(text) == os.fstat(f.fileno()).st_size == os.stat(storage + "/events").st_size
    assert 10000 <= text.count(b"\n") <= 11000, text.count(b"\n")
END
eventually 5 grep -q 'volume-renamed n11499 n11500' "$tmp/followed"
kill "$follower"
wait "$follower" 2>/dev/null || :
[ ! -s "$tmp/tail" ] || fail "tail said: $(cat "$tmp/tail")"
[ -z "$(sort "$tmp/followed" | uniq -d)" ] || fail "lines came twice"

# cat ends, grep -r ends
cat "$storage/events" >/dev/null
rm "$storage/pools/a/volumes/with blank"
eventually 5 grep -q 'blank' "$storage/events"
