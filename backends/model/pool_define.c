/* Taking a definition: parsing, what is refused, putting it in force. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "backends/model/definitions.h"
#include "backends/model/own_mount.h"
#include "backends/model/pool_object.h"
#include "backends/model/pool_xml.h"
#include "backends/model/pools.h"
#include "backends/model/store.h"
#include "backends/support/log.h"

static int name_definition(struct definition *d, const char *name, struct error *err)
{
	if (d->spec.name && !strcmp(d->spec.name, name))
		return 0;

	char *copy = strdup(name);

	if (!copy)
		return error_code(err, ENOMEM, "cannot define pool '%s'", name);
	free(d->spec.name);
	d->spec.name = copy;
	return 0;
}

struct definition *definition_parse(const char *text, size_t len, const char *name,
				    struct error *err)
{
	AUTO_DEFINITION struct definition *d = calloc(1, sizeof(*d));

	if (!d) {
		error_code(err, ENOMEM, "cannot define pool '%s'", name);
		return NULL;
	}
	atomic_store(&d->refs, 1);
	d->spec = (struct pool_spec)POOL_SPEC_INIT;
	if (pool_xml_parse(text, len, name, &d->spec, err) < 0 ||
	    name_definition(d, name, err) < 0)
		return NULL;
	d->type = pool_type_find(d->spec.type);
	return take(d);
}

/* One that was written by hand without a UUID gets one that is the same next time. */
static void derive_uuid(struct definition *d)
{
	uint64_t half[2] = { hash_string(d->spec.name, 1), hash_string(d->spec.name, 2) };

	uuid_unparse_lower((const unsigned char *)half, d->spec.uuid);
}

void definition_load(struct pool *p)
{
	AUTO_DEFINITION struct definition *d = NULL;
	AUTO_BUF struct buf text = { 0 };
	struct error err = { 0 };

	if (!definition_read(p->name, &text, &err))
		d = definition_parse(buf_text(&text), text.len, p->name, &err);
	if (!d) {
		error_prefix(&err, "the definition '%s/%s.xml' cannot be used",
			     store_source(), p->name);
		log_error("%s", err.text);
		p->error = err;
		return;
	}
	if (!*d->spec.uuid)
		derive_uuid(d);
	p->now = take(d);
	p->state = POOL_INACTIVE;
}

static int refuse_own(const char *path, const char *what, struct error *err)
{
	const char *mountpoint = model_options()->mountpoint;

	if (!path || !own_mount_has(mountpoint, path))
		return 0;
	return error_set(
		err, EINVAL,
		"the %s '%s' is inside this mount ('%s'), which cannot hold its own "
		"storage: choose a path outside it",
		what, path, mountpoint);
}

int definition_check_paths(const struct definition *d, struct error *err)
{
	const struct pool_spec *s = &d->spec;
	int r = refuse_own(s->target, "target", err);

	for (size_t i = 0; !r && i < s->source.n_devices; i++)
		r = refuse_own(s->source.devices[i].path, "device", err);
	return r;
}

int pool_define(struct pool *p, const char *text, size_t len, struct call *call,
		struct error *err)
{
	AUTO_DEFINITION struct definition *d = NULL;
	char name[POOL_NAME_MAX];
	struct error ignored = { 0 }, unread = { 0 };
	bool first = false;
	int r;

	err = err ? err : &unread;
	pool_name(p, name);
	d = definition_parse(text, len, name, err);
	r = d ? definition_check_paths(d, err) : -err->code;
	if (!r)
		r = pools_define(p, d, &first, err);
	if (r < 0) {
		err->code = -r; /* where memory was lacking there is no sentence yet */
		error_prefix(err, "cannot define pool '%s'", name);
		return r;
	}
	pool_tell(p, EVENT_POOL_DEFINED, NULL);
	autostart_wake();
	if (first && model_starts_pools())
		pool_start(p, call, &ignored); /* its failure is in the error file */
	return 0;
}
