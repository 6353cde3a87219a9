#!/bin/sh
# A thousand processes at the same moment make, rename and delete the same four names, volumes and
# pools: each call succeeds or says why not, and what is left is what the directory has.
# limit: 240
# tsan
. "${0%/*}/lib.sh"
need_backend dir
need python3

dir_pool a
fake_pool f provisioned
python3 - "$storage" "$tmp/a" <<'END'
import errno, os, random, sys, time
storage, native = sys.argv[1:]
fine = {errno.ENOENT, errno.EEXIST, errno.EBUSY, errno.EAGAIN, errno.ESTALE}
names = ["w", "x", "y", "z"]
begin, wait = os.pipe()[::-1]

def client(i):
    rng = random.Random(i)
    os.read(wait, 1)  # ends for all at once, when the last writing end is closed
    for step in range(4):
        where = f"{storage}/pools/" + rng.choice(["a/volumes/", "a/volumes/", "f/volumes/", ""])
        a, b = where + rng.choice(names), where + rng.choice(names)
        try:
            what = rng.randrange(3)
            if where.endswith("pools/"):
                [os.mkdir, os.rmdir, os.stat][what](a)
            elif what == 0:
                os.close(os.open(a, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            elif what == 1:
                os.rename(a, b)
            else:
                os.unlink(a)
        except OSError as e:
            if e.errno not in fine:
                os.write(2, f"{what} {a} {b}: {e}\n".encode())
                return 1
    return 0

children = []
for i in range(1000):
    pid = os.fork()
    if pid == 0:
        os.close(begin)
        code = 2
        try:
            code = client(i)
        finally:
            os._exit(code)
    children.append(pid)
os.close(begin)
bad = sum(1 for pid in children if os.waitpid(pid, 0)[1])
assert bad == 0, f"{bad} of 1000 got an error that says nothing of the crowd"

for pool in "a", "f":
    volumes = sorted(os.listdir(f"{storage}/pools/{pool}/volumes"))
    assert set(volumes) <= set(names), volumes
    for v in names:
        assert os.path.exists(f"{storage}/pools/{pool}/volumes/{v}") == (v in volumes), (pool, v, volumes)
    info = [n for n in os.listdir(f"{storage}/pools/{pool}/info")]
    assert sorted(info) == volumes, (info, volumes)
assert sorted(os.listdir(native)) == sorted(os.listdir(f"{storage}/pools/a/volumes"))
for p in set(os.listdir(storage + "/pools")) - {"a", "f"}:
    os.rmdir(f"{storage}/pools/{p}")
END
[ "$(ls "$storage/pools" | tr '\n' ' ')" = 'a f ' ] || fail "the pools are $(ls "$storage/pools")"
