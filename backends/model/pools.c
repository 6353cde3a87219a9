/*
 * The table of pools: by name, and in the order in which they came.
 *
 * Its lock guards it and the links in pools; it is held for moments.
 */
#include "backends/model/pools.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/definitions.h"
#include "backends/model/pool_object.h"
#include "backends/model/xml.h"

static struct {
	pthread_mutex_t lock;
	struct map names;
	struct list all;
	size_t count;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER, .all = LIST_INIT(table.all) };

/* -- the table -- */

static bool has_name(struct pool *p, const char *name)
{
	SCOPED_LOCK(&p->lock);
	return !strcmp(p->name, name);
}

/* With the table's lock held. */
static struct pool *find_name(const char *name)
{
	for (struct map_link *l = map_first(&table.names, hash_string(name, 0)); l;
	     l = map_next(l)) {
		struct pool *p = container_of(l, struct pool, by_name);

		if (has_name(p, name))
			return p;
	}
	return NULL;
}

struct pool *pools_find(const char *name)
{
	SCOPED_LOCK(&table.lock);

	struct pool *p = find_name(name);

	return p ? pool_ref(p) : NULL;
}

size_t pools_count(void)
{
	SCOPED_LOCK(&table.lock);
	return table.count;
}

int pools_each(int (*fn)(void *arg, struct pool *p), void *arg)
{
	AUTO_FREE struct pool **pools = NULL;
	size_t n = 0;
	int r = 0;

	pthread_mutex_lock(&table.lock);
	pools = malloc((table.count + 1) * sizeof(*pools));
	if (pools)
		list_for_each(l, &table.all)
			pools[n++] = pool_ref(container_of(l, struct pool, link));
	pthread_mutex_unlock(&table.lock);
	if (!pools)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (r >= 0)
			r = fn(arg, pools[i]);
		pool_unref(pools[i]);
	}
	return r < 0 ? r : 0;
}

/* With the table's lock held. The table takes a reference. */
static int insert(struct pool *p)
{
	int r = map_insert(&table.names, &p->by_name, hash_string(p->name, 0));

	if (r < 0)
		return r;
	list_append(&table.all, &p->link);
	table.count++;
	pool_ref(p);
	return 0;
}

/* -- names -- */

int pool_name_check(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len > DEFINITION_NAME_MAX)
		return error_set(err, ENAMETOOLONG, "a pool's name has at most %d bytes",
				 DEFINITION_NAME_MAX);
	if (!len || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(err, EINVAL, "'%s' cannot be the name of a pool", name);
	if (strpbrk(name, "/\n") || !xml_can_hold(name))
		return error_set(err, EINVAL,
				 "the name of a pool is UTF-8 text without '/', newlines "
				 "and control "
				 "characters");
	if (len >= 4 && !strcmp(name + len - 4, ".xml"))
		return error_set(err, EINVAL,
				 "a pool's name cannot end in .xml: '%s' is a definition "
				 "of pool '%.*s'",
				 name, (int)len - 4, name);
	return 0;
}

/* -- coming and going -- */

int pools_add(const char *name, struct pool **out, struct error *err)
{
	AUTO_POOL struct pool *p = pool_new(name);
	int r = 0;

	if (!p)
		return error_code(err, ENOMEM, "cannot make pool '%s'", name);

	SCOPED_LOCK(&table.lock);
	if (find_name(name))
		return error_set(err, EEXIST, "there is a pool '%s' already", name);
	r = insert(p);
	if (r < 0)
		return error_code(err, -r, "cannot make pool '%s'", name);
	*out = take(p);
	return 0;
}

int pools_add_unread(const char *name, struct error *err)
{
	AUTO_POOL struct pool *p = pool_new(name);
	int r = -ENOMEM;

	if (p) {
		p->unread = true;

		SCOPED_LOCK(&table.lock);
		r = insert(p);
	}
	return r < 0 ? error_code(err, ENOMEM, "cannot load pool '%s'", name) : 0;
}

/* false: another one was first. */
static bool withdraw(struct pool *p)
{
	SCOPED_LOCK(&table.lock);
	SCOPED_LOCK(&p->lock);

	if (p->removed)
		return false;
	p->removed = true;
	map_remove(&table.names, &p->by_name);
	list_remove(&p->link);
	table.count--;
	return true;
}

void pools_drop(struct pool *p)
{
	if (!withdraw(p))
		return;
	pool_tell(p, EVENT_POOL_REMOVED, NULL);
	pool_unref(p); /* the table's reference */
}

void pools_change_name(struct pool *p, char *to, struct definition *d)
{
	SCOPED_LOCK(&table.lock);
	SCOPED_POOL(p);
	map_remove(&table.names, &p->by_name);
	/* has room: one was taken out */
	map_insert(&table.names, &p->by_name, hash_string(to, 0));
	free(p->name);
	p->name = to;
	if (d) {
		definition_unref(p->now);
		p->now = definition_ref(d);
	}
	pool_touch(p);
}

void pools_free(void)
{
	struct list *l;

	pthread_mutex_lock(&table.lock);
	while ((l = list_shift(&table.all))) {
		struct pool *p = container_of(l, struct pool, link);

		pthread_mutex_lock(&p->lock);
		p->removed = true;
		pthread_mutex_unlock(&p->lock);
		pool_unref(p);
	}
	map_free(&table.names);
	table.count = 0;
	pthread_mutex_unlock(&table.lock);
}
