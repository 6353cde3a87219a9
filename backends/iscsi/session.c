/*
 * A session: logging in, watching, logging in again, and the commands on their way.
 *
 * Everything here runs on the loop's thread but session_start and session_stop, so there are
 * no locks. The library calls back from within iscsi_service and iscsi_destroy_context only;
 * a context is never destroyed from within such a call: `broken` says that it has to be.
 */
#include "backends/iscsi/session.h"

#include <errno.h>
#include <fcntl.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define DEPTH     48 /* commands at the target; its window is larger, so a ping gets through */
#define LOGIN_NS  (4 * NS_PER_S)
#define QUIET_NS  (2 * NS_PER_S) /* without an answer, before the target is asked */
#define ANSWER_NS (3 * NS_PER_S) /* for its answer */
#define IDLE_NS   (5 * NS_PER_S)
#define LATER_NS  (100 * NS_PER_MS)
#define LOGOUT_NS (300 * NS_PER_MS)
#define RETRY_MAX 3 /* seconds between logins */

static const char *address_of(const struct session *s)
{
	return s->login.addresses[s->address].text;
}

/* -- commands -- */

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
	return s->ctx && (iscsi_which_events(s->ctx) & POLLOUT ||
			  iscsi_out_queue_length(s->ctx));
}

/*
 * The library still points to the task of a write that was refused before all of its data was
 * sent: such a command lingers until nothing waits to be sent.
 */
static void finish(struct session *s, struct command *c, int result, const struct error *err)
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

static void finish_lingering(struct session *s)
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
		error_set(&err, ETIMEDOUT, "the target does not answer (%s)", s->error.text);
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

static void session_lost_it(struct session *s, struct command *c)
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
		session_lost_it(s, c);
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
	list_append(&s->running, &c->link);
}

