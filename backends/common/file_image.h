/* An image and all that is below it, as qemu-img is to see them: descriptors and a json:
 * name. */
#pragma once

#include "backends/common/file_pool.h"
#include "backends/common/image_format.h"
#include "backends/support/buf.h"

#define CHAIN_MAX 32 /* images of a backing chain */

struct file_image {
	struct image_info info; /* of the image itself */
	const char *driver;	/* qemu's name of its format */
	uint64_t size;		/* of the file */
	int fds[CHAIN_MAX + 1]; /* the image first; ended by -1 */
	size_t n;
	struct buf name;   /* json:{…} */
	struct buf secret; /* of an encrypted image */
};

/* Whether the disk is the file's bytes: raw, and what is recognised in raw bytes. */
bool file_image_is_bytes(const char *format);

/*
 * Opens and probes a volume. Nothing below it is opened, and qemu-img would see it as
 * having nothing below: for what touches only the image itself. -EOPNOTSUPP: no image
 * that qemu-img can change.
 */
int file_image_open(struct file_pool *fp, const char *name, struct file_image *out,
		    struct error *err);

/* Opens also all that is below it, as the caller. After file_image_open. */
int file_image_open_chain(struct file_pool *fp, struct file_image *image,
			  struct call *call, struct error *err);

#define FILE_IMAGE_ARGV 8 /* words of a command at most */

/* Runs qemu-img COMMAND… IMAGE [LAST] with the secret of an encrypted image. command:
 * NULL ends it; last may be NULL. After file_image_open, and _open_chain where what is
 * below matters; at most once. */
int file_image_run(struct file_pool *fp, const char *volume, struct file_image *image,
		   const char *const *command, const char *last, struct call *call,
		   struct error *err);

void file_image_close(struct file_image *image);

#define AUTO_FILE_IMAGE CLEANUP(file_image_close)
