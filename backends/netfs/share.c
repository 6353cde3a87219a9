/* A share's names: the definition's, mount's and the kernel's. */
#include "backends/netfs/netfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void share_clear(struct share *s)
{
	free(s->source);
	s->source = NULL;
}

static int kind_of(const char *format, enum netfs_kind *out, struct error *err)
{
	static const struct {
		const char *format;
		enum netfs_kind kind;
	} kinds[] = { { "auto", NETFS_NFS },
		      { "nfs", NETFS_NFS },
		      { "cifs", NETFS_CIFS },
		      { "glusterfs", NETFS_GLUSTERFS } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!format || !strcmp(kinds[i].format, format)) {
			*out = kinds[i].kind;
			return 0;
		}
	return error_set(err, EINVAL, "a netfs pool has no format '%s'", format);
}

int share_of(const struct pool_spec *spec, struct share *out, struct error *err)
{
	const struct pool_source *s = &spec->source;
	const char *host, *dir = s->dir;
	bool bare6;
	int r = kind_of(s->format, &out->kind, err), n;

	if (r < 0)
		return r;
	if (s->n_hosts != 1 || !s->hosts[0].name || !*s->hosts[0].name)
		return error_set(err, EINVAL,
				 "a netfs pool has exactly one source host, not %zu",
				 s->n_hosts);
	host = s->hosts[0].name;
	/* both would be read as an option or as something else than a host */
	if (*host == '-' || strchr(host, '/'))
		return error_set(err, EINVAL, "'%s' is not the name of a host", host);
	if (!dir || !*dir)
		return error_set(err, EINVAL, "the source has no directory");
	bare6 = strchr(host, ':') && *host != '[';
	if (out->kind == NETFS_CIFS)
		n = asprintf(&out->source, "//%s/%s", host, dir + strspn(dir, "/"));
	else
		n = asprintf(&out->source, "%s%s%s:%s", bare6 ? "[" : "", host,
			     bare6 ? "]" : "", dir);
	if (n >= 0)
		return 0;
	out->source = NULL;
	return error_code(err, ENOMEM, "cannot name the share");
}

static bool same_path(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);

	while (la > 1 && a[la - 1] == '/')
		la--;
	while (lb > 1 && b[lb - 1] == '/')
		lb--;
	return la == lb && !memcmp(a, b, la);
}

bool share_is(const struct share *s, const struct mounted *m)
{
	static const char *const types[] = {
		[NETFS_NFS] = "nfs",
		[NETFS_CIFS] = "cifs",
		[NETFS_GLUSTERFS] = "fuse.glusterfs",
	};
	const char *type = types[s->kind];

	if (s->kind == NETFS_NFS && strcmp(m->type, "nfs4") && strcmp(m->type, "nfs"))
		return false;
	if (s->kind == NETFS_CIFS && !strcmp(m->type, "smb3"))
		type = "smb3";
	if (s->kind != NETFS_NFS && strcmp(m->type, type))
		return false;
	return same_path(s->source, m->source);
}
