/* Runs iscsiadm. */
#include "backends/iscsi/kernel_login.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "backends/iscsi/kernel_record.h"
#include "backends/support/clock.h"
#include "backends/support/map.h"
#include "backends/support/run.h"

#define REASON	   160
#define LOGIN_S	   15		    /* for one address, and for each try later */
#define CLEANUP_NS (120 * NS_PER_S) /* it asks no target */

/* Exit statuses of iscsiadm(8). */
#define STATUS_LOGIN	   5
#define STATUS_TIMEOUT	   8
#define STATUS_PDU_TIMEOUT 11
#define STATUS_EXISTS	   15
#define STATUS_FATAL	   19
#define STATUS_NO_ISCSID   20
#define STATUS_REFUSED	   24

static int iscsiadm(const char *const *argv, struct call *call, int *status,
		    struct error *err)
{
	struct run run = { .argv = argv,
			   .deadline_ns = call->deadline_ns,
			   .cancelled = call->cancelled };
	int r = run_tool(&run, err);

	if (status)
		*status = run.status;
	return r;
}

#define ISCSIADM(call, status, err, ...)                                               \
	iscsiadm((const char *const[]){ "iscsiadm", __VA_ARGS__, NULL }, call, status, \
		 err)

/* -- names -- */

static void name_iface(const char *target, const char *initiator, char out[IFACE_TEXT])
{
	snprintf(out, IFACE_TEXT, "storagefs-%016" PRIx64,
		 hash_string(target, hash_string(initiator, 0)));
}

static bool is_ours(const char *iface)
{
	return !strncmp(iface, "storagefs-", strlen("storagefs-"));
}

/* -- in -- */

/* "initiator reported error (8 - connection timed out)": of all that iscsiadm says. */
static const char *reason(const struct error *said, char out[REASON])
{
	const char *at = strstr(said->text, "reported error (");

	at = at ? strstr(at, " - ") : NULL;
	if (!at)
		return said->text;
	snprintf(out, REASON, "%s", at + strlen(" - "));
	out[strcspn(out, ")")] = '\0';
	return out;
}

static int refused(const struct login *l, const char *address, int status,
		   const struct error *said, struct error *err)
{
	char why[REASON];
	bool late;

	switch (status) {
	case STATUS_REFUSED:
		return error_set(err, EACCES,
				 "target '%s' at %s refuses the initiator '%s'%s%s%s: "
				 "check <auth>, its secret, and the target's access list",
				 l->target, address, l->initiator,
				 l->username ? " and the user '" : " without CHAP",
				 l->username ? l->username : "", l->username ? "'" : "");
	case STATUS_LOGIN:
	case STATUS_FATAL:
		return error_set(err, ENODEV,
				 "there is no target '%s' at %s that takes the initiator "
				 "'%s': its access list may hide it",
				 l->target, address, l->initiator);
	case STATUS_NO_ISCSID:
		return error_set(err, EIO,
				 "cannot log in to target '%s': iscsid does not run: "
				 "start it (systemctl start iscsid)",
				 l->target);
	default:
		late = status == STATUS_TIMEOUT || status == STATUS_PDU_TIMEOUT;
		return error_set(err, late ? ETIMEDOUT : said->code,
				 "cannot log in to target '%s' at %s: %s", l->target,
				 address, reason(said, why));
	}
}

static int add_iface(const struct login *l, const char *iface, struct call *call,
		     struct error *err)
{
	int r = 0;

	/* one that is there was left by a daemon that was killed, maybe half made */
	if (!record_has_iface(iface))
		r = ISCSIADM(call, NULL, err, "-m", "iface", "-I", iface, "-o", "new");
	if (r == 0)
		r = ISCSIADM(call, NULL, err, "-m", "iface", "-I", iface, "-o", "update",
			     "-n", "iface.initiatorname", "-v", l->initiator);
	return r;
}

static int check_values(const struct setting *set, size_t n, const struct login *l,
			struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (set[i].value && !record_can_hold(set[i].value))
			return error_set(
				err, EINVAL,
				"cannot log in to target '%s': open-iscsi's files "
				"cannot hold a name or password that is longer "
				"than 255 bytes, or begins or ends with a blank",
				l->target);
	return 0;
}

/* Who logs in, with what, and how long it is tried. One session, and not at boot. */
static int write_record(const struct login *l, const char *iface, unsigned seconds,
			struct error *err)
{
	AUTO_CHAP struct chap chap = { 0 };
	char timeout[16];
	int r = login_chap(l, &chap, err);

	if (r < 0)
		return r;
	snprintf(timeout, sizeof(timeout), "%u", seconds);

