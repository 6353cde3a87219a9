#!/bin/sh
# Snapshots: of qcow2 volumes of a dir pool, and of the fake's.
. "${0%/*}/lib.sh"
need_backend dir
need qemu-img qemu-io

dir_pool a
cd "$storage/pools/a"
qemu-img create -q -f qcow2 volumes/q 4M
qemu-io -f qcow2 -c 'write -P 1 0 64k' volumes/q >/dev/null
touch snapshots/q/first
[ "$(ls snapshots/q)" = first ] || fail "the list is $(ls snapshots/q)"
expect_errno EEXIST sh -c 'set -C; : >snapshots/q/first'
qemu-io -f qcow2 -c 'write -P 2 0 64k' volumes/q >/dev/null
touch 'snapshots/q/second one'
[ "$(qemu-img snapshot -l volumes/q | grep -c -e first -e 'second one')" = 2 ] || fail "qemu-img sees others"
put info/q/ctl 'revert first'
qemu-io -f qcow2 -c 'read -P 1 0 64k' volumes/q | grep -q 'Pattern' && fail "revert did not"
put info/q/ctl 'revert second one'
qemu-io -f qcow2 -c 'read -P 2 0 64k' volumes/q | grep -q 'Pattern' && fail "revert did not"
refuse EOPNOTSUPP '' cat snapshots/q/first
refuse ENOENT nothing put info/q/ctl 'revert nothing'
rm snapshots/q/first
expect_errno ENOENT rm snapshots/q/first
[ "$(ls snapshots/q)" = 'second one' ] || fail "the list is $(ls snapshots/q)"
qemu-img check -q volumes/q
mv volumes/q volumes/q2
[ "$(ls snapshots/q2)" = 'second one' ] || fail "mv lost the snapshots"
touch volumes/raw
refuse EOPNOTSUPP '' touch snapshots/raw/s
expect_errno ENOENT ls snapshots/nothing

# flatten
qemu-img create -q -f qcow2 -F qcow2 -b "$tmp/a/q2" volumes/child
put info/child/ctl flatten
is '' info/child/backing
rm volumes/q2
qemu-io -f qcow2 -c 'read -P 2 0 64k' volumes/child | grep -q 'Pattern' && fail "flatten lost data"

# where the bytes can be read
fake_pool f provisioned
cd "$storage/pools/f"
head -c 5000000 /dev/urandom >"$tmp/data"
cp "$tmp/data" volumes/v
touch snapshots/v/s
: >snapshots/v/shell # as the shell makes a file; nothing is refused, and nothing logged
expect_errno EPERM put snapshots/v/words words
grep -q 'read-only' "$log" && fail "making a snapshot logs $(grep read-only "$log")"
rm snapshots/v/shell snapshots/v/words
printf changed | dd of=volumes/v conv=notrunc status=none
cmp -n 5000000 snapshots/v/s "$tmp/data" || fail "a snapshot's bytes changed"
size "$(stat -c %s volumes/v)" snapshots/v/s
[ "$(stat -c %o snapshots/v/s)" -ge 131072 ] || fail "cmp would ask for each page by itself"
if sh -c 'echo x >>snapshots/v/s' 2>/dev/null; then
	fail "a snapshot was written"
fi
mkdir info/clone
put info/clone/xml '<volume><backingStore><path>v@s</path></backingStore></volume>'
printf changed | dd of=volumes/clone bs=1 seek=4000000 conv=notrunc status=none
cmp -n 4000000 volumes/clone "$tmp/data" || fail "a write to a clone took what is before it"
cmp -i 4000007 volumes/clone "$tmp/data" | grep -q differ &&
	fail "a write to a clone took what is behind it"
rm volumes/clone
put info/v/ctl 'revert s'
cmp -n 5000000 volumes/v "$tmp/data" || fail "revert"
rm snapshots/v/s
[ -z "$(ls snapshots/v)" ] || fail "rm left the snapshot"
