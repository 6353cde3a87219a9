#!/bin/sh
# Only regular files inside the target directory are volumes; nothing else is shown, opened, followed.
. "${0%/*}/lib.sh"
need_backend dir
need python3

mkdir "$tmp/a" "$tmp/a/directory" "$tmp/outside"
cd "$tmp/a"
echo inside >file
echo secret >"$tmp/outside/secret"
echo deep >directory/deep
mkfifo fifo
python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("socket")'
[ "$(id -u)" != 0 ] || mknod device c 1 3
ln -s file link
ln -s "$tmp/a/file" absolute-inside
ln -s directory/deep link-deep
ln -s "$tmp/outside/secret" absolute-out
ln -s ../outside/secret relative-out
ln -s nowhere dangling
ln -s loop loop
ln -s fifo link-fifo
ln -s /proc/self/root/etc/passwd magic
touch "$(printf 'not\377utf8')"

dir_pool a
cd "$storage/pools/a/volumes"
for name in directory fifo socket device absolute-out relative-out dangling loop link-fifo magic; do
	[ ! -e "$name" ] || fail "$name is shown"
	expect_errno ENOENT cat "$name"
	[ ! -e "../info/$name" ] || fail "info/$name is shown"
done
is inside file
is inside link
is deep link-deep
[ "$(stat -c %F link)" = "regular file" ] || fail "a link is no regular file here"
find . -mindepth 1 ! -type f | grep . && fail "something is no regular file"
ls >"$tmp/names"
for name in file link link-deep; do
	grep -qx "$name" "$tmp/names" || fail "$name is not listed"
done
[ "$(ls | wc -l)" -le 5 ] || fail "$(cat "$tmp/names")"

# a name that is not UTF-8 is listed; its xml cannot be written
name=$(printf 'not\377utf8')
[ -f "$name" ] || fail "a name that is not UTF-8 is missing"
expect_errno EILSEQ cat "../info/$name/xml"

# making over what is invisible does not reach it
if echo x 2>/dev/null >relative-out; then
	is secret "$tmp/outside/secret"
fi
is secret "$tmp/outside/secret"
rm -f relative-out 2>/dev/null || :
[ -f "$tmp/outside/secret" ] || fail "the file outside is gone"

# a file that becomes a link that leads out is not followed
echo swap >swap
is swap swap
rm "$tmp/a/swap"
ln -s "$tmp/outside/secret" "$tmp/a/swap"
sleep 0.3
if cat swap 2>/dev/null | grep secret; then
	fail "followed a link out"
fi
