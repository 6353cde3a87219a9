/*
 * Scratch files: what editors leave beside an xml (swap files, backups, new versions to
 * be renamed onto it), in memory, dropped an hour after last use. Also remembers which
 * documents are hidden because an editor unlinked them or renamed them away before it
 * writes the new one.
 *
 * One lock guards everything here.
 */
#include <errno.h>
#include <string.h>

#include "backends/support/clock.h"
#include "nodes/table.h"

#define SCRATCH_LIMIT (4u << 20)  /* bytes of one */
#define SCRATCH_TOTAL (64u << 20) /* bytes of all, as they are allocated */
#define SCRATCH_COUNT 10000
#define SCRATCH_AGE   (3600 * NS_PER_S)
#define HIDDEN_AGE    (60 * NS_PER_S)

struct scratch {
	struct map_link link; /* by place and name */
	uint64_t pool;        /* serial; 0: beside the pools */
	char *volume, *name;  /* volume: NULL outside info/ */
	bool hidden_mark;     /* no file: `xml` is hidden here */
	unsigned refs;        /* the table's, and one per open handle */
	bool linked;
	uint64_t ident, used_ns;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	struct buf data;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map files;
static size_t total;
static uint64_t idents;

static uint64_t place_hash(uint64_t pool, const char *volume, const char *name)
{
	uint64_t h = hash_bytes(&pool, sizeof(pool), 0);

	if (volume)
		h = hash_string(volume, h);
	return hash_string(name, h ^ 2);
}

static uint64_t serial_of(const struct node *dir)
{
	return dir->pool ? pool_serial(dir->pool) : 0;
}

static bool is_at(const struct scratch *s, uint64_t pool, const char *volume)
{
	return s->pool == pool && !s->volume == !volume &&
	       (!volume || !strcmp(s->volume, volume));
}

static void put(struct scratch *s)
{
	if (--s->refs)
		return;
	total -= s->data.cap;
	buf_free(&s->data);
	free(s->volume);
	free(s->name);
	free(s);
}

static void detach(struct scratch *s)
{
	if (!s->linked)
		return;
	map_remove(&files, &s->link);
	s->linked = false;
	put(s);
}

static bool expired(const struct scratch *s)
{
	uint64_t age = clock_now() - s->used_ns;

	return s->refs == 1 && age > (s->hidden_mark ? HIDDEN_AGE : SCRATCH_AGE);
}

static struct scratch *find_kind(const struct node *dir, const char *name,
				 bool hidden_mark)
{
	uint64_t pool = serial_of(dir);

	for (struct map_link *l = map_first(&files, place_hash(pool, dir->name, name)); l;
	     l = map_next(l)) {
		struct scratch *s = container_of(l, struct scratch, link);

		if (s->hidden_mark != hidden_mark || strcmp(s->name, name) ||
		    !is_at(s, pool, dir->name))
			continue;
		if (expired(s)) {
			detach(s);
			return NULL;
		}
		return s;
	}
	return NULL;
}

static struct scratch *find(const struct node *dir, const char *name)
{
	return find_kind(dir, name, false);
}

static void sweep(void)
{
	for (size_t i = 0; i < files.size; i++) {
		for (struct map_link *l = files.buckets[i], *next; l; l = next) {
			struct scratch *s = container_of(l, struct scratch, link);

			next = l->next;
			if (expired(s))
				detach(s);
		}
	}
}

/* NULL: no memory, or too many. */
static struct scratch *add(const struct node *dir, const char *name, bool hidden_mark)
{
	struct scratch *s;

	sweep();
	if (files.count >= SCRATCH_COUNT)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct scratch){
		.pool = serial_of(dir),
		.volume = dir->name ? strdup(dir->name) : NULL,
		.name = strdup(name),
		.hidden_mark = hidden_mark,
		.refs = 1,
		.ident = ++idents,
		.used_ns = clock_now(),
		.mode = 0600,
		.uid = nodes_options()->uid,
		.gid = nodes_options()->gid,
	};
	clock_gettime(CLOCK_REALTIME, &s->mtime);
	if (!s->name || (dir->name && !s->volume) ||
	    map_insert(&files, &s->link, place_hash(s->pool, s->volume, name)) < 0) {
		put(s);
		return NULL;
	}
	s->linked = true;
	return s;
}

