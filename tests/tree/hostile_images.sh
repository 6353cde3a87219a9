#!/bin/sh
# Images whose headers lie: described or refused, at once, and nothing outside is opened for them.
. "${0%/*}/lib.sh"
need_backend dir
need qemu-img python3

mkdir "$tmp/a"
cd "$tmp/a"
for format in qcow2 qcow vmdk vdi vpc vhdx qed parallels luks; do
	case $format in
	luks) luks_image luks 1M ;;
	*) qemu-img create -q -f $format $format 8M ;;
	esac
done
python3 - <<'END'
import os, random, struct
random.seed(1)
for name in ["qcow2", "qcow", "vmdk", "vdi", "vpc", "vhdx", "qed", "parallels", "luks"]:
    data = open(name, "rb").read()
    for n in [0, 1, 3, 4, 7, 8, 19, 20, 31, 32, 63, 64, 71, 72, 100, 103, 104, 511, 512, 1023, 4095, 65535]:
        open(f"{name}.cut{n}", "wb").write(data[:n])
    for i in range(40):
        b = bytearray(data[:70000])
        for j in range(random.randrange(1, 30)):
            b[random.randrange(min(len(b), 600))] = random.choice([0, 1, 255, 127, 128, random.randrange(256)])
        open(f"{name}.fuzz{i}", "wb").write(b)
q = bytearray(open("qcow2", "rb").read())
def qcow2(name, *edits):
    b = bytearray(q)
    for off, fmt, value in edits:
        struct.pack_into(fmt, b, off, value)
    open(name, "wb").write(b)
qcow2("q.size", (24, ">Q", 1 << 63))
qcow2("q.size2", (24, ">Q", (1 << 64) - 1))
qcow2("q.l1", (36, ">I", 0xffffffff))
qcow2("q.bits", (20, ">I", 63))
qcow2("q.bits2", (20, ">I", 0))
qcow2("q.backing", (8, ">Q", 1 << 62), (16, ">I", 0xffffffff))
qcow2("q.backing2", (8, ">Q", 100), (16, ">I", 1023))
qcow2("q.header", (100, ">I", 0xffffffff))
qcow2("q.version", (4, ">I", 77))
END
qemu-img create -q -f qcow2 loop1 1M
qemu-img create -q -f qcow2 -F qcow2 -b "$tmp/a/loop1" loop2
qemu-img rebase -u -F qcow2 -b "$tmp/a/loop2" loop1
for target in /etc/shadow /dev/zero /proc/self/mem "nbd:unix:/x" "json:{}" ../../etc/passwd self; do
	file=backing-$(printf '%s' "$target" | tr -c 'a-z\n' _)
	qemu-img create -q -f qcow2 "$file" 1M
	qemu-img rebase -u -F raw -b "$target" "$file"
done

dir_pool p "$tmp/a"
cd "$storage/pools/p/info"
for volume in *; do
	status=0
	timeout 10 cat "$volume/xml" "$volume/capacity" "$volume/format" "$volume/backing" >"$tmp/out" 2>"$tmp/err" || status=$?
	[ "$status" != 124 ] || fail "$volume hangs"
done
count=$(ls | wc -l)
[ "$count" -gt 500 ] || fail "only $count images"
is running ../state
timeout 20 ls -l ../volumes >/dev/null || fail "ls -l hangs"
timeout 20 du -s ../volumes >/dev/null || fail "du hangs"
grep -q root: "$tmp/out" && fail "a backing file's content is shown"
is "$tmp/a/loop2" loop1/backing
[ "$(cat loop1/capacity)" = 1048576 ] || fail "loop1: $(cat loop1/capacity)"
