/* Snapshots inside qcow2 images: listed natively, changed by qemu-img. */
#include "backends/common/file_volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backends/common/file_image.h"
#include "backends/common/file_pool.h"
#include "backends/common/qcow2_snapshots.h"

static int read_table(struct file_pool *fp, const char *name, struct qcow2_snapshots *out,
		      struct error *err)
{
	struct stat st;
	AUTO_FD int fd = file_open(fp, name, O_RDONLY | O_NOATIME, &st, err);

	return fd < 0 ? fd : qcow2_snapshots_read(fd, st.st_size, out, err);
}

static const struct qcow2_snapshot *find(const struct qcow2_snapshots *s,
					 const char *label)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->table[i].label && !strcmp(s->table[i].label, label))
			return &s->table[i];
	return NULL;
}

static int no_snapshot(const char *name, const char *snap, struct error *err)
{
	return error_set(err, ENOENT, "volume '%s' has no snapshot '%s'", name, snap);
}

/* Other volumes have none, which is a whole list. */
int file_snap_list(void *pool, const char *name, vol_each each, void *arg,
		   struct call *call, struct error *err)
{
	AUTO_SNAPSHOTS struct qcow2_snapshots s = { 0 };
	int r = read_table(pool, name, &s, err);

	if (r == -EOPNOTSUPP)
		return 0;
	for (size_t i = 0; r == 0 && i < s.n; i++) {
		if (!s.table[i].label)
			return error_set(
				err, EIO,
				"a snapshot of volume '%s' has neither a name nor an id "
				"that could be a file name: qemu-img snapshot -l shows "
				"it",
				name);
		r = each(arg, s.table[i].label);
	}
	return r;
}

int file_snap_stat(void *pool, const char *name, const char *snap, struct vol_stat *out,
		   struct call *call, struct error *err)
{
	AUTO_SNAPSHOTS struct qcow2_snapshots s = { 0 };
	const struct qcow2_snapshot *found;
	int r = read_table(pool, name, &s, err);

	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	found = find(&s, snap);
	if (!found)
		return no_snapshot(name, snap, err);
	*out = (struct vol_stat){
		.size = found->size,
		.has_times = true,
		.atime = found->time,
		.mtime = found->time,
		.ctime = found->time,
	};
	return 0;
}

/* An image that can have snapshots, and the table of those it has. */
static int open_image(struct file_pool *fp, const char *name, struct file_image *image,
		      struct qcow2_snapshots *s, struct error *err)
{
	int r = file_image_open(fp, name, image, err);

	if (r < 0)
		return r;
	if (strcmp(image->info.format, "qcow2"))
		return error_set(err, EOPNOTSUPP,
				 "only qcow2 images have snapshots: volume '%s' is %s",
				 name, image->info.format);
	return qcow2_snapshots_read(image->fds[0], image->size, s, err);
}

static int run_snapshot(struct file_pool *fp, const char *name, struct file_image *image,
			const char *option, const char *snap, struct call *call,
			struct error *err)
{
	const char *command[] = { "snapshot", "-q", option, snap, NULL };

	return file_image_run(fp, name, image, command, NULL, call, err);
}

int file_snap_create(void *pool, const char *name, const char *snap, struct call *call,
		     struct error *err)
{
	AUTO_FILE_IMAGE struct file_image image = { 0 };
	AUTO_SNAPSHOTS struct qcow2_snapshots s = { 0 };
	int r = open_image(pool, name, &image, &s, err);

	if (r == 0)
		r = file_check_name(snap, err);
	if (r < 0)
		return r;
	/* qemu-img would make a second one of the name */
	if (find(&s, snap))
		return error_set(err, EEXIST, "volume '%s' has a snapshot '%s' already",
				 name, snap);
	return run_snapshot(pool, name, &image, "-c", snap, call, err);
}

/* Whether an earlier one has the name too: qemu-img would take that one. */
static bool is_shadowed(const struct qcow2_snapshots *s,
			const struct qcow2_snapshot *which)
{
	for (const struct qcow2_snapshot *other = s->table; other < which; other++)
		if (!strcmp(other->name, which->name))
			return true;
	return false;
}

/* As open_image, and the snapshot itself, which points into the table. */
static int open_snapshot(struct file_pool *fp, const char *name, const char *snap,
			 struct file_image *image, struct qcow2_snapshots *s,
			 const struct qcow2_snapshot **found, struct error *err)
{
	int r = open_image(fp, name, image, s, err);

	if (r < 0)
		return r;
	*found = find(s, snap);
	return *found ? 0 : no_snapshot(name, snap, err);
}

int file_snap_delete(void *pool, const char *name, const char *snap, struct call *call,
		     struct error *err)
{
	AUTO_FILE_IMAGE struct file_image image = { 0 };
	AUTO_SNAPSHOTS struct qcow2_snapshots s = { 0 };
	const struct qcow2_snapshot *found;
	int r = open_snapshot(pool, name, snap, &image, &s, &found, err);

	if (r < 0)
		return r;
	if (is_shadowed(&s, found))
		return error_set(err, EOPNOTSUPP,
				 "another snapshot of volume '%s' has the name of '%s': "
				 "delete that one first",
				 name, snap);
	return run_snapshot(pool, name, &image, "-d", found->name, call, err);
}

/* By its id, which qemu-img tries before names: a name may be the id of another one. */
int file_snap_revert(void *pool, const char *name, const char *snap, struct call *call,
		     struct error *err)
{
	AUTO_FILE_IMAGE struct file_image image = { 0 };
	AUTO_SNAPSHOTS struct qcow2_snapshots s = { 0 };
	const struct qcow2_snapshot *found;
	int r = open_snapshot(pool, name, snap, &image, &s, &found, err);

	return r < 0 ? r : run_snapshot(pool, name, &image, "-a", found->id, call, err);
}
