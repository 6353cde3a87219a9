/* A session's commands: waiting, running, answered, given up. */
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <sys/param.h>

#include "backends/iscsi/session.h"
#include "backends/support/clock.h"

#define DEPTH \
	48 /* commands at the target; its window is larger, so a ping gets through */
#define LATER_NS (100 * NS_PER_MS)

static struct list *queue_of(struct session *s, const struct command *c)
{
	return c->early ? &s->early : &s->waiting;
}

static bool may_send(const struct session *s, const struct command *c)
{
	return !s->broken &&
	       (s->state == SESSION_READY || (c->early && s->state == SESSION_EARLY));
}

static bool sends_output(const struct session *s)
{
	return s->ctx &&
	       (iscsi_which_events(s->ctx) & POLLOUT || iscsi_out_queue_length(s->ctx));
}

/*
 * The library still points to the task of a write that was refused before all of its data
 * was sent: such a command lingers until nothing waits to be sent.
 */
static void finish(struct session *s, struct command *c, int result,
		   const struct error *err)
{
	bool linger = result < 0 && c->task && c->task->xfer_dir == SCSI_XFER_WRITE &&
		      !s->broken && sends_output(s);

	if (!linger) {
		command_done(c, result, err);
		return;
	}
	c->result = result;
	c->error = *err;
	list_append(&s->lingering, &c->link);
}

void session_finish_lingering(struct session *s)
{
	if (list_empty(&s->lingering) || sends_output(s))
		return;
	for (struct list *l; (l = list_shift(&s->lingering));) {
		struct command *c = container_of(l, struct command, link);

		command_done(c, c->result, &c->error);
	}
}

static void finish_late(struct session *s, struct command *c)
{
	struct error err = { 0 };

	if (s->error.code)
		error_set(&err, ETIMEDOUT, "the target does not answer (%s)",
			  s->error.text);
	else
		error_set(&err, ETIMEDOUT, "the target did not answer in time");
	command_done(c, -ETIMEDOUT, &err);
}

static bool is_over(const struct command *c, uint64_t now)
{
	return (c->deadline_ns && now >= c->deadline_ns) ||
	       (c->cancelled && atomic_load(c->cancelled));
}

/* To be sent again, first of all. */
static void put_back(struct session *s, struct command *c, uint64_t not_before)
{
	struct list *q = queue_of(s, c);

	if (command_renew(c) < 0) {
		command_done(c, -ENOMEM, NULL);
		return;
	}
	c->tries++;
	c->not_before_ns = not_before;
	list_append(q->next, &c->link); /* behind the last of what is before the first */
}

static void lost(struct session *s, struct command *c)
{
	s->broken = true;
	if (c->early)
		command_done(c, -EIO, &s->error);
	else if (c->given_up || is_over(c, clock_now()))
		finish_late(s, c);
	else
		put_back(s, c, 0);
}

static void on_response(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct command *c = arg;
	struct session *s = c->session;
	struct error err = { 0 };
	struct sense sense;

	list_remove(&c->link);
	s->n_running--;
	session_expect_no_more(s, c);
	if (c->given_up) {
		finish_late(s, c);
		return;
	}
	if (status != SCSI_STATUS_CANCELLED) {
		s->answered_ns = clock_now();
		s->asked_ns = 0;
	}
	switch (command_judge(c, status, &sense, &err)) {
	case COMMAND_FINE:
		finish(s, c, 0, NULL);
		break;
	case COMMAND_FAILED:
		finish(s, c, -err.code, &err);
		break;
	case COMMAND_AGAIN:
		s->ops->attention(s->arg, c->lun, sense.code);
		put_back(s, c, 0);
		break;
	case COMMAND_LATER:
		put_back(s, c, s->answered_ns + MIN(c->tries + 1, 10) * LATER_NS);
		break;
	case COMMAND_SESSION_LOST:
		lost(s, c);
		break;
	}
}

