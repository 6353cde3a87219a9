/* Making image files with qemu-img, from what a description says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/backing.h"
#include "backends/common/file_create.h"
#include "backends/common/file_stage.h"
#include "backends/common/image_format.h"
#include "backends/common/luks.h"
#include "backends/common/qemu_img.h"

#define ARGS_MAX 24

/* One qemu-img create. */
struct creation {
	const char *driver;		      /* the format's name to qemu-img */
	const char *backing, *backing_driver; /* NULL: none */
	char *backing_owned;
	uint64_t capacity;
	struct buf options, secret;
	bool encrypted;
};

static void creation_clear(struct creation *c)
{
	free(c->backing_owned);
	buf_free(&c->options);
	buf_wipe(&c->secret);
}

static const char *const creatable[] = {
	"raw", "qcow2", "qcow", "qed", "vmdk", "vpc", "vdi", "vhdx", "parallels", "luks",
};

static int check_format(const char *format, const struct volume_spec *spec,
			struct error *err)
{
	bool only_qcow2 = spec->compat || spec->has_features || spec->cluster_size;
	bool known = false;

	for (size_t i = 0; i < sizeof(creatable) / sizeof(*creatable); i++)
		known = known || !strcmp(format, creatable[i]);
	if (!known)
		return error_set(err, EOPNOTSUPP,
				 "images of format '%s' can be used but not made: make "
				 "a raw, qcow2, qcow, qed, vmdk, vpc, vdi, vhdx, "
				 "parallels or luks one",
				 format);
	if (only_qcow2 && strcmp(format, "qcow2") && strcmp(format, "raw"))
		return error_set(err, EINVAL,
				 "compat, features and clusterSize are for qcow2 images "
				 "only, not for '%s'",
				 format);
	if (spec->compat && strcmp(spec->compat, "0.10") && strcmp(spec->compat, "1.1"))
		return error_set(err, EINVAL,
				 "compat of a qcow2 image is 0.10 or 1.1, not '%s'",
				 spec->compat);
	if (spec->features && spec->compat && !strcmp(spec->compat, "0.10"))
		return error_set(err, EINVAL,
				 "features of a qcow2 image need compat 1.1");
	return 0;
}

static int add_encryption(struct file_pool *fp, struct creation *c,
			  const struct volume_spec *spec, struct error *err)
{
	const struct volume_encryption *e = &spec->encryption;
	bool qcow2 = !strcmp(c->driver, "qcow2");
	int r;

	if (!qcow2 && strcmp(c->driver, "raw") && strcmp(c->driver, "luks"))
		return error_set(err, EOPNOTSUPP,
				 "luks encryption is for raw and qcow2 volumes, not for "
				 "'%s'",
				 c->driver);
	if (!qcow2)
		c->driver = "luks";
	else if (qemu_option(&c->options, "encrypt.format", "luks") < 0)
		return error_code(err, ENOMEM, "cannot encrypt");
	r = luks_plan(fp->host, e, qcow2 ? "encrypt." : "", &c->options, &c->secret, err);
	if (r < 0)
		return r;
	c->encrypted = true;
	return 0;
}

static int add_options(struct creation *c, const struct volume_spec *spec,
		       struct error *err)
{
	bool qcow2 = !strcmp(c->driver, "qcow2");
	const char *compat = spec->compat;
	char size[24];
	int r = 0;

	if (!compat && spec->has_features)
		compat = "1.1";
	snprintf(size, sizeof(size), "%llu", (unsigned long long)spec->cluster_size);
	if (qcow2 && compat)
		r = qemu_option(&c->options, "compat", compat);
	if (r == 0 && qcow2 && (spec->features & FEATURE_LAZY_REFCOUNTS))
		r = qemu_option(&c->options, "lazy_refcounts", "on");
	if (r == 0 && qcow2 && (spec->features & FEATURE_EXTENDED_L2))
		r = qemu_option(&c->options, "extended_l2", "on");
	if (r == 0 && qcow2 && spec->cluster_size)
		r = qemu_option(&c->options, "cluster_size", size);
	if (r == 0 && spec->nocow)
		r = qemu_option(&c->options, "nocow", "on");
	return r < 0 ? error_code(err, -r, "cannot make an image") : 0;
}

/*
 * Where the description does not say what is below, its header does; but a guest may have
 * written that one, so it is believed only as long as it names no other file.
 */
static int choose_driver(struct creation *c, const struct volume_backing *b,
			 const struct image_info *below, struct error *err)
{
	const char *format = b->format ? b->format : below->format;

	if (!b->format && (below->backing || below->data_file))
		return error_set(err, EINVAL,
				 "the backing image '%s' looks like %s upon another "
				 "file: say so in an xml, "
				 "<backingStore><path>…</path><format type='%s'/>",
				 b->path, format, format);
	c->backing_driver = qemu_driver(format);
	if (!c->backing_driver)
		return error_set(err, EOPNOTSUPP,
				 "a backing image of format '%s' cannot be used", format);
	return 0;
}

