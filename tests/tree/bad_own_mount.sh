#!/bin/sh
# Storage inside our own mount: the daemon would wait for itself. It is refused however the path leads
# there, and a volume that points there hangs nobody.
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need qemu-img

mount_storage timeout=5
pools=$storage/pools
dir_pool a
echo data >"$pools/a/volumes/v"
ln -s "$storage" "$tmp/link"
ln -s link/pools "$tmp/second"
mkdir -p "$tmp/bound" "$tmp/below" "$tmp/deep/er"
ln -s ../../second/a/volumes "$tmp/deep/er/link"
mount --bind "$storage" "$tmp/bound"
mount --bind "$pools/a" "$tmp/below"
ln -s "$tmp/bound/pools" "$tmp/third"

mkdir "$pools/b"
for path in "$storage" "$storage/" "$storage/pools" "$pools/a/volumes" "$pools/a/volumes/none" \
	"/$storage//pools/" "$tmp/./storage/x" "$tmp/deep/../storage/pools" "$tmp/deep/er/../../storage" \
	"$tmp/link" "$tmp/link/pools/a" "$tmp/second/a/volumes" "$tmp/deep/er/link" "$tmp/third/a" \
	"$tmp/bound" "$tmp/bound/pools/a/volumes" "$tmp/below/volumes" "$tmp/deep/../below"; do
	put "$tmp/document" "<pool type='dir'><target><path>$path</path></target></pool>"
	refuse EINVAL 'inside this mount' timeout 10 dd if="$tmp/document" of="$pools/b/xml" status=none
	is undefined "$pools/b/state"
done
[ ! -e "$source/b.xml" ] || fail "a refused definition was stored"

# it looked harmless when it was defined
mkdir "$tmp/b"
put "$pools/b/xml" "<pool type='dir'><target><path>$tmp/b</path></target></pool>"
put "$pools/b/ctl" stop
for verb in start build delete; do
	rm -df "$tmp/b"
	ln -s "$pools/a/volumes" "$tmp/b"
	timeout 20 sh -c "echo $verb >'$pools/b/ctl'" 2>"$tmp/err" && fail "$verb inside our own mount"
	grep -q timed "$tmp/err" && fail "$verb hung"
	grep -q "$tmp/b" "$pools/b/error" || fail "the error is $(cat "$pools/b/error")"
	is data "$pools/a/volumes/v"
done
rm "$tmp/b"
mkdir "$tmp/b"
put "$pools/b/ctl" start

# a running pool's directory is replaced by a link into the mount
rmdir "$tmp/b"
ln -s "$pools/a/volumes" "$tmp/b"
timeout 20 sh -c "echo refresh >'$pools/b/ctl'" 2>/dev/null || [ $? != 124 ] || fail "refresh hung"
timeout 20 ls "$pools/b/volumes" >/dev/null 2>&1 || [ $? != 124 ] || fail "ls hung"
timeout 20 cat "$pools/b/state" "$pools/b/xml" >/dev/null
put "$pools/b/ctl" stop
rm "$tmp/b"
mkdir "$tmp/b"
put "$pools/b/ctl" start

# volumes that lead into the mount: links are not followed, backing images not waited for
ln -s "$pools/a/volumes/v" "$tmp/b/link"
qemu-img create -q -f qcow2 "$tmp/b/image" 1M
for backing in "$pools/a/volumes/v" "$pools/b/volumes/image" "$tmp/bound/pools/b/info/image/xml" "$storage/events"; do
	qemu-img rebase -u -F raw -b "$backing" "$tmp/b/image"
	for name in xml capacity backing; do
		timeout 20 cat "$pools/b/info/image/$name" >"$tmp/out" || fail "$name with its backing image at $backing"
	done
	is "$backing" "$pools/b/info/image/backing"
done
[ "$(ls "$pools/b/volumes")" = image ] || fail "the volumes are $(ls "$pools/b/volumes")"
mkdir "$pools/b/info/child"
echo qcow2 >"$pools/b/info/child/format"
echo 1M >"$pools/b/info/child/capacity"
if echo "$pools/a/volumes/v" >"$pools/b/info/child/backing" 2>/dev/null; then
	timeout 20 touch "$pools/b/volumes/child" 2>/dev/null || [ $? != 124 ] || fail "touch hung"
fi

# SOURCE inside it, and a second mount over the first
if timeout 20 "$storagefs" -f "$pools" "$tmp/deep" >"$tmp/out" 2>&1; then
	fail "a SOURCE inside a mount of storagefs"
fi
is data "$pools/a/volumes/v"
umount "$tmp/below" "$tmp/bound"
