/*
 * Hosts of a pool's source as numeric addresses. Libraries resolve names on their own
 * threads without a deadline and take the first address alone; so we resolve first.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "backends/support/error.h"
#include "backends/support/spec.h"

#define ADDRESS_TEXT 64 /* "[IPv6%scope]:port" and its NUL */

struct address {
	struct sockaddr_storage sa;
	socklen_t sa_len;
	uint16_t port;
	char text[ADDRESS_TEXT]; /* 192.0.2.1:3260 or [2001:db8::1]:3260 */
};

/*
 * All addresses of a host (a name, an IPv4 or an IPv6 address, with or without brackets)
 * in the resolver's order; *list is the caller's to free(). A port of 0 means
 * default_port. Waits for the resolver: only where waiting is allowed. Returns how many
 * (at least one). Errors: -ENODEV the name is not known, -EAGAIN the resolver does not
 * answer now, -EINVAL it is no host name, -ENOMEM.
 */
int address_resolve(const char *host, unsigned port, unsigned default_port,
		    struct address **list, struct error *err);
