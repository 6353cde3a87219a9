/* Pool descriptions: reading. */
#include "backends/model/pool_xml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pool_types.h"
#include "backends/model/source_xml.h"
#include "backends/model/values_xml.h"

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

static int read_type(const struct xml_element *root, const struct pool_type **type,
		     struct pool_spec *out, struct error *err)
{
	static const char *const others[] = { "gluster", "zfs", "vstorage", NULL };
	int r = xml_string(root, "@type", &out->type, err);

	if (r < 0)
		return r;
	if (!out->type)
		return xml_refuse(root, err, "missing required attribute 'type'");
	*type = pool_type_find(out->type);
	if (*type)
		return 0;
	if (format_listed(others, out->type))
		return xml_refuse(root, err, "pools of type '%s' are not supported here",
				  out->type);
	return xml_refuse(root, err,
			  "invalid value for attribute 'type': '%s' is no pool type",
			  out->type);
}

/*
 * The name, and what follows from it. The document's own name counts before the default,
 * so that a pool made under another name still means the storage that its document means.
 */
static int read_name(const struct xml_element *root, const struct pool_type *type,
		     const char *default_name, struct pool_spec *out, struct error *err)
{
	struct pool_source *s = &out->source;
	const struct xml_element *e = xml_first(root, "name");
	int r = xml_string(root, "name", &out->name, err);

	if (r < 0)
		return r;
	if (!out->name && !default_name)
		default_name = s->name;
	if (!out->name && !default_name)
		return xml_refuse(root, err, "missing pool source name element");
	if (!out->name && !(out->name = strdup(default_name)))
		return no_memory(err);
	if (strchr(out->name, '/'))
		return xml_refuse(e ? e : root, err, "name %s cannot contain '/'",
				  out->name);
	if (strchr(out->name, '\n'))
		return xml_refuse(e ? e : root, err, "invalid char in name: \\n");
	if (!s->name && (type->prints & SOURCE_NAME_DEFAULT) &&
	    !(s->name = strdup(out->name)))
		return no_memory(err);
	return 0;
}

static int read_uuid(const struct xml_element *root, struct pool_spec *out,
		     struct error *err)
{
	AUTO_FREE char *text = NULL;
	int r = xml_string(root, "uuid", &text, err);

	if (r < 0 || !text)
		return r;
	if (!uuid_canonical(text, out->uuid))
		return xml_refuse(xml_first(root, "uuid"), err,
				  "malformed uuid element '%s'", text);
	return 0;
}

static int check_needs(const struct xml_element *root, const struct pool_type *type,
		       const struct pool_source *s, struct error *err)
{
	const struct {
		unsigned part;
		bool given;
		const char *missing;
	} rows[] = {
		{ SOURCE_HOST, s->n_hosts, "missing storage pool source host name" },
		{ SOURCE_DIR, s->dir, "missing storage pool source path" },
		{ SOURCE_NAME, s->name, "element 'name' is mandatory in the source" },
		{ SOURCE_ADAPTER, s->adapter.type,
		  "missing storage pool source adapter" },
		{ SOURCE_DEVICE, s->n_devices,
		  "missing storage pool source device name" },
		{ SOURCE_INITIATOR, s->initiator, "missing initiator IQN" },
	};
	const struct xml_element *source = xml_first(root, "source");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if ((type->needs & rows[i].part) && !rows[i].given)
			return xml_refuse(source ? source : root, err,
					  "%s: a pool of type '%s' has to have it",
					  rows[i].missing, type->name);
	return 0;
}

static int check_protocol(const struct xml_element *root, const struct pool_spec *p,
			  struct error *err)
{
	const struct xml_element *e = xml_first(root, "source/protocol");
	const char *format = p->source.format;

	if (strcmp(p->type, "netfs") || !p->source.protocol_ver)
		return 0;
	if (strcmp(format, "nfs") && strcmp(format, "auto"))
		return xml_refuse(
			e, err,
			"storage pool protocol ver unsupported for pool type '%s'",
			format);
	if (strchr(p->source.protocol_ver, ','))
		return xml_refuse(e, err,
				  "storage pool protocol ver '%s' must not contain ','",
				  p->source.protocol_ver);
	return 0;
}

static int read_cow(const struct xml_element *root, const struct pool_type *type,
		    struct pool_spec *out, struct error *err)
{
	const struct xml_element *e = xml_first(root, "features/cow");
	AUTO_FREE char *state = NULL;
	int r = e ? xml_string(e, "@state", &state, err) : 0;

	if (r < 0 || !state)
		return r;
	r = xml_choice(e, "state", &out->cow, err);
	if (r < 0)
		return r;
	if (!(type->prints & SOURCE_COW))
		return xml_refuse(
			e, err, "cow feature may only be used for 'fs' and 'dir' pools");
	return 0;
}

