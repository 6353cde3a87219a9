/* The inode table: by id and by address. */
#include "fs/inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/file.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map ids, nodes;
static uint64_t last_id;

static struct inode *of_id(struct map_link *l)
{
	return l ? container_of(l, struct inode, by_id) : NULL;
}

static struct inode *of_node(struct map_link *l)
{
	return l ? container_of(l, struct inode, by_node) : NULL;
}

static struct inode *find_id(uint64_t id)
{
	return of_id(map_first(&ids, id));
}

static struct inode *find_node(const struct node *n, uint64_t hash)
{
	struct map_link *l = map_first(&nodes, hash);

	while (l && !node_equal(&of_node(l)->address->node, n))
		l = map_next(l);
	return of_node(l);
}

/* Addresses that nobody looks at any more, to be released outside the lock. */
struct older {
	struct address *chain; /* from malloc */
	struct node first;     /* the inode's embedded one */
};

static void take_older(struct inode *i, struct older *out)
{
	struct address **a = &i->address->older;

	while (*a && *a != &i->first)
		a = &(*a)->older;
	if (*a) {
		*a = NULL;
		out->first = i->first.node;
		i->first.node = (struct node){ 0 };
	}
	out->chain = take(i->address->older);
}

static void free_older(struct older *o)
{
	for (struct address *a = o->chain, *next; a; a = next) {
		next = a->older;
		node_clear(&a->node);
		free(a);
	}
	node_clear(&o->first);
}

static void free_inode(struct inode *i)
{
	struct older older = { 0 };

	take_older(i, &older);
	free_older(&older);
	node_clear(&i->address->node);
	if (i->address != &i->first)
		free(i->address);
	free(i);
}

static void unname(struct inode *i)
{
	if (i->named)
		map_remove(&nodes, &i->by_node);
	i->named = false;
}

static void lose_name(struct inode *i)
{
	unname(i);
	i->gone = true;
}

/* Makes an inode for a node that has none; n is consumed when it succeeds. */
static struct inode *insert(struct node *n, uint64_t hash)
{
	struct inode *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->id = last_id + 1;
	if (map_insert(&ids, &i->by_id, i->id) < 0) {
		free(i);
		return NULL;
	}
	if (map_insert(&nodes, &i->by_node, hash) < 0) {
		map_remove(&ids, &i->by_id);
		free(i);
		return NULL;
	}
	last_id++;
	i->first.node = *n;
	*n = (struct node){ 0 };
	i->address = &i->first;
	i->named = true;
	list_init(&i->files);
	return i;
}

int inode_open_table(void)
{
	struct node root;

	node_root(&root);
	return inode_lookup(&root) == INODE_ROOT ? 0 : -ENOMEM;
}

void inode_close_table(void)
{
	for (size_t b = 0; b < ids.size; b++) {
		for (struct map_link *l = ids.buckets[b], *next; l; l = next) {
			next = l->next;
			free_inode(of_id(l));
		}
	}
	map_free(&ids);
	map_free(&nodes);
}

struct inode *inode_get(uint64_t id, const struct node **node)
{
	SCOPED_LOCK(&lock);
	struct inode *i = find_id(id);

	if (!i)
		return NULL;
	i->refs++;
	*node = &i->address->node;
	return i;
}

void inode_ref(struct inode *i)
{
	SCOPED_LOCK(&lock);
	i->refs++;
}

void inode_put(struct inode *i)
{
	struct older older = { 0 };
	bool unused;

	pthread_mutex_lock(&lock);
	i->refs--;
	if (!i->refs)
		take_older(i, &older);
	unused = !i->refs && !i->lookups;
	pthread_mutex_unlock(&lock);
	free_older(&older);
	if (unused)
		free_inode(i);
}

uint64_t inode_lookup(struct node *n)
{
	uint64_t hash = node_hash(n), id = 0;

	pthread_mutex_lock(&lock);

	struct inode *i = find_node(n, hash);

	if (!i)
		i = insert(n, hash);
	if (i) {
		i->lookups++;
		id = i->id;
	}
	pthread_mutex_unlock(&lock);
	node_clear(n);
	return id;
}

/* Takes the kernel's lookups off; the inode when nobody holds it any more. */
static struct inode *forget(uint64_t id, uint64_t lookups)
{
	SCOPED_LOCK(&lock);
	struct inode *i = find_id(id);

	if (!i || id == INODE_ROOT)
		return NULL;
	i->lookups -= lookups < i->lookups ? lookups : i->lookups;
	if (i->lookups)
		return NULL;
	map_remove(&ids, &i->by_id);
	unname(i);
	return i->refs ? NULL : i;
}

void inode_forget(uint64_t id, uint64_t lookups)
{
	struct inode *i = forget(id, lookups);

	if (i)
		free_inode(i);
}

uint64_t inode_known(const struct node *n)
{
	uint64_t hash = node_hash(n);

	SCOPED_LOCK(&lock);
	struct inode *i = find_node(n, hash);

	return i ? i->id : 0;
}

void inode_detach(const struct node *n)
{
	uint64_t hash = node_hash(n);

	SCOPED_LOCK(&lock);
	struct inode *i = find_node(n, hash);

	if (i)
		lose_name(i);
}

void inode_renew(struct inode *i)
{
	SCOPED_LOCK(&lock);
	if (i->id != INODE_ROOT)
		unname(i);
}

/* Gives i the address; false: it stays without a name. */
static bool readdress(struct inode *i, struct address *a)
{
	uint64_t hash = node_hash(&a->node);
	struct inode *other = find_node(&a->node, hash);

	if (other == i)
		return false;
	lose_name(i);
	if (other)
		lose_name(other);
	if (map_insert(&nodes, &i->by_node, hash) < 0)
		return false;
	i->named = true;
	i->gone = false;
	a->older = i->address;
	i->address = a;
	return true;
}

void inode_move(const struct node *from, struct node *to)
{
	uint64_t hash = node_hash(from);
	struct address *a = calloc(1, sizeof(*a));
	struct older older = { 0 };

	if (a) {
		a->node = *to;
		*to = (struct node){ 0 };
	}
	pthread_mutex_lock(&lock);

	struct inode *i = find_node(from, hash);

	if (i && !a)
		lose_name(i);
	else if (i && readdress(i, a))
		a = NULL;
	if (i && !i->refs)
		take_older(i, &older);
	pthread_mutex_unlock(&lock);
	free_older(&older);
	if (a)
		node_clear(&a->node);
	free(a);
	node_clear(to);
}

bool inode_is_gone(struct inode *i)
{
	SCOPED_LOCK(&lock);
	return i->gone;
}

void inode_add_file(struct inode *i, struct file *f)
{
	SCOPED_LOCK(&lock);
	list_append(&i->files, &f->of_inode);
}

void inode_remove_file(struct inode *i, struct file *f)
{
	SCOPED_LOCK(&lock);
	list_remove(&f->of_inode);
}

struct file *inode_volume_file(struct inode *i)
{
	SCOPED_LOCK(&lock);
	list_for_each(l, &i->files) {
		struct file *f = container_of(l, struct file, of_inode);

		if (f->volume) {
			file_ref(f);
			return f;
		}
	}
	return NULL;
}

int inode_names_in(const struct node *dir, struct buf *names)
{
	SCOPED_LOCK(&lock);
	map_for_each(l, &nodes) {
		const char *name = node_name_in(&of_node(l)->address->node, dir);

		if (name && buf_add(names, name, strlen(name) + 1) < 0)
			return -ENOMEM;
	}
	return 0;
}
