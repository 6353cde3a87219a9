# What the stories of rbd pools stand on: after the tree's lib.sh it gives a Ceph cluster of the
# story's own in $cluster, its monitor at 127.0.0.1:$mon, and `rbd`, which asks it as a witness.
#
# Before sourcing, a story may set cluster_options to what tests/servers/ceph takes from the
# environment, NAME=VALUE…, or cluster=no. The daemon gets no ceph.conf and nothing of that.
# shellcheck shell=sh disable=SC2034,SC2154

need ceph-mon ceph-osd ceph-authtool monmaptool rbd python3
need_backend rbd

ceph_=$here/ceph
usage='the key of stor'

stop_cluster()
{
	[ ! -d "$tmp/ceph" ] || "$ceph_" stop "$tmp/ceph"
}

story_end()
{
	stop_cluster
}

# in_cluster COMMAND: of tests/servers/ceph
in_cluster()
{
	"$ceph_" "$1" "$cluster"
}

# rbd ARGUMENT…: Ceph's own command, as the administrator of the cluster
rbd()
{
	command rbd -c "$cluster/ceph.conf" "$@"
}

# ask_ceph: a python script on stdin with `pool`, an open pool of rados, and rbd
ask_ceph() # POOL
{
	{
		echo 'import rados, rbd, sys'
		echo "cluster = rados.Rados(conffile='$cluster/ceph.conf', name='client.admin')"
		echo 'cluster.connect(timeout=30)'
		echo "pool = cluster.open_ioctx('$1')"
		cat
	} | /usr/bin/python3 -
}

# set_key [USER]: the secret that rbd_xml refers to
set_key()
{
	cat "$cluster/key.${1-stor}" >"$storage/secrets/$usage"
}

# rbd_xml [POOL [USER [MORE]]]: of Ceph's pool, with more elements inside <pool>
rbd_xml()
{
	printf "<pool type='rbd' xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'><source>
		<name>%s</name><host name='127.0.0.1' port='%s'/><auth type='ceph' username='%s'>
		<secret usage='%s'/></auth></source>%s</pool>\n" \
		"${1-images}" "$mon" "${2-stor}" "$usage" "${3-}"
}

# rbd_pool NAME [POOL [USER [MORE]]]: a running pool of Ceph's POOL
rbd_pool()
{
	name_=$1
	shift
	set_key "${2-stor}"
	mkdir "$storage/pools/$name_"
	rbd_xml "$@" >"$storage/pools/$name_/xml" || fail "$(cat "$storage/pools/$name_/error")"
	is running "$storage/pools/$name_/state"
}

# same VOLUME FILE [BYTES]: as cmp, which would read a volume in many small pieces
same()
{
	if [ $# = 3 ]; then
		head -c "$3" "$2" >"$tmp/part"
		set -- "$1" "$tmp/part" "$3"
	fi
	dd if="$1" bs=1M ${3:+count="$3" iflag=count_bytes} status=none | cmp - "$2"
}

# same_as_ceph IMAGE FILE: the whole image as Ceph's own command gives it out
same_as_ceph()
{
	rbd export --no-progress "$1" "$tmp/exported"
	same "$2" "$tmp/exported" || fail "$1 is not $2, by Ceph's own command"
	rm "$tmp/exported"
}

# image_size BYTES IMAGE; by Ceph's own command
image_size()
{
	got_=$(rbd info --format json "$2" | sed 's/.*"size":\([0-9]*\).*/\1/')
	[ "$got_" = "$1" ] || fail "the size of the image $2 is $got_, not $1"
}

# image_used IMAGE: bytes, by Ceph's own command
image_used()
{
	rbd du --format json "$1" 2>/dev/null | sed 's/.*"used_size":\([0-9]*\).*/\1/'
}

start_cluster()
{
	cluster=$tmp/ceph
	# shellcheck disable=SC2086  # a list
	env OWNER=$$ ${cluster_options-} "$ceph_" start "$cluster" >"$tmp/cluster" 2>&1 || {
		cat "$tmp/cluster" "$cluster/output" >&2
		fail "no Ceph cluster could be started"
	}
	read -r mon <"$cluster/port"
}

if [ "${cluster-yes}" = yes ]; then
	start_cluster
fi
