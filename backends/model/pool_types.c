/* The table of pool types: what the XML of each has, in libvirt's order. */
#include "backends/model/pool_types.h"

#include <string.h>

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* libvirt's in its order, then those that only we know. */
#define FILE_FORMATS                                                                     \
	LIST("raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd",   \
	     "ploop", "cow", "qcow", "qcow2", "qed", "vmdk", "vhdx", "luks", "parallels")

/* The last row is for tests and is found by its name only. */
static const struct pool_type types[] = {
	{
		.name = "dir",
		.needs = SOURCE_TARGET,
		.prints = SOURCE_TARGET | SOURCE_COW,
		.volume_formats = FILE_FORMATS,
		.default_volume_format = "raw",
		.volume_type = "file",
	},
	{
		.name = "fs",
		.libraries = "libmount and libblkid",
		.needs = SOURCE_DEVICE | SOURCE_TARGET,
		.prints = SOURCE_DEVICE | SOURCE_FORMAT | SOURCE_TARGET |
			  SOURCE_FS_OPTIONS | SOURCE_COW,
		.formats = LIST("auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf",
				"gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs",
				"btrfs", "f2fs", "ntfs"),
		.default_format = "auto",
		.volume_formats = FILE_FORMATS,
		.default_volume_format = "raw",
		.volume_type = "file",
	},
	{
		.name = "netfs",
		.libraries = "libmount and libblkid",
		.needs = SOURCE_HOST | SOURCE_DIR | SOURCE_TARGET,
		.prints = SOURCE_HOST | SOURCE_DIR | SOURCE_FORMAT | SOURCE_TARGET |
			  SOURCE_FS_OPTIONS,
		.formats = LIST("auto", "nfs", "glusterfs", "cifs"),
		.default_format = "auto",
		.volume_formats = FILE_FORMATS,
		.default_volume_format = "raw",
		.volume_type = "file",
	},
	{
		.name = "logical",
		.libraries = "libmount, libblkid, libdevmapper and jansson",
		.prints = SOURCE_DEVICE | SOURCE_NAME | SOURCE_NAME_DEFAULT |
			  SOURCE_FORMAT | SOURCE_TARGET,
		.formats = LIST("unknown", "lvm2"),
		.default_format = "lvm2",
		.target_prefix = "/dev/",
		.volume_type = "block",
	},
	{
		.name = "disk",
		.libraries = "libmount, libblkid, libdevmapper and libparted",
		.needs = SOURCE_DEVICE | SOURCE_TARGET,
		.prints = SOURCE_DEVICE | SOURCE_FORMAT | SOURCE_TARGET,
		.formats = LIST("unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98",
				"sun", "lvm2"),
		.default_format = "unknown",
		.volume_formats = LIST("none", "linux", "fat16", "fat32", "linux-swap",
				       "linux-lvm", "linux-raid", "extended"),
		.default_volume_format = "none",
		.volume_type = "block",
	},
	{
		.name = "iscsi",
		.libraries = "libiscsi, libmount and libblkid",
		.needs = SOURCE_HOST | SOURCE_TARGET,
		.prints = SOURCE_HOST | SOURCE_DEVICE | SOURCE_INITIATOR | SOURCE_TARGET,
		.auth = "chap",
		.default_port = 3260,
		.volume_type = "block",
	},
	{
		.name = "iscsi-direct",
		.libraries = "libiscsi",
		.needs = SOURCE_HOST | SOURCE_INITIATOR,
		.prints = SOURCE_HOST | SOURCE_DEVICE | SOURCE_INITIATOR,
		.auth = "chap",
		.default_port = 3260,
		.volume_type = "network",
	},
	{
		.name = "scsi",
		.libraries = "libmount and libblkid",
		.needs = SOURCE_ADAPTER | SOURCE_TARGET,
		.prints = SOURCE_ADAPTER | SOURCE_TARGET,
		.volume_type = "block",
	},
	{
		.name = "mpath",
		.libraries = "libmount, libblkid and libdevmapper",
		.needs = SOURCE_TARGET,
		.prints = SOURCE_TARGET,
		.volume_type = "block",
		.multipath = true,
	},
	{
		.name = "rbd",
		.libraries = "librados and librbd",
		.needs = SOURCE_HOST | SOURCE_NAME,
		.prints = SOURCE_HOST | SOURCE_NAME | SOURCE_RBD_OPTIONS,
		.volume_formats = LIST("raw"),
		.default_volume_format = "raw",
		.auth = "ceph",
		.volume_type = "network",
	},
	{
		.name = "sheepdog",
		.needs = SOURCE_HOST,
		.prints = SOURCE_HOST | SOURCE_NAME | SOURCE_NAME_DEFAULT,
		.default_port = 7000,
		.volume_type = "network",
	},
	{
		.name = "fake",
		.prints = SOURCE_HOST | SOURCE_DEVICE | SOURCE_DIR | SOURCE_NAME |
			  SOURCE_FORMAT | SOURCE_TARGET | SOURCE_FS_OPTIONS,
		.formats = LIST("files", "provisioned", "given"),
		.default_format = "files",
		.volume_formats = FILE_FORMATS,
		.default_volume_format = "raw",
		.volume_type = "file",
	},
};

#define N_TYPES (sizeof(types) / sizeof(*types))

const struct pool_type *pool_type_find(const char *name)
{
	for (size_t i = 0; i < N_TYPES; i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

const struct pool_type *pool_type_at(size_t i)
{
	return i < N_TYPES - 1 ? &types[i] : NULL;
}

bool format_listed(const char *const *formats, const char *format)
{
	for (; formats && *formats; formats++)
		if (!strcmp(*formats, format))
			return true;
	return false;
}
