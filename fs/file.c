/* The table of open files, and how they are closed. */
#include "fs/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/pools.h"
#include "backends/support/clock.h"
#include "backends/support/log.h"
#include "fs/backing.h"
#include "fs/inode.h"
#include "fs/lane.h"
#include "fs/notify.h"

#define FILES_MAX (1u << 24)

/* Of requests that were as hoped, each that was not takes some away. */
#define SURE	  16
#define SURE_MOST 32
#define MISSED	  8

struct slot {
	struct file *file; /* NULL: free */
	uint32_t generation, next_free;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots;
static uint32_t n_slots, first_free = UINT32_MAX;

struct file *file_new(struct inode *i, const struct node *n, struct handle *h, int flags)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->refs = 1;
	f->inode = i;
	f->node = n;
	f->handle = h;
	f->flags = flags;
	f->fd = -1;
	if (h && (f->volume = handle_volume(h))) {
		f->fd = volume_fd(f->volume);
		f->inline_data = pool_data_inline(n->pool);
		f->device = f->fd >= 0 && !volume_is_regular(f->volume);
	}
	list_init(&f->of_inode);
	list_init(&f->polled);
	pthread_mutex_init(&f->listing_lock, NULL);
	inode_ref(i);
	return f;
}

/* Twice as many slots; the new ones are free. */
static int grow(void)
{
	uint32_t n = n_slots ? n_slots * 2 : 64;
	struct slot *more = n > FILES_MAX ? NULL : realloc(slots, n * sizeof(*slots));

	if (!more)
		return n > FILES_MAX ? -ENFILE : -ENOMEM;
	slots = more;
	for (uint32_t i = n_slots; i < n; i++)
		slots[i] = (struct slot){ .generation = 1,
					  .next_free = i + 1 < n ? i + 1 : UINT32_MAX };
	first_free = n_slots;
	n_slots = n;
	return 0;
}

int file_publish(struct file *f)
{
	{
		SCOPED_LOCK(&lock);
		int ret = first_free == UINT32_MAX ? grow() : 0;

		if (ret < 0)
			return ret;

		uint32_t i = first_free;

		first_free = slots[i].next_free;
		slots[i].file = f;
		f->id = (uint64_t)slots[i].generation << 32 | i;
	}
	inode_add_file(f->inode, f);
	return 0;
}

static struct slot *find(uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (i >= n_slots || !slots[i].file || slots[i].generation != id >> 32)
		return NULL;
	return &slots[i];
}

static struct file *unslot(uint64_t id)
{
	SCOPED_LOCK(&lock);
	struct slot *s = find(id);

	if (!s)
		return NULL;

	struct file *f = take(s->file);

	s->generation++;
	s->next_free = first_free;
	first_free = (uint32_t)id;
	return f;
}

struct file *file_withdraw(uint64_t id)
{
	struct file *f = unslot(id);

	if (f)
		inode_remove_file(f->inode, f);
	return f;
}

struct file *file_get(uint64_t id)
{
	SCOPED_LOCK(&lock);
	struct slot *s = find(id);

	if (!s)
		return NULL;
	file_ref(s->file);
	return s->file;
}

static bool is_sure(const atomic_int *sure)
{
	return atomic_load_explicit(sure, memory_order_relaxed) >= SURE;
}

/* A wrong guess costs a little time, so two at once may count as one. */
static void note(atomic_int *sure, bool was)
{
	int n = atomic_load_explicit(sure, memory_order_relaxed);
	int to = was ? n + 1 : n - MISSED;

	to = to < 0 ? 0 : to > SURE_MOST ? SURE_MOST : to;
	if (to != n)
		atomic_store_explicit(sure, to, memory_order_relaxed);
}

void file_note_cached(struct file *f, bool was)
{
	note(&f->cached, was);
}

void file_note_many(struct file *f, bool were)
{
	note(&f->many, were);
}

bool file_is_direct(const struct file *f)
{
	return f->device && (f->flags & O_DIRECT) && !atomic_load(&f->cannot_tell) &&
	       (!f->inline_data || is_sure(&f->many));
}

enum file_data file_data(uint64_t id)
{
	SCOPED_LOCK(&lock);
	struct slot *s = find(id);

	if (!s || !s->file->volume)
		return FILE_TEXT;
	if (s->file->fd < 0 || !s->file->inline_data)
		return FILE_SUBMITTED;
	if (file_is_direct(s->file))
		return FILE_DIRECT;
	return is_sure(&s->file->cached) ? FILE_CACHED : FILE_WAITS;
}

void file_ref(struct file *f)
{
	atomic_fetch_add(&f->refs, 1);
}

static void destroy(struct file *f)
{
	struct call call = { .deadline_ns = clock_now() +
					    model_options()->timeout_s * NS_PER_S };

	notify_poll_end(f);
	if (f->passthrough)
		backing_release(f->inode);
	if (f->handle)
		handle_close(f->handle, &call);
	if (f->lane)
		lane_put(f->lane);
	listing_free(&f->listing);
	pthread_mutex_destroy(&f->listing_lock);
	inode_put(f->inode);
	free(f);
}

static void run_close(struct task *t)
{
	destroy(container_of(t, struct file, closing));
}

void file_put(struct file *f)
{
	struct executor *e;

	if (atomic_fetch_sub(&f->refs, 1) > 1)
		return;
	e = f->handle ? node_executor(f->node, NODE_CLOSE, NULL) : NULL;
	if (!e) {
		destroy(f);
		return;
	}
	f->closing.run = run_close;
	if (executor_submit_close(e, &f->closing) < 0)
		log_error("no thread is left to close an open file of a pool");
}

void file_close_all(void)
{
	for (uint32_t i = 0; i < n_slots; i++) {
		struct file *f = slots[i].file;

		if (f && file_withdraw(f->id))
			file_put(f);
	}
	free(take(slots));
	n_slots = 0;
}
