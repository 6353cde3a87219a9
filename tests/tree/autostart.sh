#!/bin/sh
# Autostart: in parallel after mounting, tried again until it works, and one that hangs delays nobody.
# limit: 90
# tsan
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
put "$storage/pools/a/autostart" 1
for pool in hung failing; do
	fake_pool $pool files
	put "$storage/pools/$pool/autostart" 1
done
umount_storage

control hung start hang
control failing start errno=ENODEV
mount_storage timeout=20
eventually 3 grep -qx running "$storage/pools/a/state"
eventually 3 is starting "$storage/pools/hung/state"
eventually 3 grep -qx failed "$storage/pools/failing/state"
grep -q . "$storage/pools/failing/error" || fail "no error of the failed start"
expect_errno EAGAIN ls "$storage/pools/failing/volumes"
control_off hung start
eventually 5 grep -qx running "$storage/pools/hung/state"
control_off failing start
eventually 30 grep -qx running "$storage/pools/failing/state"

# stop ends the retries
put "$storage/pools/failing/ctl" stop
control failing start errno=ENODEV
umount_storage
mount_storage
eventually 3 grep -qx failed "$storage/pools/failing/state"
put "$storage/pools/failing/ctl" stop
control_off failing start
sleep 3
is inactive "$storage/pools/failing/state"

# not asked for, not started
umount_storage
mount_storage no-autostart
sleep 0.5
is inactive "$storage/pools/failing/state"
