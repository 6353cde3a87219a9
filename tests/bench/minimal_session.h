/* The part that the least filesystems on libfuse share: the session from mount to umount. */
#pragma once

#define FUSE_USE_VERSION 34
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>

/* Until it is unmounted or asked to end; many: by as many threads as libfuse likes. Returns
 * the exit status. */
static inline int serve(struct fuse_args *args, const struct fuse_lowlevel_ops *ops,
			const char *mountpoint, bool many)
{
	struct fuse_session *se = fuse_session_new(args, ops, sizeof(*ops), NULL);
	struct fuse_loop_config *config;

	if (!se || fuse_set_signal_handlers(se) != 0 ||
	    fuse_session_mount(se, mountpoint) != 0)
		return 1;
	if (many) {
		config = fuse_loop_cfg_create();
		fuse_session_loop_mt(se, config);
		fuse_loop_cfg_destroy(config);
	} else {
		fuse_session_loop(se);
	}
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	return 0;
}
