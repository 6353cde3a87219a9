/*
 * Formats of other hypervisors: vpc (VHD), vhdx, vdi, parallels. VMware's are in
 * image_vmdk.c. Layouts: Microsoft's Virtual Hard Disk Image Format Specification;
 * MS-VHDX; VirtualBox's Storage/VDICore.h; qemu docs/interop/parallels.txt.
 */
#include <errno.h>
#include <string.h>

#include "backends/common/image_families.h"

/* -- vpc: a footer of 512 bytes at the end, copied to the start unless it is fixed -- */

enum { VPC_FIXED = 2, VPC_DYNAMIC = 3, VPC_DIFFERENCING = 4 };

#define VPC_COOKIE  "conectix"
#define VPC_VERSION 0x10000
#define VPC_MAX_CHS (UINT64_C(65535) * 16 * 255)

/*
 * Virtual PC rounds a disk to its geometry, the others use the size in the footer; the
 * program that made the image says which is meant (as qemu's block/vpc.c decides).
 */
static uint64_t vpc_capacity(const uint8_t *f)
{
	static const char exact[][5] = { "win ", "qem2", "d2v ", "CTXS" };
	uint64_t chs = (uint64_t)be16(f + 56) * f[58] * f[59];
	bool use_size = chs == VPC_MAX_CHS || memcmp(f + 28, "tap", 3) == 0 ||
			memcmp(f + 28, "wa\0", 3) == 0;

	for (size_t i = 0; i < sizeof(exact) / sizeof(*exact); i++)
		use_size |= memcmp(f + 28, exact[i], 4) == 0;
	return use_size ? image_sectors(be64(f + 48) / IMAGE_SECTOR) : image_sectors(chs);
}

static bool vpc_checksum_ok(const uint8_t *f)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < IMAGE_SECTOR; i++)
		sum += i >= 64 && i < 68 ? 0 : f[i];
	return ~sum == be32(f + 64);
}

static int vpc_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *f = r->head;
	uint32_t type = be32(f + 60);
	char cookie[8];

	if (be32(f + 12) != VPC_VERSION)
		return IMAGE_OTHER;
	out->capacity = vpc_capacity(f);
	if (type != VPC_DYNAMIC && type != VPC_DIFFERENCING)
		return 0;

	int ret = image_read(r, be64(f + 16), cookie, sizeof(cookie), err);

	if (ret == 0 && memcmp(cookie, "cxsparse", sizeof(cookie)) != 0)
		return error_set(err, EINVAL, "no dynamic disk header at byte %llu",
				 (unsigned long long)be64(f + 16));
	return ret;
}

const struct image_format image_vpc = {
	.name = "vpc",
	IMAGE_MAGIC(0, VPC_COOKIE),
	.min_size = IMAGE_SECTOR,
	.probe = vpc_probe,
};

/* The last sector of a raw disk is its guest's: only a footer that fits in every way
 * makes it a VHD. */
static int vpc_fixed_probe(struct image_reader *r, struct image_info *out,
			   struct error *err)
{
	const uint8_t *f = r->tail;
	uint64_t disk = r->size - IMAGE_SECTOR;

	if (be32(f + 12) != VPC_VERSION || be32(f + 60) != VPC_FIXED ||
	    be64(f + 48) != disk || !vpc_checksum_ok(f))
		return IMAGE_OTHER;
	out->capacity = vpc_capacity(f);
	return 0;
}

const struct image_format image_vpc_fixed = {
	.name = "vpc",
	IMAGE_MAGIC(-IMAGE_SECTOR, VPC_COOKIE),
	.min_size = 2 * IMAGE_SECTOR,
	.probe = vpc_fixed_probe,
};

/* -- vhdx: region table, in it the metadata region, in that the size of the disk -- */

enum {
	VHDX_REGIONS_1 = 192 << 10,
	VHDX_REGIONS_2 = 256 << 10,
	VHDX_MIN = 320 << 10,
	VHDX_TABLE = 4096, /* of 64 KiB: 127 entries, two to ten are in use */
	VHDX_ENTRY = 32,
};

static const uint8_t vhdx_metadata_region[16] = {
	0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
	0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e,
};
static const uint8_t vhdx_disk_size[16] = {
	0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
	0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8,
};

/* The entry of the table with this GUID; NULL: it has none. */
static const uint8_t *vhdx_find(const uint8_t table[VHDX_TABLE], size_t first,
				uint32_t count, const uint8_t guid[16])
{
	for (size_t at = first; count > 0 && at + VHDX_ENTRY <= VHDX_TABLE;
	     at += VHDX_ENTRY, count--)
		if (memcmp(table + at, guid, 16) == 0)
			return table + at;
	return NULL;
}

static int vhdx_regions(struct image_reader *r, uint8_t table[VHDX_TABLE],
			struct error *err)
{
	int ret = image_read(r, VHDX_REGIONS_1, table, VHDX_TABLE, err);

	if (ret == 0 && memcmp(table, "regi", 4) != 0)
		ret = image_read(r, VHDX_REGIONS_2, table, VHDX_TABLE, err);
	if (ret == 0 && memcmp(table, "regi", 4) != 0)
		ret = error_set(err, EINVAL, "it has no region table");
	return ret;
}

static int vhdx_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	uint8_t table[VHDX_TABLE], size[8];
	int ret = vhdx_regions(r, table, err);

	if (ret < 0)
		return ret;

	const uint8_t *entry =
		vhdx_find(table, 16, le32(table + 8), vhdx_metadata_region);

	if (!entry)
		return error_set(err, EINVAL, "it has no metadata region");

	uint64_t region = le64(entry + 16);

	ret = image_read(r, region, table, VHDX_TABLE, err);
	if (ret < 0)
		return ret;
	entry = vhdx_find(table, 32, le16(table + 10), vhdx_disk_size);
	if (!entry || memcmp(table, "metadata", 8) != 0)
		return error_set(err, EINVAL, "its metadata have no disk size");
	ret = image_read(r, region + le32(entry + 16), size, sizeof(size), err);
	if (ret == 0)
		out->capacity = le64(size);
	return ret;
}

const struct image_format image_vhdx = {
	.name = "vhdx",
	IMAGE_MAGIC(0, "vhdxfile"),
	.min_size = VHDX_MIN,
	.probe = vhdx_probe,
};

/* -- vdi -- */

static int vdi_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	if (le32(r->head + 68) != 0x00010001)
		return IMAGE_OTHER;
	out->capacity = le64(r->head + 368);
	return 0;
}

const struct image_format image_vdi = {
	.name = "vdi",
	IMAGE_MAGIC(64, "\x7f\x10\xda\xbe"),
	.min_size = 512,
	.probe = vdi_probe,
};

/* -- parallels -- */

static int parallels_probe(struct image_reader *r, struct image_info *out,
			   struct error *err)
{
	const uint8_t *h = r->head;
	uint64_t sectors = le64(h + 36);

	if (le32(h + 16) != 2)
		return IMAGE_OTHER;
	if (memcmp(h, "WithoutFreeSpace", 16) == 0)
		sectors &= UINT32_MAX; /* the upper half is not defined there */
	else if (memcmp(h, "WithouFreSpacExt", 16) != 0)
		return IMAGE_OTHER;
	out->capacity = image_sectors(sectors);
	return 0;
}

const struct image_format image_parallels = {
	.name = "parallels",
	IMAGE_MAGIC(0, "Withou"),
	.min_size = 64,
	.probe = parallels_probe,
};
