#!/bin/sh
# Volumes of a dir pool under the ordinary file tools.
# quick
# tsan
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
images=$tmp/a
cd "$storage/pools/a/volumes"

# touch, rm, mv
touch v
size 0 v
touch -d '2001-02-03 04:05:06' v
[ "$(stat -c %Y v)" = "$(stat -c %Y "$images/v")" ] || fail "touch -d"
mv v w
if [ -e v ] || [ ! -f w ] || [ ! -f "$images/w" ]; then
	fail "mv"
fi
[ -d ../info/w ] || fail "mv did not carry info"
[ ! -e ../info/v ] || fail "mv left info"
rm w
if [ -e w ] || [ -e "$images/w" ] || [ -e ../info/w ]; then
	fail "rm"
fi
expect_errno ENOENT rm w

# mv over an existing volume is atomic, and cp -n, mv -n, ln as they should be
echo new >new
echo old >old
exec 9<old
mv new old
is new old
[ "$(cat <&9)" = old ] || fail "an open replaced volume lost its bytes"
exec 9<&-
echo b >b
mv -n old b
is b b
refuse EPERM 'link' ln old hard
refuse EPERM 'no links, pipes' ln -s old soft
refuse EPERM '' mkdir directory
refuse EPERM 'no links, pipes' mkfifo fifo

# sizes
truncate -s 1M t
size 1048576 t
size 1048576 "$images/t"
is 1048576 ../info/t/capacity
truncate -s 100 t
size 100 t
[ "$(du -k t | cut -f 1)" -le 8 ] || fail "a sparse volume takes $(du -k t)"
: >t
size 0 t
printf 12345 >>t
printf 678 >>t
is 12345678 t

# bytes
head -c 3000000 /dev/urandom >"$tmp/data"
cp "$tmp/data" up
cmp "$tmp/data" up
cmp "$tmp/data" "$images/up"
cp up "$tmp/down"
cmp "$tmp/data" "$tmp/down"
cp up again
cmp "$tmp/data" again
cp --sparse=always up sparse
cmp "$tmp/data" sparse
cp --sparse=never up full
cmp "$tmp/data" full
cp --reflink=auto up auto
cmp "$tmp/data" auto

truncate -s 64M "$tmp/holes"
printf x | dd of="$tmp/holes" bs=1 seek=33554432 conv=notrunc status=none
cp --sparse=auto "$tmp/holes" holes
cmp "$tmp/holes" holes
[ "$(du -k holes | cut -f 1)" -le 1024 ] || fail "cp filled the holes: $(du -k holes)"
cp --sparse=always holes holes2
cmp holes holes2
[ "$(du -k holes2 | cut -f 1)" -le 1024 ] || fail "cp within filled the holes: $(du -k holes2)"

dd if="$tmp/data" of=dd bs=4k status=none
cmp "$tmp/data" dd
dd if="$tmp/data" of=dd bs=4k seek=10 skip=20 count=5 conv=notrunc,fsync status=none
cp "$tmp/data" "$tmp/dd"
dd if="$tmp/data" of="$tmp/dd" bs=4k seek=10 skip=20 count=5 conv=notrunc status=none
cmp "$tmp/dd" dd
dd if=/dev/zero of=dd bs=1 count=0 seek=100 status=none
size 100 dd

# install, tee, redirections, cat, head, tail, sha256sum, gzip
install -m 0600 "$tmp/data" installed
cmp "$tmp/data" installed
[ "$(stat -c %a installed)" = 600 ] || fail "install -m"
tee teed <"$tmp/data" >/dev/null
cmp "$tmp/data" teed
[ "$(sha256sum <teed)" = "$(sha256sum <"$tmp/data")" ] || fail "sha256sum"
gzip -c teed | gunzip | cmp - "$tmp/data"
[ "$(tail -c 100 teed | md5sum)" = "$(tail -c 100 "$tmp/data" | md5sum)" ] || fail "tail"

# names
for name in 'with blank' '.hidden' 'x.xml' 'xml' 'ctl' "it's" 'ÄÖÜ' '-n' '%2F' '~' '"q"' "$(printf 'new\nline')"; do
	touch "./$name"
	[ -f "./$name" ] || fail "there is no '$name'"
	[ -f "$images/$name" ] || fail "'$name' is not in the directory"
	cat "../info/$name/xml" >"$tmp/xml" || fail "'$name' has no description"
	xmllint --noout "$tmp/xml" || fail "the description of '$name' is no XML"
	rm "./$name"
done
long=$(printf '%0255d' 0)
touch "$long"
[ -f "$images/$long" ] || fail "a name of 255 bytes"
if touch "${long}0" 2>/dev/null; then
	fail "a name of 256 bytes"
fi

# find, ls and the directory agree
(cd "$images" && find . -type f | sort) >"$tmp/there"
find . -type f | sort >"$tmp/here"
cmp "$tmp/there" "$tmp/here"
ls -la >/dev/null
(cd "$images" && find . -type f -printf '%f %s %m %u %g %T@\n' | sort) >"$tmp/there"
find . -type f -printf '%f %s %m %u %g %T@\n' | sort >"$tmp/here"
diff "$tmp/there" "$tmp/here"
rm -f ./*
[ -z "$(ls -A "$images")" ] || fail "rm -f left something"
