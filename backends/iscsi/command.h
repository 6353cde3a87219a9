/*
 * One SCSI command: sent, and sent again over unit attentions, busy units and lost
 * sessions, until it has an answer or its deadline has come. All of it in the session's
 * turn.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/iscsi/decode.h"
#include "backends/support/error.h"
#include "backends/support/list.h"

struct scsi_iovec;
struct scsi_task;
struct session;

struct command {
	struct list link; /* of the session's lists, while it has it */
	struct scsi_task *task;
	uint16_t lun;
	bool early; /* of what comes between login and the rest; ends with the session */
	bool given_up; /* its deadline has come while it was running */
	unsigned tries;
	uint64_t deadline_ns;
	uint64_t not_before_ns;
	const atomic_bool *cancelled; /* NULL: cannot be */
	const bool *gone;	      /* its unit; NULL: that does not matter */
	const struct error *gone_why;
	struct session *session;
	/* Exactly once. result: 0 or -errno. The task with what came in is there until it
	 * returns; the command itself may be freed by it. */
	void (*done)(struct command *, int result, const struct error *);
	int result; /* while it lingers: see session.c */
	struct error error;
};

/*
 * Makes the command ready to be sent: takes the task (NULL: there was no memory, which
 * command_done then says).
 */
void command_init(struct command *c, uint16_t lun, struct scsi_task *task,
		  void (*done)(struct command *, int, const struct error *));

/* Bytes go to or come from there, without a copy; iov stays the caller's until done. */
void command_set_iov(struct command *c, struct scsi_iovec *iov, int n);

/* The task anew, as it was before it was sent. -ENOMEM */
int command_renew(struct command *c);

void command_done(struct command *c, int result, const struct error *err);

/* What came in. */
const uint8_t *command_data(const struct command *c, size_t *len);

enum verdict {
	COMMAND_FINE,
	COMMAND_FAILED,
	COMMAND_AGAIN, /* at once */
	COMMAND_LATER, /* in a moment */
	COMMAND_SESSION_LOST,
};

/* What a status means. With COMMAND_FAILED, err says why. sense is filled in any case. */
enum verdict command_judge(const struct command *c, int status, struct sense *sense,
			   struct error *err);
