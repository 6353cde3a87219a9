/*
 * VDIs as the cluster knows them: found, read, made, deleted.
 *
 * Lookups carry 512 bytes always: with 256 and a snapshot's id the sheep crashes. NEW_VDI
 * and DEL_VDI are not blindly repeated when a connection breaks: the cluster is asked
 * whether they were done.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/sheepdog/sheep.h"
#include "backends/support/clock.h"

#define MAP_AT_ONCE   (UINT32_C(1) << 18) /* entries read or written together */
#define TRIES	      3
#define LOOKS	      4
#define LOOK_AGAIN_NS (100 * NS_PER_MS)

static int fill_names(uint8_t out[SHEEP_NAMES], const char *name, const char *tag,
		      struct error *err)
{
	memset(out, 0, SHEEP_NAMES);
	if (!*name || strlen(name) >= SHEEP_NAME || (tag && strlen(tag) >= SHEEP_NAME))
		return error_set(err, ENAMETOOLONG,
				 "'%s' is no name for a VDI: that has 1 to 255 bytes",
				 *name ? name : "");
	memcpy(out, name, strlen(name));
	if (tag)
		memcpy(out + SHEEP_NAME, tag, strlen(tag));
	return 0;
}

int vdi_read(struct sheep_pool *sp, uint32_t vid, struct sheep_vdi *out,
	     struct call *call, struct error *err)
{
	uint8_t head[SHEEP_INODE_HEAD];
	struct sheep_question q = {
		.request = { .opcode = SHEEP_READ, .obj.oid = sheep_inode_oid(vid) },
		.in = head,
		.in_len = sizeof(head),
	};
	int r = sheep_ask(sp, &q, 1, call, err);

	if (r < 0)
		return r;
	if (q.reply.result)
		return sheep_failure(q.reply.result, err,
				     "cannot read the inode of VDI %" PRIx32, vid);
	return sheep_decode_vdi(head, vid, out, err);
}

/* A snapshot where one was asked for, else a working VDI; and of that name. */
static int check_found(const struct sheep_vdi *v, const char *name, bool snapshot,
		       struct error *err)
{
	if (!*v->name) /* deleted since */
		return error_set(err, ENOENT, "there is no VDI '%s'", name);
	if (strcmp(v->name, name) || v->snapshot != snapshot)
		return error_set(
			err, EIO,
			"the cluster gave another VDI than '%s', which was asked "
			"for",
			name);
	return 0;
}

int vdi_find(struct sheep_pool *sp, const char *name, const char *tag, uint32_t snapid,
	     struct sheep_vdi *out, struct call *call, struct error *err)
{
	bool snapshot = (tag && *tag) || snapid;
	uint8_t names[SHEEP_NAMES];
	struct sheep_question q = {
		.request = { .opcode = SHEEP_GET_VDI_INFO, .vdi.snapid = snapid },
		.out = names,
		.out_len = sizeof(names),
	};
	int r = fill_names(names, name, tag, err);

	if (r == 0)
		r = sheep_ask(sp, &q, 1, call, err);
	if (r < 0)
		return r;
	if (q.reply.result == SHEEP_NO_VDI)
		return error_set(err, ENOENT, "there is no volume '%s'", name);
	if (q.reply.result == SHEEP_NO_TAG)
		return error_set(err, ENOENT, "volume '%s' has no such snapshot", name);
	if (q.reply.result)
		return sheep_failure(q.reply.result, err, "cannot find volume '%s'",
				     name);
	r = vdi_read(sp, q.reply.vdi.vid & SHEEP_MAX_VID, out, call, err);
	return r < 0 ? r : check_found(out, name, snapshot, err);
}

/* -- maps -- */

static int read_entries(struct sheep_pool *sp, uint32_t vid, uint32_t first, uint32_t n,
			uint32_t *out, struct call *call, struct error *err)
{
	AUTO_FREE uint8_t *bytes = malloc(4 * (size_t)n);
	struct sheep_question q = {
		.request = { .opcode = SHEEP_READ,
			     .obj = { .oid = sheep_inode_oid(vid),
				      .offset = SHEEP_MAP_AT + 4 * first } },
		.in = bytes,
		.in_len = 4 * (size_t)n,
	};
	int r;

	if (!bytes)
		return error_code(err, ENOMEM, "cannot read the map of a VDI");
	r = sheep_ask(sp, &q, 1, call, err);
	if (r < 0)
		return r;
	if (q.reply.result)
		return sheep_failure(q.reply.result, err,
				     "cannot read the map of VDI %" PRIx32, vid);
	return sheep_decode_map(bytes, n, out, err);
}

