#!/bin/sh
# Random operations on volumes of a dir pool give what they give on plain files.
# limit: 300
. "${0%/*}/lib.sh"
need_backend dir
random_ops=$STORAGEFS_BUILD/tests/tree/random_ops
[ -x "$random_ops" ] || skip "random_ops is not built"
seeds=${SEEDS-1 2 3}

try() # COUNT: several at once, each with its seed
{
	dir_pool a
	for seed in $seeds; do
		"$random_ops" "$storage/pools/a/volumes/v$seed" "$tmp/plain$seed" "$seed" "$1" &
		pids="${pids-} $!"
	done
	for pid in $pids; do
		wait "$pid" || fail "a volume is not what a plain file is"
	done
	pids=
	for seed in $seeds; do
		cmp "$tmp/a/v$seed" "$tmp/plain$seed" || fail "the file behind v$seed differs"
	done
}

try 3000
umount_storage
rm -rf "$source" "$tmp/a"
mkdir "$source"
mount_storage no-passthrough
try 3000