static void send_now(struct session *s, struct command *c)
{
	list_remove(&c->link);
	if (c->gone && *c->gone) { /* the number may be another unit's now */
		command_done(c, -c->gone_why->code, c->gone_why);
		return;
	}
	if (iscsi_scsi_command_async(s->ctx, c->lun, c->task, on_response, NULL, c) < 0) {
		command_done(c, -ENOMEM, NULL);
		return;
	}
	if (!s->n_running++)
		s->busy_ns = clock_now();
	session_expect(s, c);
	list_append(&s->running, &c->link);
}

/* Sends what may be sent of a queue. */
static void pump(struct session *s, struct list *queue)
{
	uint64_t now = 0;

	if (!list_empty(&s->lingering))
		return;
	list_for_each (l, queue) {
		struct command *c = container_of(l, struct command, link);

		if (s->n_running >= DEPTH || !may_send(s, c))
			return;
		if (c->not_before_ns && !now)
			now = clock_now();
		if (c->not_before_ns <= now)
			send_now(s, c);
		else if (!s->look_ns || c->not_before_ns < s->look_ns)
			s->look_ns = c->not_before_ns;
	}
}

void session_send(struct session *s, struct command *c)
{
	c->session = s;
	if (!c->task)
		command_done(c, -ENOMEM, NULL);
	else if (c->early && s->state != SESSION_EARLY && s->state != SESSION_READY)
		command_done(c, -EIO, s->error.code ? &s->error : NULL);
	else
		list_append(queue_of(s, c), &c->link);
}

void session_pump(struct session *s)
{
	s->look_ns = 0;
	pump(s, &s->early);
	pump(s, &s->waiting);
}

/* -- the end of a connection -- */

void session_end_early(struct session *s)
{
	struct list all = LIST_INIT(all);

	for (struct list *l; (l = list_shift(&s->early));)
		list_append(&all, l);
	for (struct list *l; (l = list_shift(&all));)
		command_done(container_of(l, struct command, link), -EIO, &s->error);
}

/* The library calls nobody back for a session that it takes for logged out. */
void session_collect(struct session *s)
{
	for (struct list *l; (l = list_shift(&s->running));) {
		struct command *c = container_of(l, struct command, link);

		s->n_running--;
		session_expect_no_more(s, c);
		lost(s, c);
	}
}

void session_end_waiting(struct session *s)
{
	struct list all = LIST_INIT(all);

	for (struct list *l; (l = list_shift(&s->waiting));)
		list_append(&all, l);
	for (struct list *l; (l = list_shift(&all));)
		command_done(container_of(l, struct command, link), -EIO, &s->error);
}

/* -- deadlines -- */

static void on_aborted(struct iscsi_context *ctx, int status, void *data, void *arg)
{
}

/*
 * One unit does not answer, the target does. A command that reads is taken back; data of
 * one that writes may be anywhere between here and there, so the session has to go.
 */
static void give_up(struct session *s, struct command *c)
{
	struct scsi_task *t = c->task;

	c->given_up = true;
	if (t->xfer_dir != SCSI_XFER_WRITE && !sends_output(s)) {
		iscsi_task_mgmt_async(s->ctx, c->lun, ISCSI_TM_ABORT_TASK, t->itt,
				      t->cmdsn, on_aborted, s);
		iscsi_scsi_cancel_task(s->ctx, t);
		return;
	}
	error_set(&s->error, ETIMEDOUT, "the target at %s did not answer a write in time",
		  session_address(s));
	s->broken = true;
}

static void watch_running(struct session *s, uint64_t now)
{
	list_for_each (l, &s->running) {
		struct command *c = container_of(l, struct command, link);

		if (s->broken)
			return;
		if (c->deadline_ns && now >= c->deadline_ns)
			give_up(s, c);
	}
}

static void watch_waiting(struct session *s, struct list *queue, uint64_t now)
{
	struct list over = LIST_INIT(over);

	list_for_each (l, queue) {
		if (!is_over(container_of(l, struct command, link), now))
			continue;
		list_remove(l);
		list_append(&over, l);
	}
	for (struct list *l; (l = list_shift(&over));)
		finish_late(s, container_of(l, struct command, link));
}

void session_watch_commands(struct session *s, uint64_t now)
{
	if (s->ctx && !s->broken)
		watch_running(s, now);
	watch_waiting(s, &s->early, now);
	watch_waiting(s, &s->waiting, now);
}
