/* sources/sheepdog/HOST: whether a sheep of a usable cluster answers there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sheepdog/sheep.h"
#include "backends/sheepdog/sheep_wire.h"
#include "backends/support/clock.h"

#define ANSWER_NS (10 * NS_PER_S)

static int ask(const struct address *list, size_t n, uint64_t deadline, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct wire w = { .where = &list[i] };

		wire_ask(&w, 1, SHEEP_STAT_CLUSTER, SHEEP_EPOCH_ROOM, deadline);
		if (w.answered && !w.reply.result)
			return 0;
		if (w.answered)
			r = sheep_failure(w.reply.result, err, "cannot use the sheep %s",
					  list[i].text);
		else if (w.code == ETIMEDOUT)
			r = error_set(err, ETIMEDOUT, "the sheep %s does not answer",
				      list[i].text);
		else
			r = error_set(err, EIO, "cannot connect to the sheep %s: %s",
				      list[i].text, strerror(w.code));
	}
	return r;
}

/* A cluster has one namespace of VDIs, and no name. */
static int tell(const struct pool_host *host, source_each each, void *arg,
		struct error *err)
{
	AUTO_POOL_SOURCE struct pool_source s = { 0 };

	s.hosts = calloc(1, sizeof(*s.hosts));
	if (s.hosts)
		s.hosts[s.n_hosts++].name = strdup(host->name);
	if (!s.n_hosts || !s.hosts[0].name)
		return error_code(err, ENOMEM, "cannot tell of the sheep %s", host->name);
	s.hosts[0].port = host->port ? host->port : SHEEP_PORT;
	return each(arg, &s);
}

int sheep_discover(const struct pool_source *from, const struct host *host,
		   source_each each, void *arg, struct call *call, struct error *err)
{
	AUTO_FREE struct address *list = NULL;
	uint64_t deadline = clock_now() + ANSWER_NS;
	int n;

	if (!from->n_hosts || !from->hosts[0].name)
		return error_set(
			err, EINVAL,
			"name the host of a sheep: sources/sheepdog/HOST[:PORT]");
	if (call->deadline_ns && call->deadline_ns < deadline)
		deadline = call->deadline_ns;
	n = address_resolve(from->hosts[0].name, from->hosts[0].port, SHEEP_PORT, &list,
			    err);
	if (n > 0)
		n = ask(list, n, deadline, err);
	return n < 0 ? n : tell(&from->hosts[0], each, arg, err);
}
