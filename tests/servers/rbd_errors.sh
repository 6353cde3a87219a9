#!/bin/sh
# What can be wrong with a definition or a cluster: a clear sentence within the timeout, and no
# secret in it. Then discovery: what a client may see.
# limit: 300
mount_options=timeout=4
cluster_options=POOLS=private
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

pools=$storage/pools

define() # NAME XML
{
	mkdir "$pools/$1"
	put "$pools/$1/xml" "$2"
	[ "$(cat "$pools/$1/state")" != running ] || fail "$1 runs"
}

# start_refused ERRNO… -- POOL TEXT…: `start` ends in time with one of these; its sentence has
# each TEXT
start_refused()
{
	errnos_=
	while [ "$1" != -- ]; do
		errnos_="$errnos_ -e $1"
		shift
	done
	pool_=$2
	shift 2
	begin_=$(date +%s%N)
	python3 - "$pools/$pool_/ctl" >"$tmp/errno" <<-'END'
		import errno, os, sys
		fd = os.open(sys.argv[1], os.O_WRONLY)
		try:
		    os.write(fd, b"start\n")
		    print("succeeded")
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END
	took_=$((($(date +%s%N) - begin_) / 1000000))
	error_=$(cat "$pools/$pool_/error")
	echo "$pool_: $(cat "$tmp/errno") after $took_ ms: $error_"
	# shellcheck disable=SC2086  # a list
	grep -qx $errnos_ "$tmp/errno" || fail "start of $pool_: $(cat "$tmp/errno"): $error_"
	[ "$took_" -lt 9000 ] || fail "start of $pool_ took $took_ ms: $error_"
	for text_; do
		printf '%s' "$error_" | grep -qF -e "$text_" ||
			fail "the error of $pool_ does not say '$text_': $error_"
	done
	[ "$(cat "$pools/$pool_/state")" != running ] || fail "$pool_ runs"
}

# the secret: missing, not a key, another's
define secret "$(rbd_xml)"
start_refused EACCES ENOENT -- secret "$usage" secrets/
put "$storage/secrets/$usage" 'this is no key'
start_refused EACCES EINVAL -- secret stor
set_key admin
start_refused EACCES -- secret stor
set_key
put "$pools/secret/ctl" start
is running "$pools/secret/state"
touch "$pools/secret/volumes/v"
put "$pools/secret/ctl" stop

# nobody, another user, another pool, no pool of that name
define nobody "<pool type='rbd'><source><name>images</name><host name='127.0.0.1' port='$mon'/>
	</source></pool>"
start_refused EACCES -- nobody
define stranger "$(rbd_xml images stranger)"
start_refused EACCES -- stranger stranger
define private "$(rbd_xml private)"
start_refused EACCES EPERM -- private private
define missing "$(rbd_xml missing)"
start_refused ENODEV -- missing missing

# options of librados: one that there is not
define options "$(rbd_xml images stor \
	"<rbd:config_opts><rbd:option name='no_such_option' value='1'/></rbd:config_opts>")"
start_refused EINVAL -- options no_such_option

# hosts: no such name, nobody listens, nobody answers, somebody else answers
host() # NAME PORT
{
	rbd_xml | sed "s/127.0.0.1' port='$mon'/$1' port='$2'/"
}
define unresolvable "$(host nowhere.invalid 6789)"
start_refused ENODEV EAGAIN -- unresolvable nowhere.invalid
story_end()
{
	kill "$listener" 2>/dev/null || :
	stop_cluster
}
listener=
python3 - >"$tmp/ports" <<'END' &
import os, socket, sys, threading, time
def listen(answer):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(64)
    print(s.getsockname()[1], flush=True)
    kept = []
    while True:
        c, _ = s.accept()
        kept.append(c)
        try:
            answer(c)
        except OSError:
            pass
closed = socket.socket()
closed.bind(("127.0.0.1", 0))
print(closed.getsockname()[1], flush=True)
threading.Thread(target=listen, args=(lambda c: None,)).start()
time.sleep(0.2)
listen(lambda c: c.sendall(b"ceph v027" + os.urandom(65536)))
END
listener=$!
listening()
{
	[ "$(wc -l <"$tmp/ports")" = 3 ]
}
eventually 5 listening
{
	read -r closed
	read -r silent
	read -r noisy
} <"$tmp/ports"
define closed "$(host 127.0.0.1 "$closed")"
start_refused ETIMEDOUT EIO ENODEV -- closed "127.0.0.1:$closed"
define silent "$(host 127.0.0.1 "$silent")"
start_refused ETIMEDOUT -- silent "127.0.0.1:$silent"
define noisy "$(host 127.0.0.1 "$noisy")"
start_refused ETIMEDOUT EIO EPROTO -- noisy "127.0.0.1:$noisy"

