/*
 * VMware's vmdk: sparse extents with an embedded descriptor, old COWD extents, and
 * descriptors that name their extents. Layout: VMware Virtual Disks, Virtual Disk
 * Format 1.1 and 5.0.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/image_families.h"
#include "backends/support/cleanup.h"

#define VMDK_DESCRIPTOR_MAX (512 << 10)

/* A line of the descriptor: the size of an extent, or what the disk is based on. */
static int vmdk_line(const char *line, struct image_info *out, uint64_t *sectors,
		     struct error *err)
{
	static const char parent[] = "parentFileNameHint=\"";
	char access[11];
	uint64_t extent;

	if (strncmp(line, parent, sizeof(parent) - 1) == 0) {
		const char *name = line + sizeof(parent) - 1;
		size_t len = strcspn(name, "\"");

		free(out->backing);
		out->backing = len ? strndup(name, len) : NULL;
		return len && !out->backing ? error_code(err, ENOMEM, "cannot read it")
					    : 0;
	}
	if (sscanf(line, "%10s %" SCNu64, access, &extent) != 2)
		return 0;
	if (strcmp(access, "RW") != 0 && strcmp(access, "RDONLY") != 0 &&
	    strcmp(access, "NOACCESS") != 0)
		return 0;
	if (extent > INT64_MAX || *sectors > INT64_MAX)
		return error_set(err, EINVAL, "an extent of %" PRIu64 " sectors", extent);
	*sectors += extent;
	return 0;
}

static int vmdk_descriptor(struct image_reader *r, uint64_t off, uint64_t len,
			   struct image_info *out, uint64_t *sectors, struct error *err)
{
	AUTO_FREE char *text = NULL;
	char *rest, *line;
	int ret;

	if (len > VMDK_DESCRIPTOR_MAX)
		return error_set(err, EINVAL, "a descriptor of %" PRIu64 " bytes", len);
	ret = image_read_text(r, off, len, &text, err);
	*sectors = 0;
	for (line = ret < 0 || !text ? NULL : strtok_r(text, "\r\n", &rest);
	     line && ret == 0; line = strtok_r(NULL, "\r\n", &rest))
		ret = vmdk_line(line, out, sectors, err);
	return ret;
}

static int vmdk_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *h = r->head;
	uint32_t version = le32(h + 4);
	uint64_t capacity = le64(h + 12), off = le64(h + 28), len = le64(h + 36), extents;

	if (version < 1 || version > 3)
		return IMAGE_OTHER;
	out->capacity = image_sectors(capacity);
	if (off == 0 || len == 0)
		return 0; /* one extent of several: the descriptor is a file of its own */

	int ret = vmdk_descriptor(r, image_sectors(off), image_sectors(len), out,
				  &extents, err);

	if (ret == 0 && capacity == 0)
		out->capacity = image_sectors(extents);
	return ret;
}

const struct image_format image_vmdk = {
	.name = "vmdk",
	IMAGE_MAGIC(0, "KDMV"),
	.min_size = 512,
	.probe = vmdk_probe,
};

static int vmdk_cowd_probe(struct image_reader *r, struct image_info *out,
			   struct error *err)
{
	if (le32(r->head + 4) != 1)
		return IMAGE_OTHER;
	out->capacity = image_sectors(le32(r->head + 12));
	return 0;
}

const struct image_format image_vmdk_cowd = {
	.name = "vmdk",
	IMAGE_MAGIC(0, "COWD"),
	.min_size = 512,
	.probe = vmdk_cowd_probe,
};

static int vmdk_text_probe(struct image_reader *r, struct image_info *out,
			   struct error *err)
{
	uint64_t extents;
	int ret = vmdk_descriptor(r, 0, r->size, out, &extents, err);

	if (ret == 0)
		out->capacity = image_sectors(extents);
	return ret;
}

const struct image_format image_vmdk_text = {
	.name = "vmdk",
	IMAGE_MAGIC(0, "# Disk DescriptorFile"),
	.min_size = 32,
	.probe = vmdk_text_probe,
};
