#!/bin/sh
# LUKS containers on new logical volumes and partitions: qemu-img opens them with the secret and with no
# other, no command line shows it, and a volume that cannot be encrypted is not left.
# limit: 120
mount_options=timeout=150 # a busy machine runs lvm for half a minute
. "${0%/*}/vm.sh"
need_backend logical
need_backend disk
need lvm sfdisk qemu-img
. "${0%/*}/lvm.sh"

real=$(command -v qemu-img)
qemu=$tmp/qemu-img
cp "$real" "$qemu"
story_end()
{
	umount "$real"
}
cat >"$tmp/spy" <<END
#!/bin/sh
echo "\$*" >>$tmp/words
exec $qemu "\$@"
END
chmod 755 "$tmp/spy"
: >"$tmp/words"
mount --bind "$tmp/spy" "$real"

mkdir "$storage/secrets" 2>"$tmp/err" || :
printf %s 'pass word#1' >"$storage/secrets/disk"
printf %s 'pass word#1' >"$tmp/right"
printf %s 'pass word#2' >"$tmp/other"

make() # POOL VOLUME SECRET [FORMAT]: of 9 MiB
{
	mkdir "$storage/pools/$1/info/$2"
	put "$storage/pools/$1/info/$2/xml" "<volume><name>$2</name><capacity>9437184</capacity>\
<target><encryption format='${4-luks}'><secret type='passphrase' usage='$3'/></encryption></target></volume>"
}

opens() # DEVICE SECRET-FILE
{
	"$qemu" convert --object "secret,id=s,file=$2" --image-opts \
		"driver=luks,key-secret=s,file.filename=$1" -O raw "$tmp/plain" 2>"$tmp/err"
}

check() # DEVICE
{
	[ "$(blkid -p -o value -s TYPE "$1")" = crypto_LUKS ] || fail "$1 is no LUKS container"
	opens "$1" "$tmp/other" && fail "another secret opens $1"
	opens "$1" "$tmp/right" || fail "the secret does not open $1: $(cat "$tmp/err")"
	[ "$(stat -c %s "$tmp/plain")" -ge 9437184 ] ||
		fail "in $1 are only $(stat -c %s "$tmp/plain") bytes"
}

vgcreate -qy vg0 "$(disk 0)" >"$tmp/out"
define vg0
make vg0 v disk
check /dev/vg0/v
size 12582912 "$storage/pools/vg0/volumes/v"
refuse ENOENT secret make vg0 w none
rmdir "$storage/pools/vg0/info/w" 2>"$tmp/err" || :
refuse EOPNOTSUPP "not 'luks2'" make vg0 w disk luks2
rmdir "$storage/pools/vg0/info/w" 2>"$tmp/err" || :
[ "$(lvs --noheadings -o lv_name vg0 | tr -d ' ')" = v ] || fail "there are: $(lvs vg0)"

device=$(disk 1)
printf 'label: gpt\n' | sfdisk -q "$device"
mkdir "$storage/pools/d"
put "$storage/pools/d/xml" "<pool type='disk'><source><device path='$device'/><format type='gpt'/></source>\
<target><path>/dev</path></target></pool>"
is running "$storage/pools/d/state"
make d "${device#/dev/}1" disk
check "${device}1"

# what it cannot be laid on is taken back
printf '#!/bin/sh\necho "it will not" >&2\nexit 1\n' >"$tmp/spy.new"
chmod 755 "$tmp/spy.new"
cp "$tmp/spy.new" "$tmp/spy"
refuse EIO 'it will not' make vg0 x disk
refuse EIO 'it will not' make d "${device#/dev/}2" disk
[ "$(lvs --noheadings -o lv_name vg0 | tr -d ' ')" = v ] || fail "there are: $(lvs vg0)"
[ "$(sfdisk -q -d "$device" | grep -c "^$device")" = 1 ] || fail "there are: $(sfdisk -d "$device")"

[ -s "$tmp/words" ] || fail "nothing was said to qemu-img"
grep -F 'pass word' "$tmp/words" "$log" && fail "the secret is shown"
rm "$storage/pools/vg0/volumes/v" "$storage/pools/d/volumes/${device#/dev/}1"
put "$storage/pools/vg0/ctl" stop
put "$storage/pools/d/ctl" stop
