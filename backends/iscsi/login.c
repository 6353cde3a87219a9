/* Names, addresses and CHAP of a login. */
#include "backends/iscsi/login.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define INITIATOR_FILE	 "/etc/iscsi/initiatorname.iscsi" /* open-iscsi's */
#define INITIATOR_PREFIX "iqn.2026-11.org.storagefs"

/* -- names -- */

/* The host's own name as an initiator; where it has none, one made of its host name. */
static char *default_initiator(void)
{
	FILE *f = fopen(INITIATOR_FILE, "re");
	char line[MAX_STRING_SIZE + 32], *name = NULL;
	char host[HOST_NAME_MAX + 1] = "localhost";

	while (f && !name && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!strncmp(line, "InitiatorName=", 14) && line[14])
			name = strdup(line + 14);
	}
	if (f)
		fclose(f);
	if (name)
		return name;
	gethostname(host, sizeof(host) - 1);
	return asprintf(&name, "%s:%s", INITIATOR_PREFIX, host) < 0 ? NULL : name;
}

static int check_length(const char *what, const char *name, struct error *err)
{
	if (*name && strlen(name) < MAX_STRING_SIZE)
		return 0;
	return error_set(err, EINVAL, "the %s is %s", what,
			 *name ? "longer than an iSCSI name may be" : "empty");
}

static int copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_names(struct login *l, const struct pool_source *source,
		      const char *target, struct error *err)
{
	if (copy(&l->target, target) < 0 || copy(&l->initiator, source->initiator) < 0 ||
	    copy(&l->username, source->auth.username) < 0 ||
	    copy(&l->secret.uuid, source->auth.secret.uuid) < 0 ||
	    copy(&l->secret.usage, source->auth.secret.usage) < 0)
		return error_code(err, ENOMEM, "cannot log in");
	if (!l->initiator)
		l->initiator = default_initiator();
	if (!l->initiator)
		return error_code(err, ENOMEM, "cannot log in");
	if (check_length("initiator's name", l->initiator, err) < 0 ||
	    (target && check_length("target's name", target, err) < 0) ||
	    (l->username && check_length("CHAP user's name", l->username, err) < 0))
		return -err->code;
	return 0;
}

static int resolve(const struct pool_source *source, struct address **list,
		   struct error *err)
{
	if (source->n_hosts != 1)
		return error_set(err, EINVAL,
				 "an iSCSI source has one <host>, this one has %zu",
				 source->n_hosts);
	return address_resolve(source->hosts[0].name, source->hosts[0].port, ISCSI_PORT,
			       list, err);
}

static int check_auth(const struct pool_source *source, struct error *err)
{
	const char *type = source->auth.type;

	if (!type || !strcmp(type, "chap"))
		return 0;
	return error_set(err, EINVAL, "iSCSI authenticates by 'chap', not by '%s'", type);
}

int login_init(struct login *l, const struct pool_source *source, const char *target,
	       const struct host *host, struct error *err)
{
	int r = check_auth(source, err);

	*l = (struct login){ .host = *host };
	if (r == 0)
		r = copy_names(l, source, target, err);
	if (r == 0)
		r = resolve(source, &l->addresses, err);
	if (r < 0) {
		login_clear(l);
		return r;
	}
	l->n_addresses = r;
	if (getrandom(&l->isid, sizeof(l->isid), 0) < 0)
		l->isid = getpid();
	return 0;
}

void login_clear(struct login *l)
{
	free(l->target);
	free(l->initiator);
	free(l->addresses);
	free(l->username);
	secret_ref_clear(&l->secret);
	*l = (struct login){ 0 };
}

/* -- CHAP -- */

static int check_password(const char *id, const struct buf *value, struct error *err)
{
	if (value->len && value->len < MAX_STRING_SIZE &&
	    !memchr(value->data, '\0', value->len))
		return 0;
	return error_set(err, EINVAL,
			 "the secret '%s' is no CHAP password: it has %zu bytes, or a "
			 "zero byte in it",
			 id, value->len);
}

static const char *secret_id(const struct login *l)
{
	return l->secret.uuid ? l->secret.uuid : l->secret.usage ? l->secret.usage : "";
}

/*
 * The target proves itself as well where a secret of the name ID/mutual is set, with the
 * target's user name in the first line and its password in the second: libvirt's XML has
 * no place for them.
 */
static int get_mutual(const struct login *l, struct chap *out, struct error *err)
{
	AUTO_FREE char *usage = NULL;
	struct error ignored = { 0 };
	char *password;
	int r;

	if (asprintf(&usage, "%s/mutual", secret_id(l)) < 0)
		return error_code(err, ENOMEM, "cannot log in");
	r = l->host.secret(l->host.ctx, &(struct secret_ref){ .usage = usage },
			   &out->mutual, &ignored);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_copy(err, &ignored);
	password = out->mutual.len ? strchr(out->mutual.data, '\n') : NULL;
	if (check_password(usage, &out->mutual, err) < 0)
		return -err->code;
	if (!password || password == out->mutual.data || !password[1])
		return error_set(
			err, EINVAL,
			"the secret '%s' has to have two lines: the name by which the "
			"target proves itself, and its password",
			usage);
	*password++ = '\0';
	password[strcspn(password, "\n")] = '\0';
	out->target_name = out->mutual.data;
	out->target_password = password;
	return 0;
}

