#!/bin/sh
# Defining pools: in either order, again, over a restart, renaming, undefining, conflicts.
# quick
. "${0%/*}/lib.sh"
need_backend dir

pools=$storage/pools
mkdir "$tmp/x" "$tmp/y" "$tmp/z"
definition() # DIRECTORY [MORE]
{
	printf "<pool type='dir'>%s<target><path>%s</path></target></pool>\n" "${2-}" "$1"
}

# mkdir, then xml; and xml, then mkdir: the same result
mkdir "$pools/a"
definition "$tmp/x" >"$tmp/a.xml"
cp "$tmp/a.xml" "$pools/a/xml"
is running "$pools/a/state"
definition "$tmp/y" >"$tmp/b.xml"
cp "$tmp/b.xml" "$pools/"
[ -f "$pools/b.xml" ] || fail "b.xml is not there"
cat "$pools/b.xml" >/dev/null
[ ! -e "$source/b.xml" ] || fail "a definition without its pool is on disk"
mkdir "$pools/b"
is running "$pools/b/state"
[ ! -e "$pools/b.xml" ] || fail "b.xml is still there"
for pool in a b; do
	sed "s,$tmp/[xy],DIR,; /uuid/d; s/<name>[ab]</<name>N</; s/>[0-9]*<\/\(capacity\|allocation\|available\)/>0<\/\1/" \
		"$pools/$pool/xml" >"$tmp/$pool.live"
done
diff "$tmp/a.live" "$tmp/b.live" || fail "the two orders differ"

# the directory's name is the pool's name
definition "$tmp/z" '<name>other</name>' >"$tmp/c.xml"
mkdir "$pools/c"
cp "$tmp/c.xml" "$pools/c/xml"
grep -q '<name>c</name>' "$pools/c/xml" || fail "the name of the document won"
[ ! -e "$pools/other" ] || fail "there is a pool 'other'"

# conflicts name the other pool, and change nothing
uuid=$(cat "$pools/a/uuid")
mkdir "$pools/d"
mkdir "$tmp/w"
refuse EEXIST "'a'" put "$pools/d/xml" "$(definition "$tmp/w" "<uuid>$uuid</uuid>")"
refuse EEXIST "'a'" put "$pools/d/xml" "$(definition "$tmp/x")"
refuse EEXIST "'a'" put "$pools/d/xml" "$(definition "$tmp/x/")"
is undefined "$pools/d/state"
rmdir "$pools/d"
expect_errno EEXIST mkdir "$pools/a"

# redefining a running pool is for its next start
refuse EBUSY stop put "$pools/a/xml" \
	"$(definition "$tmp/w" '<uuid>9d0f2b1c-8a8e-4b7a-9f0e-5a6f6f4f0001</uuid>')"
put "$pools/a/xml" "$(definition "$tmp/w" "<uuid>$uuid</uuid>")"
grep -q "$tmp/x" "$pools/a/xml" || fail "redefining changed the running pool"
grep -q "$tmp/w" "$pools/a/xml.saved" || fail "redefining was not stored"
is running "$pools/a/state"
put "$pools/a/ctl" stop
grep -q "$tmp/w" "$pools/a/xml" || fail "the stored definition did not come into force"
put "$pools/a/ctl" start
grep -q "$tmp/w" "$pools/a/xml" || fail "started with the old definition"
is "$uuid" "$pools/a/uuid"

# renaming: inactive pools only
refuse EBUSY stop mv "$pools/a" "$pools/renamed"
put "$pools/a/ctl" stop
put "$pools/a/autostart" 1
mv "$pools/a" "$pools/renamed"
[ ! -e "$pools/a" ] || fail "the old name is there"
[ ! -e "$source/a.xml" ] || fail "the old definition is there"
grep -q '<name>renamed</name>' "$source/renamed.xml" || fail "the definition has the old name"
sleep 1.2 # the kernel believes for a second what it knew of the old name
is 1 "$pools/renamed/autostart"
is "$uuid" "$pools/renamed/uuid"
[ -L "$source/autostart/renamed.xml" ] || fail "autostart did not follow"
[ ! -L "$source/autostart/a.xml" ] || fail "autostart/a.xml is still there"

# everything is there after a restart; only autostart pools run
umount_storage
mount_storage
eventually 5 grep -qx running "$pools/renamed/state"
is "$uuid" "$pools/renamed/uuid"
[ "$(ls "$pools" | tr '\n' ' ')" = "b c renamed " ] || fail "the pools are $(ls "$pools")"

# undefining touches no data
echo data >"$tmp/y/v"
[ "$(cat "$pools/b/state")" = inactive ] || put "$pools/b/ctl" stop # a directory is adopted
[ "$(cat "$pools/c/state")" = inactive ] || put "$pools/c/ctl" stop
rmdir "$pools/b"
is data "$tmp/y/v"
[ ! -e "$source/b.xml" ] || fail "b.xml is left in SOURCE"
grep -q "$tmp/y" "$source/b.xml~" || fail "no b.xml~"
put "$pools/renamed/autostart" 0
put "$pools/renamed/ctl" stop
rmdir "$pools/renamed" "$pools/c"
[ -z "$(ls "$pools")" ] || fail "pools are left"

# names
for name in x.xml "$(printf 'a\nb')"; do
	expect_errno EINVAL mkdir "$pools/$name"
done
mkdir "$pools/with blank" "$pools/ÄÖ" "$pools/.hidden"
rmdir "$pools/with blank" "$pools/ÄÖ" "$pools/.hidden"

# a new UUID is made for each
mkdir "$pools/e" "$pools/f"
put "$pools/e/xml" "$(definition "$tmp/x")"
put "$pools/f/xml" "$(definition "$tmp/y")"
[ "$(cat "$pools/e/uuid")" != "$(cat "$pools/f/uuid")" ] || fail "two pools have one UUID"

# a target inside this mount
mkdir "$pools/g"
refuse EINVAL "$storage" put "$pools/g/xml" "$(definition "$pools/e/volumes")"
ln -s "$pools/e/volumes" "$tmp/into"
refuse EINVAL '' put "$pools/g/xml" "$(definition "$tmp/into")"
is undefined "$pools/g/state"

# not built yet: the definition stands and the error says what to type
put "$pools/g/xml" "$(definition "$tmp/missing/sub")"
is inactive "$pools/g/state"
grep -q 'build' "$pools/g/error" || fail "the error is: $(cat "$pools/g/error")"
put "$pools/g/ctl" build
put "$pools/g/ctl" start
is running "$pools/g/state"
put "$pools/g/ctl" stop
put "$pools/g/ctl" delete
[ ! -e "$tmp/missing/sub" ] || fail "delete left the directory"
