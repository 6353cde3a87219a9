/* The table of formats of fs pools. */
#include "backends/fs/format.h"

#include <stddef.h>
#include <string.h>

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

#define READ_ONLY "it is a format of images that are only read: write one to the device"

/*
 * The options let a tool work on a whole disk and without asking; what is on the device
 * was looked at before. None of them lets it work on a device in use.
 */
static const struct format formats[] = {
	{ .name = "ext2", .mkfs = ARGV("mkfs.ext2", "-q", "-F") },
	{ .name = "ext3", .mkfs = ARGV("mkfs.ext3", "-q", "-F") },
	{ .name = "ext4", .mkfs = ARGV("mkfs.ext4", "-q", "-F") },
	{ .name = "ufs", .cannot_make = "Linux only reads it" },
	{ .name = "iso9660", .cannot_make = READ_ONLY },
	{ .name = "udf", .mkfs = ARGV("mkudffs") },
	{
		.name = "gfs",
		.cannot_make = "no Linux since 2012 has a driver for it: use gfs2",
		.cannot_mount = "no Linux since 2012 has a driver for it: use gfs2",
	},
	/* for one host: a cluster's name and journals are not ours to know */
	{ .name = "gfs2",
	  .mkfs = ARGV("mkfs.gfs2", "-q", "-O", "-p", "lock_nolock", "-j", "1") },
	{ .name = "vfat", .mkfs = ARGV("mkfs.vfat", "-I") },
	{ .name = "hfs+",
	  .probed = "hfsplus",
	  .kernel = "hfsplus",
	  .mkfs = ARGV("mkfs.hfsplus") },
	{ .name = "xfs", .mkfs = ARGV("mkfs.xfs", "-q", "-f") },
	{ .name = "ocfs2",
	  .mkfs = ARGV("mkfs.ocfs2", "-q", "-x", "-F", "-M", "local", "-N", "1") },
	{
		.name = "vmfs",
		.probed = "VMFS",
		.cannot_make = "only VMware makes it",
		.cannot_mount = "Linux has no driver for it (vmfs-fuse reads it: mount it "
				"by hand, and use a dir pool)",
	},
	{ .name = "btrfs", .mkfs = ARGV("mkfs.btrfs", "-q", "-f") },
	{ .name = "f2fs", .mkfs = ARGV("mkfs.f2fs", "-q", "-f") },
	{ .name = "ntfs", .kernel = "ntfs3", .mkfs = ARGV("mkfs.ntfs", "-q", "-Q", "-F") },
};

#define N_FORMATS (sizeof(formats) / sizeof(*formats))

static const char *probed(const struct format *f)
{
	return f->probed ? f->probed : f->name;
}

const struct format *format_find(const char *name)
{
	for (size_t i = 0; name && i < N_FORMATS; i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}

const struct format *format_of_content(const struct device_content *found)
{
	for (size_t i = 0; i < N_FORMATS; i++)
		if (!strcmp(probed(&formats[i]), found->type))
			return &formats[i];
	return NULL;
}

const char *format_kernel(const struct format *f)
{
	return f->kernel ? f->kernel : f->name;
}

bool format_fits(const struct format *f, const struct device_content *found)
{
	if (!strncmp(f->name, "ext", 3) && !strncmp(found->type, "ext", 3))
		return true;
	return !strcmp(probed(f), found->type);
}
