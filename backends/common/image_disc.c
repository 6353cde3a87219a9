/*
 * Images of discs and floppies, and old disk formats that qemu only reads: iso, dmg,
 * cloop, fat, bochs, cow. Layouts: ECMA-119 8.1; Apple's UDIF trailer as in qemu
 * block/dmg.c; block/cloop.c; Microsoft's FAT specification; bochs'
 * iodev/hdimage/hdimage.h; qemu 2.1 block/cow.c.
 */
#include <errno.h>
#include <string.h>

#include "backends/common/image_families.h"

/* The volume descriptors are in sector 16, of 2048 bytes each. What a reader gets is the
 * file. */
const struct image_format image_iso = {
	.name = "iso",
	IMAGE_MAGIC(32769, "CD001"),
	.min_size = 17 * 2048,
};

/* -- dmg: a trailer of 512 bytes -- */

static int dmg_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *t = r->tail;

	if (be32(t + 4) != 4 || be32(t + 8) != 512)
		return IMAGE_OTHER;
	out->capacity = image_sectors(be64(t + 492));
	return 0;
}

const struct image_format image_dmg = {
	.name = "dmg",
	IMAGE_MAGIC(-512, "koly"),
	.min_size = 512,
	.probe = dmg_probe,
};

/* -- cloop -- */

#define CLOOP_MAGIC                                                                      \
	"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"
#define CLOOP_BLOCK_MAX (64u << 20)

static int cloop_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	uint32_t block = be32(r->head + 128), blocks = be32(r->head + 132);

	if (block == 0 || block % 512 || block > CLOOP_BLOCK_MAX)
		return error_set(err, EINVAL, "blocks of %u bytes", block);
	out->capacity = (uint64_t)block * blocks;
	return 0;
}

const struct image_format image_cloop = {
	.name = "cloop",
	IMAGE_MAGIC(0, CLOOP_MAGIC),
	.min_size = 136,
	.probe = cloop_probe,
};

/* -- bochs -- */

static int bochs_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *h = r->head;
	uint32_t version = le32(h + 64);

	if (strncmp((const char *)h + 32, "Redolog", 16) != 0)
		return IMAGE_OTHER;
	if (version != 0x10000 && version != 0x20000)
		return IMAGE_OTHER;
	out->capacity = le64(h + (version == 0x10000 ? 84 : 88));
	return 0;
}

const struct image_format image_bochs = {
	.name = "bochs",
	IMAGE_MAGIC(0, "Bochs Virtual HD Image\0"),
	.min_size = 512,
	.probe = bochs_probe,
};

/* -- cow -- */

static int cow_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	if (be32(r->head + 4) != 2)
		return IMAGE_OTHER;
	out->capacity = be64(r->head + 1036);
	return image_read_text(r, 8, 1024, &out->backing, err);
}

const struct image_format image_cow = {
	.name = "cow",
	IMAGE_MAGIC(0, "OOOM"),
	.min_size = 1048,
	.probe = cow_probe,
};

/* -- fat: a boot sector that is one in all that mkfs.fat, Windows and libblkid agree on
 * -- */

static bool power_of_two(unsigned n, unsigned max)
{
	return n > 0 && n <= max && (n & (n - 1)) == 0;
}

static int fat_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *b = r->head;
	bool jumps = (b[0] == 0xeb && b[2] == 0x90) || b[0] == 0xe9;
	bool named = memcmp(b + 54, "FAT12   ", 8) == 0 ||
		     memcmp(b + 54, "FAT16   ", 8) == 0 ||
		     memcmp(b + 82, "FAT32   ", 8) == 0;
	unsigned sector = le16(b + 11), reserved = le16(b + 14), fats = b[16],
		 media = b[21];

	if (!jumps || !named || sector < 512 || !power_of_two(sector, 4096) ||
	    !power_of_two(b[13], 128) || reserved == 0 || fats == 0 || fats > 4 ||
	    (media != 0xf0 && media < 0xf8))
		return IMAGE_OTHER;
	return 0; /* the disk is the file, also where the filesystem leaves some of it
		     unused */
}

const struct image_format image_fat = {
	.name = "fat",
	IMAGE_MAGIC(510, "\x55\xaa"),
	.min_size = 512,
	.probe = fat_probe,
};
