#!/bin/sh
# Many images, looked at in windows: each is what it is, also while others come, change and go; and a
# list whose Ceph dies meanwhile ends, as does its pool.
# limit: 180
mount_options=timeout=4
cluster_options=STORE=bluestore
. "${0%/*}/../tree/lib.sh"
. "${0%/*}/ceph.sh"

N=700
M=1048576
ask_ceph images <<END
for i in range($N):
    rbd.RBD().create(pool, f'image-{i:04}', (1 + i % 7) * $M)
END
rbd_pool p
cd "$storage/pools/p"

# sizes: what each is, of images FIRST to LAST
sizes()
{
	for i in $(seq "$1" "$2"); do
		printf '%d image-%04d\n' $(((1 + i % 7) * M)) "$i"
	done
}

# listed: the same as ls has it
listed()
{
	ls -l volumes | sed -n 's/  */ /g; s/^-[^ ]* [0-9]* [^ ]* [^ ]* \([0-9]*\) .* \(image.*\)$/\1 \2/p'
}

sizes 0 $((N - 1)) >"$tmp/want"
for _ in 1 2 3; do
	echo refresh >ctl
	listed | cmp - "$tmp/want" || fail "not what is there: $(listed | diff "$tmp/want" - | head)"
done

# what others have changed is seen by who has refreshed, at once
set --
for i in $(seq -f %04g 0 50 $((N - 1))); do
	set -- "$@" "volumes/image-$i"
done
stat "$@" >"$tmp/stat"
ask_ceph images <<-END
	for i in range(0, $N, 50):
	    with rbd.Image(pool, f'image-{i:04}') as image:
	        image.resize(9 << 20)
END
echo refresh >ctl
[ "$(stat -c %s "$@" | sort -u)" = $((9 * M)) ] || fail "old sizes: $(stat -c '%s %n' "$@")"
ask_ceph images <<-END
	for i in range(0, $N, 50):
	    with rbd.Image(pool, f'image-{i:04}') as image:
	        image.resize((1 + i % 7) << 20)
END

# two who walk, one who walks backwards, and one who asks for a few of them
echo refresh >ctl
listed >"$tmp/walk1" &
first=$!
listed >"$tmp/walk2" &
second=$!
find volumes -name 'image*' | sort -r | xargs stat -c '%s %n' | sed 's, volumes/, ,' | sort -k2 \
	>"$tmp/walk3"
for i in 0699 0300 0001 0300; do
	[ "$(stat -c '%s image-'"$i" "volumes/image-$i")" = "$(grep "$i" "$tmp/want")" ] ||
		fail "the size of image-$i"
done
wait "$first" "$second"
for walker in 1 2 3; do
	cmp "$tmp/walk$walker" "$tmp/want" || fail "walker $walker: not what is there"
done

# ours and others', while somebody walks: none is missed that stays, and what is done is seen at once
walk()
{
	while [ ! -e "$tmp/enough" ]; do
		ls -l volumes >"$tmp/seen" 2>"$tmp/walk.err" || :
		n=$(grep -c 'image-0[0-5]' "$tmp/seen")
		[ "$n" = 600 ] || echo "$n of 600: $(cat "$tmp/walk.err")" >>"$tmp/missed"
	done
}
walk &
walker=$!
for i in 601 602 603 604; do
	rbd rm --no-progress "image-0$((i + 10))"
	rm "volumes/image-0$i"
	[ ! -e "volumes/image-0$i" ] || fail "image-0$i is there still"
	truncate -s 20M "volumes/image-0$((i + 20))"
	[ "$(stat -c %s "volumes/image-0$((i + 20))")" = $((20 * M)) ] || fail "image-0$((i + 20)) has not grown"
	touch "volumes/new$i"
	ls -l volumes | grep -q "new$i" || fail "new$i is not listed"
done
: >"$tmp/enough"
wait "$walker"
[ ! -e "$tmp/missed" ] || fail "missed: $(cat "$tmp/missed")"

# gone in the middle of a list, and back elsewhere before anybody has been told
echo refresh >ctl
head -n 0 volumes/image-0000
ls -l volumes >"$tmp/seen" 2>"$tmp/err" &
walker=$!
in_cluster kill-osd
timeout 60 tail --pid="$walker" -f /dev/null || fail "a list hangs without its OSD"
begin=$(date +%s)
expect_error '' timeout 30 ls -l volumes/image-0400
[ $(($(date +%s) - begin)) -lt 20 ] || fail "a look lasts longer than its timeout"
(cd / && in_cluster start-osd) # it would stay in the pool
eventually 60 sh -c "ls -l volumes/image-0400 >/dev/null 2>&1"
eventually 20 sh -c 'grep -q running state'
echo refresh >ctl
listed | grep 'image-0[0-5]' >"$tmp/seen"
sizes 0 599 | cmp - "$tmp/seen" || fail "not what is there, after it was away"

# stopped while somebody looks
echo refresh >ctl
ls -l volumes >"$tmp/seen" 2>&1 &
walker=$!
eventually 20 sh -c 'echo stop >ctl 2>/dev/null'
wait "$walker" || :
is inactive state
