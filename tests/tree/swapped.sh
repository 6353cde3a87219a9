#!/bin/sh
# Who may write to a target directory gives names to other files, faster than the kernel is told: what
# was allowed on the one is not done to the other.
mount=no
. "${0%/*}/lib.sh"
need_backend dir
need_user
need python3

mount_storage
dir_pool a
chmod 777 "$tmp/a"
volumes=$storage/pools/a/volumes

# A directory of two files each: one that anybody may write, and one of root's that takes its name.
i=0
while [ $i -lt 30 ]; do
	i=$((i + 1))
	echo private >"$tmp/a/secret$i"
	chmod 600 "$tmp/a/secret$i"
	echo open >"$tmp/a/x$i"
	chown nobody:nogroup "$tmp/a/x$i"
done

# attempt COMMAND: with $f the volume whose file has just been replaced
attempt()
{
	as_user sh -c "i=0
		while [ \$i -lt 30 ]; do
			i=\$((i + 1)) f=$volumes/x\$i
			cat \"\$f\"
			mv -f $tmp/a/secret\$i $tmp/a/x\$i
			$1
			mv $tmp/a/x\$i $tmp/a/secret\$i
			echo open >$tmp/a/x\$i
		done" >"$tmp/got" 2>/dev/null
}

attempt 'read -r line <"$f" && echo "$line"'
! grep -q private "$tmp/got" || fail "read what is private $(grep -c private "$tmp/got") times"
attempt 'true >"$f"'
attempt 'truncate -s 1 "$f"'
attempt 'echo x >>"$f"'
attempt 'chmod 666 "$f"'
i=0
while [ $i -lt 30 ]; do
	i=$((i + 1))
	is private "$tmp/a/secret$i"
	[ "$(stat -c %a "$tmp/a/secret$i")" = 600 ] || fail "changed the mode of another's file"
done

# what is open stays what it is, though its name is another file's
exec 9<>"$volumes/x1"
mv "$tmp/a/secret1" "$tmp/a/x1"
python3 -c 'import os; os.fchmod(9, 0o644)' 9<&9
[ "$(stat -c %a "$tmp/a/x1")" = 600 ] || fail "fchmod changed the file that has taken the name"
exec 9<&-
