/*
 * What SOURCE/attributes/NAME holds: whether a pool is protected, and owners, modes and
 * the like of volumes whose type cannot keep them.
 *
 * Each object's lock guards it and is held while its file is written, which orders the
 * writers.
 */
#include "backends/model/attributes.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/model/store.h"
#include "backends/support/buf.h"
#include "backends/support/list.h"
#include "backends/support/log.h"
#include "backends/support/map.h"

#define FILE_LIMIT (64 << 20)
#define PATH_SIZE  (NAME_MAX + 16)

struct entry {
	struct map_link link;
	struct volume_attributes attributes;
	char name[];
};

struct attributes {
	pthread_mutex_t lock;
	char *pool;
	char *to;    /* while it is being renamed */
	bool read;   /* the file was read: at the first use, most pools have none */
	bool stored; /* there may be a file */
	bool warned; /* that it cannot be read */
	enum choice protected;
	struct map volumes; /* of struct entry */
};

static void attributes_path(const char *pool, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "attributes/%s", pool);
}

static struct entry *find(struct attributes *a, const char *volume)
{
	for (struct map_link *l = map_first(&a->volumes, hash_string(volume, 0)); l;
	     l = map_next(l)) {
		struct entry *e = container_of(l, struct entry, link);

		if (!strcmp(e->name, volume))
			return e;
	}
	return NULL;
}

static struct entry *add(struct attributes *a, const char *volume)
{
	size_t size = strlen(volume) + 1;
	struct entry *e = malloc(sizeof(*e) + size);

	if (!e)
		return NULL;
	e->attributes = (struct volume_attributes)VOLUME_ATTRIBUTES_INIT;
	memcpy(e->name, volume, size);
	if (map_insert(&a->volumes, &e->link, hash_string(volume, 0)) < 0) {
		free(e);
		return NULL;
	}
	return e;
}

static void drop(struct attributes *a, struct entry *e)
{
	map_remove(&a->volumes, &e->link);
	free(e);
}

/* -- the file -- */

/* Undoes \xHH in place. */
static void unescape(char *name)
{
	char *to = name, digits[3] = "";

	for (; *name; to++) {
		if (name[0] == '\\' && name[1] == 'x' &&
		    isxdigit((unsigned char)name[2]) &&
		    isxdigit((unsigned char)name[3])) {
			memcpy(digits, name + 2, 2);
			*to = strtoul(digits, NULL, 16);
			name += 4;
		} else {
			*to = *name++;
		}
	}
	*to = '\0';
}

static int add_escaped(struct buf *out, const char *name)
{
	int r = 0;

	for (; *name && !r; name++) {
		if ((unsigned char)*name <= ' ' || *name == 0x7f || *name == '\\')
			r = buf_printf(out, "\\x%02X", (unsigned char)*name);
		else
			r = buf_putc(out, *name);
	}
	return r;
}

static int parse_volume(struct attributes *a, char *words)
{
	char *name = strtok_r(NULL, " ", &words), *word;
	struct entry *e;

	if (!name)
		return 0;
	unescape(name);
	if (!*name)
		return 0;
	e = find(a, name);
	if (!e)
		e = add(a, name);
	if (!e)
		return -ENOMEM;
	while ((word = strtok_r(NULL, " ", &words))) {
		if (!strncmp(word, "mode=", 5))
			e->attributes.mode = strtoul(word + 5, NULL, 8) & 07777;
		else if (!strncmp(word, "uid=", 4))
			e->attributes.uid = strtoul(word + 4, NULL, 10);
		else if (!strncmp(word, "gid=", 4))
			e->attributes.gid = strtoul(word + 4, NULL, 10);
		else if (!strncmp(word, "unsized=", 8)) {
			e->attributes.unsized = true;
			e->attributes.made = strtoull(word + 8, NULL, 10);
		}
	}
	return 0;
}

/* -ENOMEM: not all of it was kept. */
static int parse(struct attributes *a, char *text)
{
	char *line, *word, *words;
	int r = 0;

	while (!r && (line = strsep(&text, "\n"))) {
		word = strtok_r(line, " ", &words);
		if (!word)
			continue;
		if (!strcmp(word, "protected"))
			a->protected = *words == '1' ? CHOICE_YES : CHOICE_NO;
		else if (!strcmp(word, "volume"))
			r = parse_volume(a, words);
	}
	return r;
}

