/*
 * Whom to log in to and as whom: addresses, names, CHAP. The password is asked for at
 * each login and kept by nobody.
 */
#pragma once

#include "backends/backend.h"
#include "backends/common/address.h"

struct iscsi_context;

#define ISCSI_PORT 3260

struct login {
	struct host host;
	char *target; /* NULL: for discovery */
	char *initiator;
	struct address *addresses;
	size_t n_addresses;
	char *username; /* NULL: without CHAP */
	struct secret_ref secret;
	uint32_t isid; /* the same for all logins of a session, so that a new one ends the
			  last */
};

/* Resolves the host: may wait for the resolver. target is copied. Errors: -EINVAL,
 * address_resolve's, -ENOENT and others of the secret, -ENOMEM. */
int login_init(struct login *, const struct pool_source *, const char *target,
	       const struct host *, struct error *);
void login_clear(struct login *);

/* The passwords of a login. */
struct chap {
	struct buf password, mutual;
	/* in mutual; NULL: the target need not prove itself */
	const char *target_name, *target_password;
};
void chap_clear(struct chap *); /* wipes them */
#define AUTO_CHAP CLEANUP(chap_clear)

/* Asks the host for them; without a user name there are none. */
int login_chap(const struct login *, struct chap *out, struct error *);

/* A context ready to connect. NULL: see err. */
struct iscsi_context *login_context(const struct login *, struct error *);

/* The context no longer needs the password: it is overwritten. */
void login_forget(struct iscsi_context *);

#define LOGIN_REASON 300

/* Why the library failed last, for a person: without its names of functions. */
const char *login_reason(const struct iscsi_context *, char out[LOGIN_REASON]);

/* The error of a login that the target sends elsewhere. Returns -errno. */
int login_moved(const struct login *, const char *address, struct error *);
/* The error of a login that the target refused, by what the library says. Returns -errno.
 */
int login_refused(const struct login *, const struct iscsi_context *, const char *address,
		  struct error *);
