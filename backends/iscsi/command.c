/* SCSI commands: what becomes of their status. */
#include "backends/iscsi/command.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stddef.h>

#define ATTENTIONS_MAX 16 /* in a row, of one command */
#define TRIES_MAX      3  /* where a target gives up on a command */
#define READY_TRIES    10 /* about five seconds */
#define BECOMING_READY 0x0401

void command_init(struct command *c, uint16_t lun, struct scsi_task *task,
		  void (*done)(struct command *, int, const struct error *))
{
	*c = (struct command){ .task = task, .lun = lun, .done = done };
	list_init(&c->link);
}

void command_set_iov(struct command *c, struct scsi_iovec *iov, int n)
{
	if (!c->task)
		return;
	if (c->task->xfer_dir == SCSI_XFER_WRITE)
		scsi_task_set_iov_out(c->task, iov, n);
	else
		scsi_task_set_iov_in(c->task, iov, n);
}

int command_renew(struct command *c)
{
	struct scsi_task *old = c->task;
	struct scsi_iovector *in = &old->iovector_in, *out = &old->iovector_out;
	struct scsi_task *task =
		scsi_create_task(old->cdb_size, old->cdb, old->xfer_dir, old->expxferlen);

	if (!task)
		return -ENOMEM;
	if (in->iov)
		scsi_task_set_iov_in(task, in->iov, in->niov);
	if (out->iov)
		scsi_task_set_iov_out(task, out->iov, out->niov);
	scsi_free_scsi_task(old);
	c->task = task;
	return 0;
}

void command_done(struct command *c, int result, const struct error *err)
{
	struct scsi_task *task = c->task;
	struct error none = { 0 };

	if (result < 0 && !err) {
		error_code(&none, -result, "a SCSI command was not sent");
		err = &none;
	}
	c->done(c, result, err);
	if (task)
		scsi_free_scsi_task(task);
}

const uint8_t *command_data(const struct command *c, size_t *len)
{
	*len = c->task && c->task->datain.data ? c->task->datain.size : 0;
	return *len ? c->task->datain.data : (const uint8_t *)"";
}

/* -- status -- */

static enum verdict failed(struct error *err, int code, const char *why,
			   const struct sense *s)
{
	const char *name = s->code ? scsi_sense_ascq_str(s->code) : NULL;

	error_set(err, code, "%s (sense key %s, code 0x%04x%s%s)", why,
		  scsi_sense_key_str(s->key), s->code, name ? " " : "", name ? name : "");
	return COMMAND_FAILED;
}

/* Codes that say more than their key. */
static const struct {
	unsigned code;
	int error;
	const char *why;
} known[] = {
	{ 0x2000, EOPNOTSUPP, "the unit does not know this command" },
	{ 0x2100, EIO, "the unit is smaller than it said" },
	{ 0x2400, EOPNOTSUPP, "the unit does not take this form of the command" },
	{ 0x2500, ENXIO, "the unit is gone from the target" },
	{ 0x2600, EOPNOTSUPP, "the unit does not take these parameters" },
	{ 0x2707, ENOSPC, "the storage behind the unit is full" },
	{ 0x3a00, ENXIO, "the unit has no medium" },
};

static enum verdict judge_key(const struct sense *s, struct error *err)
{
	switch (s->key) {
	case SCSI_SENSE_NOT_READY:
		return failed(err, EIO, "the unit is not ready", s);
	case SCSI_SENSE_MEDIUM_ERROR:
		return failed(err, EIO, "the unit cannot read or write its medium", s);
	case SCSI_SENSE_HARDWARE_ERROR:
		return failed(err, EIO, "the unit has a fault", s);
	case SCSI_SENSE_DATA_PROTECTION:
		return failed(err, EROFS, "the unit is write-protected", s);
	default:
		return failed(err, EIO, "the unit refuses the command", s);
	}
}

/* Who asks just that, or lists the units, does not wait for it. */
static bool asks_if_ready(const struct command *c)
{
	return c->early || c->task->cdb[0] == SCSI_OPCODE_TESTUNITREADY;
}

static enum verdict judge_sense(const struct command *c, const struct sense *s,
				struct error *err)
{
	switch (s->key) {
	case SCSI_SENSE_NO_SENSE:
	case SCSI_SENSE_RECOVERED_ERROR:
		return COMMAND_FINE;
	case SCSI_SENSE_UNIT_ATTENTION:
		if (c->tries < ATTENTIONS_MAX)
			return COMMAND_AGAIN;
		return failed(err, EIO, "the unit reports one event after the other", s);
	case SCSI_SENSE_COMMAND_ABORTED:
		if (c->tries < TRIES_MAX)
			return COMMAND_LATER;
		return failed(err, EIO, "the target gave up on the command", s);
	default:
		break;
	}
	if (s->code == BECOMING_READY && !asks_if_ready(c) && c->tries < READY_TRIES)
		return COMMAND_LATER;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].code == s->code)
			return failed(err, known[i].error, known[i].why, s);
	return judge_key(s, err);
}

/* Fewer bytes than were asked for are an error where we gave the memory for all of them.
 */
static enum verdict judge_length(const struct command *c, struct error *err)
{
	const struct scsi_task *t = c->task;

	if ((!t->iovector_in.iov && !t->iovector_out.iov) ||
	    t->residual_status == SCSI_RESIDUAL_NO_RESIDUAL || !t->residual)
		return COMMAND_FINE;
	error_set(err, EIO, "the target moved %zu bytes fewer than it was asked to",
		  t->residual);
	return COMMAND_FAILED;
}

enum verdict command_judge(const struct command *c, int status, struct sense *sense,
			   struct error *err)
{
	const uint8_t *data;
	size_t len;

	*sense = (struct sense){ 0 };
	switch (status) {
	case SCSI_STATUS_GOOD:
	case SCSI_STATUS_CONDITION_MET:
		return judge_length(c, err);
	case SCSI_STATUS_CHECK_CONDITION:
		data = command_data(c, &len);
		decode_sense(data, len, sense);
		return judge_sense(c, sense, err);
	case SCSI_STATUS_BUSY:
	case SCSI_STATUS_TASK_SET_FULL:
	case SCSI_STATUS_ACA_ACTIVE:
		return COMMAND_LATER;
	case SCSI_STATUS_RESERVATION_CONFLICT:
		error_set(err, EBUSY, "another initiator has reserved the unit");
		return COMMAND_FAILED;
	case SCSI_STATUS_CANCELLED:
		return COMMAND_SESSION_LOST;
	default:
		break;
	}
	if (c->tries < TRIES_MAX)
		return COMMAND_LATER;
	error_set(err, EIO, "the target gave up on the command (status 0x%x)", status);
	return COMMAND_FAILED;
}
