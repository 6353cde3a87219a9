/* Pool descriptions and sources: printing, in libvirt's order. */
#include "backends/model/pool_xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "backends/model/pool_types.h"
#include "backends/model/source_xml.h"
#include "backends/model/values_xml.h"

static const char *choice_text(enum choice c)
{
	return c == CHOICE_YES ? "yes" : c == CHOICE_NO ? "no" : NULL;
}

static void write_hosts(struct xml_writer *w, const struct pool_source *s)
{
	for (size_t i = 0; i < s->n_hosts; i++) {
		char port[16];

		snprintf(port, sizeof(port), "%u", s->hosts[i].port);
		xml_empty(w, "host", "name", s->hosts[i].name, "port",
			  s->hosts[i].port ? port : NULL, NULL);
	}
}

static void write_device(struct xml_writer *w, const struct pool_device *d)
{
	const char *separator = choice_text(d->part_separator);

	if (!d->n_free) {
		xml_empty(w, "device", "path", d->path, "part_separator", separator,
			  NULL);
		return;
	}
	xml_begin(w, "device", "path", d->path, "part_separator", separator, NULL);
	for (size_t i = 0; i < d->n_free; i++) {
		char start[32], end[32];

		snprintf(start, sizeof(start), "%" PRIu64, d->free[i].start);
		snprintf(end, sizeof(end), "%" PRIu64, d->free[i].end);
		xml_empty(w, "freeExtent", "start", start, "end", end, NULL);
	}
	xml_end(w, "device");
}

static void write_address(struct xml_writer *w, const struct pool_adapter *a)
{
	char unique_id[16], domain[16], bus[16], slot[16], function[16];

	snprintf(unique_id, sizeof(unique_id), "%u", a->unique_id);
	snprintf(domain, sizeof(domain), "0x%04x", a->domain);
	snprintf(bus, sizeof(bus), "0x%02x", a->bus);
	snprintf(slot, sizeof(slot), "0x%02x", a->slot);
	snprintf(function, sizeof(function), "0x%x", a->function);

	xml_begin(w, "adapter", "type", "scsi_host", NULL);
	xml_begin(w, "parentaddr", "unique_id", unique_id, NULL);
	xml_empty(w, "address", "domain", domain, "bus", bus, "slot", slot, "function",
		  function, NULL);
	xml_end(w, "parentaddr");
	xml_end(w, "adapter");
}

static void write_adapter(struct xml_writer *w, const struct pool_adapter *a)
{
	if (a->type == ADAPTER_FC_HOST)
		xml_empty(w, "adapter", "type", "fc_host", "parent", a->parent,
			  "parent_wwnn", a->parent_wwnn, "parent_wwpn", a->parent_wwpn,
			  "parent_fabric_wwn", a->parent_fabric_wwn, "managed",
			  choice_text(a->managed), "wwnn", a->wwnn, "wwpn", a->wwpn,
			  NULL);
	else if (a->has_parentaddr)
		write_address(w, a);
	else if (a->type == ADAPTER_SCSI_HOST)
		xml_empty(w, "adapter", "type", "scsi_host", "name", a->name, NULL);
}

static void write_named(struct xml_writer *w, const char *element, const char *attribute,
			const char *value)
{
	if (value)
		xml_empty(w, element, attribute, value, NULL);
}

static void write_initiator(struct xml_writer *w, const char *iqn)
{
	if (!iqn)
		return;
	xml_begin(w, "initiator", NULL);
	xml_empty(w, "iqn", "name", iqn, NULL);
	xml_end(w, "initiator");
}

static void write_auth(struct xml_writer *w, const struct pool_auth *a)
{
	if (!a->type)
		return;
	xml_begin(w, "auth", "type", a->type, "username", a->username, NULL);
	xml_write_secret(w, &a->secret);
	xml_end(w, "auth");
}

