#!/bin/sh
# Connections that break at any point: the pool logs in again, and every byte is where it belongs.
# limit: 60
# tsan
mount_options=timeout=20
. "${0%/*}/../tree/lib.sh"
targets=plain
. "${0%/*}/tgt.sh"

M=1048576
one=$(unit 1)
good=$port
start_hostile "$good"

# in the middle of reads and writes: longer, and complete
port=$(sed -n 's/^cut-late //p' "$tmp/hostile")
iscsi_pool late iscsi-direct plain
cd "$storage/pools/late"
head -c $((16 * M)) /dev/urandom >"$tmp/data"
cp "$tmp/data" "volumes/$one" || fail "$(cat "info/$one/error" error)"
sync "volumes/$one"
cmp "$tmp/data" "$tgt/plain.1" || fail "what was written through cuts differs"
cmp "$tmp/data" "volumes/$one" || fail "what was read through cuts differs"
is running state

# in the middle of logins: it starts at last, or says why it cannot; each try ends in time
port=$(sed -n 's/^cut-early //p' "$tmp/hostile")
mkdir "$storage/pools/early"
cd "$storage/pools/early"
put xml "$(iscsi_xml iscsi-direct plain)" 2>/dev/null || :
for _ in $(seq 40); do
	[ "$(cat state)" = inactive ] || break
	grep -q 127.0.0.1 error || fail "the error is '$(cat error)'"
	within 25 sh -c 'env printf "start\n" >ctl' || :
done
is running state
size $((8 * M)) "volumes/$(unit 2)"
