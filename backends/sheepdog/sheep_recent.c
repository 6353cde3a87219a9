/* What a listing has seen. Nothing in it is older than a second, nor than our last
 * change. */
#include "backends/sheepdog/sheep_recent.h"

#include <stdlib.h>
#include <string.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/list.h"

#define KEEP_NS NS_PER_S
#define MOST	4096

struct seen {
	struct map_link link;
	uint64_t size;
	uint32_t vid, own;
	uint8_t shift;
	bool counted;
	char name[];
};

void recent_init(struct sheep_recent *r)
{
	*r = (struct sheep_recent){ 0 };
	pthread_mutex_init(&r->lock, NULL);
}

/* With the lock held. */
static void clear(struct sheep_recent *r)
{
	for (size_t i = 0; i < r->map.size; i++)
		for (struct map_link *l = r->map.buckets[i], *next; l; l = next) {
			next = l->next;
			free(container_of(l, struct seen, link));
		}
	map_free(&r->map);
	r->map = (struct map){ 0 };
	r->at_ns = 0;
}

void recent_exit(struct sheep_recent *r)
{
	clear(r);
	pthread_mutex_destroy(&r->lock);
}

void recent_forget(struct sheep_recent *r)
{
	SCOPED_LOCK(&r->lock);
	clear(r);
	r->changes++;
}

void recent_begin(struct sheep_recent *r, uint64_t *changes)
{
	SCOPED_LOCK(&r->lock);
	clear(r);
	r->at_ns = clock_now();
	*changes = ++r->changes;
}

void recent_add(struct sheep_recent *r, uint64_t changes, const struct sheep_vdi *v)
{
	size_t len = strlen(v->name) + 1;
	struct seen *s;

	SCOPED_LOCK(&r->lock);
	if (r->changes != changes || r->map.count >= MOST || !v->vid)
		return;
	s = malloc(sizeof(*s) + len);
	if (!s)
		return;
	s->size = v->size;
	s->vid = v->vid;
	s->own = v->own;
	s->shift = v->shift;
	s->counted = v->counted;
	memcpy(s->name, v->name, len);
	if (map_insert(&r->map, &s->link, hash_string(v->name, 0)) < 0)
		free(s);
}

bool recent_find(struct sheep_recent *r, const char *name, struct sheep_vdi *out)
{
	SCOPED_LOCK(&r->lock);
	if (!r->at_ns)
		return false;
	if (clock_now() - r->at_ns > KEEP_NS) {
		clear(r);
		return false;
	}
	for (struct map_link *l = map_first(&r->map, hash_string(name, 0)); l;
	     l = map_next(l)) {
		const struct seen *s = container_of(l, struct seen, link);

		if (strcmp(s->name, name))
			continue;
		out->vid = s->vid;
		out->size = s->size;
		out->own = s->own;
		out->shift = s->shift;
		out->counted = s->counted;
		return true;
	}
	return false;
}
