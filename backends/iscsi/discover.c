/*
 * Discovery: a session of its own that asks a portal for its targets, waited for here.
 * The library's list dies with its callback, so the names are copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <iscsi/iscsi.h>
#include <poll.h>
#include <string.h>
#include <sys/param.h>

#include "backends/iscsi/pool.h"
#include "backends/support/clock.h"

#define LOGIN_NS      (4 * NS_PER_S)
#define LOOK_AGAIN_MS 100

struct discovery {
	struct login login;
	const char *address;
	struct buf targets; /* names, each with its NUL */
	bool done;
	struct error error;
};

static void discovery_clear(struct discovery *d)
{
	login_clear(&d->login);
	buf_free(&d->targets);
}

static void refuse(struct discovery *d, struct iscsi_context *ctx, const char *what)
{
	char reason[LOGIN_REASON];

	error_set(&d->error, EIO, "cannot %s %s: %s", what, d->address,
		  login_reason(ctx, reason));
	d->done = true;
}

static void on_targets(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct discovery *d = arg;

	d->done = true;
	if (status != SCSI_STATUS_GOOD) {
		refuse(d, ctx, "list the targets of");
		return;
	}
	for (const struct iscsi_discovery_address *a = data; a; a = a->next)
		if (buf_add(&d->targets, a->target_name, strlen(a->target_name) + 1) < 0)
			error_code(&d->error, ENOMEM, "cannot list targets");
}

static void on_login(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct discovery *d = arg;

	login_forget(ctx);
	if (status == SCSI_STATUS_REDIRECT) {
		login_moved(&d->login, d->address, &d->error);
		d->done = true;
	} else if (status != SCSI_STATUS_GOOD) {
		login_refused(&d->login, ctx, d->address, &d->error);
		d->done = true;
	} else if (iscsi_discovery_async(ctx, on_targets, d) < 0) {
		refuse(d, ctx, "list the targets of");
	}
}

static void on_connected(struct iscsi_context *ctx, int status, void *data, void *arg)
{
	struct discovery *d = arg;

	if (status != SCSI_STATUS_GOOD)
		refuse(d, ctx, "connect to");
	else if (iscsi_login_async(ctx, on_login, d) < 0)
		refuse(d, ctx, "log in at");
}

static void serve(struct discovery *d, struct iscsi_context *ctx, uint64_t until)
{
	struct pollfd fd = { .fd = iscsi_get_fd(ctx), .events = iscsi_which_events(ctx) };

	if (poll(&fd, fd.events ? 1 : 0, MIN(LOOK_AGAIN_MS, deadline_poll_ms(until))) <=
	    0)
		fd.revents = 0;
	if (iscsi_service(ctx, fd.revents) < 0 && !d->done)
		refuse(d, ctx, "log in at");
}

static int ask_address(struct discovery *d, const char *address, struct call *call)
{
	uint64_t until = clock_now() + LOGIN_NS;
	struct iscsi_context *ctx;

	if (call->deadline_ns)
		until = MIN(until, call->deadline_ns);
	d->address = address;
	d->done = false;
	d->error = (struct error){ 0 };
	ctx = login_context(&d->login, &d->error);
	if (!ctx)
		return -d->error.code;
	if (iscsi_connect_async(ctx, address, on_connected, d) < 0)
		refuse(d, ctx, "connect to");
	else
		fcntl(iscsi_get_fd(ctx), F_SETFD, FD_CLOEXEC);
	while (!d->done) {
		if (call->cancelled && atomic_load(call->cancelled))
			d->done = error_set(&d->error, EINTR, "interrupted");
		else if (deadline_passed(until))
			d->done = error_set(&d->error, ETIMEDOUT, "%s does not answer",
					    address);
		else
			serve(d, ctx, until);
	}
	iscsi_destroy_context(ctx);
	return -d->error.code;
}

/* The library gives the target named last first. */
static int give(struct discovery *d, const struct pool_source *from, source_each each,
		void *arg)
{
	const char *end = d->targets.data + d->targets.len, *name;
	int r = 0;

	while (r >= 0 && d->targets.len && end > d->targets.data) {
		for (name = end - 1; name > d->targets.data && name[-1]; name--)
			;

		struct pool_device device = { .path = (char *)name };
		struct pool_source found = {
			.hosts = from->hosts,
			.n_hosts = 1,
			.devices = &device,
			.n_devices = 1,
			.initiator = from->initiator,
		};

		r = each(arg, &found);
		end = name;
	}
	return r;
}

int iscsi_discover(const struct pool_source *from, const struct host *host,
		   source_each each, void *arg, struct call *call, struct error *err)
{
	CLEANUP(discovery_clear) struct discovery d = { 0 };
	int r;

	if (from->n_hosts != 1)
		return error_set(err, EINVAL,
				 "targets are asked for of one host: read "
				 "sources/iscsi/HOST or HOST:PORT");
	r = login_init(&d.login, from, NULL, host, err);
	if (r < 0)
		return r;
	r = -EIO;
	for (size_t i = 0; i < d.login.n_addresses && r < 0; i++)
		r = ask_address(&d, d.login.addresses[i].text, call);
	if (r < 0)
		return error_copy(err, &d.error);
	r = give(&d, from, each, arg);
	return r < 0 && !err->code ? error_code(err, -r, "cannot list targets") : r;
}
