/* Volumes by name: listed, described, made, deleted, resized. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "backends/sheepdog/sheep_behind.h"
#include "backends/support/log.h"

/* -- lists -- */

struct names {
	struct sheep_recent *recent;
	uint64_t changes;
	vol_each each;
	void *arg;
};

bool sheep_is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static int each_working(void *arg, const struct sheep_vdi *v)
{
	const struct names *n = arg;

	if (v->snapshot)
		return 0;
	if (!sheep_is_file_name(v->name)) {
		log_warning("VDI '%s' is not shown: no file has such a name", v->name);
		return 0;
	}
	recent_add(n->recent, n->changes, v);
	return n->each(n->arg, v->name);
}

int sheep_list(void *pool, vol_each each, void *arg, struct call *call, struct error *err)
{
	struct sheep_pool *sp = pool;
	struct names n = { .recent = &sp->recent, .each = each, .arg = arg };

	recent_begin(&sp->recent, &n.changes);
	return vdi_list(sp, each_working, &n, call, err);
}

/* -- looks -- */

/* shares: whether objects of others are among its own; may be NULL. */
static int stat_vdi(struct sheep_pool *sp, const struct sheep_vdi *v,
		    struct vol_stat *out, bool *shares, struct call *call,
		    struct error *err)
{
	AUTO_FREE uint32_t *map = NULL;
	uint32_t n = sheep_objects(v->size, v->shift);
	int r = vdi_read_map(sp, v, &map, call, err);

	if (r < 0)
		return r;
	*out = (struct vol_stat){ .size = v->size };
	for (uint32_t i = 0; i < n; i++) {
		out->allocated += (uint64_t)(map[i] == v->vid) << v->shift;
		if (shares && map[i] && map[i] != v->vid)
			*shares = true;
	}
	return 0;
}

static int stat_listed(struct sheep_pool *sp, const struct sheep_vdi *v,
		       struct vol_stat *out, struct call *call)
{
	if (!v->counted)
		return stat_vdi(sp, v, out, NULL, call, NULL);
	*out = (struct vol_stat){ .size = v->size,
				  .allocated = (uint64_t)v->own << v->shift };
	return 0;
}

int sheep_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		   struct error *err)
{
	struct sheep_pool *sp = pool;
	struct sheep_vdi v;
	int r;

	if (recent_find(&sp->recent, name, &v) && stat_listed(sp, &v, out, call) == 0)
		return 0;
	r = vdi_find(sp, name, NULL, 0, &v, call, err);
	if (r == 0)
		r = stat_vdi(sp, &v, out, NULL, call, err);
	if (r == 0)
		inode_learn(sp, &v);
	return r;
}

int sheep_snap_stat(void *pool, const char *name, const char *snap, struct vol_stat *out,
		    struct call *call, struct error *err)
{
	struct sheep_vdi v;
	int r = snap_find(pool, name, snap, &v, call, err);

	return r < 0 ? r : stat_vdi(pool, &v, out, NULL, call, err);
}

/* A clone's backing store is the snapshot it was made from, while that exists and its
 * objects are needed. */
static int describe_parent(struct sheep_pool *sp, const struct sheep_vdi *v,
			   struct volume_spec *out, struct call *call, struct error *err)
{
	struct sheep_vdi parent;
	char snap[SHEEP_NAME];
	int r;

	if (!v->parent)
		return 0;
	r = vdi_read(sp, v->parent & SHEEP_MAX_VID, &parent, call, err);
	if (r < 0)
		return r;
	if (!*parent.name || !strcmp(parent.name, v->name))
		return 0;
	snap_name(&parent, snap);
	if (asprintf(&out->backing.path, "%s@%s", parent.name, snap) < 0)
		return error_code(err, ENOMEM, "cannot describe volume '%s'", v->name);
	return 0;
}

int sheep_vol_describe(void *pool, const char *name, struct volume_spec *out,
		       struct call *call, struct error *err)
{
	struct sheep_pool *sp = pool;
	bool shares = false;
	struct vol_stat st;
	struct sheep_vdi v;
	int r = vdi_find(sp, name, NULL, 0, &v, call, err);

	if (r == 0)
		r = stat_vdi(sp, &v, &st, &shares, call, err);
	if (r < 0)
		return r;
	out->has_capacity = out->has_allocation = true;
	out->capacity = st.size;
	out->allocation = st.allocated;
	out->path = strdup(name);
	if (!out->path || asprintf(&out->key, "%s/%s", sp->name, name) < 0)
		return error_code(err, ENOMEM, "cannot describe volume '%s'", name);
	return shares ? describe_parent(sp, &v, out, call, err) : 0;
}

