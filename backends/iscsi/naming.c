/* Names of units: the page of names, or for old units their serial number. */
#include "backends/iscsi/naming.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <string.h>

#include "backends/support/clock.h"

#define NAMING_NS  (5 * NS_PER_S)
#define PAGE_BYTES 252

static void ask_page(struct naming *n, int page,
		     void (*done)(struct command *, int, const struct error *))
{
	bool early = n->command.early;

	command_init(&n->command, n->lun->number, scsi_cdb_inquiry(1, page, PAGE_BYTES),
		     done);
	n->command.early = early;
	n->command.deadline_ns = clock_now() + NAMING_NS;
	session_send(n->session, &n->command);
}

/* A page that the unit does not have is an answer. */
static void on_serial(struct command *c, int result, const struct error *err)
{
	struct naming *n = container_of(c, struct naming, command);
	size_t len;
	const uint8_t *data = command_data(c, &len);
	char serial[WWID_TEXT];

	if (result == -EOPNOTSUPP)
		result = 0;
	else if (result == 0 && decode_serial(data, len, serial))
		decode_serial_wwid(serial, &n->lun->inquiry, n->lun->wwid);
	n->lun->named |= result == 0;
	n->done(n, result, err);
}

static void on_names(struct command *c, int result, const struct error *err)
{
	struct naming *n = container_of(c, struct naming, command);
	size_t len;
	const uint8_t *data = command_data(c, &len);
	char wwid[WWID_TEXT];

	if (result == 0 && decode_wwid(data, len, &n->lun->inquiry, wwid)) {
		memcpy(n->lun->wwid, wwid, sizeof(wwid));
		n->lun->named = true;
		n->done(n, 0, NULL);
	} else {
		ask_page(n, SCSI_INQUIRY_PAGECODE_UNIT_SERIAL_NUMBER, on_serial);
	}
}

void naming_start(struct naming *n, struct session *s, struct lun *lun, bool early,
		  void (*done)(struct naming *, int result, const struct error *))
{
	*n = (struct naming){ .session = s, .lun = lun, .done = done };
	n->command.early = early;
	ask_page(n, SCSI_INQUIRY_PAGECODE_DEVICE_IDENTIFICATION, on_names);
}
