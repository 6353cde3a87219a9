# What the stories of iSCSI pools stand on: after the tree's lib.sh it gives a real tgtd of the story's
# own, with the targets in $targets, at 127.0.0.1:$port, and pools of them.
#
# Before sourcing, a story sets targets (see tests/servers/tgt), which may be empty.
# shellcheck shell=sh disable=SC2034,SC2154

need tgtd tgtadm iscsi-ls qemu-img qemu-io python3
need_backend iscsi
need_backend iscsi-direct

iqn=iqn.2026-11.example.storagefs
initiator=iqn.2026-11.example.storagefs:story
tgt=$tmp/tgt

# tgt COMMAND [ARGUMENT…]: of tests/servers/tgt
tgt()
{
	verb_=$1
	shift
	"$here/tgt" "$verb_" "$tgt" "$@"
}

hostile=
story_end()
{
	if [ -n "$hostile" ]; then
		kill "$hostile"
		wait "$hostile" 2>/dev/null
	fi
	[ ! -d "$tgt" ] || tgt stop
}

# start_hostile PORT: iscsi_hostile.py, in front of the target at PORT ('': of none); $tmp/hostile has the
# name and port of each of its ways to misbehave
start_hostile()
{
	python3 "$here/iscsi_hostile.py" "$tmp/hostile" ${1:+"$1"} &
	hostile=$!
	eventually 10 test -s "$tmp/hostile"
}

# secrets of the targets chap and mutual
set_secrets()
{
	put "$storage/secrets/alice" alicesecret12
	put "$storage/secrets/bob" bobsecret1234
}

# auth USER [USAGE]: an <auth> element
auth()
{
	echo "<auth type='chap' username='$1'><secret usage='${2-$1}'/></auth>"
}

# iscsi_xml TYPE TARGET [MORE [INITIATOR]]: MORE is put into <source>
iscsi_xml()
{
	target_=
	[ "$1" != iscsi ] || target_='<target><path>/dev/disk/by-path</path></target>'
	echo "<pool type='$1'><source><host name='${host-127.0.0.1}' port='$port'/><device path='$iqn:$2'/>
		<initiator><iqn name='${4-$initiator}'/></initiator>${3-}</source>$target_</pool>"
}

# iscsi_pool NAME TYPE TARGET [MORE [INITIATOR]]: a running pool
iscsi_pool()
{
	mkdir "$storage/pools/$1"
	pool_=$storage/pools/$1
	shift
	put "$pool_/xml" "$(iscsi_xml "$@")" || fail "$(cat "$pool_/error")"
	is running "$pool_/state"
}

# refused_pool ERRNO TEXT NAME TYPE TARGET [MORE [INITIATOR]]: its definition stands and its start
# fails within 10 seconds; its error has TEXT
refused_pool()
{
	errno_=$1
	text_=$2
	name_=$3
	pool_=$storage/pools/$3
	shift 3
	mkdir "$pool_"
	put "$pool_/xml" "$(iscsi_xml "$@")" 2>/dev/null || :
	expect_errno "$errno_" timeout 10 sh -c "env printf 'start\n' >'$pool_/ctl'"
	grep -qF -e "$text_" "$pool_/error" ||
		fail "the error of $name_ does not say '$text_': $(cat "$pool_/error")"
	is inactive "$pool_/state"
}

# url TARGET [LUN]: as the witnesses take it
url()
{
	echo "iscsi://127.0.0.1:$port/$iqn:$1${2:+/$2}"
}

# unit LUN: the name of a volume
unit()
{
	echo "unit:0:0:$1"
}

# pattern BYTE COUNT: as qemu-io's write -P makes it
pattern()
{
	head -c "$2" /dev/zero | tr '\0' "\\$(printf %o "$1")"
}

# all_answer FILE…: each of them is read, or listed, within 100 ms, at the best of ten tries: what a
# busy machine may delay ten times in a row hangs
all_answer()
{
	timeout 60 python3 - "$@" <<-'END' || fail "not answered at once"
		import os, sys, time
		def look(path):
		    if os.path.isdir(path):
		        os.listdir(path)
		    else:
		        with open(path, "rb") as f:
		            f.read(100000)
		for path in sys.argv[1:]:
		    best = 9
		    for _ in range(10):
		        begin = time.monotonic()
		        look(path)
		        best = min(best, time.monotonic() - begin)
		        if best < 0.1:
		            break
		    else:
		        sys.exit(f"{path}: {best:.3f} s at best")
	END
}

# within SECONDS COMMAND…: ends within them, whether it fails or not; its errors are in $tmp/err
within()
{
	within_=$1
	shift
	result_=0
	timeout -k 1 "$within_" "$@" >"$tmp/out" 2>"$tmp/err" || result_=$?
	case $result_ in 124 | 137) fail "did not end within $within_ s: $*" ;; esac
	return "$result_"
}

start_tgt()
{
	# shellcheck disable=SC2086  # a list
	tgt start $targets >"$tmp/started" 2>&1 || {
		cat "$tmp/started"
		fail "no tgtd could be started"
	}
	read -r port <"$tgt/port"
}

start_tgt
