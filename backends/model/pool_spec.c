/* Pool descriptions as data: copies, and whether two mean the same storage. */
#include "backends/model/pool_xml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pool_types.h"
#include "backends/model/spec_copy.h"

/* -- copies -- */

static bool own_devices(struct pool_source *s)
{
	bool ok = own_array(&s->devices, &s->n_devices, sizeof(*s->devices));

	for (size_t i = 0; i < s->n_devices; i++) {
		struct pool_device *d = &s->devices[i];

		ok &= own_string(&d->path);
		ok &= own_array(&d->free, &d->n_free, sizeof(*d->free));
		for (size_t k = 0; k < d->n_free; k++)
			ok &= own_string(&d->free[k].device);
	}
	return ok;
}

static bool own_source(struct pool_source *s)
{
	struct pool_adapter *a = &s->adapter;
	bool ok = own_array(&s->hosts, &s->n_hosts, sizeof(*s->hosts));

	for (size_t i = 0; i < s->n_hosts; i++)
		ok &= own_string(&s->hosts[i].name);
	ok &= own_devices(s);
	ok &= OWN_STRINGS(&s->dir, &s->name, &s->initiator, &s->format, &s->protocol_ver,
			  &s->vendor, &s->product, &s->auth.type, &s->auth.username);
	ok &= OWN_STRINGS(&a->name, &a->wwnn, &a->wwpn, &a->parent, &a->parent_wwnn,
			  &a->parent_wwpn, &a->parent_fabric_wwn);
	return own_secret(&s->auth.secret) & ok;
}

int pool_spec_copy(const struct pool_spec *from, struct pool_spec *out)
{
	bool ok;

	*out = *from;
	ok = OWN_STRINGS(&out->type, &out->name, &out->target, &out->refresh_allocation,
			 &out->permissions.label);
	ok &= own_source(&out->source);
	ok &= own_array(&out->options, &out->n_options, sizeof(*out->options));
	for (size_t i = 0; i < out->n_options; i++)
		ok &= OWN_STRINGS(&out->options[i].name, &out->options[i].value);
	if (ok)
		return 0;
	pool_spec_clear(out);
	return -ENOMEM;
}

/* -- conflicts -- */

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static bool same_or_none(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : !a && !b;
}

static bool of_type(const struct pool_spec *p, const char *type)
{
	return same(p->type, type);
}

static bool one_of(const struct pool_spec *p, const char *const *types)
{
	return p->type && format_listed(types, p->type);
}

static const char *shared_device(const struct pool_source *a, const struct pool_source *b)
{
	for (size_t i = 0; i < a->n_devices; i++)
		for (size_t k = 0; k < b->n_devices; k++)
			if (same(a->devices[i].path, b->devices[k].path))
				return a->devices[i].path;
	return NULL;
}

static const char *first_host(const struct pool_source *s)
{
	return s->n_hosts ? s->hosts[0].name : NULL;
}

/* "host3", "scsi_host3" and "3" are one host. */
static const char *host_number(const char *name)
{
	return name ? name + strcspn(name, "0123456789") : NULL;
}

static bool same_adapter(const struct pool_adapter *a, const struct pool_adapter *b)
{
	if (a->type != b->type || a->type == ADAPTER_NONE ||
	    a->has_parentaddr != b->has_parentaddr)
		return false;
	if (a->type == ADAPTER_FC_HOST)
		return same(a->wwnn, b->wwnn) && same(a->wwpn, b->wwpn);
	if (a->has_parentaddr)
		return a->unique_id == b->unique_id && a->domain == b->domain &&
		       a->bus == b->bus && a->slot == b->slot &&
		       a->function == b->function;
	return same(host_number(a->name), host_number(b->name));
}

/* The same source of one type, but for devices. */
static const char *same_source(const struct pool_spec *a, const struct pool_spec *b,
			       char *words, size_t size)
{
	const struct pool_source *s = &a->source, *t = &b->source;

	if (of_type(a, "netfs") && same(first_host(s), first_host(t)) &&
	    same(s->dir, t->dir))
		snprintf(words, size, "source '%s:%s'", first_host(s), s->dir);
	else if (of_type(a, "iscsi") && shared_device(s, t) &&
		 same_or_none(s->initiator, t->initiator))
		snprintf(words, size, "target name '%s'", shared_device(s, t));
	else if (of_type(a, "scsi") && same_adapter(&s->adapter, &t->adapter))
		snprintf(words, size, "adapter '%s'",
			 s->adapter.name ? s->adapter.name :
			 s->adapter.wwpn ? s->adapter.wwpn : "parentaddr");
	else if (of_type(a, "mpath"))
		snprintf(words, size, "this host's multipath devices");
	else if (of_type(a, "sheepdog") && same(first_host(s), first_host(t)))
		snprintf(words, size, "sheepdog host '%s'", first_host(s));
	else
		return NULL;
	return words;
}

/* Those whose target is theirs alone; the others just look into /dev. */
static const char *const exclusive_target[] = { "dir", "fs", "netfs", "logical", NULL };
static const char *const exclusive_devices[] = { "fs", "logical", "disk", NULL };

const char *pool_specs_conflict(const struct pool_spec *a, const struct pool_spec *b,
				char *words, size_t size)
{
	const char *device = NULL;

	if (one_of(a, exclusive_devices) && one_of(b, exclusive_devices))
		device = shared_device(&a->source, &b->source);
	if (device) {
		snprintf(words, size, "device '%s'", device);
		return words;
	}
	if (one_of(a, exclusive_target) && one_of(b, exclusive_target) &&
	    same(a->target, b->target)) {
		snprintf(words, size, "target '%s'", a->target);
		return words;
	}
	return same(a->type, b->type) ? same_source(a, b, words, size) : NULL;
}
