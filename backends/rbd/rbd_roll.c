/*
 * What the last listing found. `ls -l` lists names and then asks for one after the other:
 * the first question has the headers of a whole window of names read, and one in the
 * second half of a window those of the next, so that Ceph is never idle meanwhile.
 *
 * All of it is under the pool's lock; headers are read without it.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define WINDOW	 256
#define STRIDE	 16 /* entries further that who waits waits for: not to wake for each */
#define FRESH_NS NS_PER_S	 /* as long as the kernel keeps attributes */
#define TRUST_NS (2 * NS_PER_S)	 /* between a listing and the walk along it */
#define KEEP_NS	 (10 * NS_PER_S) /* one that nobody walks along takes memory only */

static struct roll_entry *find(struct roll *roll, const char *name)
{
	struct map_link *l = map_first(&roll->by_name, hash_string(name, 0));

	for (; l; l = map_next(l)) {
		struct roll_entry *e = container_of(l, struct roll_entry, by_name);

		if (!strcmp(e->header.name, name))
			return e;
	}
	return NULL;
}

static void roll_free(struct roll *roll)
{
	for (size_t i = 0; i < roll->n; i++)
		header_clear(&roll->entries[i].header);
	free(roll->entries);
	map_free(&roll->by_name);
	*roll = (struct roll){ .serial = roll->serial + 1 };
}

/* Without memory for it there is no roll, and each image is asked for alone. */
void roll_replace(struct rbd_pool *p, struct header *headers, size_t n)
{
	struct roll fresh = { .entries = calloc(n, sizeof(*fresh.entries)), .n = n };
	bool whole = fresh.entries;

	for (size_t i = 0; i < n; i++) {
		struct roll_entry *e = whole ? &fresh.entries[i] : NULL;

		if (!e) {
			header_clear(&headers[i]);
			continue;
		}
		e->header = headers[i];
		if (map_insert(&fresh.by_name, &e->by_name,
			       hash_string(e->header.name, 0)) < 0)
			fresh.n = n; /* found by nobody, but freed */
	}
	free(headers);
	if (!whole)
		return;

	SCOPED_LOCK(&p->lock);
	roll_free(&p->roll);
	fresh.serial = p->roll.serial;
	fresh.used_ns = clock_now();
	p->roll = fresh;
	pthread_cond_broadcast(&p->looked_at);
}

void roll_forget(struct rbd_pool *p, const char *name)
{
	struct roll_entry *e;

	SCOPED_LOCK(&p->lock);
	if (!name) {
		roll_free(&p->roll);
		pthread_cond_broadcast(&p->looked_at);
		return;
	}
	e = find(&p->roll, name);
	if (!e)
		return;
	map_remove(&p->roll.by_name, &e->by_name);
	e->read_ns = 0;
	/* what is being read of it now is not believed either */
	p->roll.serial++;
	pthread_cond_broadcast(&p->looked_at);
}

void roll_expire(struct rbd_pool *p)
{
	if (p->roll.n && clock_now() - p->roll.used_ns > KEEP_NS)
		roll_free(&p->roll);
}

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int header_copy(const struct header *from, struct header *to)
{
	*to = *from;
	to->name = to->id = NULL;
	return copy_text(&to->name, from->name) < 0 || copy_text(&to->id, from->id) < 0
		       ? -ENOMEM
		       : 0;
}

/* -- a window -- */

struct window {
	struct rbd_pool *pool;
	struct header *headers;
	size_t n, first;
	uint64_t serial;
};

static void window_free(struct window *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		header_clear(&w->headers[i]);
	free(w->headers);
	free(w);
}

/* With the lock held: n entries from first on, as being read from now on; NULL: there is
 * no memory for it. */
static struct window *window_new(struct rbd_pool *p, size_t first, size_t n)
{
	struct window *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct window){ .pool = p, .first = first, .serial = p->roll.serial };
	w->headers = calloc(n, sizeof(*w->headers));
	for (; w->headers && w->n < n; w->n++) {
		const struct header *from = &p->roll.entries[first + w->n].header;
		struct header *to = &w->headers[w->n];

		if (copy_text(&to->name, from->name) < 0 ||
		    copy_text(&to->id, from->id) < 0)
			break;
	}
	if (w->n < n) {
		window_free(w);
		return NULL;
	}
	for (size_t i = first; i < first + n; i++)
		p->roll.entries[i].reading = w->serial;
	p->roll.next = first + n;
	p->windows++;
	return w;
}

/* With the lock held: one of a window is read, or failed. */
static void take_header(struct window *w, struct header *h)
{
	struct roll_entry *e = &w->pool->roll.entries[w->first + (h - w->headers)];

	header_clear(&e->header);
	e->header = *h;
	*h = (struct header){ 0 };
	e->read_ns = e->header.result == 0 ? clock_now() : 0;
	e->reading = 0;
	if (e->awaited)
		pthread_cond_broadcast(&w->pool->looked_at);
	e->awaited = false;
}