/* -- making -- */

static int check_size(uint64_t size, unsigned shift, const char *name, struct error *err)
{
	uint64_t most = (uint64_t)SHEEP_MAX_OBJECTS << shift;

	if (size <= most)
		return 0;
	return error_set(err, EFBIG,
			 "volume '%s' cannot have %" PRIu64
			 " bytes: a VDI of this cluster "
			 "has %" PRIu64 " at most",
			 name, size, most);
}

static int default_shift(struct sheep_pool *sp, unsigned *shift, struct call *call,
			 struct error *err)
{
	struct sheep_question q = { .request.opcode = SHEEP_GET_DEFAULT };
	int r = sheep_ask(sp, &q, 1, call, err);

	if (r == 0 && q.reply.result)
		r = sheep_failure(q.reply.result, err,
				  "cannot ask for the size of the cluster's objects");
	*shift = q.reply.cluster.shift & 31;
	return r;
}

static int create_empty(struct sheep_pool *sp, const char *name, uint64_t size,
			struct call *call, struct error *err)
{
	unsigned shift;
	uint32_t vid;
	int r = default_shift(sp, &shift, call, err);

	if (r == 0)
		r = check_size(size, shift, name, err);
	return r < 0 ? r : vdi_new(sp, name, size, NULL, 0, &vid, call, err);
}

/* VOLUME@SNAPSHOT; both may hold an @. */
static int find_base(struct sheep_pool *sp, const char *path, struct sheep_vdi *out,
		     struct call *call, struct error *err)
{
	for (const char *at = strrchr(path, '@'); at;
	     at = memrchr(path, '@', at - path)) {
		AUTO_FREE char *name = strndup(path, at - path);
		int r;

		if (!name)
			return error_code(err, ENOMEM, "cannot look for '%s'", path);
		r = snap_find(sp, name, at + 1, out, call, err);
		if (r != -ENOENT)
			return r;
	}
	return error_set(
		err, ENOENT,
		"there is no snapshot '%s' to clone: a backing store is written as "
		"VOLUME@SNAPSHOT",
		path);
}

/* One that cannot have its size was not made. */
static int size_clone(struct sheep_pool *sp, const char *name, uint64_t size,
		      struct call *call, struct error *err)
{
	int r = sheep_vol_resize(sp, name, size, 0, call, err);
	struct sheep_vdi made;

	if (r < 0 && vdi_find(sp, name, NULL, 0, &made, call, NULL) == 0)
		vdi_delete(sp, &made, call, NULL);
	return r;
}

static int create_clone(struct sheep_pool *sp, const char *name,
			const struct volume_spec *spec, struct call *call,
			struct error *err)
{
	struct sheep_vdi base;
	uint64_t size;
	uint32_t vid;
	int r = find_base(sp, spec->backing.path, &base, call, err);

	if (r < 0)
		return r;
	size = spec->has_capacity ? spec->capacity : base.size;
	if (size < base.size)
		return error_set(
			err, EINVAL,
			"the clone '%s' cannot be smaller than its snapshot, which "
			"has %" PRIu64 " bytes",
			name, base.size);
	r = check_size(size, base.shift, name, err);
	if (r == 0)
		r = vdi_new(sp, name, base.size, &base, 0, &vid, call, err);
	return r < 0 || size == base.size ? r : size_clone(sp, name, size, call, err);
}

int sheep_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		     struct call *call, struct error *err)
{
	if (spec->backing.path)
		return create_clone(pool, name, spec, call, err);
	return create_empty(pool, name, spec->has_capacity ? spec->capacity : 0, call,
			    err);
}

/* -- deleting -- */

static int name_first(void *arg, const struct sheep_vdi *v)
{
	char *first = arg;

	if (v->snapshot && !*first)
		snap_name(v, first);
	return 0;
}

int sheep_vol_delete(void *pool, const char *name, struct call *call, struct error *err)
{
	char snap[SHEEP_NAME] = "";
	struct sheep_vdi v;
	int r = vdi_find(pool, name, NULL, 0, &v, call, err);

	if (r == 0)
		r = vdi_list_name(pool, name, name_first, snap, call, err);
	if (r < 0)
		return r;
	if (*snap)
		return error_set(
			err, EBUSY,
			"volume '%s' has snapshots, such as '%s': remove them first",
			name, snap);
	/* else it would be stored after that, where nobody removes it; lost, it may be */
	behind_settle(pool, &v, call, NULL);
	return vdi_delete(pool, &v, call, err);
}

