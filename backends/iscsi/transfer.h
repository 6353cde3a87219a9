/*
 * A read, write, flush or zeroing on its way, as stages of commands. In the session's
 * turn, once it has been submitted.
 */
#pragma once

#include "backends/iscsi/open.h"
#include "backends/iscsi/range.h"

struct transfer;

struct piece {
	struct command command;
	struct transfer *transfer;
};

struct transfer {
	struct loop_task task;
	struct list link; /* of the open unit's transfers */
	struct open_lun *open;
	struct io *io;
	uint64_t off, len, deadline_ns;
	struct range range; /* entered while it writes */
	bool entered;
	atomic_bool cancelled;
	void (*next)(struct transfer *); /* stage */
	struct piece *pieces, one;
	struct iovec *iovs, one_iov; /* for a stage of one command of one part */
	unsigned left;		     /* commands of this stage */
	uint8_t *bounce;
	ssize_t result;
	struct error error;
};

static inline struct lun *lun_of(const struct transfer *t)
{
	return t->open->lun;
}

static inline uint32_t block_of(const struct transfer *t)
{
	return t->open->block_size;
}

/* -- transfer.c -- */

/* Answers it, lets those go on that waited for it, and frees it. */
void transfer_end(struct transfer *);
void transfer_fail(struct transfer *, int code, const char *what);

/* Room for the commands of a stage, each with some parts of memory; next is called when
 * all of them have ended well. False: it has failed, and is gone. */
bool transfer_stage(struct transfer *, size_t n, size_t parts,
		    void (*next)(struct transfer *));
/* Takes the task. n: parts of memory, 0 for none. */
void transfer_add(struct transfer *, struct scsi_task *, struct iovec *, size_t n);
/* The stage is complete: sends it. The transfer may be gone then. */
void transfer_send(struct transfer *);

/* A command that moves whole blocks at this offset. */
struct scsi_task *transfer_move_task(const struct transfer *, bool write, uint64_t off,
				     uint32_t len);
/* A stage that moves whole blocks from or to this memory. */
void transfer_move(struct transfer *, bool write, uint64_t off, const struct iovec *,
		   size_t n, void (*next)(struct transfer *));
/* Memory for `bounce`. False: it has failed, and is gone. */
bool transfer_bounce(struct transfer *, size_t len);
/* A stage that reads the blocks at the ends of [off, off + len) that it does not fill:
 * the first to the begin of bounce, the last to last_at of it. */
void transfer_read_ends(struct transfer *, size_t last_at,
			void (*next)(struct transfer *));

/* -- io.c -- */

void transfer_begin(struct transfer *);

/* -- zero.c -- */

void zero_begin(struct transfer *);