/* Sends what may be sent of a queue. */
static void pump(struct session *s, struct list *queue)
{
	uint64_t now = 0;

	if (!list_empty(&s->lingering))
		return;
	list_for_each(l, queue) {
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

/* -- the end of a connection -- */

/* What the socket still holds must not reach the target later: close(2) drops it. */
static void drop_unsent(struct iscsi_context *ctx)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(iscsi_get_fd(ctx), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void end_early(struct session *s)
{
	struct list all = LIST_INIT(all);

	for (struct list *l; (l = list_shift(&s->early));)
		list_append(&all, l);
	for (struct list *l; (l = list_shift(&all));)
		command_done(container_of(l, struct command, link), -EIO, &s->error);
}

/* The library calls nobody back for a session that it takes for logged out. */
static void collect_running(struct session *s)
{
	for (struct list *l; (l = list_shift(&s->running));) {
		s->n_running--;
		session_lost_it(s, container_of(l, struct command, link));
	}
}

static void disconnect(struct session *s)
{
	struct iscsi_context *ctx = s->ctx;
	bool was_in = s->state == SESSION_EARLY || s->state == SESSION_READY;

	s->broken = true;
	s->state = SESSION_DOWN;
	s->asked_ns = 0;
	if (ctx) {
		drop_unsent(ctx);
		iscsi_destroy_context(ctx);
		s->ctx = NULL;
	}
	collect_running(s);
	finish_lingering(s);
	end_early(s);
	if (was_in)
		s->ops->logged_out(s->arg);
}

static void answer(struct loop_call **at, int result, const struct error *err)
{
	struct loop_call *c = *at;

	*at = NULL;
	if (c)
		loop_call_done(c, result, err);
}

static void tell_lost(struct session *s)
{
	if (s->lost || s->first)
		return;
	s->lost = true;
	s->login.host.lost(s->login.host.ctx, &s->error);
}

/* -- logging in -- */

static bool first_is_late(const struct session *s)
{
	return s->first && s->first_ns && clock_now() >= s->first_ns;
}

/* Connecting or logging in failed; s->error says why. */
static void login_failed(struct session *s)
{
	disconnect(s);
	s->address = (s->address + 1) % s->login.n_addresses;
	s->failures++;
	if (s->first && (!s->address || s->error.code == EACCES || first_is_late(s))) {
		s->state = SESSION_ENDED;
		answer(&s->first, -s->error.code, &s->error);
		return;
	}
	/* Every address has its turn at once, then there is a pause. */
	if (s->address == 0) {
		size_t pause = MIN(s->failures / s->login.n_addresses, RETRY_MAX);

		tell_lost(s);
		s->retry_ns = clock_now() + pause * NS_PER_S;
	}
}

static void broken_by(struct session *s, int code, const char *what)
{
	char reason[LOGIN_REASON];

	error_set(&s->error, code, "%s %s: %s", what, address_of(s),
		  login_reason(s->ctx, reason));
	s->broken = true;
}

static void on_login(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct session *s = arg;

	login_forget(ctx);
	if (status != SCSI_STATUS_GOOD) {
		login_refused(&s->login, ctx, address_of(s), &s->error);
		s->broken = true;
		return;
	}
	s->state = SESSION_EARLY;
	s->answered_ns = s->busy_ns = clock_now();
	s->ops->logged_in(s->arg);
}

static void on_connected(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct session *s = arg;

	if (status != SCSI_STATUS_GOOD)
		broken_by(s, EIO, "cannot connect to");
	else if (iscsi_login_async(ctx, on_login, s) < 0)
		broken_by(s, EIO, "cannot log in at");
}

static void connect_now(struct session *s)
{
	s->broken = false;
	s->until_ns = clock_now() + LOGIN_NS;
	s->ctx = login_context(&s->login, &s->error);
	if (!s->ctx) {
		login_failed(s);
		return;
	}
	s->state = SESSION_LOGIN;
	if (iscsi_connect_async(s->ctx, address_of(s), on_connected, s) < 0) {
		broken_by(s, EIO, "cannot connect to");
		return;
	}
	fcntl(iscsi_get_fd(s->ctx), F_SETFD, FD_CLOEXEC);
}

void session_ready(struct session *s)
{
	s->state = SESSION_READY;
	s->failures = 0;
	s->error = (struct error){ 0 };
	answer(&s->first, 0, NULL);
	if (s->lost)
		s->login.host.lost(s->login.host.ctx, NULL);
	s->lost = false;
}

void session_fail(struct session *s, const struct error *err)
{
	s->error = *err;
	s->broken = true;
}

/* -- watching -- */

static void lose(struct session *s, bool silent)
{
	bool was_ready = s->state == SESSION_READY;

	if (!s->error.code)
		error_set(&s->error, EIO, "the target at %s has closed the connection",
			  address_of(s));
	if (!was_ready) {
		login_failed(s);
		return;
	}
	disconnect(s);
	s->retry_ns = clock_now();
	if (silent)
		tell_lost(s);
}

static void on_alive(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct session *s = arg;

	if (status == SCSI_STATUS_CANCELLED) {
		s->broken = true;
		return;
	}
	s->asked_ns = 0;
	s->answered_ns = clock_now();
}

static void watch_target(struct session *s, uint64_t now)
{
	uint64_t since = MAX(s->busy_ns, s->answered_ns);

	if (s->asked_ns && now >= s->asked_ns + ANSWER_NS) {
		error_set(&s->error, ETIMEDOUT, "the target at %s does not answer",
			  address_of(s));
		lose(s, true);
	} else if (s->n_running && !s->asked_ns && now >= since + QUIET_NS) {
		s->asked_ns = now;
		if (iscsi_nop_out_async(s->ctx, on_alive, NULL, 0, s) < 0)
			s->broken = true;
	} else if (!s->n_running && s->state == SESSION_READY && now >= since + IDLE_NS) {
		s->busy_ns = now;
		s->ops->idle(s->arg);
	}
}

static void on_aborted(struct iscsi_context *ctx, int status, void *data, void *arg)
{
}

/*
 * One unit does not answer, the target does. A command that reads is taken back; data of one
 * that writes may be anywhere between here and there, so the session has to go.
 */
static void give_up(struct session *s, struct command *c)
{
	struct scsi_task *t = c->task;

	c->given_up = true;
	if (t->xfer_dir != SCSI_XFER_WRITE && !sends_output(s)) {
		iscsi_task_mgmt_async(s->ctx, c->lun, ISCSI_TM_ABORT_TASK, t->itt, t->cmdsn,
				      on_aborted, s);
		iscsi_scsi_cancel_task(s->ctx, t);
		return;
	}
	error_set(&s->error, ETIMEDOUT, "the target at %s did not answer a write in time",
		  address_of(s));
	s->broken = true;
}

static void watch_running(struct session *s, uint64_t now)
{
	list_for_each(l, &s->running) {
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

	list_for_each(l, queue) {
		if (!is_over(container_of(l, struct command, link), now))
			continue;
		list_remove(l);
		list_append(&over, l);
	}
	for (struct list *l; (l = list_shift(&over));)
		finish_late(s, container_of(l, struct command, link));
}

/* -- the loop -- */

static size_t session_prepare(void *arg, struct pollfd *fds, uint64_t *until)
{
	struct session *s = arg;
	int events = s->ctx ? iscsi_which_events(s->ctx) : 0;

	if (s->look_ns)
		*until = MIN(*until, s->look_ns);
	if (s->state == SESSION_LOGIN || s->last)
		*until = MIN(*until, s->until_ns);
	if (s->state == SESSION_DOWN)
		*until = MIN(*until, s->retry_ns);
	if (s->first && s->first_ns)
		*until = MIN(*until, s->first_ns);
	if (!events)
		return 0;
	fds[0] = (struct pollfd){ .fd = iscsi_get_fd(s->ctx), .events = events };
	return 1;
}

/* What was queued since the poll is sent without another one. */
static void serve(struct session *s, int revents)
{
	bool in = s->state == SESSION_EARLY || s->state == SESSION_READY;

	if (in && iscsi_which_events(s->ctx) & POLLOUT)
		revents |= POLLOUT;
	if (iscsi_service(s->ctx, revents) < 0) {
		if (!s->error.code && !in)
			broken_by(s, EIO, "cannot log in at");
		s->broken = true;
	}
}

static void send_all(struct session *s)
{
	s->look_ns = 0;
	pump(s, &s->early);
	pump(s, &s->waiting);
}

static void login_late(struct session *s, unsigned seconds)
{
	error_set(&s->error, ETIMEDOUT, "%s does not answer within %u s", address_of(s),
		  seconds);
	login_failed(s);
}

static void watch(struct session *s)
{
	uint64_t now = clock_now();

	if (first_is_late(s)) {
		login_late(s, s->first_s);
		return;
	}
	if (s->state == SESSION_LOGIN && now >= s->until_ns)
		login_late(s, LOGIN_NS / NS_PER_S);
	if (s->state == SESSION_EARLY || s->state == SESSION_READY)
		watch_target(s, now);
	watch_running(s, now);
	watch_waiting(s, &s->early, now);
	watch_waiting(s, &s->waiting, now);
}

static void end_all(struct session *s)
{
	struct list all = LIST_INIT(all);

	error_set(&s->error, EIO, "the pool is being stopped");
	disconnect(s);
	s->state = SESSION_ENDED;
	for (struct list *l; (l = list_shift(&s->waiting));)
		list_append(&all, l);
	for (struct list *l; (l = list_shift(&all));)
		command_done(container_of(l, struct command, link), -EIO, &s->error);
	answer(&s->first, -EIO, &s->error);
	answer(&s->last, 0, NULL);
}

static void session_work(void *arg, const struct pollfd *fds, size_t n)
{
	struct session *s = arg;

	if (s->state == SESSION_DOWN && clock_now() >= s->retry_ns)
		connect_now(s);
	send_all(s);
	if (s->ctx && !s->broken)
		serve(s, n ? fds[0].revents : 0);
	finish_lingering(s);
	send_all(s);
	if (s->ctx && !s->broken)
		watch(s);
	else if (s->state != SESSION_ENDED)
		watch_waiting(s, &s->waiting, clock_now());
	if (s->last && (s->broken || !s->ctx || clock_now() >= s->until_ns))
		end_all(s);
	else if (s->ctx && s->broken)
		lose(s, false);
}

static const struct loop_ops session_loop = {
	.prepare = session_prepare,
	.ready = session_work,
};

/* -- start and stop -- */

struct turn {
	struct loop_call call;
	struct session *s;
};

static void release_turn(struct loop_call *c)
{
	free(container_of(c, struct turn, call));
}

static struct turn *new_turn(struct session *s, void (*run)(struct loop_task *))
{
	struct turn *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	loop_call_init(&t->call, run, release_turn);
	t->s = s;
	return t;
}

static void run_first(struct loop_task *task)
{
	struct turn *t = container_of(task, struct turn, call.task);

	t->s->first = &t->call;
	t->s->state = SESSION_DOWN;
	t->s->retry_ns = 0;
}

static void on_logout(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	((struct session *)arg)->broken = true;
}

static void run_last(struct loop_task *task)
{
	struct turn *t = container_of(task, struct turn, call.task);
	struct session *s = t->s;
	bool polite = s->state == SESSION_READY && !s->broken && !s->n_running;

	s->last = &t->call;
	s->until_ns = clock_now();
	if (polite && iscsi_logout_async(s->ctx, on_logout, s) == 0)
		s->until_ns += LOGOUT_NS;
}

/* A little before the caller's, so that the answer says which server it was. */
static void set_deadline(struct session *s, const struct call *call)
{
	uint64_t now = clock_now(), left = call->deadline_ns - now;

	if (!call->deadline_ns || call->deadline_ns <= now)
		return;
	s->first_ns = call->deadline_ns - MIN(left / 4, 200 * NS_PER_MS);
	s->first_s = (left + NS_PER_S / 2) / NS_PER_S;
}

int session_start(struct session *s, const struct session_ops *ops, void *arg,
		  struct login *login, struct call *call, struct error *err)
{
	struct turn *t;
	int r;

	*s = (struct session){ .ops = ops, .arg = arg, .login = *login,
			       .state = SESSION_ENDED };
	*login = (struct login){ 0 };
	list_init(&s->early);
	list_init(&s->waiting);
	list_init(&s->running);
	list_init(&s->lingering);
	set_deadline(s, call);
	t = new_turn(s, run_first);
	r = t ? loop_new(&session_loop, s, &s->loop, err) :
		error_code(err, ENOMEM, "cannot log in");
	if (r == 0)
		r = loop_call_wait(s->loop, &t->call, call, err);
	if (t)
		loop_call_put(&t->call);
	if (r < 0)
		session_stop(s);
	return r;
}

void session_stop(struct session *s)
{
	struct turn *t = s->loop ? new_turn(s, run_last) : NULL;
	struct error ignored = { 0 };
	struct call call = { .deadline_ns = 0 };

	if (t) {
		loop_call_wait(s->loop, &t->call, &call, &ignored);
		loop_call_put(&t->call);
	}
	if (s->loop)
		loop_free(s->loop);
	s->loop = NULL;
	if (s->ctx)
		disconnect(s);
	login_clear(&s->login);
}