static int to_node(const struct node *dir, const struct scratch *s, struct node *out)
{
	return node_set(out, &scratch_row, dir->pool, dir->name, s->name, s->ident);
}

int scratch_lookup(const struct node *dir, const char *name, struct node *out)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = find(dir, name);

	return s ? to_node(dir, s, out) : -ENOENT;
}

int scratch_make(const struct node *dir, const char *name, mode_t mode, struct node *out,
		 struct error *err)
{
	SCOPED_LOCK(&lock);

	if (find(dir, name))
		return error_set(err, EEXIST, "'%s' exists", name);

	struct scratch *s = add(dir, name, false);

	if (!s)
		return error_set(err, ENOSPC, "no room for another scratch file '%s'",
				 name);
	s->mode = mode & 0777;
	return to_node(dir, s, out);
}

int scratch_remove(const struct node *dir, const char *name)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = find(dir, name);

	if (!s)
		return -ENOENT;
	detach(s);
	return 0;
}

/* Renames within one place; a file that has the new name goes. */
int scratch_move(const struct node *dir, const char *name, const char *to)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = find(dir, name), *old = find(dir, to);
	AUTO_FREE char *copy = strdup(to);

	if (!s)
		return -ENOENT;
	if (!copy)
		return -ENOMEM;
	if (old == s)
		return 0;
	if (old)
		detach(old);
	map_remove(&files, &s->link);
	free(s->name);
	s->name = take(copy);
	s->used_ns = clock_now();
	/* cannot fail: the bucket array has held one more entry a moment ago */
	return map_insert(&files, &s->link, place_hash(s->pool, s->volume, s->name));
}

int scratch_each(const struct node *dir, int (*fn)(void *arg, const char *name),
		 void *arg)
{
	uint64_t pool = serial_of(dir);

	SCOPED_LOCK(&lock);
	map_for_each(l, &files) {
		struct scratch *s = container_of(l, struct scratch, link);

		if (s->hidden_mark || !is_at(s, pool, dir->name) || expired(s))
			continue;

		int r = fn(arg, s->name);

		if (r < 0)
			return r;
	}
	return 0;
}

int scratch_text(const struct node *dir, const char *name, struct buf *out)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = find(dir, name);

	return s ? buf_add(out, s->data.data, s->data.len) : -ENOENT;
}

/* Makes room for and copies bytes at an offset. */
static int fill(struct scratch *s, const void *data, size_t size, uint64_t off)
{
	if (off > SCRATCH_LIMIT || size > SCRATCH_LIMIT - off)
		return -EFBIG;

	size_t end = off + size, grown = end > s->data.len ? end - s->data.len : 0;
	size_t had = s->data.cap;

	if (end >= had && total + grown > SCRATCH_TOTAL)
		return -ENOSPC;
	if (buf_reserve(&s->data, grown) < 0)
		return -ENOMEM;
	total += s->data.cap - had;
	if (grown) {
		memset(s->data.data + s->data.len, 0, grown);
		s->data.len = end;
		s->data.data[end] = '\0';
	}
	if (size)
		memcpy(s->data.data + off, data, size);
	s->used_ns = clock_now();
	clock_gettime(CLOCK_REALTIME, &s->mtime);
	return 0;
}

int scratch_put(const struct node *dir, const char *name, const struct buf *text,
		struct error *err)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = find(dir, name);

	if (s)
		detach(s);
	s = add(dir, name, false);

	int r = s ? fill(s, text->data, text->len, 0) : -ENOSPC;

	if (r < 0) {
		if (s)
			detach(s);
		return error_set(err, -r, "no room for another scratch file '%s'", name);
	}
	return 0;
}

void document_hide(const struct node *dir, bool hide)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = find_kind(dir, "xml", true);

	if (s && !hide)
		detach(s);
	else if (s)
		s->used_ns = clock_now();
	else if (hide)
		add(dir, "xml", true);
}

bool document_hidden(const struct node *dir)
{
	SCOPED_LOCK(&lock);
	return files.count && find_kind(dir, "xml", true);
}

void scratch_drop(struct pool *p, const char *volume)
{
	uint64_t pool = pool_serial(p);

	SCOPED_LOCK(&lock);
	for (size_t i = 0; i < files.size; i++) {
		for (struct map_link *l = files.buckets[i], *next; l; l = next) {
			struct scratch *s = container_of(l, struct scratch, link);

			next = l->next;
			if (s->pool == pool && (!volume || is_at(s, pool, volume)))
				detach(s);
		}
	}
}

