#!/bin/sh
# What can be wrong with a definition or a cluster: a clear sentence within the timeout, and the
# pool starts once it is mended. Then discovery.
# limit: 120
mount_options=timeout=3
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/sheep.sh"
fake_only

pools=$storage/pools

# errno_of FILE LINE: of one write(2) of it; nothing where that succeeds
errno_of()
{
	python3 - "$@" <<-'END'
		import errno, os, sys
		try:
		    os.write(os.open(sys.argv[1], os.O_WRONLY), sys.argv[2].encode() + b"\n")
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END
}

# start_refused ERRNO… -- TEXT…: the pool x does not start, in time; its sentence has each TEXT,
# which is a pattern
start_refused()
{
	errnos_=
	while [ "$1" != -- ]; do
		errnos_="$errnos_ -e $1"
		shift
	done
	shift
	begin_=$(date +%s%N)
	got_=$(errno_of "$pools/x/ctl" start)
	took_=$((($(date +%s%N) - begin_) / 1000000))
	error_=$(cat "$pools/x/error")
	echo "$got_ after $took_ ms: $error_"
	# shellcheck disable=SC2086  # a list
	echo "$got_" | grep -qx $errnos_ || fail "start said '$got_': $error_"
	[ "$took_" -lt 15000 ] || fail "start took $took_ ms: $error_"
	for text_; do
		echo "$error_" | grep -qiE -e "$text_" ||
			fail "the error does not say '$text_': $error_"
	done
	[ "$(cat "$pools/x/state")" != running ] || fail "the pool runs"
	timeout 1 cat "$pools/x/xml" >"$tmp/out" || fail "xml does not answer"
}

# define HOST PORT: the pool x, which does not start by that
define()
{
	[ ! -d "$pools/x" ] || rmdir "$pools/x"
	mkdir "$pools/x"
	put "$pools/x/xml" "<pool type='sheepdog'><source><host name='$1' port='$2'/>
		<name>flock</name></source></pool>"
	[ "$(cat "$pools/x/state")" != running ] || fail "x runs"
}

starts()
{
	put "$pools/x/ctl" start
	is running "$pools/x/state"
	ls "$pools/x/volumes" >/dev/null
	put "$pools/x/ctl" stop
}

tell kill 0
define 127.0.0.1 "$port"
start_refused ENODEV EIO ECONNREFUSED -- "127.0.0.1" "$port" 'refused'
tell start 0
starts

tell silent 0
start_refused ETIMEDOUT EIO -- "$port" 'answer|time'
tell speak 0
starts

tell unformat
start_refused ENODEV -- 'format'
tell format
starts

tell version 9
start_refused ENOTSUP -- 'Sheepdog 1\.0'
tell version 10
starts

for code in 0x11 0x19; do # shut down, too few nodes
	tell status "$code"
	start_refused ENODEV EAGAIN EIO ETIMEDOUT -- 'cluster|sheep'
done
tell status 0x17 # waits for other nodes
start_refused ENODEV EAGAIN EIO ETIMEDOUT -- 'node|join|cluster|sheep'
tell status 0
starts

fault any times=0 garbage
start_refused EPROTO EIO ENODEV ETIMEDOUT EBADMSG -- 'sheep'
tell off
starts

define no-such-host.invalid 7000
start_refused ENODEV EAGAIN ETIMEDOUT -- 'no-such-host.invalid'

# something else that listens there
mkdir "$tmp/http"
python3 -m http.server --bind 127.0.0.1 --directory "$tmp/http" 0 >"$tmp/http.log" 2>&1 &
sheep_pids="$sheep_pids $!"
python3 - "$tmp" <<'END' &
import os, socket, sys
s = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + "/talker.new", "w") as f:
    f.write(str(s.getsockname()[1]))
os.rename(sys.argv[1] + "/talker.new", sys.argv[1] + "/talker")
while True:
    c, _ = s.accept()
    try:
        c.sendall(b"220 mail.example.com ESMTP\r\n" * 1000)
        c.recv(1)
    except OSError:
        pass
    c.close()
END
sheep_pids="$sheep_pids $!"
eventually 20 test -s "$tmp/talker"
define 127.0.0.1 "$(cat "$tmp/talker")"
start_refused EPROTO EIO ENODEV ETIMEDOUT EBADMSG -- 'sheep'
rmdir "$pools/x"

# -- discovery --

sources=$storage/sources/sheepdog
found=$(cat "$sources/127.0.0.1:$port")
echo "$found" | grep -q '<sources>' || fail "found: $found"
echo "$found" | grep -q "<host name='127.0.0.1' port='$port'/>" || fail "found: $found"
tell kill 0
expect_error "$port" cat "$sources/127.0.0.1:$port"
tell start 0
tell unformat
if cat "$sources/127.0.0.1:$port" >"$tmp/out" 2>&1; then
	if grep -q '<host' "$tmp/out"; then fail "an unformatted cluster was found"; fi
fi
tell format
tell silent 0
expect_errno ETIMEDOUT timeout 8 cat "$sources/127.0.0.1:$port"
tell speak 0
expect_errno ENODEV timeout 8 cat "$sources/no-such-host.invalid"
cat "$sources/127.0.0.1:$port" >"$tmp/out"
cmp -s "$tmp/out" - <<END || fail "found at last: $(cat "$tmp/out")"
$found
END