/* Keeps it, unless the roll is another by now. */
static void window_each(void *arg, struct header *h)
{
	struct window *w = arg;

	SCOPED_LOCK(&w->pool->lock);
	if (w->pool->roll.serial == w->serial)
		take_header(w, h);
}

static void window_over(void *arg, int failed)
{
	struct window *w = arg;
	struct rbd_pool *p = w->pool;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; p->roll.serial == w->serial && i < w->n; i++) {
		if (!w->headers[i].name)
			continue;
		w->headers[i].result = failed;
		take_header(w, &w->headers[i]);
	}
	p->windows--;
	pthread_cond_broadcast(&p->looked_at);
	pthread_mutex_unlock(&p->lock);
	window_free(w);
}

static void window_read(struct window *w)
{
	static const struct headers_told told = { window_each, window_over };
	int r = headers_begin(w->pool, w->headers, w->n, &told, w);

	if (r < 0)
		window_over(w, r);
}

void roll_settle(struct rbd_pool *p)
{
	SCOPED_LOCK(&p->lock);
	while (p->windows)
		pthread_cond_wait(&p->looked_at, &p->lock);
}

/* -- one of them -- */

static bool is_fresh(const struct roll_entry *e, uint64_t now)
{
	return e->read_ns && now - e->read_ns < FRESH_NS;
}

/* With the lock held: the window that is to be read with this entry; it alone where
 * nobody walks. */
static struct window *begin_at(struct rbd_pool *p, const struct roll_entry *e)
{
	size_t first = e - p->roll.entries;

	p->roll.walks = first == p->roll.next || first == 0;
	return window_new(p, first, p->roll.walks ? MIN(WINDOW, p->roll.n - first) : 1);
}

/* With the lock held: the window that who walks will want soon, or NULL. */
static struct window *begin_next(struct rbd_pool *p, const struct roll_entry *e)
{
	size_t next = p->roll.next, at = e - p->roll.entries;

	if (!p->roll.walks || at >= next || at + WINDOW / 2 < next || next >= p->roll.n)
		return NULL;
	return window_new(p, next, MIN(WINDOW, p->roll.n - next));
}

/* With the lock held: until it is likely that this one is read. */
static void await(struct rbd_pool *p, struct roll_entry *e)
{
	size_t further = MIN((size_t)(e - p->roll.entries) + STRIDE, p->roll.next - 1);

	if (p->roll.entries[further].reading == p->roll.serial)
		e = &p->roll.entries[further];
	e->awaited = true;
	pthread_cond_wait(&p->looked_at, &p->lock);
}

enum look { FRESH, FAILED, BEGIN, UNKNOWN };

/* What is known of an image, waiting while it is being read; *w is then to be read.
 * asked: it has just been read. */
static enum look look(struct rbd_pool *p, const char *name, bool asked,
		      struct header *out, struct window **w)
{
	SCOPED_LOCK(&p->lock);
	for (;; asked = true) {
		struct roll_entry *e = find(&p->roll, name);
		uint64_t now = clock_now();

		if (!e || now - p->roll.used_ns > TRUST_NS)
			return UNKNOWN;
		p->roll.used_ns = now;
		if (e->reading == p->roll.serial) {
			await(p, e);
			continue;
		}
		if (is_fresh(e, now) && header_copy(&e->header, out) == 0) {
			*w = begin_next(p, e);
			return FRESH;
		}
		header_clear(out);
		out->result = asked ? e->header.result : 0;
		if (asked)
			return FAILED;
		*w = begin_at(p, e);
		return *w ? BEGIN : UNKNOWN;
	}
}

/* Why nothing more is asked for. */
static bool ends_all(int result)
{
	return result == -ETIMEDOUT || result == -ESHUTDOWN || result == -ENOMEM;
}

/* One alone, by its name. */
static int read_one(struct rbd_pool *p, const char *name, struct header *out,
		    struct error *err)
{
	int r;

	header_clear(out);
	out->name = strdup(name);
	if (!out->name)
		return error_code(err, ENOMEM, "cannot look at image '%s'", name);
	r = headers_read(p, out, 1, err);
	if (r < 0 || out->result == 0)
		return r;
	if (out->result == -ENOENT)
		return error_set(err, ENOENT, "there is no image '%s'", name);
	if (out->result == -EIO)
		return error_set(
			err, EIO,
			"image '%s' is broken: its header object is missing or is "
			"none ('rbd info' says the same)",
			name);
	return rbd_failed(p, out->result, err, "cannot look at image '%s'", name);
}

int roll_header(struct rbd_pool *p, const char *name, struct header *out,
		struct error *err)
{
	struct window *w = NULL;
	enum look found;

	*out = (struct header){ 0 };
	found = look(p, name, false, out, &w);
	if (w)
		window_read(take(w));
	if (found == BEGIN)
		found = look(p, name, true, out, &w);
	if (w)
		window_read(take(w));
	if (found == FRESH)
		return 0;
	/* another image may have taken the name since the listing */
	if (found == UNKNOWN || !ends_all(out->result))
		return read_one(p, name, out, err);
	return rbd_failed(p, out->result, err, "cannot look at the images");
}
