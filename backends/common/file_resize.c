/* Resizing a file or the disk inside it, and making an image independent of what is
 * below. */
#include <stdio.h>

#include "backends/common/file_image.h"
#include "backends/common/file_volumes.h"
#include "backends/common/qemu_img.h"

static int resize_file(struct file_pool *fp, const char *name, uint64_t size,
		       struct error *err)
{
	char path[FD_PATH_MAX];
	struct stat st;
	AUTO_FD int fd = file_locate(fp, name, &st, err);

	if (fd < 0)
		return fd;
	if (truncate(fd_path(fd, path), size) < 0)
		return file_fail(fp, "resize", name, err);
	return 0;
}

static int resize_image(struct file_pool *fp, const char *name, struct file_image *image,
			uint64_t size, unsigned flags, struct call *call,
			struct error *err)
{
	char bytes[24];
	const char *argv[8] = { "qemu-img", "resize", "-q" };
	int n = 3, r = file_image_open_chain(fp, image, call, err);

	if (r == 0)
		r = file_image_name(fp, name, image, err);
	if (r < 0)
		return r;
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)size);
	if (flags & RESIZE_SHRINK)
		argv[n++] = "--shrink";
	if (image->info.encrypted) {
		argv[n++] = "--object";
		argv[n++] = QEMU_SECRET_OBJECT;
	}
	argv[n++] = image->name.data;
	argv[n++] = bytes;
	return file_image_run(image, argv, call, err);
}

int file_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		    struct call *call, struct error *err)
{
	AUTO_FILE_IMAGE struct file_image image = { 0 };
	struct error why = { 0 };
	int r;

	if (!(flags & RESIZE_VIRTUAL))
		return resize_file(pool, name, size, err);
	r = file_image_open(pool, name, &image, &why);
	if (r == 0 && file_image_is_bytes(image.info.format))
		return resize_file(pool, name, size, err);
	if (r == 0)
		r = resize_image(pool, name, &image, size, flags, call, &why);
	if (r < 0)
		error_prefix(&why, "cannot resize volume '%s'", name);
	return r < 0 ? error_copy(err, &why) : 0;
}

static int flatten(struct file_pool *fp, const char *name, struct file_image *image,
		   struct call *call, struct error *err)
{
	const char *argv[10] = { "qemu-img", "rebase", "-q", "-b", "" };
	int n = 5, r = file_image_open_chain(fp, image, call, err);

	if (r == 0)
		r = file_image_name(fp, name, image, err);
	if (r < 0)
		return r;
	if (image->info.encrypted) {
		argv[n++] = "--object";
		argv[n++] = QEMU_SECRET_OBJECT;
	}
	argv[n++] = image->name.data;
	return file_image_run(image, argv, call, err);
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