static int print_volume(const struct entry *e, struct buf *out)
{
	const struct volume_attributes *v = &e->attributes;
	int r = buf_puts(out, "volume ");

	if (!r)
		r = add_escaped(out, e->name);
	if (!r && v->mode >= 0)
		r = buf_printf(out, " mode=%04o", v->mode);
	if (!r && v->uid >= 0)
		r = buf_printf(out, " uid=%" PRId64, v->uid);
	if (!r && v->gid >= 0)
		r = buf_printf(out, " gid=%" PRId64, v->gid);
	if (!r && v->unsized)
		r = buf_printf(out, " unsized=%" PRIu64, v->made);
	return r ? r : buf_putc(out, '\n');
}

static int save(struct attributes *a, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	char path[PATH_SIZE];
	int r = 0;

	if (store_read_only())
		return 0;
	attributes_path(a->pool, path);
	if (!a->read)
		return error_set(err, EIO,
				 "'%s/%s' cannot be read (the log says why), and what it "
				 "holds would be lost: repair or remove it first",
				 store_source(), path);
	if (a->protected != CHOICE_UNSET)
		r = buf_printf(&text, "protected %d\n", a->protected == CHOICE_YES);
	map_for_each(l, &a->volumes)
		if (!r)
			r = print_volume(container_of(l, struct entry, link), &text);
	if (r < 0)
		return error_code(err, -r, "cannot write '%s/%s'", store_source(), path);
	a->stored = true;
	return store_file(path, buf_text(&text), text.len, 0600, err);
}

/* -- the object -- */

struct attributes *attributes_load(const char *pool)
{
	struct attributes *a = calloc(1, sizeof(*a));

	if (a)
		a->pool = strdup(pool);
	if (!a || !a->pool) {
		free(a);
		return NULL;
	}
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

static void clear(struct attributes *a)
{
	for (size_t i = 0; i < a->volumes.size; i++) {
		for (struct map_link *l = a->volumes.buckets[i], *next; l; l = next) {
			next = l->next;
			free(container_of(l, struct entry, link));
		}
	}
	map_free(&a->volumes);
	a->protected = CHOICE_UNSET;
}

/* With the lock held. One that cannot be read is tried again at the next use: it is
 * neither written over, nor taken for one that says nothing. */
static void read_file(struct attributes *a)
{
	AUTO_BUF struct buf text = { 0 };
	char path[PATH_SIZE];
	struct error err = { 0 };
	int r;

	attributes_path(a->pool, path);
	r = store_read(path, FILE_LIMIT, &text, &err);
	a->stored = r != -ENOENT;
	if (!r && parse(a, text.data) < 0)
		r = error_code(&err, ENOMEM, "cannot keep what '%s/%s' holds",
			       store_source(), path);
	a->read = !r || r == -ENOENT;
	if (!a->read)
		clear(a);
	if (!a->read && !a->warned)
		log_warning("%s", err.text);
	a->warned = !a->read;
}

/* The lock, held; before its first use the file is read. */
static pthread_mutex_t *attributes_lock(struct attributes *a)
{
	pthread_mutex_lock(&a->lock);
	if (!a->read)
		read_file(a);
	return &a->lock;
}

#define SCOPED_ATTRIBUTES(a)                                        \
	pthread_mutex_t *UNIQUE_NAME(lock_) CLEANUP(cleanup_unlock) \
		__attribute__((unused)) = attributes_lock(a)

void attributes_free(struct attributes *a)
{
	if (!a)
		return;
	clear(a);
	pthread_mutex_destroy(&a->lock);
	free(a->pool);
	free(a);
}

int attributes_forget(const char *pool, struct error *err)
{
	char path[PATH_SIZE];
	int r;

	attributes_path(pool, path);
	r = store_remove(path, err);
	return r == -ENOENT ? 0 : r;
}

static int copy(const char *from_pool, const char *to_pool, struct error *err)
{
	AUTO_BUF struct buf text = { 0 };
	char from[PATH_SIZE], to[PATH_SIZE];
	int r;

	attributes_path(from_pool, from);
	attributes_path(to_pool, to);
	r = store_read(from, FILE_LIMIT, &text, err);
	if (r == -ENOENT)
		return attributes_forget(to_pool, err);
	return r < 0 ? r : store_file(to, buf_text(&text), text.len, 0600, err);
}

int attributes_rename_begin(struct attributes *a, const char *to, struct error *err)
{
	int r;

	attributes_lock(a);
	a->to = strdup(to);
	if (!a->to)
		r = error_code(err, ENOMEM, "cannot rename the attributes of '%s'",
			       a->pool);
	else
		r = a->stored ? copy(a->pool, to, err) : attributes_forget(to, err);
	if (r < 0)
		attributes_rename_end(a, false);
	return r;
}

void attributes_rename_end(struct attributes *a, bool renamed)
{
	char *other = take(a->to);

	if (renamed) {
		char *name = other;

		other = a->pool;
		a->pool = name;
	}
	if (other)
		attributes_forget(other, NULL);
	free(other);
	pthread_mutex_unlock(&a->lock);
}

int attributes_remove(struct attributes *a, struct error *err)
{
	char path[PATH_SIZE];
	int r;

	SCOPED_ATTRIBUTES(a);
	if (!a->stored || store_read_only())
		return 0;
	attributes_path(a->pool, path);
	r = store_remove(path, err);
	if (r < 0 && r != -ENOENT)
		return r;
	a->stored = false;
	return 0;
}

enum choice attributes_protected(struct attributes *a)
{
	SCOPED_ATTRIBUTES(a);
	return a->read ? a->protected : CHOICE_YES;
}

int attributes_set_protected(struct attributes *a, bool on, struct error *err)
{
	SCOPED_ATTRIBUTES(a);

	enum choice before = a->protected;

	a->protected = on ? CHOICE_YES : CHOICE_NO;

	int r = save(a, err);

	if (r < 0)
		a->protected = before;
	return r;
}

void attributes_volume(struct attributes *a, const char *volume,
		       struct volume_attributes *out)
{
	SCOPED_ATTRIBUTES(a);

