/* The volumes of disk pools. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/common/block_luks.h"
#include "backends/common/block_volumes.h"
#include "backends/disk/disk.h"

#define LOGICAL_FIRST 5

int disk_list(void *pool, vol_each each, void *arg, struct call *call, struct error *err)
{
	AUTO_PARTS struct kernel_parts parts = { 0 };
	int r = disk_numbers(pool, call, &parts, err);

	for (size_t i = 0; r >= 0 && i < parts.n; i++)
		r = each(arg, parts.at[i].name);
	return r < 0 ? r : 0;
}

/* Where it can be opened: below /dev/mapper it has a name of its own. */
static int node_of(const struct disk_pool *p, const struct kernel_part *part, char **out,
		   struct error *err)
{
	struct stat st;

	if (asprintf(out, "/dev/%s%s", p->disk.mapped ? "mapper/" : "", part->name) < 0) {
		*out = NULL;
		return error_code(err, ENOMEM, "cannot find partition '%s'", part->name);
	}
	if (!stat(*out, &st) && S_ISBLK(st.st_mode) && st.st_rdev == part->device)
		return 0;
	free(*out);
	*out = NULL;
	return block_device_path(part->device, out, err);
}

static int find(struct disk_pool *p, const char *name, struct call *call,
		struct kernel_part *part, char **node, struct error *err)
{
	int r = disk_find(p, name, call, part, err);

	return r < 0 ? r : node_of(p, part, node, err);
}

/* The usual case, for lists of many: its node as it is in /dev, and one file of /sys. */
static bool stat_known(struct disk_pool *p, const char *name, struct vol_stat *out)
{
	char path[DISK_NAME_MAX + 8];
	struct stat st;
	uint64_t size;

	if (strlen(name) >= DISK_NAME_MAX)
		return false;
	snprintf(path, sizeof(path), "/dev/%s", name);
	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode) ||
	    !disk_known(p, name, st.st_rdev) || block_size(st.st_rdev, &size, NULL) < 0)
		return false;
	*out = (struct vol_stat){ .size = size,
				  .allocated = size,
				  .has_owner = true,
				  .mode = st.st_mode & 07777,
				  .uid = st.st_uid,
				  .gid = st.st_gid };
	return true;
}

int disk_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		  struct error *err)
{
	AUTO_FREE char *node = NULL;
	struct kernel_part part;
	int r;

	if (stat_known(pool, name, out))
		return 0;
	r = find(pool, name, call, &part, &node, err);

	if (r == 0)
		r = block_stat(node, out, err);
	out->ident = 0; /* a disk that comes back is one that is started anew */
	return r;
}

/* -- descriptions -- */

/* What logical ones take up of the extended one, as libvirt counts it. */
static uint64_t used_within(const struct disk_table *t)
{
	uint64_t used = 0;

	for (size_t i = 0; i < t->n_parts; i++)
		if (t->parts[i].kind == DISK_LOGICAL)
			used += t->parts[i].end - t->parts[i].start;
	return used;
}

static int describe_part(const struct disk_pool *p, const struct disk_table *t,
			 const struct disk_part *part, struct volume_spec *out)
{
	out->format = strdup(part->format);
	out->extents = calloc(1, sizeof(*out->extents));
	if (!out->format || !out->extents)
		return -ENOMEM;
	out->n_extents = 1;
	out->extents[0] = (struct extent){ .device = strdup(p->path),
					   .start = part->start,
					   .end = part->end };
	if (part->kind == DISK_EXTENDED) {
		out->capacity = part->end - part->start;
		out->allocation = used_within(t);
	}
	return out->extents[0].device ? 0 : -ENOMEM;
}

int disk_vol_describe(void *pool, const char *name, struct volume_spec *out,
		      struct call *call, struct error *err)
{
	struct disk_pool *p = pool;
	AUTO_TABLE struct disk_table table = { 0 };
	AUTO_FREE char *node = NULL;
	struct kernel_part part;
	const struct disk_part *found;
	int r = find(p, name, call, &part, &node, err);

	if (r == 0)
		r = disk_get(p, call, &table, err);
	if (r == 0)
		r = block_describe(node, out, err);
	if (r < 0)
		return r;
	found = disk_table_find(&table, part.number);
	if (found && describe_part(p, &table, found, out) < 0)
		return error_code(err, ENOMEM, "cannot describe partition '%s'", name);
	free(take(out->path));
	if (p->disk.mapped && (!p->target || !strncmp(p->target, "/dev/mapper", 11))) {
		out->path = take(node);
		return 0;
	}
	return block_stable_path(p->target, part.device, &out->path, err);
}

