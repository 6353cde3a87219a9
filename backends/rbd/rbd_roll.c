/*
 * What the last listing found. `ls -l` lists names and then asks for one after the other:
 * the first question reads the headers of a whole window of names at once, and those
 * behind it are answered from that.
 *
 * All of it is under the pool's lock; headers are read without it.
 */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define WINDOW	 256
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
}

void roll_forget(struct rbd_pool *p, const char *name)
{
	struct roll_entry *e;

	SCOPED_LOCK(&p->lock);
	if (!name) {
		roll_free(&p->roll);
		return;
	}
	e = find(&p->roll, name);
	if (!e)
		return;
	map_remove(&p->roll.by_name, &e->by_name);
	e->read_ns = 0;
	/* what is being read of it now is not believed either */
	p->roll.serial++;
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
	struct header *headers;
	size_t n, first;
	uint64_t serial;
};

static void window_clear(struct window *w)
{
	for (size_t i = 0; i < w->n; i++)
		header_clear(&w->headers[i]);
	free(w->headers);
}

/* With the lock held: copies of the names from this entry on; the one alone where nobody
 * walks. */
static int cut_window(struct roll *roll, const struct roll_entry *e, struct window *w)
{
	size_t first = e - roll->entries, n = 1;

	if (first == roll->next || first == 0)
		n = MIN(WINDOW, roll->n - first);
	*w = (struct window){ .first = first, .serial = roll->serial };
	w->headers = calloc(n, sizeof(*w->headers));
	if (!w->headers)
		return -ENOMEM;
	for (; w->n < n; w->n++)
		if (header_copy(&roll->entries[first + w->n].header, &w->headers[w->n]) <
		    0)
			return -ENOMEM;
	roll->next = first + n;
	return 0;
}

/* Keeps what was read, unless the roll is another by now. */
static void keep_window(struct rbd_pool *p, struct window *w, uint64_t now)
{
	SCOPED_LOCK(&p->lock);
	if (p->roll.serial != w->serial)
		return;
	for (size_t i = 1; i < w->n; i++) {
		struct roll_entry *e = &p->roll.entries[w->first + i];

		header_clear(&e->header);
		e->header = w->headers[i];
		e->read_ns = e->header.result == 0 ? now : 0;
		w->headers[i] = (struct header){ 0 };
	}
	p->roll.used_ns = clock_now();
}

enum look { FRESH, WALK, UNKNOWN };

/* What is known of an image, or the window to read. */
static enum look look(struct rbd_pool *p, const char *name, struct header *out,
		      struct window *w)
{
	uint64_t now = clock_now();
	struct roll_entry *e;

	SCOPED_LOCK(&p->lock);
	e = find(&p->roll, name);
	if (!e || now - p->roll.used_ns > TRUST_NS)
		return UNKNOWN;
	p->roll.used_ns = now;
	if (e->read_ns && now - e->read_ns < FRESH_NS &&
	    header_copy(&e->header, out) == 0)
		return FRESH;
	header_clear(out);
	return cut_window(&p->roll, e, w) < 0 ? UNKNOWN : WALK;
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
	CLEANUP(window_clear) struct window w = { 0 };
	uint64_t now = clock_now();
	int r;

	*out = (struct header){ 0 };
	switch (look(p, name, out, &w)) {
	case FRESH:
		return 0;
	case UNKNOWN:
		return read_one(p, name, out, err);
	default:
		break;
	}
	r = headers_read(p, w.headers, w.n, err);
	if (r < 0)
		return r;
	*out = w.headers[0];
	w.headers[0] = (struct header){ 0 };
	keep_window(p, &w, now);
	/* another image may have taken the name since the listing */
	return out->result == 0 ? 0 : read_one(p, name, out, err);
}
