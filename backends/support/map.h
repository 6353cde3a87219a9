/*
 * A hash table whose links are members of what it holds; it owns nothing and locks
 * nothing. Keys are the owner's affair: it hashes them and compares candidates itself.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map_link {
	struct map_link *next;
	uint64_t hash;
};

struct map {
	struct map_link **buckets;
	size_t size, count; /* size: a power of two, 0 before the first insert */
};

/* 64-bit hash of bytes; chain calls by passing the last result as seed. Never 0. */
uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);
uint64_t hash_string(const char *text, uint64_t seed);

/* Returns 0 or -ENOMEM (then nothing was inserted). */
int map_insert(struct map *m, struct map_link *link, uint64_t hash);

/* The first link with this hash, and the one after it; NULL: no more. */
struct map_link *map_first(const struct map *m, uint64_t hash);
struct map_link *map_next(const struct map_link *link);

/* Does nothing when the link is not in the map under its hash. */
void map_remove(struct map *m, struct map_link *link);

/* Releases the bucket array. */
void map_free(struct map *m);

/* Each link in no particular order; the body removes nothing. */
#define map_for_each(pos, m)                                                    \
	for (size_t bucket_##pos = 0; bucket_##pos < (m)->size; bucket_##pos++) \
		for (struct map_link *pos = (m)->buckets[bucket_##pos]; pos;    \
		     pos = pos->next)