	const struct setting set[] = {
		{ "node.startup", "manual" },
		{ "node.conn[0].startup", "manual" },
		{ "node.session.nr_sessions", "1" },
		{ "node.session.initial_login_retry_max", "0" },
		{ "node.conn[0].timeo.login_timeout", timeout },
		{ "node.session.auth.authmethod", l->username ? "CHAP" : "None" },
		{ "node.session.auth.username", l->username },
		{ "node.session.auth.password", chap.password.data },
		{ "node.session.auth.username_in", chap.target_name },
		{ "node.session.auth.password_in", chap.target_password },
	};
	const size_t n = sizeof(set) / sizeof(*set);

	r = check_values(set, n, l, err);
	return r < 0 ? r : record_set(l->target, iface, set, n, err);
}

/* Of what is left, so that it ends before we do. */
static unsigned login_seconds(const struct call *call)
{
	uint64_t now = clock_now();
	uint64_t left = call->deadline_ns > now ? call->deadline_ns - now : 0;

	if (!call->deadline_ns)
		return LOGIN_S;
	return MAX(1, MIN(LOGIN_S, left / NS_PER_S / 2));
}

static int log_in_at(const struct login *l, const char *iface, const char *address,
		     struct call *call, struct error *err)
{
	/* iscsid would go on without iscsiadm: that is seen through */
	struct call whole = { .deadline_ns = call->deadline_ns };
	struct error said = { 0 };
	int status = 0;
	int r = ISCSIADM(call, NULL, err, "-m", "node", "-T", l->target, "-p", address,
			 "-I", iface, "-o", "new");

	if (r == 0)
		r = write_record(l, iface, login_seconds(call), err);
	if (r < 0)
		return r;
	r = ISCSIADM(&whole, &status, &said, "-m", "node", "-T", l->target, "-p", address,
		     "-I", iface, "--login");
	if (r < 0 && status != STATUS_EXISTS)
		return refused(l, address, status, &said, err);
	return 0;
}

/* So that there is one record at most. */
static void forget_node(const char *target, const char *iface)
{
	struct call call = { .deadline_ns = clock_now() + CLEANUP_NS };

	if (record_exists(target, iface))
		ISCSIADM(&call, NULL, NULL, "-m", "node", "-T", target, "-I", iface, "-o",
			 "delete");
}

/* With an interface, open-iscsi removes its records. */
static void forget(const char *target, const char *iface)
{
	struct call call = { .deadline_ns = clock_now() + CLEANUP_NS };

	if (record_has_iface(iface))
		ISCSIADM(&call, NULL, NULL, "-m", "iface", "-I", iface, "-o", "delete");
	forget_node(target, iface);
}

int kernel_login(const struct login *l, struct call *call, unsigned *sid,
		 struct error *err)
{
	char iface[IFACE_TEXT];
	int r;

	name_iface(l->target, l->initiator, iface);
	r = add_iface(l, iface, call, err);
	for (size_t i = 0; i < l->n_addresses && r == 0; i++) {
		const struct session_wanted made = {
			.target = l->target,
			.initiator = l->initiator,
			.port = l->addresses[i].port,
			.addresses = &l->addresses[i],
			.n_addresses = 1,
		};

		r = log_in_at(l, iface, l->addresses[i].text, call, err);
		if (r == 0 && kernel_session_find(&made, sid))
			return 0;
		if (r == 0)
			r = error_set(err, EIO,
				      "the session with target '%s' ended at once",
				      l->target);
		if (i + 1 < l->n_addresses && !deadline_passed(call->deadline_ns)) {
			forget_node(l->target, iface);
			r = 0;
		}
	}
	forget(l->target, iface);
	return r;
}

/* -- out -- */

static int log_out(unsigned sid, const char *target, struct call *call, struct error *err)
{
	struct error said = { 0 };
	char number[16];
	int r;

	if (!kernel_session_is(sid, target))
		return 0;
	snprintf(number, sizeof(number), "%u", sid);
	r = ISCSIADM(call, NULL, &said, "-m", "session", "-r", number, "--logout");
	if (r == 0 || !kernel_session_is(sid, target))
		return 0;
	error_copy(err, &said);
	return error_prefix(err, "cannot log out of target '%s'", target);
}

int kernel_logout(unsigned sid, const char *target, const char *iface, struct call *call,
		  struct error *err)
{
	int r = log_out(sid, target, call, err);

	if (r == 0 && is_ours(iface))
		forget(target, iface);
	return r;
}

int kernel_rescan(unsigned sid, struct call *call, struct error *err)
{
	char number[16];
	int r;

	snprintf(number, sizeof(number), "%u", sid);
	r = ISCSIADM(call, NULL, err, "-m", "session", "-r", number, "--rescan");
	return r < 0 ? error_prefix(err, "cannot look for units") : 0;
}
