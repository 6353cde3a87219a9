/* Open volumes, and what can be asked of them besides their bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/sheepdog/sheep_lock.h"
#include "backends/sheepdog/sheep_op.h"

int sheep_vol_open(void *pool, const char *name, const char *snap, int flags,
		   struct vol_file *out, struct call *call, struct error *err)
{
	struct sheep_pool *sp = pool;
	AUTO_FREE struct sheep_volume *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return error_code(err, ENOMEM, "cannot open volume '%s'", name);
	v->write = (flags & O_ACCMODE) != O_RDONLY;
	v->through = flags & (O_DIRECT | O_DSYNC);
	r = inode_open(sp, name, snap, v->write, &v->inode, call, err);
	if (r < 0)
		return r;
	if (v->write && sp->locks) {
		r = sheep_lock(v->inode, call, err);
		if (r < 0) {
			inode_close(v->inode, v->write);
			return r;
		}
	}
	*out = (struct vol_file){ .vol = take(v), .fd = -1 };
	return 0;
}

void sheep_vol_close(void *pool, struct vol_file *f)
{
	struct sheep_pool *sp = pool;
	struct sheep_volume *v = f->vol;

	if (v->write && sp->locks)
		sheep_unlock(v->inode);
	inode_close(v->inode, v->write);
	free(v);
}

static uint64_t count_own(const struct sheep_inode *i)
{
	uint64_t n = 0;

	for (uint32_t at = 0; at < i->n; at++)
		n += i->map[at] == i->vdi.vid;
	return n << i->vdi.shift;
}

struct looking {
	const struct sheep_inode *inode;
	struct vol_stat *st;
	off_t off;
	int whence;
};

static void look(void *arg)
{
	struct looking *l = arg;

	*l->st = (struct vol_stat){ .size = l->inode->vdi.size,
				    .allocated = count_own(l->inode) };
}

int sheep_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		    struct call *call, struct error *err)
{
	const struct sheep_volume *v = f->vol;
	struct looking l = { .inode = v->inode, .st = out };

	if (sheep_on_loop(pool, look, &l) < 0)
		return error_code(err, ENOMEM, "cannot look at an open volume");
	return 0;
}

static void seek(void *arg)
{
	struct looking *l = arg;
	const struct sheep_inode *i = l->inode;
	uint64_t size = i->vdi.size, off = l->off;

	if (off >= size) {
		l->off = -ENXIO;
		return;
	}

	uint32_t at = off >> i->vdi.shift;
	bool data = l->whence == SEEK_DATA;

	while (at < i->n && !i->map[at] == data)
		at++;
	if ((uint64_t)at << i->vdi.shift > off)
		off = (uint64_t)at << i->vdi.shift;
	if (off >= size) /* every end is followed by a hole */
		l->off = data ? -ENXIO : (off_t)size;
	else
		l->off = off;
}

off_t sheep_vol_seek(void *vol, off_t off, int whence, struct call *call,
		     struct error *err)
{
	struct sheep_volume *v = vol;
	struct looking l = { .inode = v->inode, .off = off, .whence = whence };
	int r;

	if (off < 0)
		return error_set(err, ENXIO, "there is nothing at a negative offset");
	r = op_run(v->inode, IO_FLUSH, 0, 0, call, err); /* what is in no map yet */
	if (r < 0)
		return r;
	if (sheep_on_loop(v->inode->sp, seek, &l) < 0)
		return error_code(err, ENOMEM, "cannot look for data");
	return l.off < 0 ? error_set(err, -l.off, "there is nothing behind that offset")
			 : l.off;
}
