/*
 * Provisioned semantics: growth of what is not sized yet, trimming, resizing, and the
 * zeros that writers are promised for what they skip.
 *
 * volume_space.lock guards the numbers and is never held across a backend call. Whoever
 * changes them has the turn, waits for it no longer than its call's deadline, and alone
 * may call the backend for it; writes that need none of that go on meanwhile.
 *
 * A writer's mark is where zeros are owed from: what is below it was written or zeroed.
 * For a volume not yet sized it is the volume's (everything above was never written), for
 * an O_TRUNC descriptor its own. It only rises, and no write beyond it goes on before it
 * has.
 */
#include "backends/model/volume_space.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/param.h>

#include "backends/model/attributes.h"
#include "backends/model/volume_base.h"
#include "backends/model/volume_io.h"
#include "backends/model/volume_zero.h"
#include "backends/support/thread.h"

#define GROW_LEAST (UINT64_C(16) << 20)
#define GROW_MOST  (UINT64_C(1) << 30)
#define GROW_CLOSE (UINT64_C(1) << 20) /* to what is needed: it is made do with that */
#define ZERO_PIECE (UINT64_C(256) << 20) /* a gap is filled in steps, each of which counts */

void volume_space_init(struct volume_space *s)
{
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->turn_over, NULL);
}

void volume_space_exit(struct volume_space *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->turn_over);
}

void volume_space_load(struct pool *p, struct volume *v, const struct vol_stat *st)
{
	struct volume_attributes a = VOLUME_ATTRIBUTES_INIT;

	attributes_volume(pool_attributes(p), v->name, &a);
	SCOPED_LOCK(&v->space.lock);
	if (v->space.loaded)
		return;
	v->space.loaded = true;
	v->space.unsized = a.unsized;
	v->space.made = a.made;
	v->space.size = v->space.base = st->size;
}

void volume_space_resized(struct volume_space *s, uint64_t size)
{
	SCOPED_LOCK(&s->lock);
	/* who has the turn reads the numbers without the lock, and asks for the size */
	if (s->loaded && !s->unsized && !s->turn)
		s->size = size;
}

bool volume_space_growing(struct volume_space *s, uint64_t *size)
{
	SCOPED_LOCK(&s->lock);
	if (!s->unsized || !s->begun)
		return false;
	*size = MAX(s->base, s->high);
	return true;
}

uint64_t volume_space_size(struct volume_space *s)
{
	SCOPED_LOCK(&s->lock);
	return s->unsized ? MAX(s->base, s->high) : s->size;
}

/* -- the turn -- */

static int turn_take(struct volume *v, struct call *call, struct error *err)
{
	struct volume_space *s = &v->space;
	int r = 0;

	SCOPED_LOCK(&s->lock);
	while (s->turn && r == 0)
		r = thread_wait(&s->turn_over, &s->lock, call->deadline_ns);
	if (s->turn)
		return error_set(err, ETIMEDOUT,
				 "volume '%s' is still being resized or zeroed for another "
				 "writer: try again",
				 v->name);
	s->turn = true;
	return 0;
}

static void turn_give(struct volume_space *s)
{
	SCOPED_LOCK(&s->lock);
	s->turn = false;
	pthread_cond_broadcast(&s->turn_over);
}

static void turn_give_late(struct volume_handle *h)
{
	turn_give(handle_space(h));
}

/* -- sizes: the turn is ours -- */

static int ask_size(const struct use *u, const char *name, uint64_t *size,
		    struct call *call, struct error *err)
{
	struct vol_stat st = { 0 };
	int r = u->backend->vol_stat(u->pool, name, &st, call, err);

	if (r == 0)
		*size = st.size;
	return r;
}

static void set_size(struct volume_space *s, uint64_t size)
{
	SCOPED_LOCK(&s->lock);
	s->size = size;
}

/* Resizes, and learns what the type rounded it to. */
static int resize(const struct use *u, struct volume *v, uint64_t size, unsigned flags,
		  struct call *call, struct error *err)
{
	int r;

	if (!USE_HAS(u, vol_resize))
		return volume_unsupported(u, "have its volumes resized", err);
	r = u->backend->vol_resize(u->pool, v->name, size, flags, call, err);
	if (r < 0)
		return r;
	ask_size(u, v->name, &size, call, NULL);
	set_size(&v->space, size);
	return 0;
}

/* SOURCE no longer says that it grows: whatever happens now, what is written is never
 * taken for nothing. */
static int forget_unsized(struct pool *p, const char *name, struct error *err)
{
	struct volume_attributes a = VOLUME_ATTRIBUTES_INIT;

	attributes_volume(pool_attributes(p), name, &a);
	if (!a.unsized)
		return 0;
	a.unsized = false;
	a.made = 0;
	return attributes_set_volume(pool_attributes(p), name, &a, err);
}

static int make_sized(struct pool *p, struct volume *v, struct error *err)
{
	int r = forget_unsized(p, v->name, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&v->space.lock);
	v->space.unsized = v->space.begun = false;
	return 0;
}

