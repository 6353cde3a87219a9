/* The name of a SCSI disk by the pages that the kernel keeps of it in /sys. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "backends/common/block_volumes.h"
#include "backends/common/scsi_name.h"
#include "backends/common/sysfs.h"

#define PAGE_BYTES 4096

static size_t read_page(dev_t device, const char *name, uint8_t page[PAGE_BYTES])
{
	char path[PATH_MAX];
	AUTO_FD int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/device/%s", major(device),
		 minor(device), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, page, PAGE_BYTES);
	return n < 0 ? 0 : n;
}

/* Without the blanks at its end, as the pages' texts are. */
static void read_text(dev_t device, const char *name, char out[SYS_LINE])
{
	char line[SYS_LINE] = "";

	sys_read(line, sizeof(line), "/sys/dev/block/%u:%u/device/%s", major(device),
		 minor(device), name);
	scsi_text(out, (const uint8_t *)line, strlen(line));
}

int block_scsi_name(dev_t device, char **out, struct error *err)
{
	char vendor[SYS_LINE], product[SYS_LINE], serial[SCSI_NAME], name[SCSI_NAME];
	uint8_t page[PAGE_BYTES];

	*out = NULL;
	read_text(device, "vendor", vendor);
	read_text(device, "model", product);
	if (!scsi_name(page, read_page(device, "vpd_pg83", page), vendor, product,
		       name)) {
		if (!scsi_serial(page, read_page(device, "vpd_pg80", page), serial))
			return 0;
		scsi_name_by_serial(serial, vendor, product, name);
	}
	*out = strdup(name);
	return *out ? 0 : error_code(err, ENOMEM, "cannot name a device");
}
