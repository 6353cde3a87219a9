/* Hosts as numeric addresses, through getaddrinfo(3). */
#include "backends/common/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/support/cleanup.h"

DEFINE_CLEANUP(cleanup_addrinfo, struct addrinfo *, freeaddrinfo)

static int code_of(int eai)
{
	switch (eai) {
	case EAI_AGAIN:
		return EAGAIN;
	case EAI_MEMORY:
		return ENOMEM;
	case EAI_SYSTEM:
		return errno;
	default:
		return ENODEV;
	}
}

static int resolve_failed(const char *host, int eai, struct error *err)
{
	int code = code_of(eai);

	if (eai == EAI_AGAIN)
		return error_set(err, code,
				 "the host %s could not be looked up, since no name "
				 "server answers: "
				 "check /etc/resolv.conf, or give its address",
				 host);
	return error_set(err, code, "the host %s is not known: %s; check <host name=…>",
			 host, eai == EAI_SYSTEM ? strerror(code) : gai_strerror(eai));
}

/* [2001:db8::1] is how URLs write it; the resolver wants it bare. */
static int bare_host(const char *host, char *bare, size_t size, struct error *err)
{
	size_t len = strlen(host);

	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (!len || len >= size)
		return error_set(err, EINVAL, "\"%.80s\" is no host name", host);
	memcpy(bare, host, len);
	bare[len] = '\0';
	return 0;
}

static void set_address(struct address *a, const struct addrinfo *from, unsigned port)
{
	char numeric[NI_MAXHOST];

	memcpy(&a->sa, from->ai_addr, from->ai_addrlen);
	a->sa_len = from->ai_addrlen;
	a->port = (uint16_t)port;
	if (getnameinfo(from->ai_addr, from->ai_addrlen, numeric, sizeof(numeric), NULL,
			0, NI_NUMERICHOST))
		strcpy(numeric, "?");
	snprintf(a->text, sizeof(a->text),
		 from->ai_family == AF_INET6 ? "[%.50s]:%u" : "%.50s:%u", numeric, port);
}

int address_resolve(const char *host, unsigned port, unsigned default_port,
		    struct address **list, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICSERV };
	struct addrinfo *found CLEANUP(cleanup_addrinfo) = NULL;
	char bare[NI_MAXHOST], service[12];
	int n = 0, r;

	if (!port)
		port = default_port;
	if (port > UINT16_MAX)
		return error_set(err, EINVAL, "%u is no port: it must be below 65536",
				 port);
	r = bare_host(host, bare, sizeof(bare), err);
	if (r < 0)
		return r;
	snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(bare, service, &hints, &found);
	if (r)
		return resolve_failed(bare, r, err);

	for (const struct addrinfo *a = found; a; a = a->ai_next)
		n++;
	*list = calloc(n, sizeof(**list));
	if (!*list)
		return error_code(err, ENOMEM, "cannot look up the host %s", bare);
	n = 0;
	for (const struct addrinfo *a = found; a; a = a->ai_next)
		set_address(&(*list)[n++], a, port);
	return n;
}