/* One that is not sized yet is written to. */
static int begin(struct pool *p, struct volume *v, struct error *err)
{
	int r = v->space.begun ? 0 : forget_unsized(p, v->name, err);

	if (r < 0)
		return r;
	SCOPED_LOCK(&v->space.lock);
	v->space.begun = true;
	return 0;
}

/* Grows to at least need: doubling, as each step may take a tool a second, but by no more
 * than a pool can spare. */
static int grow(struct volume_handle *h, uint64_t need, struct call *call,
		struct error *err)
{
	struct volume *v = h->of.volume;
	uint64_t size = v->space.size, by = MIN(MAX(size, GROW_LEAST), GROW_MOST);
	uint64_t want = MAX(need, size + by);
	int r;

	for (;;) {
		r = resize(&h->use, v, want, RESIZE_ROOM, call, err);
		if (r != -ENOSPC || want == need)
			return r;
		want = want - need > GROW_CLOSE ? need + (want - need) / 4 : need;
	}
}

static int check_smaller(const struct use *u, struct volume *v, uint64_t size,
			 uint64_t now, unsigned flags, struct error *err)
{
	if (size >= now || flags & RESIZE_SHRINK)
		return 0;
	if (volume_class(u) == VOLUMES_GIVEN)
		return volume_unsupported(u, "have its volumes resized", err);
	return error_set(err, EPERM,
			 "volume '%s' is not shrunk from %" PRIu64 " to %" PRIu64
			 " bytes by truncating it: write 'shrink %" PRIu64 "' to its capacity",
			 v->name, now, size, size);
}

static int resize_in_turn(struct pool *p, const struct use *u, struct volume *v,
			  uint64_t size, unsigned flags, struct call *call,
			  struct error *err)
{
	int r;

	if (!(flags & RESIZE_SHRINK))
		size = volume_size_meant(u, NULL, size, v->space.size);
	r = check_smaller(u, v, size, v->space.size, flags, err);
	if (r == 0 && size != v->space.size)
		r = resize(u, v, size, flags, call, err);
	return r < 0 ? r : make_sized(p, v, err);
}

int volume_space_resize(struct pool *p, const struct use *u, struct volume *v,
			uint64_t size, unsigned flags, struct call *call,
			struct error *err)
{
	int r = turn_take(v, call, err);

	if (r < 0)
		return r;
	r = resize_in_turn(p, u, v, size, flags, call, err);
	turn_give(&v->space);
	return r;
}

/* -- marks: space.lock is held -- */

static uint64_t mark(const struct volume_handle *h)
{
	const struct volume_space *s = handle_space(h);
	uint64_t own = h->truncated ? h->high : UINT64_MAX;

	return s->unsized ? MIN(own, s->high) : own;
}

static void raise_marks(struct volume_handle *h, uint64_t end)
{
	struct volume_space *s = handle_space(h);

	h->high = MAX(h->high, end);
	if (!s->unsized)
		return;
	s->high = MAX(s->high, end);
	h->wrote = true;
}

bool space_write_ready(struct volume_handle *h, uint64_t off, uint64_t end)
{
	struct volume_space *s = handle_space(h);

	SCOPED_LOCK(&s->lock);
	if (end > s->size || (s->unsized && !s->begun))
		return false;
	if (end > mark(h)) {
		if (off > mark(h) || s->turn)
			return false;
		raise_marks(h, end);
	}
	h->wrote |= s->unsized;
	return true;
}

/* -- preparing a write: the turn is ours -- */

/* Zeroes what the writer skips below `to`, and raises the marks to what that has reached.
 */
static int fill_gap(struct volume_handle *h, uint64_t to, struct io_late *late,
		    struct call *call, struct error *err)
{
	struct volume_space *s = handle_space(h);
	int r = 0;

	for (;;) {
		pthread_mutex_lock(&s->lock);

		uint64_t from = mark(h);

		pthread_mutex_unlock(&s->lock);
		if (r < 0 || from >= to)
			return r;

		uint64_t end = MIN(to, from + ZERO_PIECE);

		r = volume_zero(h, from, end - from, late, call, err);
		if (r < 0)
			return r;
		SCOPED_LOCK(&s->lock);
		raise_marks(h, end);
	}
}

/* One of another size than it was made with was resized by others since, or made anew by
 * them: it may hold what they wrote, which no gap of ours is zeroed over. */
static int first_write(struct volume_handle *h, struct call *call, struct error *err)
{
	struct volume *v = h->of.volume;
	uint64_t size = v->space.made;
	int r = ask_size(&h->use, v->name, &size, call, err);

	if (r < 0 && r != -ENOENT) /* removed while it is open */
		return r;
	if (size == v->space.made)
		return begin(h->pool, v, err);
	set_size(&v->space, size);
	return make_sized(h->pool, v, err);
}

