/*
 * While many commands are at the target their answers are taken several at a time: each
 * waking costs more than an answer. Nobody is kept waiting but for a moment, since others
 * are on their way meanwhile.
 */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <sys/param.h>
#include <sys/socket.h>

#include "backends/iscsi/session.h"
#include "backends/support/clock.h"

#define HEADER_BYTES 48
#define FEW	     4 /* commands: the first answer is waited for */
#define SHARE	     6 /* of what is expected, wakes the thread */
#define WAKE_MAX     (128 << 10)
#define WAIT_NS	     (NS_PER_MS / 2)
#define AT_ONCE	     (64 << 10) /* a larger write has to be asked for by the target */

static int answer_bytes(const struct scsi_task *t)
{
	return HEADER_BYTES + (t->xfer_dir == SCSI_XFER_READ ? t->expxferlen : 0);
}

static bool has_more(const struct scsi_task *t)
{
	return t->xfer_dir == SCSI_XFER_WRITE && t->expxferlen > AT_ONCE;
}

void session_expect(struct session *s, const struct command *c)
{
	s->expected += answer_bytes(c->task);
	s->n_long += has_more(c->task);
}

void session_expect_no_more(struct session *s, const struct command *c)
{
	s->expected -= answer_bytes(c->task);
	s->n_long -= has_more(c->task);
}

static int power_below(int n)
{
	int power = 1;

	while (power <= n / 2)
		power *= 2;
	return power;
}

/* In bytes; as it is now where that will do. */
static int wake_at(const struct session *s)
{
	if (s->n_running < FEW || s->n_long || s->asked_ns)
		return 1;
	if (s->wake_bytes <= s->expected / 2 && s->wake_bytes >= s->expected / 16)
		return s->wake_bytes;
	return MIN(power_below(s->expected / SHARE), WAKE_MAX);
}

void session_gather(struct session *s, uint64_t *until)
{
	int bytes = wake_at(s);

	if (bytes != s->wake_bytes)
		setsockopt(iscsi_get_fd(s->ctx), SOL_SOCKET, SO_RCVLOWAT, &bytes,
			   sizeof(bytes));
	s->wake_bytes = bytes;
	if (bytes == 1)
		s->gathers_until_ns = 0;
	else if (!s->gathers_until_ns)
		s->gathers_until_ns = clock_now() + WAIT_NS;
	if (s->gathers_until_ns)
		*until = MIN(*until, s->gathers_until_ns);
}

int session_gathered(struct session *s, int revents)
{
	if (s->gathers_until_ns && clock_now() >= s->gathers_until_ns)
		revents |= POLLIN;
	if (revents & POLLIN)
		s->gathers_until_ns = 0;
	return revents;
}
