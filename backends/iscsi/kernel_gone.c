/* Units that the target no longer has: the kernel keeps them until it is told. */
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "backends/common/block_volumes.h"
#include "backends/common/holder.h"
#include "backends/common/sysfs.h"
#include "backends/iscsi/kernel_session.h"
#include "backends/support/log.h"

#define ANSWER_MS 5000
#define TRIES	  3 /* the target may have something else to tell first */

/* SPC-4 */
#define ILLEGAL_REQUEST	      0x05
#define UNIT_ATTENTION	      0x06
#define UNIT_IS_NOT_SUPPORTED 0x25

/* TEST UNIT READY; false: nobody has answered. No sense data: it is ready. */
static bool ask(int fd, uint8_t sense[32])
{
	uint8_t command[6] = { 0 };
	struct sg_io_hdr io = { .interface_id = 'S',
				.dxfer_direction = SG_DXFER_NONE,
				.cmd_len = sizeof(command),
				.cmdp = command,
				.mx_sb_len = 32,
				.sbp = sense,
				.timeout = ANSWER_MS };

	memset(sense, 0, 32);
	return ioctl(fd, SG_IO, &io) == 0 && io.host_status == 0;
}

/* Of fixed and of descriptor format. */
static bool says_gone(const uint8_t sense[32])
{
	bool descriptor = (sense[0] & 0x7f) >= 0x72;
	uint8_t key = sense[descriptor ? 1 : 2] & 0x0f, code = sense[descriptor ? 2 : 12];

	return key == ILLEGAL_REQUEST && code == UNIT_IS_NOT_SUPPORTED;
}

static bool has_news(const uint8_t sense[32])
{
	bool descriptor = (sense[0] & 0x7f) >= 0x72;

	return (sense[descriptor ? 1 : 2] & 0x0f) == UNIT_ATTENTION;
}

/* 1: the target has no such unit. -EIO: it has not answered. */
static int is_gone(const struct unit *u)
{
	AUTO_FREE char *path = NULL;
	AUTO_FD int fd = -1;
	uint8_t sense[32];

	if (block_device_path(u->device, &path, NULL) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return 0;
	for (int i = 0; i < TRIES; i++) {
		if (!ask(fd, sense))
			return -EIO;
		if (!has_news(sense))
			break;
	}
	return says_gone(sense);
}

void kernel_forget_gone(unsigned sid)
{
	AUTO_FREE struct unit *list = NULL;
	int n = kernel_units(sid, &list, NULL), r = 0;

	for (int i = 0; i < n && r >= 0; i++) {
		AUTO_BUF struct buf who = { 0 };

		r = list[i].device ? is_gone(&list[i]) : 0;
		if (r <= 0)
			continue;
		if (holder_of_device(list[i].device, &who) ||
		    holder_of_open_device(list[i].device, &who))
			log_warning("the target no longer has volume '%s', which is in "
				    "use: %s",
				    list[i].name, buf_text(&who));
		else
			sys_write("1", "%s/delete", list[i].sys);
	}
}
