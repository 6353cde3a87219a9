#!/bin/sh
# Images cut at every byte of their headers, and ones whose sizes and tables lie: described, copied,
# resized or refused, at once and without much memory; a refused resize changes nothing.
# limit: 300
. "${0%/*}/lib.sh"
need_backend dir
need qemu-img python3

mkdir "$tmp/a"
cd "$tmp/a"
for format in qcow2 qcow vmdk vdi vpc vhdx qed parallels; do
	qemu-img create -q -f $format $format 8M
done
luks_image luks 1M
dir_pool p "$tmp/a"
python3 - "$storage/pools/p" "$tmp/a" "$daemon" <<'END'
import errno, os, shutil, struct, sys, time
pool, native, daemon = sys.argv[1:]
slow = []

def rss():
    return int([l for l in open(f"/proc/{daemon}/status") if l.startswith("VmRSS")][0].split()[1])

def read(path):
    start = time.monotonic()
    try:
        return open(path, "rb").read()
    except OSError as e:
        assert e.errno in (errno.EINVAL, errno.EIO, errno.EOPNOTSUPP, errno.EFBIG, errno.ELOOP), (path, e)
        return None
    finally:
        if time.monotonic() - start > 30:
            slow.append(path)

# cut at every byte, under one name
images = ["qcow2", "qcow", "vmdk", "vdi", "vpc", "vhdx", "qed", "parallels", "luks"]
before = rss()
for name in images:
    data = open(f"{native}/{name}", "rb").read(1 << 20)
    cuts = list(range(0, 300)) + list(range(300, 1100, 7)) + [4095, 4096, 65535, 65536, 65537, 196608, 262144]
    for n in cuts:
        with open(f"{native}/cut.new", "wb") as f:
            f.write(data[:n])
        os.rename(f"{native}/cut.new", f"{native}/cut")
        while read(f"{pool}/info/cut/xml") is None or os.stat(f"{pool}/volumes/cut").st_size != min(n, len(data)):
            time.sleep(0.01)
        capacity = read(f"{pool}/info/cut/capacity")
        assert capacity is not None and 0 <= int(capacity) < 1 << 63, (name, n, capacity)
os.unlink(f"{native}/cut")

# headers that lie
def lie(name, image, *edits):
    data = bytearray(open(f"{native}/{image}", "rb").read(4 << 20))
    for offset, form, value in edits:
        struct.pack_into(form, data, offset, value)
    open(f"{native}/{name}", "wb").write(data)

big = [1 << 63, (1 << 64) - 1, (1 << 63) - 1, 1 << 62]
for i, value in enumerate(big):
    lie(f"l-qcow2-size{i}", "qcow2", (24, ">Q", value))
    lie(f"l-qcow2-tables{i}", "qcow2", (40, ">Q", value), (48, ">Q", value))
    lie(f"l-qcow2-backing{i}", "qcow2", (8, ">Q", value), (16, ">I", 1023))
    lie(f"l-qcow2-snaps{i}", "qcow2", (60, ">I", 0xffffffff), (64, ">Q", value))
    lie(f"l-qcow-size{i}", "qcow", (24, ">Q", value))
    lie(f"l-qed-size{i}", "qed", (48, "<Q", value))
    lie(f"l-qed-table{i}", "qed", (40, "<Q", value), (8, "<I", 0xffffffff))
    lie(f"l-vdi-size{i}", "vdi", (368, "<Q", value), (384, "<I", 0xffffffff))
    lie(f"l-vmdk-size{i}", "vmdk", (12, "<Q", value), (28, "<Q", value), (36, "<Q", value))
    lie(f"l-parallels-size{i}", "parallels", (36, "<Q", value), (32, "<I", 0xffffffff))
    lie(f"l-vpc-size{i}", "vpc", (40, ">Q", value), (48, ">Q", value), (16, ">Q", value))
lie("l-qcow2-l1", "qcow2", (36, ">I", 0xffffffff), (56, ">I", 0xffffffff))
lie("l-luks", "luks", (104, ">I", 0xffffffff), (108, ">I", 0xffffffff))
lies = sorted(n for n in os.listdir(native) if n.startswith("l-"))
for name in lies:
    for field in "xml", "capacity", "format", "backing":
        got = read(f"{pool}/info/{name}/{field}")
        if field == "capacity" and got is not None:
            assert 0 <= int(got) < 1 << 63, (name, got)
    # its bytes are a file's like any other's
    shutil.copy(f"{pool}/volumes/{name}", f"{pool}/volumes/copy")
    data = open(f"{native}/{name}", "rb").read()
    assert open(f"{native}/copy", "rb").read() == data, name
    os.unlink(f"{pool}/volumes/copy")
    # resized or refused; refused, with a reason and unchanged
    start = time.monotonic()
    try:
        fd = os.open(f"{pool}/info/{name}/capacity", os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(fd, b"16M\n")
        finally:
            os.close(fd)
    except OSError:
        assert open(f"{pool}/info/{name}/error").read().strip(), name
        assert open(f"{native}/{name}", "rb").read() == data, f"{name} was changed by a resize that failed"
    if time.monotonic() - start > 60:
        slow.append(name + " resize")

# backing loops of one, two and many
for i in range(40):
    os.system(f"qemu-img create -q -f qcow2 {native}/chain{i} 1M")
for i in range(40):
    os.system(f"qemu-img rebase -u -F qcow2 -b {native}/chain{(i + 1) % 40} {native}/chain{i}")
os.system(f"qemu-img rebase -u -F qcow2 -b {native}/chain1 {native}/chain1")
for i in range(40):
    assert read(f"{pool}/info/chain{i}/xml"), i
    assert read(f"{pool}/info/chain{i}/capacity") == b"1048576\n"
try:
    fd = os.open(f"{pool}/info/chain5/capacity", os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b"2M\n")
    os.close(fd)
except OSError:
    pass
assert not slow, slow
assert rss() < before + 200000, (before, rss())
END
is running "$storage/pools/p/state"
timeout 20 ls -l "$storage/pools/p/volumes" >/dev/null || fail "ls -l hangs"