/* -- making -- */

static int wrong_name(const struct disk_pool *p, const struct disk_table *t,
		      const char *name, struct error *err)
{
	char next[DISK_NAME_MAX], logical[DISK_NAME_MAX];

	disk_part_name(p->disk.prefix, t->next, next);
	disk_part_name(p->disk.prefix, t->next_logical, logical);
	if (t->next && t->next_logical)
		return error_set(
			err, EINVAL,
			"the name of a partition is the kernel's: the next one is '%s', "
			"or '%s' in the extended partition, not '%s'",
			next, logical, name);
	if (t->next || t->next_logical)
		return error_set(
			err, EINVAL,
			"the name of a partition is the kernel's: the next one is '%s', "
			"not '%s'",
			t->next ? next : logical, name);
	return error_set(
		err, ENOSPC,
		"the table of '%s' has no room for another partition: it has as many "
		"as a table of the format '%s' can have",
		p->path, t->label);
}

/* Its name says what kind it is of; the format may say that it is the extended one. */
static int kind_of(const struct disk_pool *p, const struct disk_table *t,
		   const char *name, const char *format, unsigned *number,
		   enum disk_kind *kind, struct error *err)
{
	*number = disk_number(p->disk.prefix, name);
	if (!*number)
		return wrong_name(p, t, name, err);
	if (disk_table_find(t, *number))
		return error_set(err, EEXIST, "there is a partition '%s' already", name);
	*kind = !strcmp(format, "extended") ? DISK_EXTENDED : DISK_PRIMARY;
	if (*number == t->next)
		return 0;
	if (*number != t->next_logical || *kind == DISK_EXTENDED)
		return wrong_name(p, t, name, err);
	*kind = DISK_LOGICAL;
	return 0;
}

static int lay_luks(struct disk_pool *p, unsigned number, const struct block_luks *luks,
		    struct call *call, struct error *err)
{
	AUTO_FREE char *node = NULL;
	struct kernel_part part;
	int r;

	if (kernel_find_number(&p->disk, number, &part) < 0)
		return error_set(err, ENODEV,
				 "the kernel does not know partition %u of '%s' to "
				 "encrypt",
				 number, p->path);
	r = block_device_path(part.device, &node, err);
	return r < 0 ? r : block_luks_make(luks, node, call, err);
}

/* One that cannot be encrypted is not left as one that is not. */
static int encrypt(struct disk_pool *p, unsigned number, const struct block_luks *luks,
		   struct call *call, struct error *err)
{
	struct error ignored;
	char number_[16];
	int r = luks->options.len ? lay_luks(p, number, luks, call, err) : 0;

	if (r == 0)
		return 0;
	snprintf(number_, sizeof(number_), "%u", number);

	const char *const remove[] = { "remove", number_, NULL };

	disk_change(p, number, remove, call, &ignored);
	return r;
}

static int plan_volume(struct disk_pool *p, const char *name, const char *format,
		       const struct volume_spec *spec, struct block_luks *luks,
		       uint64_t *size, struct error *err)
{
	int r;

	if (spec->backing.path)
		return error_set(err, EOPNOTSUPP,
				 "partition '%s' cannot have a backing store", name);
	if (spec->encryption.format && !strcmp(format, "extended"))
		return error_set(err, EINVAL,
				 "partition '%s' holds the tables of the logical ones, "
				 "which cannot be encrypted",
				 name);
	r = block_luks_plan(&p->host, spec, luks, err);
	/* of no bytes is as small as it can be */
	return r < 0 ? r
		     : block_luks_room(luks, spec->has_capacity ? spec->capacity : 0,
				       size, err);
}

int disk_vol_create(void *pool, const char *name, const struct volume_spec *spec,
		    struct call *call, struct error *err)
{
	struct disk_pool *p = pool;
	AUTO_TABLE struct disk_table table = { 0 };
	AUTO_BLOCK_LUKS struct block_luks luks = { 0 };
	const char *format = spec->format ? spec->format : "none";
	char number_[16], size_[32];
	uint64_t size = 0;
	enum disk_kind kind = DISK_PRIMARY;
	struct kernel_part part;
	unsigned number = 0;
	int r = plan_volume(p, name, format, spec, &luks, &size, err);

	if (r == 0)
		r = disk_get(p, call, &table, err);
	if (r == 0)
		r = kind_of(p, &table, name, format, &number, &kind, err);
	if (r < 0)
		return r;
	snprintf(number_, sizeof(number_), "%u", number);
	snprintf(size_, sizeof(size_), "%" PRIu64, size);