/* The format of what is below, and the size, where the description does not give them. */
static int look_below(int fd, struct creation *c, const struct volume_spec *spec,
		      struct error *err)
{
	struct image_info info = { 0 };
	off_t end = lseek(fd, 0, SEEK_END);
	int r;

	if (end < 0)
		return error_errno(err, "cannot read the size of the backing image");
	r = image_probe(fd, end, &info, err);
	/* a damaged header is none of raw bytes' business */
	if (r == -EINVAL && spec->backing.format && !strcmp(spec->backing.format, "raw"))
		r = 0;
	if (r == 0)
		r = choose_driver(c, &spec->backing, &info, err);
	if (r == 0 && !spec->has_capacity)
		c->capacity =
			strcmp(c->backing_driver, "raw") ? info.capacity : (uint64_t)end;
	image_info_clear(&info);
	return r;
}

/*
 * qemu-img must not look for a relative path itself: it would look below the hidden
 * directory. vmdk has to read its parent's id, so it gets the whole path.
 */
static int add_backing(struct file_pool *fp, struct creation *c,
		       const struct volume_spec *spec, struct call *call,
		       struct error *err)
{
	AUTO_FREE char *whole = NULL;
	struct stat st;
	int r;

	if (strcmp(c->driver, "qcow2") && strcmp(c->driver, "qed") &&
	    strcmp(c->driver, "vmdk") && strcmp(c->driver, "qcow"))
		return error_set(err, EINVAL,
				 "a volume of format '%s' cannot have a backing image",
				 c->driver);
	r = backing_path(fp->target, spec->backing.path, &whole, err);
	if (r < 0)
		return r;

	AUTO_FD int fd = backing_open(whole, call, &st, err);

	if (fd < 0)
		return fd;
	r = look_below(fd, c, spec, err);
	c->backing = spec->backing.path;
	if (!strcmp(c->driver, "vmdk"))
		c->backing = c->backing_owned = take(whole);
	return r;
}

static int run_create(const struct creation *c, const struct stage *stage,
		      struct call *call, struct error *err)
{
	const char *argv[ARGS_MAX] = { "qemu-img", "create", "-q", "-f", c->driver };
	int n = 5, fds[] = { stage->dir, -1 };
	char path[FD_PATH_MAX], file[FD_PATH_MAX + sizeof(stage->file)], size[24];

	if (c->backing) {
		argv[n++] = "-u";
		argv[n++] = "-b";
		argv[n++] = c->backing;
		argv[n++] = "-F";
		argv[n++] = c->backing_driver;
	}
	if (c->encrypted) {
		argv[n++] = "--object";
		argv[n++] = QEMU_SECRET_OBJECT;
	}
	if (c->options.len) {
		argv[n++] = "-o";
		argv[n++] = c->options.data;
	}
	snprintf(file, sizeof(file), "%s/%s", fd_path(stage->dir, path), stage->file);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)c->capacity);
	argv[n++] = file;
	argv[n++] = size;
	argv[n] = NULL;
	return luks_qemu_img(argv, fds, c->encrypted ? &c->secret : NULL, call, err);
}

static int prepare(struct file_pool *fp, const char *format,
		   const struct volume_spec *spec, struct creation *c, struct call *call,
		   struct error *err)
{
	int r = check_format(format, spec, err);

	c->driver = format;
	c->capacity = spec->has_capacity ? spec->capacity : 0;
	if (r == 0)
		r = add_options(c, spec, err);
	if (r == 0 && spec->backing.path)
		r = add_backing(fp, c, spec, call, err);
	if (r == 0 && spec->encryption.format)
		r = add_encryption(fp, c, spec, err);
	if (r == 0 && !strcmp(c->driver, "luks") && !c->encrypted)
		r = error_set(err, EINVAL,
			      "a luks volume needs <encryption format='luks'> with a "
			      "secret");
	return r;
}

int file_create_image(struct file_pool *fp, const char *name, const char *format,
		      const struct volume_spec *spec, struct call *call,
		      struct error *err)
{
	CLEANUP(creation_clear) struct creation c = { 0 };
	AUTO_STAGE struct stage stage = STAGE_INIT;
	int r = file_check_free(fp, name, err);

	if (r == 0)
		r = prepare(fp, format, spec, &c, call, err);
	if (r == 0)
		r = stage_open(&stage, fp, name, err);
	if (r == 0)
		r = run_create(&c, &stage, call, err);
	if (r < 0)
		return r;

	AUTO_FD int fd = openat(stage.dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return file_fail(fp, "create", name, err);
	r = file_set_owner(fp, fd, spec, call, err);
	return r < 0 ? r : stage_commit(&stage, err);
}
