#!/bin/sh
# What changes in the target directory behind our back is seen: names soon, sizes within seconds.
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
volumes=$storage/pools/a/volumes
no()
{
	[ ! -e "$1" ]
}

ls "$volumes" >/dev/null
[ ! -e "$volumes/new" ]
echo 1 >"$tmp/a/new"
eventually 2 test -e "$volumes/new"
[ "$(ls "$volumes")" = new ] || fail "ls does not show what came"
is 1 "$volumes/new"
echo 22 >>"$tmp/a/new"
eventually 5 sh -c "[ \$(stat -c %s '$volumes/new') = 5 ]"
is "$(printf '1\n22')" "$volumes/new"
mv "$tmp/a/new" "$tmp/a/renamed"
eventually 2 test -e "$volumes/renamed"
eventually 2 no "$volumes/new"
rm "$tmp/a/renamed"
eventually 2 no "$volumes/renamed"
[ -z "$(ls "$volumes")" ] || fail "ls shows what is gone"

# replaced by another file of the same name
echo old >"$tmp/a/v"
eventually 2 grep -q old "$volumes/v"
exec 9<"$volumes/v"
echo new >"$tmp/new"
mv "$tmp/new" "$tmp/a/v"
eventually 2 grep -q new "$volumes/v"
[ "$(cat <&9)" = old ] || fail "an open volume changed under its reader"
exec 9<&-
chmod 640 "$tmp/a/v"
eventually 5 sh -c "[ \$(stat -c %a '$volumes/v') = 640 ]"

# many at once
i=0
while [ "$i" -lt 2000 ]; do
	: >"$tmp/a/many$i"
	i=$((i + 1))
done
eventually 5 sh -c "[ \$(ls '$volumes' | wc -l) = 2001 ]"
rm "$tmp"/a/many*
eventually 5 sh -c "[ \$(ls '$volumes' | wc -l) = 1 ]"

# a listing that is open while it changes
(cd "$tmp/a" && touch x1 x2 x3)
eventually 2 sh -c "[ \$(ls '$volumes' | wc -l) = 4 ]"
cd "$volumes"
rm -f "$tmp/a"/x?
eventually 2 sh -c '[ $(ls | wc -l) = 1 ]'
