/* Keeps the logical volumes of a group sorted by name. */
#include "backends/logical/vg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void lv_clear(struct lv *lv)
{
	char *const texts[] = { lv->name, lv->uuid,    lv->origin, lv->pool,
				lv->snap, lv->snap_of, lv->id };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < lv->n_extents; i++)
		free(lv->extents[i].device);
	free(lv->extents);
}

void vg_clear(struct vg *g)
{
	for (size_t i = 0; i < g->n_lvs; i++)
		lv_clear(&g->lvs[i]);
	for (size_t i = 0; i < g->n_pvs; i++)
		free(g->pvs[i]);
	free(g->lvs);
	free(g->pvs);
	*g = (struct vg){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct lv *)a)->name, ((const struct lv *)b)->name);
}

bool vg_sort(struct vg *g)
{
	qsort(g->lvs, g->n_lvs, sizeof(*g->lvs), by_name);
	for (size_t i = 1; i < g->n_lvs; i++)
		if (!by_name(&g->lvs[i - 1], &g->lvs[i]))
			return false;
	return true;
}

struct lv *vg_find(const struct vg *g, const char *name)
{
	struct lv key = { .name = (char *)name };

	if (!g->n_lvs)
		return NULL;
	return bsearch(&key, g->lvs, g->n_lvs, sizeof(*g->lvs), by_name);
}

static size_t place_of(const struct vg *g, const char *name)
{
	size_t low = 0, high = g->n_lvs;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(g->lvs[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct lv *insert(struct vg *g, const struct lv *lv)
{
	size_t at = place_of(g, lv->name);

	memmove(&g->lvs[at + 1], &g->lvs[at], (g->n_lvs - at) * sizeof(*g->lvs));
	g->lvs[at] = *lv;
	g->n_lvs++;
	return &g->lvs[at];
}

static void cut(struct vg *g, struct lv *lv)
{
	size_t at = lv - g->lvs;

	memmove(lv, lv + 1, (--g->n_lvs - at) * sizeof(*lv));
}

struct lv *vg_add(struct vg *g, const char *name)
{
	struct lv *more = reallocarray(g->lvs, g->n_lvs + 1, sizeof(*more));
	struct lv lv = { .active = true };

	if (!more)
		return NULL;
	g->lvs = more;
	lv.name = strdup(name);
	return lv.name ? insert(g, &lv) : NULL;
}

void vg_remove(struct vg *g, struct lv *lv)
{
	lv_clear(lv);
	cut(g, lv);
}

int vg_rename(struct vg *g, struct lv *lv, const char *to)
{
	char *name = strdup(to);
	struct lv moved = *lv;

	if (!name)
		return -ENOMEM;
	free(moved.name);
	moved.name = name;
	cut(g, lv);
	insert(g, &moved);
	return 0;
}

/* A chunk of 4 KiB each, of which one has the record of 256. */
#define CHUNK 4096

uint64_t lv_snapshot_room(uint64_t size)
{
	return size + size / 256 + 3 * CHUNK;
}

bool lv_is_volume(const struct lv *lv)
{
	return lv->kind < LV_THINPOOL && !lv->snap;
}

const char *lv_identity(const struct lv *lv)
{
	return lv->id ? lv->id : lv->uuid;
}

bool lv_is_snapshot_of(const struct lv *lv, const struct lv *volume)
{
	if (!lv->snap || lv->kind >= LV_THINPOOL)
		return false;
	if (lv->snap_of && lv_identity(volume) &&
	    !strcmp(lv->snap_of, lv_identity(volume)))
		return true;
	return lv->origin && !strcmp(lv->origin, volume->name);
}
