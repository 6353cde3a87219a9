#!/bin/sh
# iSCSI pools over an end of the daemon, also a sudden one, and with their target away at the mount: they
# start by themselves when it is there, and delay nobody until then.
# limit: 120
. "${0%/*}/../tree/lib.sh"
targets='plain chap'
. "${0%/*}/tgt.sh"

M=1048576
one=$(unit 1)
set_secrets
host=localhost # resolved, and kept as it is given
iscsi_pool direct iscsi-direct plain
is "ip-localhost:$port-iscsi-$iqn:plain-lun-1" "$storage/pools/direct/info/$one/key"
host=127.0.0.1
iscsi_pool kernel iscsi chap "$(auth alice)"
iscsi-inq -e 1 -c 131 "iscsi://alice%alicesecret12@127.0.0.1:$port/$iqn:chap/1" >"$tmp/inquiry" 2>&1
key=$(cat "$storage/pools/kernel/info/$one/key")
# tgtd has one number in all of a unit's names, and iscsi-inq shows it in the last of them
grep -q "IET *${key#"${key%????????}"}" "$tmp/inquiry" ||
	fail "the key $key is not the target's: $(cat "$tmp/inquiry")"
for pool in direct kernel; do
	put "$storage/pools/$pool/autostart" 1
	cp "$storage/pools/$pool/info/$one/xml" "$tmp/$pool.xml"
done
dir_pool other
put "$storage/pools/other/autostart" 1
head -c $((16 * M)) /dev/urandom >"$tmp/data"
cp "$tmp/data" "$storage/pools/direct/volumes/$one"

same()
{
	for pool in direct kernel; do
		eventually "$1" grep -qx running "$storage/pools/$pool/state"
		cmp "$tmp/$pool.xml" "$storage/pools/$pool/info/$one/xml" || fail "another description"
	done
	cmp "$tmp/data" "$storage/pools/direct/volumes/$one" || fail "other bytes"
}

umount_storage
mount_storage
same 10

# what fsync acknowledged is there when the daemon is not
pattern 3 70000 | dd of="$storage/pools/direct/volumes/$one" bs=70000 seek=7 conv=notrunc,fsync status=none
kill_daemon
pattern 3 70000 | dd of="$tmp/data" bs=70000 seek=7 conv=notrunc status=none
cmp "$tmp/data" "$tgt/plain.1" || fail "what fsync acknowledged is lost"
umount -l "$storage"
mount_storage timeout=3
same 10

# the target hangs, or is gone, while the pools are to be started
for how in pause stop; do
	umount_storage
	tgt $how
	mount_storage timeout=3
	all_answer "$storage/pools" "$storage/pools/direct/state" "$storage/pools/kernel/error"
	eventually 3 grep -qx running "$storage/pools/other/state"
	eventually 15 grep -qx failed "$storage/pools/direct/state"
	grep -q "$port" "$storage/pools/direct/error" || fail "its error: $(cat "$storage/pools/direct/error")"
	expect_errno EAGAIN ls "$storage/pools/direct/volumes"
	case $how in
	pause) tgt continue ;;
	stop) tgt again ;;
	esac
	same 40
done
