/* Resizing a file or the disk inside it, and making an image independent of what is
 * below. */
#include <stdio.h>

#include "backends/common/file_image.h"
#include "backends/common/file_volumes.h"

#define SECTOR 512

static int resize_file(struct file_pool *fp, const char *name, uint64_t size,
		       const struct call *call, struct error *err)
{
	char path[FD_PATH_MAX];
	struct stat st;
	AUTO_FD int fd = file_locate(fp, name, &st, err);
	int r = fd < 0 ? fd : file_check_meant(&st, call, name, err);

	if (r < 0)
		return r;
	if (truncate(fd_path(fd, path), size) < 0)
		return file_fail(fp, "resize", name, err);
	return 0;
}

/* qemu-img rounds up the size of an image that it makes, not of one that it resizes. */
static int resize_image(struct file_pool *fp, const char *name, struct file_image *image,
			uint64_t size, unsigned flags, struct call *call,
			struct error *err)
{
	const char *command[] = { "resize", "-q",
				  flags & RESIZE_SHRINK ? "--shrink" : NULL, NULL };
	unsigned long long whole = (size + SECTOR - 1) / SECTOR * SECTOR;
	char bytes[24];
	int r = file_image_open_chain(fp, image, call, err);

	snprintf(bytes, sizeof(bytes), "%llu", whole);
	return r < 0 ? r : file_image_run(fp, name, image, command, bytes, call, err);
}

int file_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		    struct call *call, struct error *err)
{
	AUTO_FILE_IMAGE struct file_image image = { 0 };
	struct error why = { 0 };
	int r;

	if (!(flags & RESIZE_VIRTUAL))
		return resize_file(pool, name, size, call, err);
	r = file_image_open(pool, name, &image, &why);
	if (r == 0 && file_image_is_bytes(image.info.format))
		return resize_file(pool, name, size, call, err);
	if (r == 0)
		r = resize_image(pool, name, &image, size, flags, call, &why);
	if (r < 0)
		error_prefix(&why, "cannot resize volume '%s'", name);
	return r < 0 ? error_copy(err, &why) : 0;
}

static int flatten(struct file_pool *fp, const char *name, struct file_image *image,
		   struct call *call, struct error *err)
{
	static const char *const command[] = { "rebase", "-q", "-b", "", NULL };
	int r = file_image_open_chain(fp, image, call, err);

	return r < 0 ? r : file_image_run(fp, name, image, command, NULL, call, err);
}

int file_vol_flatten(void *pool, const char *name, struct call *call, struct error *err)
{
	AUTO_FILE_IMAGE struct file_image image = { 0 };
	struct error why = { 0 };
	int r = file_image_open(pool, name, &image, &why);

	if (r == 0 && image.info.backing)
		r = flatten(pool, name, &image, call, &why);
	if (r < 0)
		error_prefix(&why, "cannot make volume '%s' independent", name);
	return r < 0 ? error_copy(err, &why) : 0;
}
