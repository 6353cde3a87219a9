#!/bin/sh
# The manual has every name, verb and option that there is, and none that is not.
# quick
. "${0%/*}/lib.sh"
need_backend dir

manual=$repo/docs/storagefs-tree.7
bad=0

# words of the manual, without its macros and punctuation
tr -cs 'A-Za-z0-9._-' '\n' <"$manual" | sort -u >"$tmp/words"
tr -cs 'A-Za-z0-9._-' '\n' <"$repo/docs/storagefs.8" | sort -u >"$tmp/words.8"

has() # WORD WHAT [FILE]
{
	grep -qx -e "$1" "${3-$tmp/words}" || {
		echo "the manual does not have $2 $1"
		bad=1
	}
}

dir_pool a
touch "$storage/pools/a/volumes/v"
for file in "$storage"/* "$storage"/pools/a/* "$storage"/pools/a/info/v/*; do
	has "${file##*/}" "the file"
done
for type in "$storage"/sources/*; do
	has "${type##*/}" "the source"
done
for type in "$storage"/backends/*; do
	[ "${type##*/}" = fake ] || grep -qw -e "${type##*/}" "$manual" "$repo/docs/storagefs-dir.7" ||
		[ ! -e "$STORAGEFS_BUILD/backends/${type##*/}.so" ] || {
		echo "no manual has the type ${type##*/}"
		bad=1
	}
done

# names that the manual gives are there
sed -n 's/^\.It Pa //p' "$manual" | tr ' ' '\n' | grep '^[a-zA-Z]' | while read -r path; do
	case $path in
	pools/NAME.xml | *SNAP | *HOST* | *ID | Op | Ns | Ar | PORT) continue ;;
	pools/NAME*) at=$storage/pools/a${path#pools/NAME} ;;
	info/VOL*) at=$storage/pools/a/$path ;;
	xml | physical | type | key | path | format | backing | uuid | capacity | allocation | available)
		continue ;; # the rest of a list
	*) at=$storage/$path ;;
	esac
	at=$(printf '%s' "$at" | sed 's,/VOL,/v,; s,/TYPE,/disk,')
	[ -e "$at" ] || echo "there is no $path"
done >"$tmp/none"
cat "$tmp/none"
[ ! -s "$tmp/none" ] || bad=1

for verb in $(sed 's/^verbs://' "$storage/pools/a/ctl" "$storage/pools/a/info/v/ctl"); do
	case $verb in
	ALGORITHM | SNAP | \[*\] | '|') ;;
	*) has "$verb" "the verb" ;;
	esac
done

"$storagefs" --help >"$tmp/help"
sed -n 's/^  \([a-z][a-z_-]*\).*/\1/p' "$tmp/help" | while read -r option; do
	has "$option" "the option" "$tmp/words.8"
	[ "$bad" = 0 ] || exit 1
done || bad=1
sed -n '/^\.Ss Mount options/,/^\.El/s/^\.It Cm //p' "$repo/docs/storagefs.8" | tr ' ' '\n' |
	grep '^[a-z][a-z_-]\+$' | while read -r option; do
	case $option in user | group | mode | seconds | uid | gid) continue ;; esac
	grep -q "^  $option" "$tmp/help" || {
		echo "storagefs --help has no $option"
		exit 1
	}
done || bad=1

[ "$bad" = 0 ] || fail "the manual and the code differ"
