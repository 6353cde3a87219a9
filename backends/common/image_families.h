/*
 * What a family of formats (image_qcow.c, image_vm.c, …) gives to image_format.c: one
 * const struct a format. Adding one is its struct, its line below and its line in the
 * table there.
 */
#pragma once

#include "backends/common/image_format.h"
#include "backends/common/image_reader.h"

/* A probe's answer when only the magic was this format's. */
#define IMAGE_OTHER 1

struct image_format {
	const char *name;
	int64_t magic_at;  /* negative: from the end of the file, at most IMAGE_TAIL */
	const char *magic;
	size_t magic_len;  /* 0: the probe decides alone */
	uint64_t min_size; /* a shorter file has no whole header: it is another format */
	/*
	 * Fills in out, whose format and capacity (the file's size) are set. 0: it is
	 * this format; IMAGE_OTHER; -EINVAL: this format, damaged; -EIO, -ENOMEM. NULL:
	 * the magic is enough.
	 */
	int (*probe)(struct image_reader *r, struct image_info *out, struct error *err);
};

#define IMAGE_MAGIC(at, bytes) .magic_at = (at), .magic = (bytes), .magic_len = sizeof(bytes) - 1

extern const struct image_format image_bochs, image_cloop, image_cow, image_dmg,
	image_fat, image_iso, image_luks, image_parallels, image_qcow, image_qcow2,
	image_qed, image_vdi, image_vhdx, image_vmdk, image_vmdk_cowd, image_vmdk_text,
	image_vpc, image_vpc_fixed;