/* -- sizes -- */

static int store_size(struct sheep_inode *i, uint64_t size, struct call *call,
		      struct error *err)
{
	uint8_t bytes[8];
	int r;

	put_le64(bytes, size);
	r = vdi_write_head(i->sp, i->vdi.vid, SHEEP_SIZE_AT, bytes, sizeof(bytes), call,
			   err);
	if (r == 0 && inode_set_size(i, size) < 0)
		r = error_code(err, ENOMEM, "cannot resize volume '%s'", i->vdi.name);
	return r;
}

/* Another client may have left objects behind the end. */
static int clear_map(struct sheep_inode *i, uint64_t size, struct call *call,
		     struct error *err)
{
	uint32_t first = sheep_objects(i->vdi.size, i->vdi.shift);
	uint32_t end = sheep_objects(size, i->vdi.shift);

	return end > first ? vdi_clear_map(i->sp, i->vdi.vid, first, end, call, err) : 0;
}

/* What is gained reads as zeros, also the rest of the object that it begins in. */
static int grow(struct sheep_inode *i, uint64_t size, struct call *call,
		struct error *err)
{
	uint64_t old = i->vdi.size, whole = inode_object_size(i);
	uint64_t edge = MIN(size, (old + whole - 1) & ~(whole - 1));
	int r = clear_map(i, size, call, err);

	if (r == 0)
		r = store_size(i, size, call, err);
	if (r == 0 && edge > old)
		r = op_run(i, IO_ZERO, old, edge, call, err);
	return r;
}

/* What is lost is given back first: objects behind the end would stay for ever. */
static int shrink(struct sheep_inode *i, uint64_t size, struct call *call,
		  struct error *err)
{
	uint64_t whole = inode_object_size(i);
	uint64_t edge = (size + whole - 1) & ~(whole - 1);
	int r = 0;

	if (edge < i->vdi.size)
		r = op_run(i, IO_PUNCH, edge, i->vdi.size, call, err);
	return r < 0 ? r : store_size(i, size, call, err);
}

/* Another client may have resized it, or taken a snapshot of it: then its name stands for
 * another VDI than the one that is open. */
static int follow(struct sheep_inode *i, struct call *call, struct error *err)
{
	uint32_t *map = NULL;
	struct sheep_vdi now;
	int r = vdi_find(i->sp, i->vdi.name, NULL, 0, &now, call, err);

	if (r < 0 || (now.vid == i->vdi.vid && now.size == i->vdi.size))
		return r;
	r = inode_freeze(i, call, err);
	if (r < 0)
		return r;
	r = vdi_read_map(i->sp, &now, &map, call, err);
	inode_thaw(i, r == 0 ? &now : NULL, map);
	return r;
}

int sheep_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		     struct call *call, struct error *err)
{
	struct sheep_pool *sp = pool;
	struct sheep_inode *i;
	int r = inode_open(sp, name, NULL, true, &i, call, err);

	if (r < 0)
		return r;
	r = op_run(i, IO_FLUSH, 0, 0, call, err);
	if (r == 0)
		r = follow(i, call, err);
	if (r == 0)
		r = check_size(size, i->vdi.shift, name, err);
	if (r == 0 && size < i->vdi.size && !(flags & RESIZE_SHRINK))
		r = error_set(err, EINVAL, "volume '%s' has %" PRIu64 " bytes already",
			      name, i->vdi.size);
	if (r == 0 && size > i->vdi.size)
		r = grow(i, size, call, err);
	else if (r == 0 && size < i->vdi.size)
		r = shrink(i, size, call, err);
	inode_close(i, true);
	return r;
}

/* -- clones -- */

int sheep_vol_flatten(void *pool, const char *name, struct call *call, struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec now = VOLUME_SPEC_INIT;
	struct sheep_inode *i;
	int r = sheep_vol_describe(pool, name, &now, call, err);

	if (r < 0)
		return r;
	if (!now.backing.path)
		return error_set(err, EINVAL, "volume '%s' has no backing store", name);
	r = inode_open(pool, name, NULL, true, &i, call, err);
	if (r < 0)
		return r;
	r = op_adopt(i, call, err);
	inode_close(i, true);
	return r;
}
