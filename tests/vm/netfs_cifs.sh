#!/bin/sh
# A cifs pool on smbd: as a guest, and with a password that no command line and no file shows.
# limit: 120
. "${0%/*}/vm.sh"
need_backend netfs
need smbd smbpasswd mount.cifs
. "${0%/*}/netfs.sh"

story_end()
{
	mounts_below_tmp | sort -r | while read -r at_; do umount -fl "$at_"; done
	[ -z "${server-}" ] || kill "$server" || :
}

mkdir -p "$tmp/share" "$tmp/smb/msg.lock" /run/samba/ncalrpc /var/log/samba "$tmp/at"
chmod 777 "$tmp/share"
cat >"$tmp/smb.conf" <<END
[global]
server role = standalone server
interfaces = lo
bind interfaces only = yes
disable spoolss = yes
load printers = no
private dir = $tmp/smb
lock directory = $tmp/smb
state directory = $tmp/smb
cache directory = $tmp/smb
pid directory = $tmp/smb
log file = $tmp/smb/log
passdb backend = tdbsam:$tmp/smb/passdb.tdb
[share]
path = $tmp/share
read only = no
END
password='pw ,with'\''odd"signs'
printf '%s\n%s\n' "$password" "$password" | smbpasswd -c "$tmp/smb.conf" -s -a root
smbd -F --no-process-group -s "$tmp/smb.conf" &
server=$!
eventually 60 grep -q ':01BD ' /proc/net/tcp

pool=$storage/pools/p
auth="<auth type='chap' username='root'><secret usage='smb'/></auth>"
define p cifs 127.0.0.1 share "$tmp/at" "$auth"
is inactive "$pool/state"
grep -q smb "$pool/error" || fail "the missing secret is not named: $(cat "$pool/error")"
printf %s wrong >"$storage/secrets/smb"
refuse EACCES "cannot mount '//127.0.0.1/share'" put "$pool/ctl" start
printf %s "$password" >"$storage/secrets/smb"
put "$pool/ctl" start
is running "$pool/state"
seq 1 20000 >"$tmp/data"
cp "$tmp/data" "$pool/volumes/v"
cmp "$tmp/data" "$tmp/share/v"
mv "$pool/volumes/v" "$pool/volumes/w"
[ "$(ls "$pool/volumes")" = w ] || fail "the list is: $(ls "$pool/volumes")"
rm "$pool/volumes/w"
grep -qF "$password" "$log" "$pool/xml" "$pool/error" /proc/self/mountinfo && fail "the password is shown"
put "$pool/ctl" stop
[ "$(mounts_at "$tmp/at")" = 0 ] || fail "stop left it mounted"

define p cifs 127.0.0.1 share "$tmp/at" '' username=root password=secret
expect_error 'seen by all' put "$pool/ctl" start