int login_chap(const struct login *l, struct chap *out, struct error *err)
{
	int r;

	if (!l->username)
		return 0;
	r = l->host.secret(l->host.ctx, &l->secret, &out->password, err);
	if (r == 0)
		r = check_password(secret_id(l), &out->password, err);
	if (r < 0)
		return error_prefix(err, "cannot log in as '%s'", l->username);
	return get_mutual(l, out, err);
}

void chap_clear(struct chap *c)
{
	buf_wipe(&c->password);
	buf_wipe(&c->mutual);
}

static int set_chap(const struct login *l, struct iscsi_context *ctx, struct error *err)
{
	AUTO_CHAP struct chap chap = { 0 };
	int r = login_chap(l, &chap, err);

	if (r < 0 || !l->username)
		return r;
	iscsi_set_initiator_username_pwd(ctx, l->username, chap.password.data);
	if (chap.target_name)
		iscsi_set_target_username_pwd(ctx, chap.target_name,
					      chap.target_password);
	return 0;
}

void login_forget(struct iscsi_context *ctx)
{
	/* the library copies with strncpy, which clears what is behind */
	iscsi_set_initiator_username_pwd(ctx, "-", "-");
	iscsi_set_target_username_pwd(ctx, "-", "-");
}

struct iscsi_context *login_context(const struct login *l, struct error *err)
{
	struct iscsi_context *ctx = iscsi_create_context(l->initiator);

	if (!ctx) {
		error_code(err, ENOMEM, "cannot log in");
		return NULL;
	}
	iscsi_set_noautoreconnect(ctx, 1);
	iscsi_set_isid_random(ctx, l->isid, l->isid >> 24);
	iscsi_set_session_type(ctx, l->target ? ISCSI_SESSION_NORMAL
					      : ISCSI_SESSION_DISCOVERY);
	if (l->target)
		iscsi_set_targetname(ctx, l->target);
	if (set_chap(l, ctx, err) < 0) {
		iscsi_destroy_context(ctx);
		return NULL;
	}
	return ctx;
}

/* -- what the library says -- */

/* Status class and detail of RFC 7143 11.13.5, which the library gives as text only. */
static unsigned status_in(const char *text)
{
	const char *at = strrchr(text, '(');
	unsigned status = 0;

	return at && sscanf(at, "(%u)", &status) == 1 ? status : 0;
}

const char *login_reason(const struct iscsi_context *ctx, char out[LOGIN_REASON])
{
	const char *text = iscsi_get_error((struct iscsi_context *)ctx);
	const char *status = strstr(text, "Status: "),
		   *error = strstr(text, "socket error ");

	if (status)
		text = status + strlen("Status: ");
	else if (error)
		text = error + strlen("socket error ");
	else if (!*text || strstr(text, "reconnect"))
		text = "it closed the connection";
	else if (!strncmp(text, "iscsi_", 6) && strstr(text, ": "))
		text = strstr(text, ": ") + 2;
	snprintf(out, LOGIN_REASON, "%s", text);
	out[strcspn(out, error ? "(" : "\n")] = '\0';
	return out;
}

int login_moved(const struct login *l, const char *address, struct error *err)
{
	const char *target = l->target ? l->target : "";

	return error_set(err, EIO,
			 "%s%s%s at %s has moved to where it cannot be followed",
			 l->target ? "target '" : "discovery", target,
			 l->target ? "'" : "", address);
}

int login_refused(const struct login *l, const struct iscsi_context *ctx,
		  const char *address, struct error *err)
{
	char reason[LOGIN_REASON];
	const char *text = login_reason(ctx, reason);
	char what[MAX_STRING_SIZE + 16] = "discovery";

	if (l->target)
		snprintf(what, sizeof(what), "target '%s'", l->target);

	switch (status_in(text)) {
	case 0x0201:
	case 0x0202:
		if (!l->username)
			return error_set(
				err, EACCES,
				"%s at %s is refused without CHAP (%s): the source wants "
				"an <auth type='chap'>",
				what, address, text);
		return error_set(
			err, EACCES,
			"%s at %s is refused to the user '%s' (%s): check the name in "
			"<auth> and the secret",
			what, address, l->username, text);
	case 0x0203:
	case 0x0204:
		return error_set(
			err, ENODEV,
			"there is no %s at %s for the initiator '%s' (%s): its access "
			"list may hide it",
			what, address, l->initiator, text);
	default:
		break;
	}
	if (strstr(text, "CHAP"))
		return error_set(err, EACCES,
				 "%s at %s did not prove itself (%s): check the secret "
				 "'%s/mutual'",
				 what, address, text, secret_id(l));
	return error_set(err, EIO, "cannot log in to %s at %s: %s", what, address, text);
}
