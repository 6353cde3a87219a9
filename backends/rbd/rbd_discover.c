/* What could become a pool: the Ceph pools, and their namespaces, whose images the given
 * user may list. */
#include "backends/rbd/rbd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMES_GUESS 4096

static int give(const struct pool_source *from, const char *pool, const char *namespace,
		source_each each, void *arg, struct error *err)
{
	struct pool_source s = *from;
	AUTO_FREE char *name = NULL;

	if (asprintf(&name, "%s%s%s", pool, *namespace ? "/" : "", namespace) < 0) {
		name = NULL;
		return error_code(err, ENOMEM, "cannot list Ceph's pools");
	}
	s.name = name;
	return each(arg, &s);
}

/* Whether it is for images, and this user may list them. */
static bool is_usable(rados_ioctx_t io)
{
	char applications[256] = "";
	size_t len = sizeof(applications), none = 0;
	int r = rados_application_list(io, applications, &len);
	bool for_images = r < 0 || !len;

	for (size_t at = 0; r == 0 && at < len; at += strlen(applications + at) + 1)
		for_images |= !strcmp(applications + at, "rbd");
	if (!for_images)
		return false;
	r = rbd_list2(io, NULL, &none);
	return r == 0 || r == -ERANGE;
}

/* Names with a NUL behind each, as librbd gives them; NULL: there are none. */
static char *read_namespaces(rados_ioctx_t io, size_t *len)
{
	char *names = NULL;
	int r;

	*len = NAMES_GUESS;
	do {
		free(names);
		names = malloc(*len + 1);
		r = names ? rbd_namespace_list(io, names, len) : -ENOMEM;
	} while (r == -ERANGE);
	if (r >= 0)
		return names;
	free(names);
	return NULL;
}

static int give_pool(struct cluster *c, const struct pool_source *from, const char *pool,
		     source_each each, void *arg, struct error *err)
{
	AUTO_FREE char *namespaces = NULL;
	size_t len = 0;
	rados_ioctx_t io;
	int r = 0;

	if (rados_ioctx_create(c->rados, pool, &io) < 0)
		return 0;
	if (is_usable(io)) {
		r = give(from, pool, "", each, arg, err);
		namespaces = read_namespaces(io, &len);
	}
	for (size_t at = 0; r >= 0 && namespaces && at < len;
	     at += strlen(namespaces + at) + 1)
		if (namespaces[at])
			r = give(from, pool, namespaces + at, each, arg, err);
	rados_ioctx_destroy(io);
	return r;
}

static int give_pools(struct cluster *c, const struct pool_source *from, source_each each,
		      void *arg, struct error *err)
{
	AUTO_FREE char *names = NULL;
	int room = NAMES_GUESS, r;

	for (;;) {
		free(names);
		names = malloc(room);
		if (!names)
			return error_code(err, ENOMEM, "cannot list Ceph's pools");
		r = rados_pool_list(c->rados, names, room);
		if (r <= room)
			break;
		room = r;
	}
	if (r < 0)
		return rbd_failed(NULL, r, err, "cannot list Ceph's pools");
	for (const char *name = names; *name && r >= 0; name += strlen(name) + 1)
		r = give_pool(c, from, name, each, arg, err);
	return r < 0 ? r : 0;
}

int rbd_discover(const struct pool_source *from, const struct host *host,
		 source_each each, void *arg, struct call *call, struct error *err)
{
	struct cluster c;
	int r = cluster_connect(&c, from, NULL, 0, host, call, err);

	if (r < 0)
		return r;
	r = give_pools(&c, from, each, arg, err);
	cluster_close(&c);
	return r;
}
