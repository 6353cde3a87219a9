/*
 * An image and all that is below it, as qemu-img is to see them.
 *
 * A header may have been written by a guest. So qemu-img is told every file: the image
 * and what is below it by descriptors that we opened (with the caller's rights), and no
 * other one by name.
 */
#include "backends/common/file_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/backing.h"
#include "backends/common/qemu_img.h"

/* One image of a chain. */
struct layer {
	int fd;
	bool device;
	const char *driver;
};

bool file_image_is_bytes(const char *format)
{
	return !strcmp(format, "raw") || !strcmp(format, "iso") || !strcmp(format, "fat");
}

int file_image_open(struct file_pool *fp, const char *name, struct file_image *out,
		    struct error *err)
{
	struct stat st;
	int r;

	out->n = 0;
	out->fds[0] = file_open(fp, name, O_RDONLY | O_NOATIME, &st, err);
	if (out->fds[0] < 0)
		return out->fds[0];
	out->fds[++out->n] = -1;
	out->size = st.st_size;
	r = image_probe(out->fds[0], out->size, &out->info, err);
	if (r < 0)
		return r;
	out->driver = qemu_driver(out->info.format);
	if (!out->driver)
		return error_set(err, EOPNOTSUPP,
				 "images of format '%s' cannot be changed",
				 out->info.format);
	if (out->info.data_file)
		return error_set(err, EOPNOTSUPP,
				 "the image keeps its data in another file, '%s': use "
				 "qemu-img where you trust it",
				 out->info.data_file);
	return 0;
}

void file_image_close(struct file_image *image)
{
	for (size_t i = 0; i < image->n; i++)
		close(image->fds[i]);
	image->n = 0;
	image_info_clear(&image->info);
	buf_free(&image->name);
	buf_wipe(&image->secret);
}

static int layer_open(struct buf *json, int fd, const char *driver, bool device)
{
	return buf_printf(json,
			  "{\"driver\":\"%s\",\"file\":{\"driver\":\"%s\",\"filename\":"
			  "\"/proc/self/fd/%d\"}",
			  driver, device ? "host_device" : "file", fd);
}

/* The secret that libvirt's users give the usage of the volume's path. */
static int read_secret(struct file_pool *fp, const char *volume, struct file_image *image,
		       struct error *err)
{
	AUTO_FREE char *path = NULL;
	struct secret_ref ref = { 0 };
	int r;

	if (!fp->host || !fp->host->secret)
		return error_set(err, ENOENT,
				 "the image is encrypted and there are no secrets");
	if (asprintf(&path, "%s/%s", fp->target, volume) < 0)
		return error_code(err, ENOMEM, "cannot read the image's secret");
	ref.usage = path;
	r = fp->host->secret(fp->host->ctx, &ref, &image->secret, err);
	if (r == -ENOENT)
		return error_set(err, ENOENT,
				 "the image is encrypted: write its secret to secrets/ "
				 "under the name '%s' (with / as %%2F)",
				 path);
	return r;
}

/* Writes the json name; reads the secret of an encrypted image. */
static int write_name(struct file_pool *fp, const char *volume, struct file_image *image,
		      struct error *err)
{
	struct buf json = { 0 };
	bool luks = !strcmp(image->driver, "luks");
	int r = image->info.encrypted ? read_secret(fp, volume, image, err) : 0;

	if (r < 0)
		return r;
	/* the chain below was written first: it goes last */
	json = image->name;
	image->name = (struct buf){ 0 };
	r = buf_puts(&image->name, "json:");
	if (r == 0)
		r = layer_open(&image->name, image->fds[0], image->driver, false);
	if (r == 0 && luks)
		r = buf_puts(&image->name, ",\"key-secret\":\"" QEMU_SECRET "\"");
	else if (r == 0 && image->info.encrypted)
		r = buf_printf(
			&image->name,
			",\"encrypt\":{\"format\":\"%s\",\"key-secret\":\"" QEMU_SECRET
			"\"}",
			image->info.encryption ? image->info.encryption : "aes");
	if (r == 0 && json.len)
		r = buf_printf(&image->name, ",\"backing\":%s}", json.data);
	else if (r == 0)
		r = buf_puts(&image->name,
			     image->info.backing ? ",\"backing\":null}" : "}");
	buf_free(&json);
	return r < 0 ? error_code(err, -r, "cannot name the image for qemu-img") : 0;
}

/* Directory part of an absolute path; owned by the caller. */
static char *dir_of(const char *path)
{
	return strndup(path, strrchr(path, '/') - path);
}

