/*
 * A session: logging in, watching, logging in again, and the commands on their way.
 *
 * Everything here runs in the loop's turn but session_start and session_stop, so there
 * are no locks: on its thread, or in a round of whoever brings a command while that
 * sleeps, which sends but neither receives nor logs in. The library calls back from
 * within iscsi_service and iscsi_destroy_context only; a context is never destroyed from
 * within such a call: `broken` says that it has to be.
 */
#include "backends/iscsi/session.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/param.h>

#include "backends/support/clock.h"

#define QUIET_NS  (2 * NS_PER_S) /* without an answer, before the target is asked */
#define ANSWER_NS (3 * NS_PER_S) /* for its answer */
#define IDLE_NS	  (5 * NS_PER_S)
#define LOGOUT_NS (300 * NS_PER_MS)
#define WATCH_NS  (20 * NS_PER_MS)

/* -- watching -- */

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
			  session_address(s));
		session_lose(s, true);
	} else if (s->n_running && !s->asked_ns && now >= since + QUIET_NS) {
		s->asked_ns = now;
		if (iscsi_nop_out_async(s->ctx, on_alive, NULL, 0, s) < 0)
			s->broken = true;
	} else if (!s->n_running && s->state == SESSION_READY && now >= since + IDLE_NS) {
		s->busy_ns = now;
		s->ops->idle(s->arg);
	}
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
	if (s->state != SESSION_LOGIN)
		session_gather(s, until);
	fds[0] = (struct pollfd){ .fd = iscsi_get_fd(s->ctx), .events = events };
	return 1;
}

static void cork(struct session *s, int on)
{
	setsockopt(iscsi_get_fd(s->ctx), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* What was queued since the poll is sent without another one, and in as few packets as it
 * fits: the library sends each command by itself. */
static void serve(struct session *s, int revents)
{
	bool in = s->state == SESSION_EARLY || s->state == SESSION_READY;
	bool many = in && iscsi_out_queue_length(s->ctx) > 1;
	int r;

	if (in && iscsi_which_events(s->ctx) & POLLOUT)
		revents |= POLLOUT;
	revents = session_gathered(s, revents);
	if (many)
		cork(s, 1);
	r = iscsi_service(s->ctx, revents);
	if (many)
		cork(s, 0);
	if (r < 0) {
		if (!s->error.code && !in)
			session_broken_by(s, EIO, "cannot log in at");
		s->broken = true;
	}
}

static void watch(struct session *s)
{
	uint64_t now = clock_now();

	if (s->ctx && !s->broken)
		session_watch_login(s, now);
	if (s->ctx && !s->broken && s->state != SESSION_LOGIN)
		watch_target(s, now);
	if (now < s->watched_ns + WATCH_NS)
		return;
	s->watched_ns = now;
	session_watch_commands(s, now);
}

static void end_all(struct session *s)
{
	error_set(&s->error, EIO, "the pool is being stopped");
	session_disconnect(s);
	s->state = SESSION_ENDED;
	session_end_waiting(s);
	session_answer(&s->first, -EIO, &s->error);
	session_answer(&s->last, 0, NULL);
}

static void session_work(void *arg, const struct pollfd *fds, size_t n)
{
	struct session *s = arg;

	if (fds && s->state == SESSION_DOWN && clock_now() >= s->retry_ns)
		session_connect(s);
	session_pump(s);
	if (s->ctx && !s->broken)
		serve(s, n ? fds[0].revents : 0);
	session_finish_lingering(s);
	session_pump(s);
	watch(s);
	if (s->last && (s->broken || !s->ctx || clock_now() >= s->until_ns))
		end_all(s);
	else if (s->ctx && s->broken)
		session_lose(s, false);
}

static const struct loop_ops session_loop = {
	.prepare = session_prepare,
	.ready = session_work,
	.shared = true,
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
	t->s->retry_ns = clock_now();
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

	*s = (struct session){
		.ops = ops, .arg = arg, .login = *login, .state = SESSION_ENDED
	};
	*login = (struct login){ 0 };
	list_init(&s->early);
	list_init(&s->waiting);
	list_init(&s->running);
	list_init(&s->lingering);
	set_deadline(s, call);
	t = new_turn(s, run_first);
	r = t ? loop_new(&session_loop, s, &s->loop, err)
	      : error_code(err, ENOMEM, "cannot log in");
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
		session_disconnect(s);
	login_clear(&s->login);
}
