#!/bin/sh
# Images that grow and shrink while others look at what they use and where they have data: their
# maps and sizes do not agree then, and librbd's own look at both does not expect that.
# limit: 300
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

rbd_pool p
cd "$storage/pools/p"

rbd create --size 16M base
rbd bench --io-type write --io-size 4M --io-total 16M base >"$tmp/out" 2>&1
rbd snap create --no-progress base@s
rbd clone base@s clone
rbd create --size 16M plain

# resized in turn by us and by others, which librbd learns of whenever it likes
cat >"$tmp/play.py" <<'END'
import errno, os, subprocess, sys, threading, time
seconds, conf = 15, sys.argv[1]
M, end, failed = 1 << 20, time.monotonic() + seconds, []
names = ('plain', 'clone')

def until_end(work):
    def loop():
        try:
            while time.monotonic() < end:
                work()
        except BaseException as e:
            failed.append(repr(e))
    return threading.Thread(target=loop)

# whoever finds it locked by the other lets it be
def grow(name):
    def work():
        for size in (400, 800):
            if os.stat(f'volumes/{name}').st_size >= size * M:
                continue
            try:
                os.truncate(f'volumes/{name}', size * M)
            except OSError as e:
                if e.errno not in (errno.EBUSY, errno.EPERM):
                    raise
    return work

def shrink(name):
    def work():
        subprocess.run(['rbd', '-c', conf, 'resize', '--no-progress', '--allow-shrink', '--size',
                        '16M', name], stderr=subprocess.DEVNULL)
    return work

def look(name):
    fd = os.open(f'volumes/{name}', os.O_RDONLY)
    def work():
        with open(f'info/{name}/allocation') as used:
            assert int(used.read()) <= 800 * M
        at = 0
        for _ in range(20):
            try:
                at = os.lseek(fd, at, os.SEEK_DATA)
                at = os.lseek(fd, at, os.SEEK_HOLE)
            except OSError as e:
                if e.errno != errno.ENXIO:
                    raise
                return
    return work

threads = [until_end(make(name)) for name in names for make in (grow, shrink, look, look)]
for t in threads: t.start()
for t in threads: t.join()
sys.exit('; '.join(failed) or 0)
END
timeout 120 python3 "$tmp/play.py" "$cluster/ceph.conf" 2>"$tmp/err" || fail "$(cat "$tmp/err")"
for name in plain clone; do
	[ "$(du -B 1 "volumes/$name" | cut -f 1)" = "$(image_used "$name")" ] ||
		fail "du of $name: $(du -B 1 "volumes/$name"), Ceph: $(image_used "$name")"
done
