/*
 * Wiping: zeros over all objects that are the volume's own, or all of them given back.
 * Objects that it shares stay as they are with whom it shares them; it has a hole there.
 */
#include <errno.h>
#include <string.h>
#include <sys/param.h>

#include "backends/sheepdog/sheep_op.h"

#define PIECE (UINT64_C(64) << 20)

/* Piece by piece, so that it can be watched and cancelled. */
static int wipe(struct sheep_inode *i, bool trim, struct call *call, struct error *err)
{
	uint64_t size = i->vdi.size, piece = MAX(PIECE, inode_object_size(i));
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < size; at += piece) {
		uint64_t end = MIN(at + piece, size);

		if (call->cancelled && atomic_load(call->cancelled))
			return error_set(err, EINTR, "wiping volume '%s' was cancelled",
					 i->vdi.name);
		r = trim ? op_run(i, IO_PUNCH, at, end, call, err)
			 : op_overwrite(i, at, end, call, err);
		if (call->progress)
			call->progress(call, end, size);
	}
	return r;
}

int sheep_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		   struct error *err)
{
	bool trim = !strcmp(algorithm, "trim");
	struct sheep_inode *i;
	int r;

	if (!trim && strcmp(algorithm, "zero"))
		return error_set(err, EOPNOTSUPP,
				 "VDIs are wiped with zero or trim, not '%s'", algorithm);
	r = inode_open(pool, name, NULL, true, &i, call, err);
	if (r < 0)
		return r;
	r = wipe(i, trim, call, err);
	inode_close(i, true);
	return r < 0 ? error_prefix(err, "cannot wipe volume '%s'", name) : 0;
}
