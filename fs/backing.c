/* Backing ids, counted per inode. */
#include "fs/backing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "backends/support/cleanup.h"
#include "backends/support/log.h"
#include "fs/fuse_compat.h"
#include "fs/inode.h"

struct backing {
	int id;
	unsigned uses;
	dev_t dev;
	ino_t ino;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool refused; /* not privileged: not asked again */

static struct backing *make(int fd, const struct stat *st)
{
	struct backing *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->id = compat_backing_open(fd);
	if (b->id > 0) {
		b->dev = st->st_dev;
		b->ino = st->st_ino;
		return b;
	}
	log_debug("files are not passed through to the kernel: error %d", -b->id);
	if (b->id == -EPERM)
		atomic_store(&refused, true);
	free(b);
	return NULL;
}

int backing_acquire(struct inode *i, int fd)
{
	struct stat st;

	if (!compat_passthrough() || atomic_load(&refused) || fstat(fd, &st) < 0)
		return 0;

	SCOPED_LOCK(&lock);
	if (!i->backing)
		i->backing = make(fd, &st);
	if (!i->backing)
		return 0;
	if (i->backing->dev != st.st_dev || i->backing->ino != st.st_ino)
		return -ESTALE;
	i->backing->uses++;
	return i->backing->id;
}

void backing_release(struct inode *i)
{
	SCOPED_LOCK(&lock);
	if (--i->backing->uses)
		return;
	compat_backing_close(i->backing->id);
	free(take(i->backing));
}