static void write_source(struct xml_writer *w, const struct pool_type *type,
			 const struct pool_source *s)
{
	xml_begin(w, "source", NULL);
	if (type->prints & SOURCE_HOST)
		write_hosts(w, s);
	if (type->prints & SOURCE_DEVICE)
		for (size_t i = 0; i < s->n_devices; i++)
			write_device(w, &s->devices[i]);
	if (type->prints & SOURCE_DIR)
		write_named(w, "dir", "path", s->dir);
	if (type->prints & SOURCE_ADAPTER)
		write_adapter(w, &s->adapter);
	if (type->prints & SOURCE_NAME)
		xml_text(w, "name", s->name);
	if (type->prints & SOURCE_INITIATOR)
		write_initiator(w, s->initiator);
	if (type->prints & SOURCE_FORMAT)
		write_named(w, "format", "type",
			    s->format ? s->format : type->default_format);
	write_auth(w, &s->auth);
	write_named(w, "protocol", "ver", s->protocol_ver);
	write_named(w, "vendor", "name", s->vendor);
	write_named(w, "product", "name", s->product);
	xml_end(w, "source");
}

static void write_target(struct xml_writer *w, const struct pool_spec *p,
			 const struct pool_stat *live)
{
	const struct permissions *found = live ? &live->permissions : NULL;

	if (!p->target)
		return;
	xml_begin(w, "target", NULL);
	xml_text(w, "path", p->target);
	if (found &&
	    (found->mode >= 0 || found->owner >= 0 || found->group >= 0 || found->label))
		xml_write_permissions(w, found);
	else
		xml_write_permissions(w, &p->permissions);
	xml_end(w, "target");
}

static void write_options(struct xml_writer *w, const struct pool_spec *p,
			  const struct xml_namespace *ns)
{
	xml_begin(w, ns->list_tag, NULL);
	for (size_t i = 0; i < p->n_options; i++)
		xml_empty(w, ns->option_tag, "name", p->options[i].name, "value",
			  ns->has_value ? p->options[i].value : NULL, NULL);
	xml_end(w, ns->list_tag);
}

static void write_pool(struct xml_writer *w, const struct pool_spec *p,
		       const struct pool_type *type, const struct pool_stat *live)
{
	const struct xml_namespace *ns = p->n_options ? xml_namespace_of(type) : NULL;

	xml_begin(w, "pool", "type", p->type, ns ? ns->attribute : "xmlns",
		  ns ? ns->uri : NULL, NULL);
	xml_text(w, "name", p->name);
	xml_text(w, "uuid", *p->uuid ? p->uuid : NULL);
	xml_number(w, "capacity", "bytes", live ? live->capacity : 0);
	xml_number(w, "allocation", "bytes", live ? live->allocation : 0);
	xml_number(w, "available", "bytes", live ? live->available : 0);
	if (p->cow) {
		xml_begin(w, "features", NULL);
		xml_empty(w, "cow", "state", choice_text(p->cow), NULL);
		xml_end(w, "features");
	}
	write_source(w, type, &p->source);
	write_target(w, p, live);
	if (p->refresh_allocation) {
		xml_begin(w, "refresh", NULL);
		xml_empty(w, "volume", "allocation", p->refresh_allocation, NULL);
		xml_end(w, "refresh");
	}
	if (ns)
		write_options(w, p, ns);
	xml_end(w, "pool");
}

int pool_xml_print(const struct pool_spec *spec, const struct pool_stat *live,
		   struct buf *out, struct error *err)
{
	const struct pool_type *type = spec->type ? pool_type_find(spec->type) : NULL;
	struct xml_writer w = XML_WRITER(out);

	if (!type)
		return error_set(err, EINVAL,
				 "a pool without a known type has no description");
	write_pool(&w, spec, type, live);
	return xml_written(&w, "the pool", err);
}

int sources_xml_print(const char *type_name, const struct pool_source *sources, size_t n,
		      struct buf *out, struct error *err)
{
	const struct pool_type *type = pool_type_find(type_name);
	struct xml_writer w = XML_WRITER(out);

	if (!type)
		return error_set(err, EINVAL, "'%s' is no pool type", type_name);
	xml_begin(&w, "sources", NULL);
	for (size_t i = 0; i < n; i++)
		write_source(&w, type, &sources[i]);
	xml_end(&w, "sources");
	return xml_written(&w, "a source", err);
}