void scratch_exit(void)
{
	SCOPED_LOCK(&lock);
	for (size_t i = 0; i < files.size; i++)
		while (files.buckets[i])
			detach(container_of(files.buckets[i], struct scratch, link));
	map_free(&files);
}

/* -- the kind -- */

/* The file a node names; a node outlives its file. */
static struct scratch *of_node(const struct node *n)
{
	struct scratch *s = find(n, n->sub);

	return s && s->ident == n->ident ? s : NULL;
}

static int scratch_stat(const struct node *n, struct stat *st, struct call *call,
			struct error *err)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = of_node(n);

	if (!s)
		return error_set(err, ENOENT, "the scratch file '%s' is gone", n->sub);
	st->st_mode = S_IFREG | s->mode;
	st->st_uid = s->uid;
	st->st_gid = s->gid;
	st->st_size = s->data.len;
	st->st_blocks = (s->data.len + 511) / 512;
	st->st_mtim = st->st_ctim = s->mtime;
	return 0;
}

static int set_size(struct scratch *s, uint64_t size, struct error *err)
{
	int r = 0;

	if (size > s->data.len)
		r = fill(s, NULL, 0, size);
	if (r < 0)
		return error_code(err, -r, "cannot extend the scratch file '%s'",
				  s->name);
	s->data.len = size;
	if (!size) {
		total -= s->data.cap;
		buf_free(&s->data);
	}
	clock_gettime(CLOCK_REALTIME, &s->mtime);
	return 0;
}

static int scratch_setattr(const struct node *n, const struct node_attr *a,
			   struct call *call, struct error *err)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = of_node(n);

	if (!s)
		return error_set(err, ENOENT, "the scratch file '%s' is gone", n->sub);
	if (a->attr.mask & VOL_MODE)
		s->mode = a->attr.mode & 0777;
	if (a->attr.mask & VOL_UID)
		s->uid = a->attr.uid;
	if (a->attr.mask & VOL_GID)
		s->gid = a->attr.gid;
	return (a->attr.mask & NODE_SIZE) ? set_size(s, a->size, err) : 0;
}

static int scratch_open(struct handle *h, bool created, pid_t pid, struct call *call,
			struct error *err)
{
	SCOPED_LOCK(&lock);

	struct scratch *s = of_node(&h->node);

	if (!s)
		return error_set(err, ENOENT, "the scratch file '%s' is gone",
				 h->node.sub);
	if ((h->flags & O_TRUNC) && set_size(s, 0, err) < 0)
		return -err->code;
	s->refs++;
	s->used_ns = clock_now();
	h->scratch = s;
	return 0;
}

static int scratch_read(struct handle *h, uint64_t off, size_t size, struct buf *out,
			struct error *err)
{
	SCOPED_LOCK(&lock);

	const struct buf *data = &h->scratch->data;

	if (off >= data->len)
		return 0;
	if (size > data->len - off)
		size = data->len - off;
	if (buf_add(out, data->data + off, size) < 0)
		return error_set(err, ENOMEM, "cannot read: out of memory");
	return 0;
}

static ssize_t scratch_write(struct handle *h, const void *data, size_t size,
			     uint64_t off, struct call *call, struct error *err)
{
	SCOPED_LOCK(&lock);

	int r = fill(h->scratch, data, size, off);

	if (r < 0)
		return error_code(err, -r, "cannot write the scratch file '%s'",
				  h->scratch->name);
	return size;
}

static int scratch_truncate(struct handle *h, uint64_t size, struct call *call,
			    struct error *err)
{
	SCOPED_LOCK(&lock);
	return set_size(h->scratch, size, err);
}

static void scratch_close(struct handle *h, struct call *call)
{
	SCOPED_LOCK(&lock);
	if (h->scratch)
		put(take(h->scratch));
}

static const struct kind scratch_kind = {
	.type = S_IFREG,
	.stat = scratch_stat,
	.setattr = scratch_setattr,
	.open = scratch_open,
	.read = scratch_read,
	.write = scratch_write,
	.truncate = scratch_truncate,
	.close = scratch_close,
};

const struct row scratch_row = { .name = "scratch", .perm = 0666, .kind = &scratch_kind,
				 .in = "" };
