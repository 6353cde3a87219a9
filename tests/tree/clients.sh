#!/bin/sh
# A thousand clients make, rename, write and delete the same names; everything adds up afterwards.
# limit: 240
# tsan
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
fake_pool f files
python3 - "$storage" "$tmp/a" <<'END'
import errno, os, random, sys, threading
storage, native = sys.argv[1:]
fine = {errno.ENOENT, errno.EEXIST, errno.EBUSY, errno.EAGAIN, errno.EINVAL, errno.ESTALE}
wrong = []
clients = 1000
gate = threading.Semaphore(100)

def client(i):
    rng = random.Random(i)
    with gate:
        for step in range(8):
            pool = storage + "/pools/" + rng.choice("aaf")
            a = f"{pool}/volumes/n{rng.randrange(8)}"
            b = f"{pool}/volumes/n{rng.randrange(8)}"
            try:
                what = rng.randrange(8)
                if what == 0:
                    os.close(os.open(a, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                elif what == 1:
                    os.rename(a, b)
                elif what == 2:
                    os.unlink(a)
                elif what == 3:
                    with open(a, "wb") as f:
                        f.write(bytes([i % 256]) * 5000)
                elif what == 4:
                    with open(a, "rb") as f:
                        data = f.read()
                    if len(set(data) - {0}) > 1 and len(set(data)) > 8:
                        wrong.append((a, "mixed"))
                elif what == 5:
                    os.listdir(pool + "/volumes")
                elif what == 6:
                    os.stat(a)
                    open(f"{pool}/info/{os.path.basename(a)}/xml").read()
                else:
                    os.mkdir(f"{pool}/info/{os.path.basename(a)}")
                    os.rmdir(f"{pool}/info/{os.path.basename(a)}")
            except OSError as e:
                if e.errno not in fine and not (what == 7 and e.errno == errno.EPERM):
                    wrong.append((what, a, e))

threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert not wrong, wrong[:10]
for d in os.listdir(storage + "/pools/a/info"):
    if d not in os.listdir(storage + "/pools/a/volumes"):
        os.rmdir(storage + "/pools/a/info/" + d)
here = sorted((e.name, e.stat().st_size) for e in os.scandir(storage + "/pools/a/volumes"))
there = sorted((e.name, e.stat().st_size) for e in os.scandir(native))
assert here == there, (here, there)

# pools: the same names defined, started, stopped, renamed, undefined by many
def admin(i):
    rng = random.Random(i)
    with gate:
        for step in range(6):
            name = storage + f"/pools/p{rng.randrange(4)}"
            try:
                what = rng.randrange(6)
                if what == 0:
                    os.mkdir(name)
                elif what == 1:
                    fd = os.open(name + "/xml", os.O_WRONLY | os.O_TRUNC)
                    try:
                        os.write(fd, f"<pool type='dir'><target><path>{native}.{rng.randrange(3)}</path></target></pool>".encode())
                    finally:
                        os.close(fd)
                elif what == 2:
                    fd = os.open(name + "/ctl", os.O_WRONLY)
                    try:
                        os.write(fd, rng.choice([b"start\n", b"stop\n", b"refresh\n"]))
                    finally:
                        os.close(fd)
                elif what == 3:
                    os.rmdir(name)
                elif what == 4:
                    os.rename(name, storage + f"/pools/p{rng.randrange(4)}")
                else:
                    os.listdir(storage + "/pools")
                    open(name + "/state").read()
            except OSError as e:
                if e.errno not in fine:
                    wrong.append((what, name, e))

for i in range(3):
    os.mkdir(f"{native}.{i}")
threads = [threading.Thread(target=admin, args=(i,)) for i in range(200)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert not wrong, wrong[:10]
for p in os.listdir(storage + "/pools"):
    state = open(f"{storage}/pools/{p}/state").read()
    saved = os.path.exists(os.path.join(os.path.dirname(storage), "source", p + ".xml"))
    assert saved == (state != "undefined\n"), (p, state, saved)
END
