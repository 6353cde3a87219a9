#!/bin/sh
# 256 LUNs of one target: all listed, with their sizes; many open at once.
# limit: 60
. "${0%/*}/../tree/lib.sh"
targets=many
. "${0%/*}/tgt.sh"

M=1048576
for lun in $(seq 256); do
	echo "$(((1 + lun % 7) * M)) $(unit "$lun")"
done >"$tmp/sizes"
# from 256 on REPORT LUNS addresses them as 16384 and more
sed -i "s/ $(unit 256)\$/ $(unit $((16384 + 256)))/" "$tmp/sizes"
sort -o "$tmp/sizes" "$tmp/sizes"

for type in iscsi-direct iscsi; do
	iscsi_pool "$type" "$type" many
	cd "$storage/pools/$type"
	(cd volumes && stat -c '%s %n' -- *) | sort | cmp - "$tmp/sizes" || fail "the LUNs are $(ls volumes)"
	[ "$(ls -l volumes | grep -c '^-')" = 256 ] || fail "ls -l lists $(ls -l volumes)"
	is "$(awk '{ s += $1 } END { print s }' "$tmp/sizes")" capacity
	python3 - volumes "$tgt" <<-'END' || fail "many open LUNs at once"
		import os, sys
		names = sorted(os.listdir(sys.argv[1]))
		files = [os.open(f"{sys.argv[1]}/{n}", os.O_RDWR) for n in names]
		for i, fd in enumerate(files):
		    assert os.pwrite(fd, f"{names[i]:>16}".encode(), 5000) == 16
		for fd in files:
		    os.fsync(fd)
		for name in names:
		    lun = int(name.rpartition(":")[2])
		    with open(f"{sys.argv[2]}/many.{lun - 16384 if lun > 16384 else lun}", "rb") as f:
		        f.seek(5000)
		        assert f.read(16).decode() == f"{name:>16}", name
	END
	grep -h . info/*/key | sort | uniq -d | grep . && fail "LUNs share a key"
	put ctl stop
	cd "$storage"
	rmdir "pools/$type"
done