	struct entry *e = a->volumes.count ? find(a, volume) : NULL;

	*out = e ? e->attributes : (struct volume_attributes)VOLUME_ATTRIBUTES_INIT;
}

static bool equal(const struct volume_attributes *a, const struct volume_attributes *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->unsized == b->unsized && a->made == b->made;
}

/* With the lock held: in memory only. -ENOMEM. */
static int put(struct attributes *a, const char *volume,
	       const struct volume_attributes *in)
{
	static const struct volume_attributes none = VOLUME_ATTRIBUTES_INIT;
	struct entry *e = find(a, volume);

	if (equal(in, &none)) {
		if (e)
			drop(a, e);
		return 0;
	}
	if (!e)
		e = add(a, volume);
	if (!e)
		return -ENOMEM;
	e->attributes = *in;
	return 0;
}

int attributes_set_volume(struct attributes *a, const char *volume,
			  const struct volume_attributes *in, struct error *err)
{
	struct volume_attributes before = VOLUME_ATTRIBUTES_INIT;
	int r;

	SCOPED_ATTRIBUTES(a);

	struct entry *e = find(a, volume);

	if (e)
		before = e->attributes;
	if (equal(&before, in))
		return 0;
	if (put(a, volume, in) < 0)
		return error_code(err, ENOMEM, "cannot keep the attributes of '%s'",
				  volume);
	r = save(a, err);
	if (r < 0)
		put(a, volume, &before);
	return r;
}

int attributes_rename_volume(struct attributes *a, const char *from, const char *to,
			     struct error *err)
{
	static const struct volume_attributes none = VOLUME_ATTRIBUTES_INIT;

	SCOPED_ATTRIBUTES(a);

	struct entry *e = find(a, from), *over = find(a, to);

	if (!e && !over)
		return 0;
	if (put(a, to, e ? &e->attributes : &none) < 0)
		return error_code(err, ENOMEM, "cannot keep the attributes of '%s'", to);
	put(a, from, &none);
	return save(a, err);
}
