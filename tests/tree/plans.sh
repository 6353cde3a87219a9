#!/bin/sh
# Volumes from descriptions, and piece by piece.
# quick
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
cd "$storage/pools/a"

# piece by piece
mkdir info/raw
[ ! -e volumes/raw ] || fail "a plan is in volumes/"
[ -z "$(ls volumes)" ] || fail "a plan is listed in volumes/"
ls info | grep -qx raw || fail "a plan is not listed in info/"
put info/raw/capacity 10M
is 10485760 info/raw/capacity
[ ! -e "$tmp/a/raw" ] || fail "a plan is on disk"
touch volumes/raw
size 10485760 volumes/raw
[ "$(du -k "$tmp/a/raw" | cut -f 1)" -le 64 ] || fail "the volume is not sparse"

# units, as libvirt reads them
mkdir info/u
while read -r text bytes; do
	put info/u/capacity "$text"
	is "$bytes" info/u/capacity
done <<END
1 1
1k 1024
1KiB 1024
1KB 1000
10G 10737418240
10GiB 10737418240
10GB 10000000000
2T 2199023255552
5b 5
END
for text in '' -1 x 10Q '1 2' 1.5G 99999999999999999999 '8 EiB' 0x10; do
	refuse EINVAL '' put info/u/capacity "$text"
done
is 5 info/u/capacity
rmdir info/u
[ ! -e info/u ] || fail "rmdir left the plan"

# preallocated
mkdir info/full
put info/full/capacity 1M
put info/full/allocation 1M
touch volumes/full
[ "$(du -k "$tmp/a/full" | cut -f 1)" -ge 1024 ] || fail "allocation was not allocated"

# from a description
mkdir info/d
cat >info/d/xml <<END
<volume>
  <name>something else</name>
  <capacity unit='MiB'>3</capacity>
  <allocation>0</allocation>
  <target><permissions><mode>0640</mode></permissions></target>
</volume>
END
size 3145728 volumes/d
[ "$(stat -c %a volumes/d)" = 640 ] || fail "the mode is $(stat -c %a volumes/d)"
grep -q '<name>d</name>' info/d/xml || fail "the name of the document won"
[ "$(du -k "$tmp/a/d" | cut -f 1)" -le 64 ] || fail "allocation 0 allocated"

# a description without allocation means all, as in libvirt
mkdir info/all
put info/all/xml '<volume><capacity>1048576</capacity></volume>'
[ "$(du -k "$tmp/a/all" | cut -f 1)" -ge 1024 ] || fail "a description without allocation is sparse"
[ "$(stat -c %a volumes/all)" = 600 ] || fail "without a mode it has $(stat -c %a volumes/all)"

# writing what it has is a no-op; a larger capacity and permissions are applied; the rest is refused
cp info/d/xml "$tmp/d.xml"
echo precious | dd of=volumes/d conv=notrunc status=none
cp "$tmp/d.xml" info/d/xml
sed 's/3145728/4194304/g; s/0640/0600/' "$tmp/d.xml" >info/d/xml
size 4194304 volumes/d
[ "$(stat -c %a volumes/d)" = 600 ] || fail "the mode was not applied"
refuse EINVAL '' sh -c "sed 's/3145728/1048576/' '$tmp/d.xml' | dd of=info/d/xml bs=64k status=none"
refuse EINVAL '' sh -c "sed \"s/type='raw'/type='qcow2'/\" '$tmp/d.xml' | dd of=info/d/xml bs=64k status=none"
[ "$(head -c 8 volumes/d)" = precious ] || fail "data was lost"
size 4194304 volumes/d
expect_errno EPERM rmdir info/d
expect_errno EEXIST mkdir info/d

# capacity of an existing volume: larger resizes, smaller asks for shrink
put info/d/capacity 8M
size 8388608 volumes/d
refuse EINVAL shrink put info/d/capacity 1M
size 8388608 volumes/d
put info/d/capacity 'shrink 2M'
size 2097152 volumes/d
expect_errno EPERM put info/d/format qcow2

