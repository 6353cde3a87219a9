#!/bin/sh
# What a netfs pool says and does where there is no server: nothing is mounted, nothing is made.
mount_options=timeout=5
. "${0%/*}/lib.sh"
need_backend netfs
need_root
need mount.cifs mount.nfs

pool=$storage/pools/p
define() # FORMAT HOST DIR [SOURCE-ELEMENTS [OPTION]]
{
	put "$pool/xml" "<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>\
<source><host name='$2'/><dir path='$3'/><format type='$1'/>${4-}</source>\
<target><path>$tmp/at</path></target>\
${5:+<fs:mount_opts><fs:option name='$5'/></fs:mount_opts>}</pool>"
	is inactive "$pool/state"
}
mounted()
{
	grep -qF " $tmp/at " /proc/self/mountinfo
}

mkdir "$pool"
define nfs 127.0.0.1 /export
grep -q 'not built yet: echo build > ctl' "$pool/error" || fail "the error is: $(cat "$pool/error")"
refuse EOPNOTSUPP 'use plain build' put "$pool/ctl" 'build overwrite'
[ ! -e "$tmp/at" ] || fail "a refused build made the directory"
put "$pool/ctl" build
[ -d "$tmp/at" ] || fail "build made no directory"
is netfs "$pool/type"
grep -q "<dir path='/export'/>" "$pool/xml" || fail "the description has no directory"

# nobody listens there: the tool's own words, within the timeout
for format in nfs glusterfs; do
	define "$format" 127.0.0.1 /export
	begun=$(date +%s)
	expect_error "cannot mount '127.0.0.1:/export'" put "$pool/ctl" start
	[ $(($(date +%s) - begun)) -lt 25 ] || fail "it took longer than five times the timeout"
	mounted && fail "something is mounted"
done
is inactive "$pool/state"

# credentials: the missing secret is named, a password in the open is refused
auth="<auth type='chap' username='u'><secret usage='filer'/></auth>"
define cifs 127.0.0.1 share "$auth"
expect_error "'filer' is not set" put "$pool/ctl" start
grep -q "<secret usage='filer'/>" "$pool/xml" || fail "the description has no secret"
define cifs 127.0.0.1 share '' password=secret
refuse EINVAL 'seen by all' put "$pool/ctl" start

# what would be read as something else
define nfs -oexec /export
refuse EINVAL 'not the name of a host' put "$pool/ctl" start

# another mount in the share's place
define nfs 127.0.0.1 /export
mount -t tmpfs none "$tmp/at"
refuse EBUSY "is mounted on '$tmp/at'" put "$pool/ctl" start
refuse EBUSY "is mounted on '$tmp/at'" put "$pool/ctl" build
umount "$tmp/at"

if command -v showmount >/dev/null; then
	expect_error 'does not say what it exports' cat "$storage/sources/netfs/127.0.0.1"
fi
put "$pool/ctl" delete
[ ! -e "$tmp/at" ] || fail "delete left the directory"
