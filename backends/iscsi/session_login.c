/* A session's connection: logging in, losing it, logging in again. */
#include <errno.h>
#include <fcntl.h>
#include <iscsi/iscsi.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>

#include "backends/iscsi/session.h"
#include "backends/support/clock.h"

#define LOGIN_NS  (4 * NS_PER_S)
#define RETRY_MAX 3 /* seconds between logins */

const char *session_address(const struct session *s)
{
	return *s->moved ? s->moved : s->login.addresses[s->address].text;
}

/* -- the end of a connection -- */

/* What the socket still holds must not reach the target later: close(2) drops it. */
static void drop_unsent(struct iscsi_context *ctx)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(iscsi_get_fd(ctx), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void session_disconnect(struct session *s)
{
	struct iscsi_context *ctx = s->ctx;
	s->broken = true;
	s->state = SESSION_DOWN;
	s->asked_ns = 0;
	if (ctx) {
		drop_unsent(ctx);
		iscsi_destroy_context(ctx);
		s->ctx = NULL;
	}
	session_collect(s);
	session_finish_lingering(s);
	session_end_early(s);
}

void session_answer(struct loop_call **at, int result, const struct error *err)
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
	session_disconnect(s);
	if (s->follows) {
		s->follows = false;
		s->retry_ns = clock_now();
		return;
	}
	s->moved[0] = '\0';
	s->address = (s->address + 1) % s->login.n_addresses;
	s->failures++;
	if (s->first && (!s->address || s->error.code == EACCES || first_is_late(s))) {
		s->state = SESSION_ENDED;
		session_answer(&s->first, -s->error.code, &s->error);
		return;
	}
	/* Every address has its turn at once, then there is a pause. */
	if (s->address == 0) {
		size_t pause = MIN(s->failures / s->login.n_addresses, RETRY_MAX);

		tell_lost(s);
		s->retry_ns = clock_now() + pause * NS_PER_S;
	}
}

void session_broken_by(struct session *s, int code, const char *what)
{
	char reason[LOGIN_REASON];

	error_set(&s->error, code, "%s %s: %s", what, session_address(s),
		  login_reason(s->ctx, reason));
	s->broken = true;
}

/*
 * A target may send who logs in to another of its portals. It is followed once: who is
 * sent on from there begins again at the first.
 */
static bool follow(struct session *s, struct iscsi_context *ctx)
{
	const char *to = iscsi_get_target_address(ctx);
	size_t len = strcspn(to, ","); /* the portal group is behind it */

	/* a name would have to be resolved, which may take any time */
	if (*s->moved || !len || len >= sizeof(s->moved) || !strchr("[0123456789", *to))
		return false;
	memcpy(s->moved, to, len);
	s->moved[len] = '\0';
	s->follows = true;
	return true;
}

static void on_login(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct session *s = arg;

	login_forget(ctx);
	if (status == SCSI_STATUS_REDIRECT) {
		s->broken = true;
		if (!follow(s, ctx))
			login_moved(&s->login, session_address(s), &s->error);
		return;
	}
	if (status != SCSI_STATUS_GOOD) {
		login_refused(&s->login, ctx, session_address(s), &s->error);
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
		session_broken_by(s, EIO, "cannot connect to");
	else if (iscsi_login_async(ctx, on_login, s) < 0)
		session_broken_by(s, EIO, "cannot log in at");
}

void session_connect(struct session *s)
{
	s->broken = false;
	s->until_ns = clock_now() + LOGIN_NS;
	s->ctx = login_context(&s->login, &s->error);
	if (!s->ctx) {
		login_failed(s);
		return;
	}
	s->state = SESSION_LOGIN;
	s->wake_bytes = 1;
	if (iscsi_connect_async(s->ctx, session_address(s), on_connected, s) < 0) {
		session_broken_by(s, EIO, "cannot connect to");
		return;
	}
	fcntl(iscsi_get_fd(s->ctx), F_SETFD, FD_CLOEXEC);
}

void session_ready(struct session *s)
{
	s->state = SESSION_READY;
	s->failures = 0;
	s->error = (struct error){ 0 };
	session_answer(&s->first, 0, NULL);
	if (s->lost)
		s->login.host.lost(s->login.host.ctx, NULL);
	s->lost = false;
}

void session_fail(struct session *s, const struct error *err)
{
	s->error = *err;
	s->broken = true;
}

/* -- when it is too late -- */

static void fail_late(struct session *s, unsigned seconds)
{
	error_set(&s->error, ETIMEDOUT, "%s does not answer within %u s",
		  session_address(s), seconds);
	login_failed(s);
}

void session_watch_login(struct session *s, uint64_t now)
{
	if (first_is_late(s))
		fail_late(s, s->first_s);
	else if (s->state == SESSION_LOGIN && now >= s->until_ns)
		fail_late(s, LOGIN_NS / NS_PER_S);
}

void session_lose(struct session *s, bool silent)
{
	bool was_ready = s->state == SESSION_READY;

	if (!s->error.code)
		error_set(&s->error, EIO, "the target at %s has closed the connection",
			  session_address(s));
	if (!was_ready) {
		login_failed(s);
		return;
	}
	session_disconnect(s);
	s->moved[0] = '\0';
	s->retry_ns = clock_now();
	if (silent)
		tell_lost(s);
}
