/* The formats of fs pools: what kernel and libblkid call them, and what makes them. */
#pragma once

#include <stdbool.h>

#include "backends/common/device.h"

struct format {
	const char *name;	  /* libvirt's */
	const char *probed;	  /* libblkid's; NULL: name */
	const char *kernel;	  /* NULL: name */
	const char *const *mkfs;  /* without the device, NULL-terminated */
	const char *cannot_make;  /* why there is no mkfs */
	const char *cannot_mount; /* why Linux does not mount it */
};

/* NULL: none of them, or "auto". */
const struct format *format_find(const char *name);
const struct format *format_of_content(const struct device_content *found);

/* The kernel's name of the filesystem to mount. */
const char *format_kernel(const struct format *f);

/* Whether what libblkid found is of the format: ext2, ext3 and ext4 are one family. */
bool format_fits(const struct format *f, const struct device_content *found);
