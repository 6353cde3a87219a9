#!/bin/sh
# A libvirt host's own pools, looked at: -o ro writes nothing, locks nothing, starts nothing.
mount=no
. "${0%/*}/lib.sh"
need_backend dir

mkdir "$tmp/images" "$source/autostart"
echo data >"$tmp/images/v"
cat >"$source/default.xml" <<END
<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  virsh pool-edit default
or other application using the libvirt API.
-->

<pool type='dir'>
  <name>default</name>
  <uuid>0a5a4d75-5cba-4bd6-8ef6-8f4b61e2f1a1</uuid>
  <capacity unit='bytes'>0</capacity>
  <allocation unit='bytes'>0</allocation>
  <available unit='bytes'>0</available>
  <source>
  </source>
  <target>
    <path>$tmp/images</path>
  </target>
</pool>
END
cat >"$source/vg.xml" <<END
<pool type='logical'>
  <name>vg</name>
  <uuid>0a5a4d75-5cba-4bd6-8ef6-8f4b61e2f1a2</uuid>
  <source><name>no-such-group</name><format type='lvm2'/></source>
  <target><path>/dev/no-such-group</path></target>
</pool>
END
echo 'not xml' >"$source/broken.xml"
ln -s "$source/default.xml" "$source/autostart/default.xml"
(cd "$source" && find . -printf '%p %s %T@ %m\n' | sort) >"$tmp/before"
chmod 555 "$source"

mount_storage ro
pools=$storage/pools
[ "$(ls "$pools" | tr '\n' ' ')" = 'broken default vg ' ] || fail "the pools are $(ls "$pools")"
eventually 10 is running "$pools/default/state"
is 1 "$pools/default/autostart"
is 0a5a4d75-5cba-4bd6-8ef6-8f4b61e2f1a1 "$pools/default/uuid"
is data "$pools/default/volumes/v"
grep -q '<name>v</name>' "$pools/default/info/v/xml"
is inactive "$pools/vg/state"
is undefined "$pools/broken/state"
grep -q . "$pools/broken/error" || fail "the broken definition says nothing"

for what in "touch $pools/default/volumes/w" "rm $pools/default/volumes/v" "mkdir $pools/new" \
	"put $pools/default/ctl stop" "put $pools/default/autostart 0" "put $pools/default/xml <pool/>" \
	"truncate -s 0 $pools/default/volumes/v" "rmdir $pools/vg" "put $storage/secrets/x y"; do
	# shellcheck disable=SC2086  # words
	if $what 2>/dev/null; then
		fail "succeeded on a read-only mount: $what"
	fi
done
expect_errno EROFS touch "$pools/default/volumes/w"
is data "$tmp/images/v"
mount2=$tmp/second
mkdir "$mount2"
"$storagefs" -f -o ro "$source" "$mount2" >"$tmp/log2" 2>&1 &
second=$!
eventually 10 mountpoint -q "$mount2"
eventually 10 is data "$mount2/pools/default/volumes/v"
umount "$mount2"
wait "$second" || fail "the second mount's exit status"
umount_storage
(cd "$source" && find . -printf '%p %s %T@ %m\n' | sort) | sed 's/^\(\. [0-9]* [0-9.]*\) 555/\1 755/' >"$tmp/after"
sed 's/^\(\. [0-9]* [0-9.]*\) [0-7]*/\1 755/' "$tmp/before" | diff - "$tmp/after" || fail "SOURCE changed"
chmod 755 "$source"

# read-write: the broken definition stays on disk, the others work
mount_storage
is undefined "$pools/broken/state"
eventually 5 grep -qx running "$pools/default/state"
grep -q 'not xml' "$source/broken.xml" || fail "the broken definition was lost"
