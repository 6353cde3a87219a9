/* Releasing descriptions of pools and volumes. */
#include "backends/support/spec.h"

#include <stdlib.h>

static void free_all(char **const *strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(*strings[i]);
}

#define FREE_ALL(...)                                                                    \
	free_all((char **const[]){ __VA_ARGS__ },                                        \
		 sizeof((char **const[]){ __VA_ARGS__ }) / sizeof(char **))

void secret_ref_clear(struct secret_ref *r)
{
	FREE_ALL(&r->type, &r->uuid, &r->usage);
	*r = (struct secret_ref){ 0 };
}

void permissions_clear(struct permissions *p)
{
	free(p->label);
	*p = (struct permissions)PERMISSIONS_UNSET;
}

static void extents_free(struct extent *extents, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(extents[i].device);
	free(extents);
}

void pool_source_clear(struct pool_source *s)
{
	struct pool_adapter *a = &s->adapter;

	for (size_t i = 0; i < s->n_hosts; i++)
		free(s->hosts[i].name);
	free(s->hosts);
	for (size_t i = 0; i < s->n_devices; i++) {
		free(s->devices[i].path);
		extents_free(s->devices[i].free, s->devices[i].n_free);
	}
	free(s->devices);
	FREE_ALL(&s->dir, &s->name, &s->initiator, &s->format, &s->protocol_ver,
		 &s->vendor, &s->product, &s->auth.type, &s->auth.username);
	FREE_ALL(&a->name, &a->wwnn, &a->wwpn, &a->parent, &a->parent_wwnn,
		 &a->parent_wwpn, &a->parent_fabric_wwn);
	secret_ref_clear(&s->auth.secret);
	*s = (struct pool_source){ 0 };
}

void pool_spec_clear(struct pool_spec *s)
{
	pool_source_clear(&s->source);
	FREE_ALL(&s->type, &s->name, &s->target, &s->refresh_allocation);
	permissions_clear(&s->permissions);
	for (size_t i = 0; i < s->n_options; i++)
		FREE_ALL(&s->options[i].name, &s->options[i].value);
	free(s->options);
	*s = (struct pool_spec)POOL_SPEC_INIT;
}

static void encryption_clear(struct volume_encryption *e)
{
	for (size_t i = 0; i < e->n_secrets; i++)
		secret_ref_clear(&e->secrets[i]);
	free(e->secrets);
	FREE_ALL(&e->format, &e->engine, &e->cipher.name, &e->cipher.mode,
		 &e->cipher.hash, &e->ivgen_name, &e->ivgen_hash);
}

void volume_spec_clear(struct volume_spec *s)
{
	FREE_ALL(&s->type, &s->name, &s->key, &s->path, &s->format, &s->compat,
		 &s->backing.path, &s->backing.format);
	extents_free(s->extents, s->n_extents);
	encryption_clear(&s->encryption);
	permissions_clear(&s->permissions);
	permissions_clear(&s->backing.permissions);
	*s = (struct volume_spec)VOLUME_SPEC_INIT;
}