# several hosts: one that answers is enough
mkdir "$pools/several"
put "$pools/several/xml" "$(rbd_xml | sed "s,<host,<host name='127.0.0.1' port='$closed'/><host,")"
is running "$pools/several/state"
touch "$pools/several/volumes/w"
rbd ls | grep -qx w || fail "the second host was not asked"
put "$pools/several/ctl" stop

# the same by another name, by the newer protocol, with the key by its UUID; however many images are
# open, the monitor has one connection
id=8f0d2c1e-7a55-4c1b-9d51-0b1f6c0a7d42
cat "$cluster/key.stor" >"$storage/secrets/$id"
mkdir "$pools/newer"
put "$pools/newer/xml" "$(host localhost $((mon - 1)) | sed "s/<secret usage='$usage'/<secret uuid='$id'/")"
is running "$pools/newer/state"
touch "$pools/newer/volumes/x" "$pools/newer/volumes/y"
python3 - "$daemon" "$mon" "$pools/newer/volumes" <<'END' || fail "a connection for each image"
import os, sys
pid, mon, volumes = sys.argv[1], int(sys.argv[2]), sys.argv[3]
opened = [open(f"{volumes}/{name}", "r+b") for name in "wxy"]
own = set()
for fd in os.listdir(f"/proc/{pid}/fd"):
    try:
        own.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    except FileNotFoundError:
        pass
n = 0
for line in open("/proc/net/tcp").readlines()[1:]:
    part = line.split()
    port = int(part[2].split(":")[1], 16)
    n += part[3] == "01" and port in (mon - 1, mon) and f"socket:[{part[9]}]" in own
assert n == 1, n
END
rm "$pools/newer/volumes/x" "$pools/newer/volumes/y"
put "$pools/newer/ctl" stop

# a user who may only read
rbd_pool reader images reader
head -c 100000 /dev/urandom >"$tmp/data"
rbd rm --no-progress w
rbd import --no-progress "$tmp/data" images/w
cmp "$tmp/data" "$pools/reader/volumes/w" || fail "a reader cannot read"
for command in 'touch volumes/new' 'rm volumes/w' 'mv volumes/w volumes/z' \
	'truncate -s 1G volumes/w' 'touch snapshots/w/s' \
	'dd if=/dev/zero of=volumes/w bs=4k count=1 conv=notrunc,fsync'; do
	if (cd "$pools/reader" && sh -c "$command") 2>"$tmp/err"; then fail "a reader could: $command"; fi
	grep -q -e 'Permission denied' -e 'Read-only' -e 'not permitted' "$tmp/err" ||
		fail "a reader's '$command': $(cat "$tmp/err")"
done
rbd export --no-progress w - | cmp - "$tmp/data" || fail "a reader changed the image"
put "$pools/reader/ctl" stop

# discovery: the pools that this client may see; nothing without credentials
discover() # USER
{
	set_key "$1"
	at_=$storage/sources/rbd/127.0.0.1:$mon
	put "$at_" "<source><auth type='ceph' username='$1'><secret usage='$usage'/></auth></source>"
	cat "$at_" >"$tmp/sources" || fail "$(cat "$storage/error")"
	xmllint --noout "$tmp/sources" || fail "not XML: $(cat "$tmp/sources")"
}
discover admin
for pool in images private; do
	grep -q "<name>$pool</name>" "$tmp/sources" ||
		fail "admin does not see $pool: $(cat "$tmp/sources")"
done
grep -q "<host name='127.0.0.1' port='$mon'/>" "$tmp/sources" ||
	fail "no host: $(cat "$tmp/sources")"
discover stor
grep -q '<name>images</name>' "$tmp/sources" || fail "stor does not see images"
grep -q '<name>private</name>' "$tmp/sources" && fail "stor sees what it may not use"
expect_errno ETIMEDOUT cat "$storage/sources/rbd/127.0.0.1:$silent"
expect_error nowhere.invalid cat "$storage/sources/rbd/nowhere.invalid:1"

kill "$listener"
wait "$listener" 2>/dev/null || :
for user in stor admin reader; do
	key=$(cat "$cluster/key.$user")
	! grep -rqF "$key" "$log" "$storage/error" "$storage/events" "$pools"/*/error \
		"$pools"/*/xml "$source"/*.xml ||
		fail "the key of $user is shown"
	tr '\0' '\n' <"/proc/$daemon/cmdline" | grep -qF "$key" && fail "the key is in argv"
done
! grep -q 'this is no key' "$log" "$storage/error" || fail "a bad secret is shown"
