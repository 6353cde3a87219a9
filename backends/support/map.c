/* A hash table of intrusive links. */
#include "backends/support/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, finished with the mixer of MurmurHash3 so that the low bits are good. */
uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h ? h : 1;
}

uint64_t hash_string(const char *text, uint64_t seed)
{
	return hash_bytes(text, strlen(text), seed);
}

static int grow(struct map *m)
{
	size_t size = m->size ? m->size * 2 : 16;
	struct map_link **buckets = calloc(size, sizeof(struct map_link *));

	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < m->size; i++) {
		for (struct map_link *l = m->buckets[i], *next; l; l = next) {
			struct map_link **b = &buckets[l->hash & (size - 1)];

			next = l->next;
			l->next = *b;
			*b = l;
		}
	}
	free(m->buckets);
	m->buckets = buckets;
	m->size = size;
	return 0;
}

int map_insert(struct map *m, struct map_link *link, uint64_t hash)
{
	if (m->count >= m->size && grow(m) < 0)
		return -ENOMEM;

	struct map_link **b = &m->buckets[hash & (m->size - 1)];

	link->hash = hash;
	link->next = *b;
	*b = link;
	m->count++;
	return 0;
}

static struct map_link *same_hash(struct map_link *l, uint64_t hash)
{
	while (l && l->hash != hash)
		l = l->next;
	return l;
}

struct map_link *map_first(const struct map *m, uint64_t hash)
{
	return m->size ? same_hash(m->buckets[hash & (m->size - 1)], hash) : NULL;
}

struct map_link *map_next(const struct map_link *link)
{
	return same_hash(link->next, link->hash);
}

void map_remove(struct map *m, struct map_link *link)
{
	if (!m->size)
		return;
	for (struct map_link **l = &m->buckets[link->hash & (m->size - 1)]; *l;
	     l = &(*l)->next) {
		if (*l == link) {
			*l = link->next;
			link->next = NULL;
			m->count--;
			return;
		}
	}
}

void map_free(struct map *m)
{
	free(m->buckets);
	*m = (struct map){ 0 };
}
