/* Zeroing a range, and giving its space back where the unit can. */
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <string.h>
#include <sys/param.h>

#include "backends/iscsi/transfer.h"

#define ZERO_PIECE (UINT64_C(16) << 20) /* bytes that one WRITE SAME zeroes */
#define BLOCK_MAX  (64u << 10)		/* the largest that WRITE SAME is used with */

static struct iovec zero_block(uint32_t size)
{
	static uint8_t zeros[BLOCK_MAX];

	return (struct iovec){ zeros, size };
}

/* Whether the unit zeroes by itself, and how; `unmap` gives the space back. */
static bool can_zero(const struct transfer *t, bool unmap)
{
	const struct lun *lun = lun_of(t);

	if (block_of(t) > BLOCK_MAX)
		return false;
	if (!unmap)
		return !lun->no_zero;
	return lun->capacity.thin && lun->provisioning.write_same_unmap && !lun->no_punch;
}

static void zero_middle_done(struct transfer *t);

/* The blocks that are filled, by WRITE SAME: unlike UNMAP it leaves zeros in any case. */
static void zero_middle(struct transfer *t)
{
	uint32_t size = block_of(t);
	uint64_t first = (t->off + size - 1) / size, end = (t->off + t->len) / size;
	uint64_t most = MAX(ZERO_PIECE / size, 1), limit = lun_of(t)->limits.write_same;
	bool unmap = t->io->op == IO_PUNCH;

	if (limit)
		most = MIN(most, limit);
	if (first >= end) {
		transfer_end(t);
		return;
	}
	if (!transfer_stage(t, (end - first + most - 1) / most, 1, zero_middle_done))
		return;
	for (uint64_t at = first; at < end; at += most) {
		struct iovec *iov = &t->iovs[t->left];

		*iov = zero_block(size);
		transfer_add(t,
			     scsi_cdb_writesame16(0, 0, unmap, at, 0, MIN(most, end - at),
						  size),
			     iov, 1);
	}
	transfer_send(t);
}

static void zero_middle_done(struct transfer *t)
{
	transfer_end(t);
}

/* Zeroes its part of the one or two blocks at the ends and writes them. */
static void zero_ends(struct transfer *t)
{
	uint32_t size = block_of(t);
	uint64_t end = t->off + t->len, first = t->off / size, last = end / size;
	bool head = t->off % size, tail = end % size;
	size_t in_head = first == last ? t->len : size - t->off % size;

	if (!transfer_stage(t, 2, 1, zero_middle))
		return;
	if (head) {
		memset(t->bounce + t->off % size, 0, in_head);
		t->iovs[0] = (struct iovec){ t->bounce, size };
		transfer_add(t, transfer_move_task(t, true, first * size, size),
			     &t->iovs[0], 1);
	}
	if (tail && !(head && first == last)) {
		memset(t->bounce + size, 0, end % size);
		t->iovs[1] = (struct iovec){ t->bounce + size, size };
		transfer_add(t, transfer_move_task(t, true, last * size, size),
			     &t->iovs[1], 1);
	}
	transfer_send(t);
}

void zero_begin(struct transfer *t)
{
	if (!can_zero(t, t->io->op == IO_PUNCH)) {
		transfer_fail(t, EOPNOTSUPP,
			      t->io->op == IO_PUNCH ? "have this unit give space back"
						    : "have this unit zero a range");
		return;
	}
	if (!t->range.alone)
		zero_middle(t);
	else if (transfer_bounce(t, 2 * (size_t)block_of(t)))
		transfer_read_ends(t, block_of(t), zero_ends);
}
