#!/bin/sh
# A scsi pool on scsi_debug: several targets and units, one that is write-protected, no links by path, and
# an adapter that goes with its driver.
# limit: 90
# shellcheck disable=SC2034
mount_options=timeout=5
. "${0%/*}/vm.sh"
need_backend scsi
need lsblk

pool=$storage/pools/p
vols=$pool/volumes

debug_host() # OPTION…: loads the driver; $number is its adapter
{
	modprobe scsi_debug dev_size_mb=8 "$@"
	number=
	for proc in /sys/class/scsi_host/host*/proc_name; do
		[ "$(cat "$proc")" != scsi_debug ] || number=$(basename "${proc%/proc_name}" | tr -d '[:lower:]')
	done
	[ -n "$number" ] || fail "there is no scsi_debug adapter"
}

define()
{
	mkdir -p "$pool"
	put "$pool/xml" "<pool type='scsi'><source><adapter name='host$number'/></source>\
<target><path>/dev/disk/by-path</path></target></pool>"
}

debug_host num_tgts=2 max_luns=2
define
is running "$pool/state"
[ "$(ls "$vols" | tr '\n' ' ')" = "unit:0:0:0 unit:0:0:1 unit:0:1:0 unit:0:1:1 " ] ||
	fail "the volumes are: $(ls "$vols")"
disk=/dev/$(ls "/sys/bus/scsi/devices/$number:0:1:1/block")
is "$disk" "$pool/info/unit:0:1:1/path"
is "$(/lib/udev/scsi_id --whitelisted --replace-whitespace --device="$disk")" "$pool/info/unit:0:1:1/key"
seq 1 100000 | head -c 500000 >"$tmp/data"
cp "$tmp/data" "$vols/unit:0:1:1"
cmp -n 500000 "$tmp/data" "$disk"
for name in unit:0:1 unit:0:1:01 unit:0:1:2 unit:0:1:1x sda UNIT:0:1:1; do
	[ ! -e "$vols/$name" ] || fail "there is a $name"
done

# one more unit, by the adapter's own doing
echo 3 >/sys/bus/pseudo/drivers/scsi_debug/max_luns
put "$pool/ctl" refresh
[ "$(ls "$vols" | wc -l)" = 6 ] || fail "the volumes are: $(ls "$vols")"

# one that does not answer hurts itself alone
dir_pool other
echo here >"$storage/pools/other/volumes/v"
echo 10 >"/sys/bus/scsi/devices/$number:0:0:0/timeout"
echo 4 >/sys/bus/pseudo/drivers/scsi_debug/opts
echo 1 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
dd if="$vols/unit:0:0:0" of="$tmp/out" bs=4k count=1 iflag=direct 2>"$tmp/err.dd" &
asking=$!
begun=$(date +%s)
is here "$storage/pools/other/volumes/v"
is running "$pool/state"
cat "$pool/error" "$pool/xml" >"$tmp/out"
[ "$(ls "$vols" | wc -l)" = 6 ] || fail "the volumes are: $(ls "$vols")"
wait "$asking" && fail "a unit that does not answer was read"
grep -q 'timed out' "$tmp/err.dd" || fail "dd said: $(cat "$tmp/err.dd")"
[ $(($(date +%s) - begun)) -lt 50 ] || fail "it did not end within ten times the timeout"
echo 0 >/sys/bus/pseudo/drivers/scsi_debug/every_nth
echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts
eventually 30 dd if="$vols/unit:0:0:0" of="$tmp/out" bs=4k count=1 iflag=direct

# the adapter goes: never an empty list
eventually 20 modprobe -r scsi_debug
eventually 20 grep -qx away "$pool/state"
expect_errno ETIMEDOUT ls "$vols"
grep -q "no SCSI adapter 'host$number'" "$pool/error" || fail "the error is: $(cat "$pool/error")"
put "$pool/ctl" stop
is inactive "$pool/state"
rmdir "$pool"

# write-protected
debug_host wp=1
define
cat "$vols/unit:0:0:0" >"$tmp/read"
refuse EROFS 'only be read' dd if="$tmp/data" of="$vols/unit:0:0:0" conv=notrunc
refuse EROFS 'only be read' put "$pool/info/unit:0:0:0/ctl" 'wipe zero'
cmp "$tmp/read" "$vols/unit:0:0:0"
put "$pool/ctl" stop
eventually 20 modprobe -r scsi_debug