int vdi_read_map(struct sheep_pool *sp, const struct sheep_vdi *v, uint32_t **map,
		 struct call *call, struct error *err)
{
	uint32_t n = sheep_objects(v->size, v->shift);
	AUTO_FREE uint32_t *entries = malloc(4 * (size_t)n + 1);
	int r = 0;

	if (!entries)
		return error_code(err, ENOMEM, "cannot read the map of volume '%s'",
				  v->name);
	for (uint32_t at = 0; r == 0 && at < n; at += MAP_AT_ONCE)
		r = read_entries(sp, v->vid, at, MIN(n - at, MAP_AT_ONCE), entries + at,
				 call, err);
	if (r == 0)
		*map = take(entries);
	return r;
}

static int write_inode(struct sheep_pool *sp, uint32_t vid, uint32_t at,
		       const void *bytes, size_t len, struct call *call,
		       struct error *err)
{
	struct sheep_question q = {
		.request = { .opcode = SHEEP_WRITE,
			     .obj = { .oid = sheep_inode_oid(vid), .offset = at } },
		.out = bytes,
		.out_len = len,
		.repeatable = at + len <= SHEEP_MAP_AT,
	};
	int r = sheep_ask(sp, &q, 1, call, err);

	recent_forget(&sp->recent);
	if (r == 0 && q.reply.result)
		r = sheep_failure(q.reply.result, err,
				  "cannot write the inode of VDI %" PRIx32, vid);
	return r;
}

int vdi_write_head(struct sheep_pool *sp, uint32_t vid, uint32_t at, const void *bytes,
		   size_t len, struct call *call, struct error *err)
{
	return write_inode(sp, vid, at, bytes, len, call, err);
}

/* The entries that are not 0, in runs: no request straddles the map's ends, or the sheep
 * would not count references. */
static int clear_some(struct sheep_pool *sp, uint32_t vid, uint32_t first, uint32_t *map,
		      uint32_t n, struct call *call, struct error *err)
{
	uint32_t end;
	int r = 0;

	for (uint32_t at = 0; r == 0 && at < n; at = end) {
		bool used = map[at];

		for (end = at; end < n && !map[end] == !used; end++)
			map[end] = 0;
		if (used)
			r = write_inode(sp, vid, SHEEP_MAP_AT + 4 * (first + at),
					map + at, 4 * (size_t)(end - at), call, err);
	}
	return r;
}

int vdi_clear_map(struct sheep_pool *sp, uint32_t vid, uint32_t first, uint32_t end,
		  struct call *call, struct error *err)
{
	AUTO_FREE uint32_t *map = NULL;
	int r = 0;

	map = malloc(4 * (size_t)MIN(end - first, MAP_AT_ONCE));
	if (!map)
		return error_code(err, ENOMEM, "cannot clear the map of a VDI");
	for (; r == 0 && first < end; first += MIN(end - first, MAP_AT_ONCE)) {
		uint32_t n = MIN(end - first, MAP_AT_ONCE);

		r = read_entries(sp, vid, first, n, map, call, err);
		if (r == 0)
			r = clear_some(sp, vid, first, map, n, call, err);
	}
	return r;
}

/* -- made and deleted -- */

static void sleep_a_little(void)
{
	struct timespec t = clock_timespec(LOOK_AGAIN_NS);

	nanosleep(&t, NULL);
}

/* Whether a request that broke off has made what it was to: the name stands for another
 * VDI than `was`. It may take the cluster a moment. Returns 1 or 0. */
static int has_appeared(struct sheep_pool *sp, const char *name, uint32_t was,
			uint32_t *vid, struct call *call, struct error *err)
{
	struct sheep_vdi v;

	for (int look = 0; look < LOOKS; look++) {
		int r = vdi_find(sp, name, NULL, 0, &v, call, err);

		if (r < 0 && r != -ENOENT)
			return r;
		*vid = v.vid;
		if (r == 0 && v.vid != was)
			return 1;
		sleep_a_little();
	}
	return 0;
}