/* Opens the image below, and says what is below that one. */
static int open_below(const char *path, const char *format, struct call *call,
		      struct layer *out, struct image_info *info, struct error *err)
{
	AUTO_FD int fd = -1;
	struct stat st;
	off_t size;
	int r;

	fd = backing_open(path, call, &st, err);
	if (fd < 0)
		return fd;
	out->device = S_ISBLK(st.st_mode);
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return error_errno(err, "cannot read the size of the backing image '%s'",
				   path);
	if (!format || !file_image_is_bytes(format)) {
		r = image_probe(fd, size, info, err);
		if (r < 0)
			return r;
	}
	/* what the image above says of it is believed before what it says of itself */
	if (format && info->format && strcmp(format, info->format))
		return error_set(err, EINVAL,
				 "the backing image '%s' is of format '%s', not '%s'",
				 path, info->format, format);
	out->driver = qemu_driver(info->format ? info->format : "raw");
	if (!out->driver || info->data_file || info->encrypted)
		return error_set(err, EOPNOTSUPP,
				 "the backing image '%s' is encrypted, keeps its data "
				 "elsewhere or is of a format that qemu-img does not "
				 "read: use qemu-img yourself",
				 path);
	out->fd = take_fd(&fd);
	return 0;
}

static int add_layer(struct file_image *image, const struct layer *l, struct error *err)
{
	int r = 0;

	if (image->n == CHAIN_MAX) {
		close(l->fd);
		return error_set(err, ELOOP,
				 "more than %d images are below one another, or they "
				 "form a loop",
				 CHAIN_MAX);
	}
	image->fds[image->n++] = l->fd;
	image->fds[image->n] = -1;
	if (image->n > 2)
		r = buf_puts(&image->name, ",\"backing\":");
	if (r == 0)
		r = layer_open(&image->name, l->fd, l->driver, l->device);
	return r < 0 ? error_code(err, -r, "cannot name a backing image for qemu-img")
		     : 0;
}

static int walk(struct file_image *image, char **dir, char **below, char **format,
		struct call *call, struct error *err)
{
	AUTO_FREE char *path = NULL;
	struct image_info info = { 0 };
	struct layer l = { .fd = -1 };
	int r = backing_path(*dir, *below, &path, err);

	if (r == 0)
		r = open_below(path, *format, call, &l, &info, err);
	if (r == 0)
		r = add_layer(image, &l, err);
	free(*dir);
	free(*below);
	free(*format);
	*dir = r == 0 ? dir_of(path) : NULL;
	*below = take(info.backing);
	*format = take(info.backing_format);
	image_info_clear(&info);
	if (r == 0 && !*dir)
		r = error_code(err, ENOMEM, "cannot open a backing image");
	return r;
}

int file_image_open_chain(struct file_pool *fp, struct file_image *image,
			  struct call *call, struct error *err)
{
	AUTO_FREE char *dir = strdup(fp->target);
	AUTO_FREE char *below = NULL;
	AUTO_FREE char *format = NULL;
	int r = 0;

	if (!image->info.backing)
		return 0;
	below = strdup(image->info.backing);
	if (image->info.backing_format)
		format = strdup(image->info.backing_format);
	if (!dir || !below)
		return error_code(err, ENOMEM, "cannot open a backing image");
	while (r == 0 && below)
		r = walk(image, &dir, &below, &format, call, err);
	for (size_t i = 2; r == 0 && i < image->n; i++)
		r = buf_putc(&image->name, '}');
	if (r == 0)
		r = buf_putc(&image->name, '}');
	return r;
}

int file_image_run(struct file_pool *fp, const char *volume, struct file_image *image,
		   const char *const *command, const char *last, struct call *call,
		   struct error *err)
{
	const char *argv[FILE_IMAGE_ARGV + 6] = { "qemu-img" };
	bool encrypted = image->info.encrypted;
	int n = 1, r = write_name(fp, volume, image, err);

	for (; r == 0 && *command; command++) {
		if (n > FILE_IMAGE_ARGV)
			return error_set(err, E2BIG, "a command has too many words");
		argv[n++] = *command;
	}
	if (r < 0)
		return r;
	if (encrypted) {
		argv[n++] = "--object";
		argv[n++] = QEMU_SECRET_OBJECT;
	}
	argv[n++] = image->name.data;
	argv[n++] = last;
	r = qemu_img(argv, image->fds, encrypted ? &image->secret : NULL, call, err);
	/* qemu-img names a descriptor of its own */
	return r == -EBUSY ? error_set(err, EBUSY,
				       "volume '%s', or an image below it, is locked by "
				       "another process, such as a guest that runs on it: "
				       "end that first, or change it there",
				       volume) :
			     r;
}
