/* The description of a volume that is a file, as libvirt's vol-dumpxml has it. */
#include "backends/common/file_volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/file_pool.h"
#include "backends/common/image_format.h"

/* libvirt prints no birth time on Linux: btime stays 0. */
static int describe_file(struct file_pool *fp, const char *name, int fd,
			 const struct stat *st, struct volume_spec *out)
{
	if (asprintf(&out->path, "%s/%s", fp->target, name) < 0) {
		out->path = NULL;
		return -ENOMEM;
	}
	out->type = strdup("file");
	out->key = strdup(out->path);
	out->has_allocation = true;
	out->allocation = (uint64_t)st->st_blocks * 512;
	out->physical = st->st_size;
	out->has_times = true;
	out->atime = st->st_atim;
	out->mtime = st->st_mtim;
	out->ctime = st->st_ctim;
	file_permissions(fd, st, &out->permissions);
	return out->type && out->key ? 0 : -ENOMEM;
}

/* The backing path below the pool's own directory, or NULL. */
static const char *inside(struct file_pool *fp, const char *path)
{
	size_t len = strlen(fp->target);

	if (strncmp(path, fp->target, len) || path[len] != '/')
		return NULL;
	path += len;
	while (*path == '/')
		path++;
	return strchr(path, '/') ? NULL : path;
}

/*
 * A header without it makes libvirt guess; we look where no other source can hold us up.
 */
static void describe_neighbour(struct file_pool *fp, const char *name,
			       struct volume_backing *b)
{
	struct image_info info = { 0 };
	struct stat st;
	AUTO_FD int fd = file_open(fp, name, O_RDONLY | O_NOATIME, &st, NULL);

	if (fd < 0)
		return;
	permissions_clear(&b->permissions);
	file_permissions(fd, &st, &b->permissions);
	if (!b->format && image_probe(fd, st.st_size, &info, NULL) == 0)
		b->format = strdup(info.format);
	image_info_clear(&info);
}

/* libvirt gives the whole path. What is elsewhere is not even looked at: it may hang. */
static int describe_backing(struct file_pool *fp, struct volume_backing *b)
{
	const char *name;
	char *whole;

	if (!b->path)
		return 0;
	if (b->path[0] != '/' && b->path[strcspn(b->path, ":/")] != ':') {
		if (asprintf(&whole, "%s/%s", fp->target, b->path) < 0)
			return -ENOMEM;
		free(b->path);
		b->path = whole;
	}
	name = inside(fp, b->path);
	if (name && *name)
		describe_neighbour(fp, name, b);
	return 0;
}

static int describe_image(struct file_pool *fp, int fd, uint64_t size,
			  struct volume_spec *out, struct error *err)
{
	struct image_info info = { 0 };
	int r = image_probe(fd, size, &info, err);

	/* a damaged image is described as far as it goes */
	if (r == -EINVAL)
		r = 0;
	if (r < 0) {
		image_info_clear(&info);
		return r;
	}
	out->has_capacity = true;
	out->capacity = info.capacity;
	r = image_describe(&info, out);
	image_info_clear(&info);
	if (r == 0)
		r = describe_backing(fp, &out->backing);
	return r < 0 ? error_code(err, -r, "cannot describe the volume") : 0;
}

int file_vol_describe(void *pool, const char *name, struct volume_spec *out,
		      struct call *call, struct error *err)
{
	struct file_pool *fp = pool;
	struct stat st;
	AUTO_FD int fd = file_open(fp, name, O_RDONLY | O_NOATIME, &st, err);

	if (fd < 0)
		return fd;
	if (describe_file(fp, name, fd, &st, out) < 0)
		return error_code(err, ENOMEM, "cannot describe volume '%s'", name);
	return describe_image(fp, fd, st.st_size, out, err);
}
