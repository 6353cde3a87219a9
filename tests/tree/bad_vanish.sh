#!/bin/sh
# Target directories that go away under a running pool: removed, renamed, unmounted, replaced. Never an
# empty list of a full pool, never a volume that lands somewhere else; what comes back is used again.
mount=no
. "${0%/*}/lib.sh"
need_root
need_backend dir
need python3

mount_storage
pools=$storage/pools

# gone POOL: nothing can be listed or made, and its text files answer
gone()
{
	if ls "$pools/$1/volumes" >"$tmp/out" 2>/dev/null; then
		fail "a directory that is gone was listed: $(cat "$tmp/out")"
	fi
	expect_error "$tmp/$1" touch "$pools/$1/volumes/new"
	timeout 20 cat "$pools/$1/state" "$pools/$1/xml" "$pools/$1/error" >/dev/null
	[ "$(cat "$pools/other/volumes/v")" = data ] || fail "the other pool suffers"
}

dir_pool other
echo data >"$pools/other/volumes/v"

# removed
dir_pool removed
rmdir "$tmp/removed"
gone removed
mkdir "$tmp/removed"
put "$pools/removed/ctl" refresh
touch "$pools/removed/volumes/v"
[ -e "$tmp/removed/v" ] || fail "the volume landed somewhere else"

# removed with what is in it, while a volume is open
echo data >"$pools/removed/volumes/open"
exec 9<>"$pools/removed/volumes/open"
rm -r "$tmp/removed"
[ "$(cat <&9)" = data ] || fail "an open volume lost its bytes"
echo more >&9
exec 9>&-
gone removed
put "$pools/removed/ctl" refresh 2>/dev/null || :
put "$pools/removed/ctl" stop
expect_error "$tmp/removed" put "$pools/removed/ctl" start
mkdir "$tmp/removed"
put "$pools/removed/ctl" start
[ -z "$(ls "$pools/removed/volumes")" ] || fail "volumes from nowhere"

# renamed away, and another directory in its place
dir_pool renamed
echo data >"$pools/renamed/volumes/v"
mv "$tmp/renamed" "$tmp/elsewhere"
mkdir "$tmp/renamed"
echo other >"$tmp/renamed/w"
put "$pools/renamed/ctl" refresh 2>/dev/null || { put "$pools/renamed/ctl" stop; put "$pools/renamed/ctl" start; }
is "$(printf 'w')" /dev/stdin <<END
$(ls "$pools/renamed/volumes")
END
touch "$pools/renamed/volumes/x"
[ -e "$tmp/renamed/x" ] || fail "the volume landed in the directory that was renamed away"
is data "$tmp/elsewhere/v"
rm -r "$tmp/renamed"
mv "$tmp/elsewhere" "$tmp/renamed"
put "$pools/renamed/ctl" refresh
is data "$pools/renamed/volumes/v"

# unmounted under it: what is below must not be taken for it
mkdir "$tmp/mounted"
mount -t tmpfs -o size=4m tmpfs "$tmp/mounted"
dir_pool mounted
echo data >"$pools/mounted/volumes/v"
umount -l "$tmp/mounted"
touch "$pools/mounted/volumes/new" 2>/dev/null || :
put "$pools/mounted/ctl" refresh 2>/dev/null || :
timeout 20 ls "$pools/mounted/volumes" >"$tmp/out" 2>&1 || :
[ -z "$(ls "$tmp/mounted")" ] || fail "a volume landed below the mount point"

# a link, a file and a loop in its place
dir_pool swapped
echo data >"$pools/swapped/volumes/v"
mv "$tmp/swapped" "$tmp/aside"
for what in "ln -s swapped" "ln -s /nowhere" "touch" "mkfifo"; do
	$what "$tmp/swapped"
	timeout 30 sh -c "echo refresh >'$pools/swapped/ctl'" 2>/dev/null ||
		[ $? != 124 ] || fail "refresh hangs on '$what'"
	timeout 30 ls "$pools/swapped/volumes" >"$tmp/out" 2>&1 ||
		[ $? != 124 ] || fail "ls hangs on '$what'"
	timeout 30 sh -c "echo stop >'$pools/swapped/ctl'" || fail "stop with '$what' in its place"
	if timeout 30 sh -c "echo start >'$pools/swapped/ctl'" 2>/dev/null; then
		fail "started on '$what'"
	fi
	grep -q "$tmp/swapped" "$pools/swapped/error" || fail "the error is $(cat "$pools/swapped/error")"
	rm "$tmp/swapped"
	mv "$tmp/aside" "$tmp/swapped"
	put "$pools/swapped/ctl" start
	is data "$pools/swapped/volumes/v"
	mv "$tmp/swapped" "$tmp/aside"
done
mv "$tmp/aside" "$tmp/swapped"

# by turns, with readers and writers in it: the daemon lives, and all ends well
python3 - "$pools/swapped" "$tmp/swapped" <<'END'
import os, sys, threading, time
pool, target = sys.argv[1:]
end = time.time() + 4

def client(i):
    while time.time() < end:
        try:
            with open(f"{pool}/volumes/c{i % 3}", "wb") as f:
                f.write(b"x" * 5000)
            os.listdir(pool + "/volumes")
            open(pool + f"/info/c{i % 3}/xml").read()
            os.rename(f"{pool}/volumes/c{i % 3}", f"{pool}/volumes/d{i % 3}")
        except OSError:
            pass

def admin():
    while time.time() < end:
        try:
            fd = os.open(pool + "/ctl", os.O_WRONLY)
            try:
                os.write(fd, b"refresh\n")
            finally:
                os.close(fd)
        except OSError:
            pass

threads = [threading.Thread(target=client, args=(i,)) for i in range(6)]
threads.append(threading.Thread(target=admin))
for t in threads:
    t.start()
while time.time() < end:
    os.rename(target, target + ".away")
    time.sleep(0.01)
    os.rename(target + ".away", target)
    time.sleep(0.01)
for t in threads:
    t.join()
END
put "$pools/swapped/ctl" refresh
is data "$pools/swapped/volumes/v"
[ "$(ls "$pools/swapped/volumes")" = "$(LC_ALL=C ls "$tmp/swapped")" ] || fail "the lists differ"
