#!/bin/sh
# A pool beside libvirt's: its description and its volumes', space as the cluster has it, and
# namespaces.
# limit: 300
cluster_options=MGR=1
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"
need xmllint python3

M=1048576
rbd_pool p
cd "$storage/pools/p"
head -c $((6 * M)) /dev/urandom >"$tmp/data"

# what libvirt 11.3 says of the same pool and volume
rbd import --no-progress "$tmp/data" images/v
rbd resize --no-progress --size 10M v
eventually 3 size $((10 * M)) volumes/v
cat >"$tmp/want" <<END
<volume type='network'>
  <name>v</name>
  <key>images/v</key>
  <capacity unit='bytes'>$((10 * M))</capacity>
  <allocation unit='bytes'>$(image_used v)</allocation>
  <target>
    <path>images/v</path>
    <format type='raw'/>
  </target>
</volume>
END
sed '/<physical/d; /<permissions>/,/<\/timestamps>/d' info/v/xml | diff -u "$tmp/want" - ||
	fail "the description of a volume is not libvirt's"
cp info/v/xml "$tmp/v.xml"
cp "$tmp/v.xml" info/v/xml
is images/v info/v/path
is images/v info/v/key
is network info/v/type
is raw info/v/format
xml_has() # LINE
{
	grep -qF -e "$1" xml || fail "the pool's description lacks '$1': $(cat xml)"
}
xml_has "<host name='127.0.0.1' port='$mon'/>"
xml_has "<secret usage='$usage'/>"
xml_has "<auth type='ceph' username='stor'>"
! grep -q '<target>' xml || fail "an rbd pool has no target"

# capacity and free space are the cluster's, allocation the pool's own
cat >"$tmp/stat" <<'END'
import json
def ask(**command):
    return json.loads(cluster.mon_command(json.dumps(dict(command, format='json')), b'')[1])
stats = ask(prefix='df')
print(stats['stats']['total_bytes'], stats['stats']['total_avail_bytes'])
END
known()
{
	ask_ceph images <"$tmp/stat" >"$tmp/figures"
	! grep -q '^0 ' "$tmp/figures" && [ "$(cat capacity)" != 0 ] && [ "$(cat allocation)" != 0 ]
}
eventually 60 known
read -r total available <"$tmp/figures"
is "$total" capacity
differs=$(($(cat available) - available))
[ "${differs#-}" -lt $((64 * M)) ] || fail "available is $(cat available), not about $available"
[ "$(cat allocation)" -ge $((6 * M)) ] || fail "allocation is $(cat allocation)"
[ "$(df -B 1 --output=size . | tail -n 1 | tr -d ' ')" = "$total" ] || fail "df: $(df -B 1 .)"
xml_has "<capacity unit='bytes'>$total</capacity>"

# allocation as libvirt's option has it
mkdir "$storage/pools/whole"
rbd_xml images stor "<refresh><volume allocation='capacity'/></refresh>" >"$storage/pools/whole/xml"
is running "$storage/pools/whole/state"
is $((10 * M)) "$storage/pools/whole/info/v/allocation"
put "$storage/pools/whole/ctl" stop

# a namespace: libvirt has no word for it, POOL/NAMESPACE is what the rbd command says
rbd namespace create images/space
rbd import --no-progress "$tmp/data" images/space/inside
rbd_pool space images/space
[ "$(ls "$storage/pools/space/volumes")" = inside ] || fail "$(ls "$storage/pools/space/volumes")"
same "$storage/pools/space/volumes/inside" "$tmp/data" || fail "an image in a namespace differs"
cp "$tmp/data" "$storage/pools/space/volumes/made"
same_as_ceph images/space/made "$tmp/data"
[ ! -e volumes/made ] || fail "the namespace's image is in the pool itself"
touch "$storage/pools/space/snapshots/made/s"
mkdir "$storage/pools/space/info/clone"
put "$storage/pools/space/info/clone/xml" \
	"<volume><backingStore><path>images/space/made@s</path></backingStore></volume>"
same "$storage/pools/space/volumes/clone" "$tmp/data" || fail "a clone in a namespace"

# between pools it is a copy, by cp and by mv
mv "$storage/pools/space/volumes/inside" volumes/moved
same_as_ceph moved "$tmp/data"
rbd ls images/space | grep -qx inside && fail "mv between pools left the source"
dir_pool d
cp volumes/moved "$storage/pools/d/volumes/file"
cmp "$tmp/d/file" "$tmp/data" || fail "cp to a dir pool"
cp "$storage/pools/d/volumes/file" volumes/back
same_as_ceph back "$tmp/data"

# options of librados, as libvirt takes them
mkdir "$storage/pools/options"
rbd_xml images stor "<rbd:config_opts><rbd:option name='rbd_cache' value='false'/>
	<rbd:option name='rbd_default_features' value='1'/></rbd:config_opts>" \
	>"$storage/pools/options/xml"
is running "$storage/pools/options/state"
touch "$storage/pools/options/volumes/layered"
rbd info layered | grep -q 'features: layering$' ||
	fail "an option was not used: $(rbd info layered)"
grep -q "<rbd:option name='rbd_cache' value='false'/>" "$storage/pools/options/xml"

# a new image has the cluster's features of today, and its time is the image's
rbd info back | grep -q 'object-map' || fail "a new image has no object map"
made=$(rbd info --format json back | sed 's/.*"modify_timestamp":"\([^"]*\)".*/\1/')
[ "$(date -d "$made" +%s)" = "$(stat -c %Y volumes/back)" ] ||
	fail "the time is $(stat -c %y volumes/back), not $made"

# threads and descriptors do not grow with what has been opened
threads()
{
	ls "/proc/$daemon/task" | wc -l
}
for i in $(seq 20); do rbd create --size 1M "many$i"; done
ls volumes >/dev/null
before=$(threads)
cat volumes/many* >/dev/null
ls -l volumes >/dev/null
[ "$(threads)" -le $((before + 4)) ] || fail "$before threads became $(threads)"
! rbd status many7 | grep -q watcher= || fail "an image that nobody has open is open"

# at its quota a pool takes no more, and says so at once; what is there is read, written over, removed
quota() # BYTES; 0: none
{
	ask_ceph images <<-END
		import json
		code, _, text = cluster.mon_command(json.dumps(dict(prefix="osd pool set-quota",
		    pool="images", field="max_bytes", val="$1")), b"")
		assert code == 0, text
	END
}
refused() # at a new place each time: what is there already takes no more space
{
	! dd if="$tmp/data" of=volumes/last bs=64k count=1 conv=notrunc,fsync \
		seek=$(($(date +%s%N) / 1000000 % 1000000 * 64))
}
touch volumes/last
truncate -s 4T volumes/last
cp volumes/moved volumes/kept
quota 1000000
eventually 60 refused
expect_errno ENOSPC dd if="$tmp/data" of=volumes/last bs=1M count=1 seek=4100000 conv=notrunc,fsync
grep -q quota info/last/error || fail "the error is: $(cat info/last/error)"
cmp "$tmp/data" volumes/kept || fail "what was there is not read any more"
dd if="$tmp/data" of=volumes/kept bs=1M count=2 conv=notrunc,fsync status=none
rm volumes/last volumes/kept
quota 0