/* The target of a logical pool follows from its group, whatever the document says. */
static int read_target(const struct xml_element *root, const struct pool_type *type,
		       struct pool_spec *out, struct error *err)
{
	const struct xml_element *e = xml_first(root, "target");
	int r = 0;

	if (!(type->prints & SOURCE_TARGET))
		return 0;
	if (type->target_prefix) {
		if (asprintf(&out->target, "%s%s", type->target_prefix,
			     out->source.name) < 0) {
			out->target = NULL;
			return no_memory(err);
		}
	} else {
		r = xml_string(root, "target/path", &out->target, err);
	}
	if (r < 0)
		return r;
	if (!out->target && (type->needs & SOURCE_TARGET))
		return xml_refuse(e ? e : root, err,
				  "missing storage pool target path: write "
				  "<target><path>…</path></target>");
	if (out->target && !type->target_prefix)
		path_tidy(out->target);
	return xml_read_permissions(xml_first(root, "target/permissions"),
				    &out->permissions, err);
}

static int read_refresh(const struct xml_element *root, struct pool_spec *out,
			struct error *err)
{
	static const char *const known[] = { "default", "capacity", NULL };
	int r = xml_string(root, "refresh/volume/@allocation", &out->refresh_allocation,
			   err);

	if (r < 0 || !out->refresh_allocation)
		return r;
	if (!format_listed(known, out->refresh_allocation))
		return xml_refuse(
			xml_first(root, "refresh/volume"), err,
			"unknown storage pool volume refresh allocation type %s",
			out->refresh_allocation);
	return 0;
}

/* -- options in a namespace of their own -- */

static int read_option(const struct xml_element *e, bool has_value, struct pool_option *o,
		       struct error *err)
{
	const char *kind = has_value ? "rbd" : "fs mount";
	int r = xml_attribute(e, "name", &o->name, err);

	if (r < 0)
		return r;
	if (!o->name || !*o->name)
		return xml_refuse(e, err, "no %s option name specified", kind);
	if (!has_value)
		return 0;
	r = xml_attribute(e, "value", &o->value, err);
	if (r < 0)
		return r;
	if (!o->value || !*o->value)
		return xml_refuse(e, err, "no rbd option value specified for name '%s'",
				  o->name);
	return 0;
}

static int read_options(const struct xml_element *root, const struct pool_type *type,
			struct pool_spec *out, struct error *err)
{
	const struct xml_namespace *ns = xml_namespace_of(type);

	if (!ns)
		return 0;
	for (const struct xml_element *list = xml_first_ns(root, ns->uri, ns->list); list;
	     list = xml_next(list)) {
		const struct xml_element *e = xml_first_ns(list, ns->uri, "option");
		size_t n = e ? xml_count(e) : 0;
		struct pool_option *more =
			reallocarray(out->options, out->n_options + n + 1, sizeof(*more));

		if (!more)
			return no_memory(err);
		out->options = more;
		for (; e; e = xml_next(e)) {
			struct pool_option *o = &more[out->n_options++];
			int r;

			*o = (struct pool_option){ 0 };
			r = read_option(e, ns->has_value, o, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int read_pool(const struct xml_element *root, const char *default_name,
		     struct pool_spec *out, struct error *err)
{
	const struct pool_type *type = NULL;
	int r;

	if ((r = read_type(root, &type, out, err)) < 0 ||
	    (r = source_xml_read(xml_first(root, "source"), type, &out->source,
				 err)) < 0 ||
	    (r = read_name(root, type, default_name, out, err)) < 0 ||
	    (r = read_uuid(root, out, err)) < 0 ||
	    (r = check_needs(root, type, &out->source, err)) < 0 ||
	    (r = check_protocol(root, out, err)) < 0 ||
	    (r = read_cow(root, type, out, err)) < 0 ||
	    (r = read_target(root, type, out, err)) < 0 ||
	    (r = read_refresh(root, out, err)) < 0)
		return r;
	return read_options(root, type, out, err);
}

int pool_xml_parse(const char *text, size_t len, const char *default_name,
		   struct pool_spec *out, struct error *err)
{
	AUTO_DOCUMENT struct xml_document *doc = NULL;
	AUTO_POOL_SPEC struct pool_spec spec = POOL_SPEC_INIT;
	int r = xml_document_parse(text, len, "pool", &doc, err);

	if (r < 0)
		return r;
	r = read_pool(xml_root(doc), default_name, &spec, err);
	if (r < 0)
		return r;
	*out = spec;
	spec = (struct pool_spec)POOL_SPEC_INIT;
	return 0;
}