static int ask_new(struct sheep_pool *sp, struct sheep_question *q, const char *name,
		   uint32_t was, uint32_t *vid, struct call *call, struct error *err)
{
	int r = sheep_ask(sp, q, 1, call, err);

	for (int tries = 1; r == -SHEEP_IN_DOUBT && tries < TRIES; tries++) {
		r = has_appeared(sp, name, was, vid, call, err);
		if (r < 0)
			return r;
		q->reply = (struct sheep_reply){ .vdi.vid = *vid };
		r = r ? 0 : sheep_ask(sp, q, 1, call, err);
	}
	*vid = q->reply.vdi.vid & SHEEP_MAX_VID;
	if (r == -SHEEP_IN_DOUBT)
		return error_set(
			err, EIO,
			"it is not known whether '%s' was made: the sheep that were "
			"asked have gone",
			name);
	return r;
}

int vdi_new(struct sheep_pool *sp, const char *name, uint64_t size,
	    const struct sheep_vdi *base, uint32_t was, uint32_t *vid, struct call *call,
	    struct error *err)
{
	uint8_t names[SHEEP_NAMES];
	struct sheep_question q = {
		.request = { .opcode = SHEEP_NEW_VDI,
			     .vdi = { .size = size, .snapid = was != 0 } },
		.out = names,
		.out_len = SHEEP_NAME,
		.once = true,
	};
	int r = fill_names(names, name, NULL, err);

	if (base) {
		q.request.vdi.base = base->vid;
		q.request.vdi.copies = base->copies;
		q.request.vdi.copy_policy = base->copy_policy;
		q.request.vdi.shift = base->shift;
	}
	if (r == 0)
		r = ask_new(sp, &q, name, was, vid, call, err);
	recent_forget(&sp->recent);
	if (r < 0)
		return r;
	if (q.reply.result == SHEEP_VDI_EXIST)
		return error_set(err, EEXIST, "there is a volume '%s' already", name);
	if (q.reply.result)
		return sheep_failure(q.reply.result, err, "cannot make volume '%s'",
				     name);
	return 0;
}

/* Returns 1: it is deleted. */
static int has_gone(struct sheep_pool *sp, uint32_t vid, struct call *call,
		    struct error *err)
{
	struct sheep_vdi now;
	int r = vdi_read(sp, vid, &now, call, err);

	return r < 0 ? r : !*now.name;
}

static int ask_delete(struct sheep_pool *sp, const struct sheep_vdi *v, struct call *call,
		      struct error *err)
{
	uint8_t names[SHEEP_NAMES];
	struct sheep_question q = {
		.request = { .opcode = SHEEP_DEL_VDI,
			     .vdi.snapid = v->snapshot ? v->snapid : 0 },
		.out = names,
		.out_len = sizeof(names),
		.once = true,
	};
	int r = fill_names(names, v->name, NULL, err), tries = 0;

	if (r == 0)
		r = sheep_ask(sp, &q, 1, call, err);
	while (r == -SHEEP_IN_DOUBT && ++tries < TRIES) {
		sleep_a_little();
		r = has_gone(sp, v->vid, call, err);
		if (r)
			return r < 0 ? r : 0;
		r = sheep_ask(sp, &q, 1, call, err);
	}
	if (r == -SHEEP_IN_DOUBT)
		return error_set(
			err, EIO,
			"it is not known whether '%s' was deleted: the sheep that "
			"were asked have gone",
			v->name);
	if (r == 0 && q.reply.result)
		r = sheep_failure(q.reply.result, err, "cannot delete '%s'", v->name);
	return r;
}

/* Its objects are given back first: else they stay for ever, and so does its name. That
 * shows when another client has left some behind its end, and then all of the map goes.
 */
int vdi_delete(struct sheep_pool *sp, const struct sheep_vdi *v, struct call *call,
	       struct error *err)
{
	uint32_t n = sheep_objects(v->size, v->shift);
	int r = n ? vdi_clear_map(sp, v->vid, 0, n, call, err) : 0;

	if (r == 0)
		r = ask_delete(sp, v, call, err);
	recent_forget(&sp->recent);
	if (r == 0)
		r = has_gone(sp, v->vid, call, err);
	if (r)
		return r < 0 ? r : 0;
	r = vdi_clear_map(sp, v->vid, 0, SHEEP_MAX_OBJECTS, call, err);
	return r < 0 ? r : ask_delete(sp, v, call, err);
}
