#!/bin/sh
# A protected pool: nothing in it can be deleted, replaced, cut or wiped; writing goes on.
# quick
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
cd "$storage/pools/a"
echo precious >volumes/v
echo other >"$tmp/other"
if command -v qemu-img >/dev/null; then
	qemu-img create -q -f qcow2 volumes/q 1M
	touch snapshots/q/s
fi
put protected 1
grep -q 1 protected
[ -e "$source/attributes/a" ] || fail "protected is not kept in SOURCE"

refused()
{
	refuse EPERM protected "$@"
	is precious volumes/v
	is precious "$tmp/a/v"
}
refused rm -f volumes/v
refused mv -T "$tmp/other" volumes/v
refused sh -c 'cat /dev/null >volumes/v'
refused cp "$tmp/other" volumes/v
refused truncate -s 2 volumes/v
refused fallocate -p -o 0 -l 4096 volumes/v
dd if=/dev/null of=volumes/v bs=1 seek=3 2>"$tmp/err" || : # dd only complains
is precious volumes/v
refused put info/v/capacity 'shrink 2'
refused put info/v/ctl 'wipe zero'
if [ -e volumes/q ]; then
	refused rm snapshots/q/s
	refused put info/q/ctl 'revert s'
	touch snapshots/q/s2
fi
echo new >volumes/n
refused mv volumes/n volumes/v
refused rm -r "$storage/pools/a/volumes"

# what loses nothing goes on
printf 'precious?' | dd of=volumes/v conv=notrunc status=none
printf 'precious\n' | dd of=volumes/v conv=notrunc status=none
echo more >>volumes/v
[ "$(head -n 1 volumes/v)" = precious ] || fail "appending"
truncate -s 1M volumes/n
mv volumes/n volumes/m
chmod 600 volumes/m

# stopped too
put ctl stop
refuse EPERM protected put ctl 'build overwrite'
refuse EPERM protected put ctl delete
refuse EPERM protected rmdir "$storage/pools/a"
cd /
umount_storage
mount_storage
cd "$storage/pools/a"
is 1 protected
eventually 10 put ctl start
refuse EPERM protected rm volumes/m
put protected 0
rm volumes/m
cd /

# the mount option makes it the default
umount_storage
mount_storage protected
is 0 "$storage/pools/a/protected"
dir_pool b
is 1 "$storage/pools/b/protected"
touch "$storage/pools/b/volumes/v"
refuse EPERM protected rm "$storage/pools/b/volumes/v"
put "$storage/pools/b/protected" 0
rm "$storage/pools/b/volumes/v"
