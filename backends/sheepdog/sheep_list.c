/*
 * The VDIs of a cluster, or of one name, listed: which numbers are in use, then all their
 * inodes, many at a time.
 *
 * An inode is read with the begin of its map, which is all of it for most VDIs, so that
 * who lists need not ask again how much of each is allocated.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep.h"
#include "backends/sheepdog/sheep_pages.h"

#define AT_ONCE	    256 /* inodes read together */
#define ENTRIES	    64	/* of the map, read with the rest */
#define INODE_BEGIN (SHEEP_MAP_AT + 4 * ENTRIES)
/* Entries of longer maps that one listing reads: those of the rest are read when somebody
 * asks for them. */
#define MOST_ENTRIES (UINT32_C(1) << 20)

struct some {
	struct sheep_pool *sp;
	uint32_t vids[AT_ONCE];
	size_t n;
	uint32_t entries; /* that may be read yet */
	vdi_each each;
	void *arg;
};

struct listed {
	struct sheep_vdi vdi; /* vid 0: what there is cannot be opened */
	const uint8_t *map;   /* of which this is all; NULL: not read */
};

/* -- numbers in use -- */

static bool is_set(const uint8_t *bitmap, uint32_t vid)
{
	return bitmap[vid >> 3] & 1 << (vid & 7);
}

/* The numbers in use by VDIs that are not deleted. */
static int read_in_use(struct sheep_pool *sp, uint8_t *used, uint8_t *deleted,
		       struct call *call, struct error *err)
{
	struct sheep_question q[2] = {
		{ .request.opcode = SHEEP_READ_VDIS, .in = used, .in_len = SHEEP_BITMAP },
		{ .request.opcode = SHEEP_READ_DEL_VDIS,
		  .in = deleted,
		  .in_len = SHEEP_BITMAP },
	};
	int r = sheep_ask(sp, q, 2, call, err);

	for (int i = 0; r == 0 && i < 2; i++) {
		if (q[i].reply.result)
			r = sheep_failure(q[i].reply.result, err, "cannot list the VDIs");
		else if (q[i].reply.data_length != SHEEP_BITMAP)
			r = error_set(err, EIO,
				      "cannot list the VDIs: the sheep sent part of a "
				      "list");
	}
	return r;
}

/* -- inodes -- */

/* Returns 0, or 1: there is nothing to show. */
static int decode(const struct sheep_question *q, uint32_t vid, struct listed *out,
		  struct error *err)
{
	int r;

	*out = (struct listed){ 0 };
	if (q->reply.result == SHEEP_NO_OBJ)
		return 1; /* it is being made, or was lost */
	if (q->reply.result)
		return sheep_failure(q->reply.result, err,
				     "cannot read the inode of VDI %" PRIx32, vid);
	r = sheep_decode_vdi(q->in, vid, &out->vdi, err);
	if (r == -EOPNOTSUPP) { /* its name is known, and opening it says why not */
		out->vdi.vid = 0;
		r = 0;
	} else if (r == 0 && sheep_objects(out->vdi.size, out->vdi.shift) <= ENTRIES) {
		out->map = (const uint8_t *)q->in + SHEEP_MAP_AT;
	}
	return r < 0 ? r : !*out->vdi.name;
}

static int decode_all(struct sheep_question *q, const struct some *s, struct listed *all,
		      struct error *err)
{
	for (size_t i = 0; i < s->n; i++) {
		int r = decode(&q[i], s->vids[i], &all[i], err);

		if (r < 0)
			return r;
		if (r)
			*all[i].vdi.name = '\0';
	}
	return 0;
}

/* What a map does not tell now is read when somebody asks. */
static void count_own(struct listed *l)
{
	struct sheep_vdi *v = &l->vdi;
	uint32_t n = sheep_objects(v->size, v->shift);

	if (!l->map || !v->vid)
		return;
	v->counted = true;
	for (uint32_t i = 0; i < n; i++)
		v->own += le32(l->map + 4 * (size_t)i) == v->vid;
}

static bool has_long_map(const struct listed *l)
{
	return *l->vdi.name && l->vdi.vid && !l->vdi.snapshot && !l->map;
}

/* Of as many as may be; that some cannot be read is no matter. *maps is theirs. */
static void read_long_maps(struct some *s, struct sheep_question *q, struct listed *all,
			   struct pages *maps, struct call *call)
{
	struct listed *of[AT_ONCE];
	size_t n = 0, size = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct sheep_vdi *v = &all[i].vdi;
		uint32_t entries =
			has_long_map(&all[i]) ? sheep_objects(v->size, v->shift) : 0;

