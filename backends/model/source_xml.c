/* A pool's <source>: reading. */
#include "backends/model/source_xml.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "backends/model/pool_xml.h"
#include "backends/model/values_xml.h"

#define ROWS(rows) (rows), sizeof(rows) / sizeof(*(rows))

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

static bool is_url(const char *text)
{
	const char *c = text;

	if (!isalpha((unsigned char)*c))
		return false;
	while (isalnum((unsigned char)*c) || (*c && strchr("+.-", *c)))
		c++;
	return !strncmp(c, "://", 3);
}

void path_tidy(char *path)
{
	char *from = path, *to = path;

	if (is_url(path))
		return;
	if (from[0] == '/' && from[1] == '/' && from[2] != '/')
		*to++ = *from++; /* its own meaning, by POSIX */
	while (*from) {
		*to++ = *from++;
		if (to[-1] == '/')
			from += strspn(from, "/");
	}
	while (to > path + 1 && to[-1] == '/' && !(to == path + 2 && path[0] == '/'))
		to--;
	*to = '\0';
}

static int read_hosts(const struct xml_element *from, struct pool_source *s,
		      struct error *err)
{
	const struct xml_element *e = xml_first(from, "host");

	s->hosts = calloc(xml_count(e) + 1, sizeof(*s->hosts));
	if (!s->hosts)
		return no_memory(err);
	for (; e; e = xml_next(e)) {
		struct pool_host *h = &s->hosts[s->n_hosts++];
		long long port = 0;
		int r = xml_attribute(e, "name", &h->name, err);

		if (r < 0)
			return r;
		if (!h->name)
			return xml_refuse(e, err, "missing storage pool host name: write "
						  "<host name='…'/>");
		r = xml_integer(e, "port", 10, -1, 65535, &port, err);
		if (r < 0)
			return r;
		h->port = port > 0 ? port : 0;
	}
	return 0;
}

static int read_devices(const struct xml_element *from, struct pool_source *s,
			struct error *err)
{
	const struct xml_element *e = xml_first(from, "device");

