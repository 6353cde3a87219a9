#!/bin/sh
# The first minute of the manual, typed as it is written there, and what a person looks at next.
# quick
# tsan
. "${0%/*}/lib.sh"
need_backend dir

mkdir "$tmp/images"
cat >"$tmp/virtimages.xml" <<END
<pool type='dir'>
  <name>virtimages</name>
  <target>
    <path>$tmp/images</path>
  </target>
</pool>
END

cd "$storage"
for name in README error events jobs metrics backends secrets sources pools; do
	[ -e "$name" ] || fail "there is no $name"
done
grep -q 'mkdir pools' README || fail "README does not say how to begin"

mkdir "$storage/pools/virtimages"
is undefined "$storage/pools/virtimages/state"
cp "$tmp/virtimages.xml" "$storage/pools/virtimages/xml"
touch "$storage/pools/virtimages/volumes/disk1"
cat "$storage/pools/virtimages/info/disk1/xml" >"$tmp/disk1.xml"

cd "$storage/pools/virtimages"
is running state
is dir type
grep -q '<name>disk1</name>' "$tmp/disk1.xml" || fail "the description has no name"
grep -q "<path>$tmp/images/disk1</path>" "$tmp/disk1.xml" || fail "the description has no path"
[ -f "$tmp/images/disk1" ] || fail "the volume is not in the target directory"
size 0 volumes/disk1

for name in xml xml.saved ctl state autostart protected uuid type capacity allocation available \
	error volumes snapshots info; do
	[ -e "$name" ] || fail "a pool has no $name"
done
for name in xml capacity format backing allocation physical type key path ctl error; do
	[ -f "info/disk1/$name" ] || fail "a volume's info has no $name"
done
uuid=$(cat uuid)
grep -q "<uuid>$uuid</uuid>" xml || fail "the description does not have the UUID"
grep -q '<name>virtimages</name>' "$source/virtimages.xml" || fail "the definition is not in SOURCE"

# every text file has its exact size
find "$storage" -type f ! -path '*/volumes/*' ! -name events ! -name metrics ! -perm 0200 |
	while read -r file; do
		case $file in */sources/* | */available | */allocation) continue ;; esac
		stated=$(stat -c %s "$file")
		read_=$(wc -c <"$file")
		[ "$stated" = "$read_" ] || echo "$file is $read_ bytes long, and stat says $stated"
	done >"$tmp/sizes"
[ ! -s "$tmp/sizes" ] || fail "$(cat "$tmp/sizes")"

# and is read to an end by what reads trees
tar cf "$tmp/tree.tar" -C "$storage" pools README 2>"$tmp/err" || fail "tar: $(cat "$tmp/err")"
grep -rq virtimages "$storage/pools" || fail "grep -r found nothing"
cp -r "$storage/pools/virtimages/info" "$tmp/info" || fail "cp -r"

df "$storage/pools/virtimages" | grep -q "$storage" || fail "df does not work"
capacity=$(cat capacity)
[ "$capacity" -gt 0 ] || fail "the capacity is $capacity"
[ "$(stat -f -c '%b %S' . | awk '{ printf "%.0f", $1 * $2 }')" = "$capacity" ] ||
	fail "statfs and capacity differ"

cp "$tmp/disk1.xml" volumes/disk2
cmp "$tmp/disk1.xml" volumes/disk2
rm volumes/disk1 volumes/disk2
[ -z "$(ls volumes)" ] || fail "volumes/ is not empty"
refuse EBUSY 'stop' rmdir "$storage/pools/virtimages"
echo stop >ctl
is inactive state
cd /
rmdir "$storage/pools/virtimages"
[ ! -e "$storage/pools/virtimages" ] || fail "rmdir left the pool"
[ -e "$source/virtimages.xml~" ] || fail "rmdir left no virtimages.xml~"
