/*
 * Definitions written before their pool exists: pools/NAME.xml, kept in memory.
 *
 * `lock` guards the table, which is small: a list will do.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/pool_object.h"
#include "backends/model/pools.h"

#define MAX_PENDING 1000

struct pending {
	struct list link;
	char *name, *text;
	size_t len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list all = LIST_INIT(all);
static size_t count;

static struct pending *find(const char *name)
{
	list_for_each(l, &all) {
		struct pending *p = container_of(l, struct pending, link);

		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static void drop(struct pending *p)
{
	list_remove(&p->link);
	count--;
	free(p->name);
	free(p->text);
	free(p);
}

/* With the lock held: takes the text, also when it fails. */
static int put(const char *name, char *text, size_t len)
{
	struct pending *p = find(name);

	if (!p && count < MAX_PENDING) {
		p = calloc(1, sizeof(*p));
		if (p && !(p->name = strdup(name)))
			free(take(p));
		if (p) {
			list_append(&all, &p->link);
			count++;
		}
	}
	if (!p) {
		free(text);
		return count < MAX_PENDING ? -ENOMEM : -ENOSPC;
	}
	free(p->text);
	p->text = text;
	p->len = len;
	return 0;
}

int pending_store(const char *name, const void *text, size_t len, struct error *err)
{
	AUTO_DEFINITION struct definition *d = NULL;
	AUTO_POOL struct pool *exists = pools_find(name);
	char *copy;
	int r = pool_name_check(name, err);

	if (r < 0)
		return r;
	if (exists)
		return error_set(err, EEXIST,
				 "pool '%s' exists: write its definition to pools/%s/xml",
				 name, name);
	d = definition_parse(text, len, name, err);
	if (!d)
		return -err->code;
	copy = malloc(len + 1);
	if (!copy)
		return error_code(err, ENOMEM, "cannot keep the definition of '%s'",
				  name);
	memcpy(copy, text, len);
	copy[len] = '\0';

	SCOPED_LOCK(&lock);
	r = put(name, copy, len);
	return r < 0 ? error_code(err, -r,
				  "cannot keep the definition of '%s' (%zu wait already)",
				  name, count) :
		       0;
}

int pending_show(const char *name, struct buf *out)
{
	SCOPED_LOCK(&lock);

	struct pending *p = find(name);

	return p ? buf_add(out, p->text, p->len) : -ENOENT;
}

int pending_remove(const char *name)
{
	SCOPED_LOCK(&lock);

	struct pending *p = find(name);

	if (!p)
		return -ENOENT;
	drop(p);
	return 0;
}

/* The names are copied first, so that the callback may change what waits. */
int pending_each(int (*fn)(void *arg, const char *name), void *arg)
{
	AUTO_BUF struct buf names = { 0 };
	int r = 0;

	pthread_mutex_lock(&lock);
	list_for_each(l, &all) {
		struct pending *p = container_of(l, struct pending, link);

		if (!r)
			r = buf_add(&names, p->name, strlen(p->name) + 1);
	}
	pthread_mutex_unlock(&lock);
	for (size_t at = 0; r >= 0 && at < names.len; at += strlen(names.data + at) + 1)
		r = fn(arg, names.data + at);
	return r < 0 ? r : 0;
}

char *pending_take(const char *name, size_t *len)
{
	SCOPED_LOCK(&lock);

	struct pending *p = find(name);
	char *text;

	if (!p)
		return NULL;
	text = take(p->text);
	*len = p->len;
	drop(p);
	return text;
}

void pending_put(const char *name, char *text, size_t len)
{
	if (!text)
		return;

	SCOPED_LOCK(&lock);
	put(name, text, len);
}

void pending_clear(void)
{
	SCOPED_LOCK(&lock);

	list_for_each(l, &all)
		drop(container_of(l, struct pending, link));
}