	s->devices = calloc(xml_count(e) + 1, sizeof(*s->devices));
	if (!s->devices)
		return no_memory(err);
	for (; e; e = xml_next(e)) {
		struct pool_device *d = &s->devices[s->n_devices++];
		int r = xml_attribute(e, "path", &d->path, err);

		if (r < 0)
			return r;
		if (!d->path)
			return xml_refuse(
				e, err,
				"missing storage pool source device path: write "
				"<device path='…'/>");
		r = xml_choice(e, "part_separator", &d->part_separator, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -- adapter -- */

static int read_address(const struct xml_element *parent, struct pool_adapter *a,
			struct error *err)
{
	const struct xml_element *e = xml_first(parent, "address");
	long long domain = 0, bus = 0, slot = 0, function = 0;
	int r;

	if (!e)
		return xml_refuse(parent, err, "missing scsi_host PCI address element");
	if ((r = xml_integer(e, "domain", 0, 0, 0xffff, &domain, err)) < 0 ||
	    (r = xml_integer(e, "bus", 0, 0, 0xff, &bus, err)) < 0 ||
	    (r = xml_integer(e, "slot", 0, 0, 0x1f, &slot, err)) < 0 ||
	    (r = xml_integer(e, "function", 0, 0, 7, &function, err)) < 0)
		return r;
	if (!domain && !bus && !slot)
		return xml_refuse(e, err,
				  "invalid PCI address: at least one of domain, bus and "
				  "slot must be > 0");
	a->domain = domain;
	a->bus = bus;
	a->slot = slot;
	a->function = function;
	return 0;
}

static int read_scsi_host(const struct xml_element *e, struct pool_adapter *a,
			  struct error *err)
{
	const struct xml_element *parent = xml_first(e, "parentaddr");
	long long unique_id = -1;

	if (!parent && !a->name)
		return xml_refuse(
			e, err,
			"either 'name' or 'parentaddr' must be specified for the "
			"'scsi_host' adapter");
	if (!parent)
		return 0;
	if (a->name)
		return xml_refuse(
			e, err,
			"both 'name' and 'parentaddr' cannot be specified for the "
			"'scsi_host' adapter");

	int r = xml_integer(parent, "unique_id", 10, 0, INT32_MAX, &unique_id, NULL);

	if (r == -ENOMEM)
		return no_memory(err);
	if (r < 0 || unique_id < 0)
		return xml_refuse(parent, err,
				  "missing or invalid scsi adapter 'unique_id' value");
	a->has_parentaddr = true;
	a->unique_id = unique_id;
	return read_address(parent, a, err);
}

static int check_wwn(const struct xml_element *e, const char *wwn, struct error *err)
{
	const char *digits = wwn;

	if (!wwn)
		return 0;
	if (!strncmp(digits, "0x", 2))
		digits += 2;
	if (strspn(digits, "0123456789abcdefABCDEF") != 16 || digits[16])
		return xml_refuse(e, err, "malformed wwn '%s': 16 hex digits are wanted",
				  wwn);
	return 0;
}

static int check_fc_host(const struct xml_element *e, const struct pool_adapter *a,
			 struct error *err)
{
	const char *const wwns[] = { a->wwnn, a->wwpn, a->parent_wwnn, a->parent_wwpn,
				     a->parent_fabric_wwn };

	if (!a->wwnn || !a->wwpn)
		return xml_refuse(e, err,
				  "'wwnn' and 'wwpn' must be specified for adapter type "
				  "'fc_host'");
	for (size_t i = 0; i < sizeof(wwns) / sizeof(*wwns); i++)
		if (check_wwn(e, wwns[i], err) < 0)
			return -EINVAL;
	if (!a->parent_wwnn != !a->parent_wwpn)
		return xml_refuse(
			e, err, "parent_wwnn and parent_wwpn must be provided together");
	return 0;
}

static int read_fc_host(const struct xml_element *e, struct pool_adapter *a,
			struct error *err)
{
	static const struct {
		const char *name;
		size_t at;
	} rows[] = {
		{ "wwnn", offsetof(struct pool_adapter, wwnn) },
		{ "wwpn", offsetof(struct pool_adapter, wwpn) },
		{ "parent", offsetof(struct pool_adapter, parent) },
		{ "parent_wwnn", offsetof(struct pool_adapter, parent_wwnn) },
		{ "parent_wwpn", offsetof(struct pool_adapter, parent_wwpn) },
		{ "parent_fabric_wwn", offsetof(struct pool_adapter, parent_fabric_wwn) },
	};
	int r = xml_choice(e, "managed", &a->managed, err);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && !r; i++)
		r = xml_attribute(e, rows[i].name, (char **)((char *)a + rows[i].at),
				  err);
	return r < 0 ? r : check_fc_host(e, a, err);
}

/* Before adapters had types, all were of scsi_host and had a name alone. */
static int read_untyped(const struct xml_element *e, struct pool_adapter *a,
			struct error *err)
{
	static const char *const typed[] = { "wwnn", "wwpn", "parent" };
	bool found = xml_first(e, "parentaddr");

	for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++) {
		AUTO_FREE char *value = NULL;
		int r = xml_attribute(e, typed[i], &value, err);

		if (r < 0)
			return r;
		found = found || value;
	}
	if (found)
		return xml_refuse(
			e, err,
			"use of 'wwnn', 'wwpn', 'parent' and 'parentaddr' requires "
			"use of the adapter 'type'");
	if (!a->name)
		return xml_refuse(e, err, "missing storage pool source adapter: write "
					  "<adapter name='…'/>");
	a->type = ADAPTER_SCSI_HOST;
	return 0;
}

static int read_adapter(const struct xml_element *e, struct pool_adapter *a,
			struct error *err)
{
	AUTO_FREE char *type = NULL;
	AUTO_FREE char *name = NULL;
	int r;

