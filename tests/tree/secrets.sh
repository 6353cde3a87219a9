#!/bin/sh
# Secrets are written, never read back, kept 0600, and are nowhere else.
# limit: 300
mount_options=timeout=200 # qemu-img measures how slow a key is by CPU time
. "${0%/*}/lib.sh"
need_root

secrets=$storage/secrets
id=2f8c6e1a-1f5b-4d36-9f0f-1d2d3c4b5a69
put "$secrets/$id" 'swordfish'
printf 'sword fish' >"$secrets/usage%2Fname"
[ "$(ls "$secrets")" = "$(printf '%s\nusage%%2Fname' "$id")" ] || fail "the list is $(ls "$secrets")"
[ "$(stat -c %a "$secrets/$id")" = 200 ] || fail "a secret's mode is $(stat -c %a "$secrets/$id")"
if got=$(cat "$secrets/$id" 2>/dev/null) && [ -n "$got" ]; then
	fail "a secret was read back"
fi
[ "$(stat -c %a "$source/secrets/$id")" = 600 ] || fail "the mode in SOURCE"
[ "$(cat "$source/secrets/$id"; echo .)" = "swordfish." ] || fail "one trailing newline is dropped"
[ "$(cat "$source/secrets/usage%2Fname"; echo .)" = "sword fish." ] || fail "the value differs"
put "$secrets/$id" 'changed'
[ "$(cat "$source/secrets/$id")" = changed ] || fail "a secret cannot be changed"
printf 'x\n\n' >"$secrets/two"
[ "$(wc -c <"$source/secrets/two")" = 2 ] || fail "more than one newline was dropped"
refuse EINVAL '' sh -c "env printf '' | dd of='$secrets/empty' status=none; env printf '\n' >'$secrets/empty'"
rm -f "$secrets/empty"
refuse EPERM '' mkdir "$secrets/directory"
rm "$secrets/$id"
[ ! -e "$source/secrets/$id" ] || fail "rm left the secret"
expect_errno ENOENT rm "$secrets/$id"

# over a restart
umount_storage
mount_storage
[ -e "$secrets/two" ] || fail "a secret was lost"
rm "$secrets/two" "$secrets/usage%2Fname"
[ -z "$(ls "$secrets")" ] || fail "secrets are left"

# used, and in no listing, no log, no command line
if [ -e "$STORAGEFS_BUILD/backends/dir.so" ] && command -v qemu-img >/dev/null; then
	dir_pool a
	put "$secrets/$id" 'opensesame'
	mkdir "$storage/pools/a/info/l"
	cat >"$storage/pools/a/info/l/xml" <<-END
		<volume><capacity>1048576</capacity><target><format type='raw'/>
		<encryption format='luks'><secret type='passphrase' uuid='$id'/></encryption></target></volume>
	END
	head -c 4 "$tmp/a/l" | grep -q LUKS || fail "no LUKS volume was made"
	printf opensesame >"$tmp/key"
	qemu-img info --object secret,id=s,file="$tmp/key" \
		--image-opts "driver=luks,key-secret=s,file.filename=$tmp/a/l" >/dev/null ||
		fail "the passphrase does not open it"
	grep -rq opensesame "$log" "$storage/error" "$storage/events" "$storage/pools/a/info" &&
		fail "a secret is shown"
fi
! grep -q -e swordfish -e 'sword fish' "$log" || fail "a secret is in the log"
