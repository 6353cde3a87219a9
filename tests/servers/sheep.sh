# What the stories of sheepdog pools stand on: after the tree's lib.sh it gives a cluster of the
# story's own, tests/servers/sheep, in $sheep, its nodes at 127.0.0.1:$port (the first) and $ports.
#
# Before sourcing, a story may set sheep_options, or sheep=no to call start_sheep itself.
# With SHEEPDOG=HOST:PORT in the environment (and `dog` in PATH) that cluster, a real one and
# empty, is used instead by stories that need no faults.
# shellcheck shell=sh disable=SC2034,SC2154

need python3
need_backend sheepdog

M=1048576
real=${SHEEPDOG-}
flock=flock # the name of the source
sheep_pids=

# A story that met a trap of the server on purpose sets traps=expected.
story_end()
{
	story_result_=0
	for pid_ in $sheep_pids; do
		kill -CONT "$pid_"
		kill "$pid_"
		wait "$pid_"
	done 2>/dev/null
	for traps_ in "$tmp"/sheep*/traps; do
		if [ "${traps-}" != expected ] && [ -s "$traps_" ]; then
			echo "FAILED: the client met what a real sheep is hurt by:"
			cat "$traps_"
			story_result_=1
		fi
	done
	return "$story_result_"
}

# start_sheep NAME [OPTION…]: a cluster in $tmp/NAME, which begins with sheep; sets port and ports
start_sheep()
{
	sheep=$tmp/$1
	shift
	"$here/sheep" "$@" "$sheep" >>"$tmp/sheep.log" 2>&1 &
	sheep_pid=$!
	sheep_pids="$sheep_pids $sheep_pid"
	eventually 20 test -s "$sheep/ports"
	ports=$(cat "$sheep/ports")
	port=${ports%% *}
	host=127.0.0.1
}

fake_only()
{
	[ -z "$real" ] || skip "not with a real cluster"
}

# tell COMMAND…: see tests/servers/sheep
tell()
{
	"$here/sheep_tell" "$sheep" "$@"
}

# fault OPCODE… ACTION…: what the next such request meets
fault()
{
	tell on "$@"
}

# sheepdog_xml PORT: of the cluster with this node
sheepdog_xml()
{
	echo "<pool type='sheepdog'><source><host name='$host' port='$1'/><name>$flock</name>
		</source></pool>"
}

# sheepdog_pool NAME [PORT]: a running pool, of the story's cluster
sheepdog_pool()
{
	mkdir "$storage/pools/$1"
	put "$storage/pools/$1/xml" "$(sheepdog_xml "${2-$port}")"
	is running "$storage/pools/$1/state"
}

# fails_in_time COMMAND…: EIO or ETIMEDOUT, within the timeout and what a busy machine adds
fails_in_time()
{
	said_=$(mktemp "$tmp/said.XXXXXX")
	begin_=$(date +%s%N)
	if timeout 20 "$@" >/dev/null 2>"$said_"; then
		fail "succeeded: $*"
	fi
	took_=$((($(date +%s%N) - begin_) / 1000000))
	grep -q -e "$(errno_text EIO)" -e "$(errno_text ETIMEDOUT)" "$said_" ||
		fail "$* said after $took_ ms: $(cat "$said_")"
	[ "$took_" -lt 15000 ] || fail "took $took_ ms: $*"
}

# -- witnesses: another client of the cluster --

quoted()
{
	python3 -c 'import os, sys, urllib.parse
print(urllib.parse.quote_from_bytes(os.fsencode(sys.argv[1])))' "$1"
}

real_dog()
{
	dog "$@" -a "$host" -p "$port"
}

# sheep_create NAME BYTES
sheep_create()
{
	if [ -n "$real" ]; then
		real_dog vdi create "$1" "$2"
	else
		tell create "$(quoted "$1")" "$2"
	fi
}

# sheep_delete NAME [TAG]
sheep_delete()
{
	if [ -n "$real" ]; then
		real_dog vdi delete ${2:+-s "$2"} "$1"
	else
		tell delete "$(quoted "$1")" "${2-}"
	fi
}

# sheep_snapshot NAME TAG
sheep_snapshot()
{
	if [ -n "$real" ]; then
		real_dog vdi snapshot -s "$2" "$1"
	else
		tell snapshot "$(quoted "$1")" "$(quoted "$2")"
	fi
}

# sheep_read NAME FILE [TAG]: all bytes of it into FILE
sheep_read()
{
	if [ -n "$real" ]; then
		real_dog vdi read ${3:+-s "$3"} "$1" >"$2"
	else
		tell dump "$(quoted "$1")" "$2" "$(quoted "${3-}")"
	fi
}

# sheep_write NAME OFFSET FILE
sheep_write()
{
	if [ -n "$real" ]; then
		bytes_=$(stat -c %s "$3")
		real_dog vdi write "$1" "$2" "$bytes_" <"$3"
	else
		tell fill "$(quoted "$1")" "$2" "$3"
	fi
}

# sheep_names: of the working VDIs, quoted, one a line, sorted
sheep_names()
{
	if [ -n "$real" ]; then
		real_dog vdi list -r | awk '$1 != "s" { print $2 }' | sort
	else
		tell list | awk '$1 != "s" { print $2 }' | sort
	fi
}

# sheep_same NAME FILE [TAG]: the other client reads the file's bytes, and zeros behind them
sheep_same()
{
	sheep_read "$1" "$tmp/read" "${3-}"
	bytes_=$(stat -c %s "$2")
	cmp -n "$bytes_" "$tmp/read" "$2" || fail "another client reads other bytes of $1"
	[ "$(tail -c +"$((bytes_ + 1))" "$tmp/read" | tr -d '\0' | wc -c)" = 0 ] ||
		fail "another client reads bytes behind the end of $2 in $1"
}

no_orphans()
{
	[ -z "$(tell orphans)" ]
}

# no_leftovers: what no VDI refers to is gone from the cluster
no_leftovers()
{
	[ -n "$real" ] || eventually 5 no_orphans
}

if [ -n "$real" ]; then
	host=${real%:*}
	port=${real##*:}
	ports=$port
elif [ "${sheep-yes}" = yes ]; then
	# shellcheck disable=SC2086  # words
	start_sheep sheep ${sheep_options-}
fi
