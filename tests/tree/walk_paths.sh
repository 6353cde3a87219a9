#!/bin/sh
# The root's error file names what failed by the path that a user typed, wherever that is.
. "${0%/*}/lib.sh"
need_backend dir

dir_pool a
mkdir "$storage/pools/a/info/plan"
touch "$storage/pools/a/volumes/v"
cd "$storage"

named() # PATH COMMAND…
{
	path=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then
		fail "succeeded: $*"
	fi
	case $(tail -n 1 error) in
	*"Z $path: "*) ;;
	*) fail "the error of '$*' does not name $path: $(cat error)" ;;
	esac
}
named directory mkdir directory
named jobs put jobs nonsense
named secrets/directory mkdir secrets/directory
named sources/directory mkdir sources/directory
named backends/dir rm -f backends/dir
named pools/a.xml put pools/a.xml '<pool/>'
named pools/x.xml put pools/x.xml '<pool>x</pool><pool/>'
named pools/y.xml mkdir pools/y.xml
named pools/a/directory mkdir pools/a/directory
named pools/a/ctl put pools/a/ctl nonsense
named pools/a/volumes/directory mkdir pools/a/volumes/directory
named pools/a/info/plan/directory mkdir pools/a/info/plan/directory
named pools/a/info/plan/format put pools/a/info/plan/format nonsense
named pools/a/info/v/ctl put pools/a/info/v/ctl nonsense
named pools/a/snapshots/v/s touch pools/a/snapshots/v/s
put pools/a/ctl stop
named pools/a/volumes ls pools/a/volumes
named pools/a/volumes/v cat pools/a/volumes/v