# other formats through qemu-img
if command -v qemu-img >/dev/null; then
	mkdir info/q
	put info/q/format qcow2
	put info/q/capacity 20G
	touch volumes/q
	is qcow2 info/q/format
	is 21474836480 info/q/capacity
	qemu-img check -q volumes/q
	# the disk inside has whole sectors, and may be asked for as often as one likes
	odd="<volume><capacity>1000000001</capacity><target><format type='qcow2'/></target></volume>"
	mkdir info/odd
	for _ in 1 2; do
		put info/odd/xml "$odd"
		is 1000000512 info/odd/capacity
	done
	put info/odd/capacity 99999MB
	for _ in 1 2; do
		put info/odd/capacity 100000000001
		is 100000000512 info/odd/capacity
	done
	refuse EINVAL shrink put info/odd/capacity 100000000000
	# who copies to a planned name has what was copied, and nothing of what was planned below it
	truncate -s 3M "$tmp/sparse"
	echo end >>"$tmp/sparse"
	for tool in cp install tar cat; do
		mkdir info/sparse
		put info/sparse/format qcow2
		put info/sparse/capacity 1M
		case $tool in
		cp) cp --sparse=always "$tmp/sparse" volumes/sparse ;;
		install) install "$tmp/sparse" volumes/sparse ;;
		tar) tar -C "$tmp" -cSf - sparse | tar -C volumes -xf - ;;
		cat) cat "$tmp/sparse" >volumes/sparse ;;
		esac
		size 3145732 volumes/sparse
		cmp "$tmp/sparse" volumes/sparse || fail "what $tool wrote over a plan differs"
		is raw info/sparse/format
		rm volumes/sparse
	done
	mkdir info/child
	put info/child/format qcow2
	put info/child/backing "$tmp/a/q"
	put info/child/capacity 30G
	touch volumes/child
	is "$tmp/a/q" info/child/backing
	is 32212254720 info/child/capacity
	mkdir info/grandchild
	cat >info/grandchild/xml <<-END
		<volume><target><format type='qcow2'/></target>
		<backingStore><path>$tmp/a/q</path><format type='qcow2'/></backingStore></volume>
	END
	is 21474836480 info/grandchild/capacity
	mkdir info/features
	cat >info/features/xml <<-END
		<volume><capacity unit='G'>1</capacity><target><format type='qcow2'/>
		<compat>1.1</compat><clusterSize unit='KiB'>128</clusterSize>
		<features><lazy_refcounts/></features></target></volume>
	END
	qemu-img info volumes/features >"$tmp/info"
	grep -q 'cluster_size: 131072' "$tmp/info" || fail "the cluster size was not taken"
	grep -q 'lazy refcounts: true' "$tmp/info" || fail "the feature was not taken"
	grep -q '<lazy_refcounts/>' info/features/xml || fail "the feature is not shown"
	for format in vmdk vdi vpc vhdx qed qcow; do
		mkdir "info/$format"
		put "info/$format/format" "$format"
		put "info/$format/capacity" 100M
		touch "volumes/$format"
		is "$format" "info/$format/format"
		[ "$(cat "info/$format/capacity")" -ge 104857600 ] || fail "$format: $(cat "info/$format/capacity")"
	done
fi

# a refused description leaves no volume, and the plan
mkdir info/bad
refuse EINVAL '' put info/bad/xml '<volume><capacity>-1</capacity></volume>'
refuse EINVAL '' put info/bad/xml "<volume><capacity>1</capacity><target><format type='nonsense'/></target></volume>"
[ ! -e volumes/bad ] || fail "a refused description made a volume"
[ -d info/bad ] || fail "a refused description dropped the plan"
refuse EINVAL '' put info/bad/format nonsense
rmdir info/bad

# plans end with the mount
mkdir info/gone
cd /
umount_storage
mount_storage
eventually 10 put "$storage/pools/a/ctl" start # it may be starting by itself
[ ! -e "$storage/pools/a/info/gone" ] || fail "a plan survived the mount"