	const char *const create[] = { "create", number_, disk_kind_name(kind),
				       format,	 size_,	  NULL };

	r = disk_change(p, number, create, call, err);
	if (r == 0 && kernel_find_number(&p->disk, number, &part) == 0)
		block_settle(part.device, call->deadline_ns);
	return r < 0 ? r : encrypt(p, number, &luks, call, err);
}

/* -- changing -- */

static const struct disk_part *part_in(const struct disk_table *t,
				       const struct kernel_part *part)
{
	return disk_table_find(t, part->number);
}

/* Alone, until it is closed: nobody begins to use what is cut off. */
static int claim(const char *node, int *fd, struct error *err)
{
	int r = block_check_unused(node, err);

	if (r < 0)
		return r;
	*fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC);
	return *fd < 0 ? error_errno(err, "cannot have '%s' alone", node) : 0;
}

/* Partitions end at whole MiB: see tool_place.c. */
uint64_t disk_vol_unit(void *pool)
{
	return UINT64_C(1) << 20;
}

int disk_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		    struct call *call, struct error *err)
{
	struct disk_pool *p = pool;
	AUTO_TABLE struct disk_table table = { 0 };
	AUTO_FREE char *node = NULL;
	AUTO_FD int fd = -1;
	struct kernel_part part;
	const struct disk_part *found;
	char number[16], size_[32];
	int r = find(p, name, call, &part, &node, err);

	if (r == 0)
		r = disk_get(p, call, &table, err);
	if (r < 0)
		return r;
	found = part_in(&table, &part);
	if (found && found->kind != DISK_EXTENDED && flags & RESIZE_SHRINK)
		r = claim(node, &fd, err);
	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "%u", part.number);
	snprintf(size_, sizeof(size_), "%" PRIu64, size);

	const char *const resize[] = { flags & RESIZE_SHRINK ? "shrink" : "grow", number,
				       size_, NULL };

	return disk_change(p, part.number, resize, call, err);
}

static int is_extended(struct disk_pool *p, const struct kernel_part *part,
		       struct call *call, bool *extended, struct error *err)
{
	AUTO_TABLE struct disk_table table = { 0 };
	const struct disk_part *found;
	int r = disk_get(p, call, &table, err);

	if (r < 0)
		return r;
	found = part_in(&table, part);
	*extended = found && found->kind == DISK_EXTENDED;
	return 0;
}

/* What is in an extended partition are the tables of the logical ones. */
static int refuse_extended(struct disk_pool *p, const struct kernel_part *part,
			   const char *what, struct call *call, struct error *err)
{
	bool extended = false;
	int r = is_extended(p, part, call, &extended, err);

	if (r < 0 || !extended)
		return r;
	return error_set(
		err, EPERM,
		"partition '%s' is not %s: it is the extended one, which holds the "
		"tables of the logical ones",
		part->name, what);
}

int disk_vol_delete(void *pool, const char *name, struct call *call, struct error *err)
{
	struct disk_pool *p = pool;
	AUTO_FREE char *node = NULL;
	struct kernel_part part;
	char number[16];
	bool extended = false;
	int r = find(p, name, call, &part, &node, err);

	if (r == 0)
		r = is_extended(p, &part, call, &extended, err);
	if (r == 0 && !extended)
		r = block_check_unused(node, err);
	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "%u", part.number);

	const char *const remove[] = { "remove", number, NULL };

	return disk_change(p, part.number, remove, call, err);
}

int disk_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		  struct error *err)
{
	AUTO_FREE char *node = NULL;
	struct kernel_part part;
	int r = find(pool, name, call, &part, &node, err);

	if (r == 0)
		r = refuse_extended(pool, &part, "wiped", call, err);
	return r < 0 ? r : block_wipe(node, algorithm, call, err);
}

/* -- open ones -- */

int disk_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *out, struct call *call, struct error *err)
{
	AUTO_FREE char *node = NULL;
	struct kernel_part part;
	int r = find(pool, name, call, &part, &node, err);

	if (r == 0 && (flags & O_ACCMODE) != O_RDONLY)
		r = refuse_extended(pool, &part, "written", call, err);
	return r < 0 ? r : block_open(node, flags, out, err);
}

void disk_vol_close(void *pool, struct vol_file *f)
{
	block_close(f);
}

int disk_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		   struct call *call, struct error *err)
{
	return block_fstat(f, out, err);
}