		if (!entries || entries > s->entries)
			continue;
		s->entries -= entries;
		of[n] = &all[i];
		q[n++] = (struct sheep_question){
			.request = { .opcode = SHEEP_READ,
				     .obj = { .oid = sheep_inode_oid(v->vid),
					      .offset = SHEEP_MAP_AT } },
			.in_len = 4 * (size_t)entries,
		};
		size += 4 * (size_t)entries;
	}
	if (!n || !pages_get(maps, size))
		return;
	for (size_t i = 0, at = 0; i < n; at += q[i++].in_len)
		q[i].in = (uint8_t *)maps->at + at;
	if (sheep_ask(s->sp, q, n, call, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (!q[i].reply.result)
			of[i]->map = q[i].in;
}

static int tell_all(struct some *s, struct sheep_question *q, struct listed *all,
		    struct call *call)
{
	AUTO_PAGES struct pages maps = { 0 };
	int r = 0;

	read_long_maps(s, q, all, &maps, call);
	for (size_t i = 0; r >= 0 && i < s->n; i++) {
		count_own(&all[i]);
		if (*all[i].vdi.name)
			r = s->each(s->arg, &all[i].vdi);
	}
	return r;
}

static int read_some(struct some *s, struct call *call, struct error *err)
{
	AUTO_PAGES struct pages begins = { 0 };
	AUTO_FREE struct sheep_question *q = calloc(s->n, sizeof(*q));
	AUTO_FREE struct listed *all = calloc(s->n, sizeof(*all));
	int r;

	if (!q || !all || !pages_get(&begins, s->n * INODE_BEGIN))
		return error_code(err, ENOMEM, "cannot list the VDIs");
	for (size_t i = 0; i < s->n; i++) {
		q[i].request.opcode = SHEEP_READ;
		q[i].request.obj.oid = sheep_inode_oid(s->vids[i]);
		q[i].in = (uint8_t *)begins.at + i * INODE_BEGIN;
		q[i].in_len = INODE_BEGIN;
	}
	r = sheep_ask(s->sp, q, s->n, call, err);
	if (r == 0)
		r = decode_all(q, s, all, err);
	return r < 0 ? r : tell_all(s, q, all, call);
}

static int flush_some(struct some *s, struct call *call, struct error *err)
{
	int r = s->n ? read_some(s, call, err) : 0;

	s->n = 0;
	return r;
}

static int add_some(struct some *s, uint32_t vid, struct call *call, struct error *err)
{
	s->vids[s->n++] = vid;
	return s->n == AT_ONCE ? flush_some(s, call, err) : 0;
}

/* -- lists -- */

static int add_live(struct some *s, uint32_t byte, uint8_t live, struct call *call,
		    struct error *err)
{
	int r = 0;

	for (uint32_t vid = byte << 3; r >= 0 && live; vid++, live >>= 1)
		if (live & 1)
			r = add_some(s, vid, call, err);
	return r;
}

int vdi_list(struct sheep_pool *sp, vdi_each each, void *arg, struct call *call,
	     struct error *err)
{
	AUTO_PAGES struct pages bitmaps = { 0 };
	struct some s = { .sp = sp, .entries = MOST_ENTRIES, .each = each, .arg = arg };
	uint8_t *used, *deleted;
	int r;

	if (!pages_get(&bitmaps, 2 * SHEEP_BITMAP))
		return error_code(err, ENOMEM, "cannot list the VDIs");
	used = bitmaps.at;
	deleted = used + SHEEP_BITMAP;
	r = read_in_use(sp, used, deleted, call, err);
	for (uint32_t byte = 0; r >= 0 && byte < SHEEP_BITMAP; byte++)
		if (used[byte])
			r = add_live(&s, byte, used[byte] & ~deleted[byte], call, err);
	return r < 0 ? r : flush_some(&s, call, err);
}

struct named {
	const char *name;
	vdi_each each;
	void *arg;
};

static int each_named(void *arg, const struct sheep_vdi *v)
{
	const struct named *n = arg;

	return strcmp(v->name, n->name) ? 0 : n->each(n->arg, v);
}

/* Its numbers follow the name's hash without a gap, among those of other names. */
int vdi_list_name(struct sheep_pool *sp, const char *name, vdi_each each, void *arg,
		  struct call *call, struct error *err)
{
	AUTO_PAGES struct pages bitmaps = { 0 };
	struct named named = { name, each, arg };
	struct some s = { .sp = sp, .each = each_named, .arg = &named };
	uint32_t vid = sheep_hash(name), n = 0;
	uint8_t *used, *deleted;
	int r;

	if (!pages_get(&bitmaps, 2 * SHEEP_BITMAP))
		return error_code(err, ENOMEM, "cannot list the snapshots of '%s'", name);
	used = bitmaps.at;
	deleted = used + SHEEP_BITMAP;
	r = read_in_use(sp, used, deleted, call, err);
	for (; r >= 0 && is_set(used, vid) && n <= SHEEP_MAX_VID; n++) {
		if (!is_set(deleted, vid))
			r = add_some(&s, vid, call, err);
		vid = (vid + 1) & SHEEP_MAX_VID;
	}
	return r < 0 ? r : flush_some(&s, call, err);
}