/* Where a write to [.., end) of this volume has to stop; grows what may grow. */
static int make_room(struct volume_handle *h, uint64_t *end, struct call *call,
		     struct error *err)
{
	struct volume *v = h->of.volume;
	struct volume_space *s = &v->space;
	uint64_t size;
	int r = 0;

	if (s->unsized && !s->begun)
		r = first_write(h, call, err);
	size = s->size;
	if (r < 0 || *end <= size)
		return r;
	if (s->unsized)
		return grow(h, *end, call, err);

	/* Perhaps somebody else has made it larger. */
	if (ask_size(&h->use, v->name, &size, call, NULL) == 0)
		set_size(s, size);
	*end = MIN(*end, size);
	return 0;
}

static ssize_t prepare_in_turn(struct volume_handle *h, uint64_t off, uint64_t end,
			       struct io_late *late, struct call *call, struct error *err)
{
	struct volume *v = h->of.volume;
	int r = make_room(h, &end, call, err);

	if (r < 0)
		return r;
	if (off >= end)
		return error_set(err, ENOSPC, "volume '%s' ends at %" PRIu64 " bytes%s",
				 v->name, v->space.size,
				 h->class == VOLUMES_PROVISIONED ?
					 ": to make it larger, write the new size to its "
					 "capacity" :
					 "");
	r = fill_gap(h, off, late, call, err);
	if (r < 0)
		return r;
	SCOPED_LOCK(&v->space.lock);
	raise_marks(h, end);
	return end - off;
}

ssize_t space_prepare_write(struct volume_handle *h, uint64_t off, uint64_t end,
			    struct call *call, struct error *err)
{
	struct io_late late = { .fn = turn_give_late };
	ssize_t r = turn_take(h->of.volume, call, err);

	if (r < 0)
		return r;
	r = prepare_in_turn(h, off, end, &late, call, err);
	if (!late.given_up)
		turn_give(handle_space(h));
	return r;
}

/* -- truncating a descriptor, and its end -- */

/* Whether what this writer skips below a new end has to read as zeros. A volume that was
 * only made and never written is made larger like any other: its new range is the type's
 * affair. */
static bool owes_zeros(struct volume_handle *h)
{
	const struct volume_space *s = handle_space(h);

	return (h->truncated && (h->flags & O_TRUNC || h->emptied || h->high)) ||
	       (s->unsized && s->begun);
}

/* As qemu-img makes a file: what nobody has written to is cut to nothing before it gets
 * its size. As with O_TRUNC that leaves the size, and what it gets reads as zeros. */
static bool empties(struct volume_handle *h, uint64_t size)
{
	struct volume_space *s = handle_space(h);

	SCOPED_LOCK(&s->lock);
	if (size || !s->size || !s->unsized || s->begun)
		return false;
	h->truncated = h->emptied = true;
	return true;
}

static int ftruncate_in_turn(struct volume_handle *h, uint64_t size, struct io_late *late,
			     struct call *call, struct error *err)
{
	struct volume *v = h->of.volume;
	struct volume_space *s = &v->space;
	bool larger = size > s->size;
	int r;

	if (empties(h, size))
		return 0;
	if (!owes_zeros(h))
		return resize_in_turn(h->pool, &h->use, v, size, 0, call, err);
	if (!h->truncated)
		r = check_smaller(&h->use, v, size, MAX(s->base, s->high), 0, err);
	else
		r = 0;
	if (r == 0 && s->unsized)
		r = begin(h->pool, v, err);
	if (r == 0 && larger)
		r = resize(&h->use, v, size, 0, call, err);
	if (r == 0)
		r = fill_gap(h, size, late, call, err);
	return r < 0 || !larger ? r : make_sized(h->pool, v, err);
}

int space_ftruncate(struct volume_handle *h, uint64_t size, struct call *call,
		    struct error *err)
{
	struct io_late late = { .fn = turn_give_late };
	int r = turn_take(h->of.volume, call, err);

	if (r < 0)
		return r;
	r = ftruncate_in_turn(h, size, &late, call, err);
	if (!late.given_up)
		turn_give(handle_space(h));
	return r;
}

bool space_needs_trim(struct volume_handle *h)
{
	struct volume_space *s = handle_space(h);

	SCOPED_LOCK(&s->lock);
	return s->unsized && s->begun && h->wrote;
}

/* Never below what it had before we grew it, whoever made that. */
static int trim_in_turn(struct volume_handle *h, struct call *call, struct error *err)
{
	struct volume *v = h->of.volume;
	struct volume_space *s = &v->space;
	uint64_t end = MAX(s->base, s->high);
	int r = 0;

	if (!s->unsized)
		return 0;
	if (end < s->size)
		r = resize(&h->use, v, end, RESIZE_SHRINK, call, err);
	return r < 0 && r != -EOPNOTSUPP ? r : make_sized(h->pool, v, err);
}

int space_trim(struct volume_handle *h, struct call *call, struct error *err)
{
	int r = turn_take(h->of.volume, call, err);

	if (r < 0)
		return r;
	r = trim_in_turn(h, call, err);
	turn_give(handle_space(h));
	return r;
}