	if ((r = xml_attribute(e, "type", &type, err)) < 0 ||
	    (r = xml_attribute(e, "name", &name, err)) < 0)
		return r;
	if (type && !strcmp(type, "fc_host")) {
		a->type = ADAPTER_FC_HOST;
		return read_fc_host(e, a, err);
	}
	a->name = take(name);
	if (!type)
		return read_untyped(e, a, err);
	if (strcmp(type, "scsi_host"))
		return xml_refuse(e, err,
				  "invalid value for attribute 'type': '%s' is neither "
				  "scsi_host nor fc_host",
				  type);
	a->type = ADAPTER_SCSI_HOST;
	return read_scsi_host(e, a, err);
}

/* -- the rest -- */

static int read_auth(const struct xml_element *e, struct pool_auth *a, struct error *err)
{
	const struct xml_element *secret = xml_first(e, "secret");
	int r;

	if ((r = xml_attribute(e, "username", &a->username, err)) < 0 ||
	    (r = xml_attribute(e, "type", &a->type, err)) < 0)
		return r;
	if (!a->username)
		return xml_refuse(e, err, "missing username for auth");
	if (!a->type)
		return xml_refuse(e, err, "storage pool missing auth type");
	if (strcmp(a->type, "chap") && strcmp(a->type, "ceph"))
		return xml_refuse(e, err,
				  "unknown auth type '%s': chap and ceph are known",
				  a->type);
	if (!secret)
		return xml_refuse(e, err, "missing <secret> element in auth");
	return xml_read_secret(secret, &a->secret, err);
}

static int read_format(const struct xml_element *from, const struct pool_type *type,
		       char **out, struct error *err)
{
	const char *name = from ? *out : NULL;

	if (!name) {
		*out = strdup(type->default_format);
		return *out ? 0 : no_memory(err);
	}
	if (!format_listed(type->formats, name))
		return xml_refuse(xml_first(from, "format"), err,
				  "unknown pool format type '%s'", name);
	return 0;
}

static void free_hosts(struct pool_source *s)
{
	for (size_t i = 0; i < s->n_hosts; i++)
		free(s->hosts[i].name);
	free(s->hosts);
	s->hosts = NULL;
	s->n_hosts = 0;
}

static void free_devices(struct pool_source *s)
{
	for (size_t i = 0; i < s->n_devices; i++)
		free(s->devices[i].path);
	free(s->devices);
	s->devices = NULL;
	s->n_devices = 0;
}

static void drop(char **text)
{
	free(*text);
	*text = NULL;
}

/* What the type does not have was read for its errors only, as libvirt does. */
static void drop_others(struct pool_source *s, unsigned has)
{
	if (!(has & SOURCE_HOST) || !s->n_hosts)
		free_hosts(s);
	if (!(has & SOURCE_DEVICE) || !s->n_devices)
		free_devices(s);
	if (!(has & SOURCE_DIR))
		drop(&s->dir);
	if (!(has & SOURCE_NAME))
		drop(&s->name);
	if (!(has & SOURCE_INITIATOR))
		drop(&s->initiator);
	if (!(has & SOURCE_FORMAT))
		drop(&s->format);
}

static int read_parts(const struct xml_element *e, const struct pool_type *type,
		      struct pool_source *out, struct error *err)
{
	static const struct xml_string_row strings[] = {
		{ "name", offsetof(struct pool_source, name) },
		{ "dir/@path", offsetof(struct pool_source, dir) },
		{ "initiator/iqn/@name", offsetof(struct pool_source, initiator) },
		{ "format/@type", offsetof(struct pool_source, format) },
		{ "protocol/@ver", offsetof(struct pool_source, protocol_ver) },
		{ "vendor/@name", offsetof(struct pool_source, vendor) },
		{ "product/@name", offsetof(struct pool_source, product) },
	};
	const struct xml_element *adapter = xml_first(e, "adapter");
	const struct xml_element *auth = xml_first(e, "auth");
	int r;

	if ((r = xml_strings(e, ROWS(strings), out, err)) < 0 ||
	    (r = read_hosts(e, out, err)) < 0 || (r = read_devices(e, out, err)) < 0)
		return r;
	if (out->dir)
		path_tidy(out->dir);
	if (adapter && (type->prints & SOURCE_ADAPTER) &&
	    (r = read_adapter(adapter, &out->adapter, err)) < 0)
		return r;
	return auth ? read_auth(auth, &out->auth, err) : 0;
}

int source_xml_read(const struct xml_element *e, const struct pool_type *type,
		    struct pool_source *out, struct error *err)
{
	int r = e ? read_parts(e, type, out, err) : 0;

	if (r == 0 && type->formats)
		r = read_format(e, type, &out->format, err);
	if (r == 0)
		drop_others(out, type->prints);
	return r;
}

const struct xml_namespace *xml_namespace_of(const struct pool_type *type)
{
	static const struct xml_namespace fs = {
		"http://libvirt.org/schemas/storagepool/fs/1.0", "xmlns:fs",
		"mount_opts", "fs:mount_opts", "fs:option", false,
	};
	static const struct xml_namespace rbd = {
		"http://libvirt.org/schemas/storagepool/rbd/1.0", "xmlns:rbd",
		"config_opts", "rbd:config_opts", "rbd:option", true,
	};

	return type->prints & SOURCE_FS_OPTIONS  ? &fs :
	       type->prints & SOURCE_RBD_OPTIONS ? &rbd : NULL;
}

int source_xml_parse(const char *text, size_t len, struct pool_source *out,
		     struct error *err)
{
	static const struct pool_type asked = {
		.prints = SOURCE_HOST | SOURCE_INITIATOR,
	};
	AUTO_DOCUMENT struct xml_document *doc = NULL;
	AUTO_POOL_SOURCE struct pool_source source = { 0 };
	int r = xml_document_parse(text, len, "source", &doc, err);

	if (r < 0)
		return r;
	r = source_xml_read(xml_root(doc), &asked, &source, err);
	if (r < 0)
		return r;
	*out = source;
	source = (struct pool_source){ 0 };
	return 0;
}
