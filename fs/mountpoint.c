/* Mounts without a daemon: how they are known, and taken away. */
#include "fs/mountpoint.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "backends/model/store.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "backends/support/process.h"
#include "backends/support/run.h"

bool mountpoint_taken(const char *path, const char *source)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	bool found = false;

	if (!f)
		return false;
	while (!found && (m = getmntent(f)))
		found = strcmp(m->mnt_type, "fuse.storagefs") == 0 &&
			strcmp(m->mnt_dir, path) == 0 &&
			(!source || strcmp(m->mnt_fsname, source) == 0);
	endmntent(f);
	return found;
}

/*
 * Killed while it told the kernel of a change: that waits for the lock of a directory,
 * which a client holds, whose request nobody will answer, as long as that thread holds
 * /dev/fuse. Only ending the connection frees them.
 */
static int abort_stuck(const char *source, const char *path, struct error *err)
{
	pid_t daemon = mountpoint_taken(path, source) ? store_owner(source) : 0;

	if (!daemon || !process_is_dead(daemon))
		return 0;
	log_warning("the daemon of '%s' (process %d) was killed: its mount is ended first",
		    path, (int)daemon);
	if (umount2(path, MNT_FORCE | MNT_DETACH) < 0)
		return error_errno(err,
				   "'%s' has a mount whose daemon (process %d) was killed; "
				   "'umount -f' as root ends it",
				   path, (int)daemon);
	return 0;
}

int mountpoint_clear(const char *source, const char *path, struct error *err)
{
	const char *const argv[] = { "fusermount3", "-u", "-q", "-z", "--", path, NULL };
	struct run run = { .argv = argv, .deadline_ns = clock_now() + 10 * NS_PER_S };
	struct statfs st;
	int ret = abort_stuck(source, path, err);

	if (ret < 0)
		return ret;
	/* not stat(2): the kernel may still know what that would say */
	if (statfs(path, &st) == 0 || errno != ENOTCONN)
		return 0;
	log_warning("'%s' has a mount whose daemon is gone: unmounting it first", path);
	if (umount2(path, MNT_DETACH) == 0)
		return 0;
	if (run_tool(&run, err) < 0)
		return error_prefix(err, "cannot unmount the dead mount on '%s'", path);
	return 0;
}
