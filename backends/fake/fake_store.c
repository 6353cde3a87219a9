/* The fake's volumes: memory that outlives the pool's stop, with its store's lock held.
 */
#include "backends/fake/fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>

#define POOL_SIZE (UINT64_C(1) << 30)
#define EXTENT    (UINT64_C(4) << 20)

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list stores = LIST_INIT(stores); /* for the life of the process */

struct fake_store *store_get(const char *key)
{
	SCOPED_LOCK(&stores_lock);
	list_for_each(l, &stores) {
		struct fake_store *s = container_of(l, struct fake_store, link);

		if (!strcmp(s->key, key))
			return s;
	}

	struct fake_store *s = calloc(1, sizeof(*s));

	if (!s || !(s->key = strdup(key))) {
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	list_init(&s->volumes);
	list_append(&stores, &s->link);
	return s;
}

int store_no_volume(const char *name, struct error *err)
{
	return error_set(err, ENOENT, "there is no volume '%s'", name);
}

struct fake_volume *store_find(struct fake_store *s, const char *name)
{
	list_for_each(l, &s->volumes) {
		struct fake_volume *v = container_of(l, struct fake_volume, link);

		if (!strcmp(v->name, name))
			return v;
	}
	return NULL;
}

struct fake_volume *store_add(struct fake_store *s, const char *name)
{
	struct fake_volume *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->fd = memfd_create("fake-volume", MFD_CLOEXEC);
	v->name = strdup(name);
	if (v->fd < 0 || !v->name) {
		if (v->fd >= 0)
			close(v->fd);
		free(v->name);
		free(v);
		return NULL;
	}
	v->refs = 1;
	v->ident = ++s->last_ident;
	clock_gettime(CLOCK_REALTIME, &v->mtime);
	list_init(&v->snaps);
	list_append(&s->volumes, &v->link);
	return v;
}

void store_remove_snap(struct fake_snap *snap)
{
	list_remove(&snap->link);
	close(snap->fd);
	free(snap->name);
	free(snap);
}

void store_unref(struct fake_volume *v)
{
	if (--v->refs)
		return;
	list_for_each(l, &v->snaps)
		store_remove_snap(container_of(l, struct fake_snap, link));
	close(v->fd);
	free(v->name);
	free(v->format);
	free(v->backing);
	free(v);
}

void store_remove(struct fake_store *s, struct fake_volume *v)
{
	list_remove(&v->link);
	store_unref(v);
}

struct fake_snap *store_find_snap(struct fake_volume *v, const char *name)
{
	list_for_each(l, &v->snaps) {
		struct fake_snap *s = container_of(l, struct fake_snap, link);

		if (!strcmp(s->name, name))
			return s;
	}
	return NULL;
}

static uint64_t memory_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_blocks * UINT64_C(512);
}

uint64_t store_used(struct fake_pool *fp)
{
	uint64_t used = 0;

	list_for_each(l, &fp->store->volumes) {
		const struct fake_volume *v = container_of(l, struct fake_volume, link);

		used += fp->class == VOLUMES_ARE_FILES ? memory_of(v->fd) : v->size;
	}
	return used;
}

uint64_t store_round(struct fake_pool *fp, uint64_t size)
{
	uint64_t unit = control_size(fp, "extent", EXTENT);

	if (fp->class != VOLUMES_PROVISIONED || !unit)
		return size;
	return size ? (size + unit - 1) / unit * unit : unit;
}

/* What a disk would still hold from its last use. */
static int fill(int fd, uint64_t from, uint64_t to)
{
	char garbage[65536];

	memset(garbage, 0xaa, sizeof(garbage));
	while (from < to) {
		ssize_t n = pwrite(fd, garbage, MIN(to - from, sizeof(garbage)), from);

		if (n < 0)
			return -errno;
		from += n;
	}
	return 0;
}

int store_resize(struct fake_pool *fp, struct fake_volume *v, uint64_t size,
		 struct error *err)
{
	uint64_t before = v->size, most = control_size(fp, "size", POOL_SIZE);
	int r = 0;

	if (size > before && fp->class != VOLUMES_ARE_FILES &&
	    store_used(fp) - before + size > most)
		return error_set(err, ENOSPC,
				 "the fake pool is full: volume '%s' cannot have %llu bytes",
				 v->name, (unsigned long long)size);
	if (ftruncate(v->fd, size) < 0)
		return error_errno(err, "cannot resize volume '%s'", v->name);
	if (size > before && fp->class == VOLUMES_PROVISIONED && control_has(fp, "dirty"))
		r = fill(v->fd, before, size);
	if (r < 0)
		return error_code(err, -r, "cannot resize volume '%s'", v->name);
	v->size = size;
	clock_gettime(CLOCK_REALTIME, &v->mtime);
	return 0;
}

int copy_memory(int from, uint64_t size, struct error *err)
{
	AUTO_FD int to = memfd_create("fake-copy", MFD_CLOEXEC);
	off_t data = 0;

	if (to < 0 || ftruncate(to, size) < 0)
		return error_errno(err, "cannot copy a fake volume");
	while ((data = lseek(from, data, SEEK_DATA)) >= 0 && (uint64_t)data < size) {
		char block[65536];
		ssize_t n = pread(from, block, MIN(size - data, sizeof(block)), data);

		if (n <= 0 || pwrite(to, block, n, data) != n)
			return error_errno(err, "cannot copy a fake volume");
		data += n;
	}
	return take_fd(&to);
}
