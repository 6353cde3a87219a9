/* Volume descriptions: reading, and printing in libvirt's order. */
#include "backends/model/volume_xml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/encryption_xml.h"
#include "backends/model/values_xml.h"

/* Element names below <features>, by bit. */
static const struct {
	const char *name;
	unsigned bit;
} features[] = {
	{ "lazy_refcounts", FEATURE_LAZY_REFCOUNTS },
	{ "extended_l2", FEATURE_EXTENDED_L2 },
	{ "data_file", FEATURE_DATA_FILE },
};
#define N_FEATURES (sizeof(features) / sizeof(*features))

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

/* -- reading -- */

static int read_head(const struct xml_element *root, const char *name,
		     struct volume_spec *out, struct error *err)
{
	static const char *const types[] = { "file", "block", "dir", "network", "netdir",
					     "ploop", NULL };
	int r;

	if ((r = xml_string(root, "@type", &out->type, err)) < 0 ||
	    (r = xml_string(root, "key", &out->key, err)) < 0)
		return r;
	if (out->type && !format_listed(types, out->type))
		return xml_refuse(root, err, "unknown volume type '%s'", out->type);
	if (!name)
		r = xml_string(root, "name", &out->name, err);
	else if (!(out->name = strdup(name)))
		r = no_memory(err);
	if (r < 0)
		return r;
	if (!out->name)
		return xml_refuse(root, err, "missing volume name element");
	return 0;
}

/* A format of the type's volumes, where it has any; from is the parent of <format>. */
static int read_format(const struct xml_element *from, const struct pool_type *type,
		       char **out, struct error *err)
{
	int r = from ? xml_string(from, "format/@type", out, err) : 0;

	if (r < 0)
		return r;
	if (!type->volume_formats) {
		free(*out);
		*out = NULL;
		return 0;
	}
	if (!*out) {
		*out = strdup(type->default_volume_format);
		return *out ? 0 : no_memory(err);
	}
	if (!format_listed(type->volume_formats, *out))
		return xml_refuse(xml_first(from, "format"), err,
				  "unknown volume format type %s for a pool of type '%s'",
				  *out, type->name);
	return 0;
}

static int read_backing(const struct xml_element *root, const struct pool_type *type,
			struct volume_backing *out, struct error *err)
{
	const struct xml_element *e = xml_first(root, "backingStore");
	int r = xml_string(root, "backingStore/path", &out->path, err);

	if (r < 0 || !out->path)
		return r;
	r = read_format(e, type, &out->format, err);
	if (r < 0)
		return r;
	return xml_read_permissions(xml_first(e, "permissions"), &out->permissions, err);
}

static int read_sizes(const struct xml_element *root, struct volume_spec *out,
		      struct error *err)
{
	int r;

	if ((r = xml_read_size(root, "capacity", &out->capacity, &out->has_capacity,
			       err)) < 0 ||
	    (r = xml_read_size(root, "allocation", &out->allocation, &out->has_allocation,
			       err)) < 0)
		return r;
	if (!out->has_capacity && !out->backing.path)
		return xml_refuse(root, err, "missing capacity element: write "
				  "<capacity unit='bytes'>…</capacity>");
	return 0;
}

/* "1.1": digits, a dot, digits. */
static bool is_compat(const char *text)
{
	static const char digits[] = "0123456789";
	size_t major = strspn(text, digits);

	if (!major || text[major] != '.')
		return false;
	text += major + 1;
	return *text && !text[strspn(text, digits)];
}

static int read_features(const struct xml_element *e, struct volume_spec *out,
			 struct error *err)
{
	if (!e)
		return 0;
	out->has_features = true;
	for (const struct xml_element *f = xml_child(e); f; f = xml_sibling(f)) {
		size_t i = 0;

		while (i < N_FEATURES && strcmp(features[i].name, xml_name(f)))
			i++;
		if (i == N_FEATURES)
			return xml_refuse(f, err, "unsupported feature %s", xml_name(f));
		out->features |= features[i].bit;
	}
	if (!out->compat && !(out->compat = strdup("1.1")))
		return no_memory(err);
	return 0;
}

/* target: may be NULL. */
static int read_image(const struct xml_element *target, struct volume_spec *out,
		      struct error *err)
{
	bool has;
	int r;

	if (!target)
		return 0;
	if ((r = xml_string(target, "path", &out->path, err)) < 0 ||
	    (r = xml_string(target, "compat", &out->compat, err)) < 0)
		return r;
	if (out->compat && !is_compat(out->compat))
		return xml_refuse(
			xml_first(target, "compat"), err,
			"forbidden characters in compat '%s': 0.10 and 1.1 are known",
			out->compat);
	out->nocow = xml_first(target, "nocow");
	if ((r = xml_read_permissions(xml_first(target, "permissions"), &out->permissions,
				      err)) < 0 ||
	    (r = xml_read_size(target, "clusterSize", &out->cluster_size, &has,
			       err)) < 0 ||
	    (r = encryption_xml_read(xml_first(target, "encryption"), &out->encryption,
				     err)) < 0)
		return r;
	return read_features(xml_first(target, "features"), out, err);
}

static int read_volume(const struct xml_element *root, const struct pool_type *type,
		       const char *name, struct volume_spec *out, struct error *err)
{
	const struct xml_element *target = xml_first(root, "target");
	int r;

	if ((r = read_head(root, name, out, err)) < 0 ||
	    (r = read_backing(root, type, &out->backing, err)) < 0 ||
	    (r = read_sizes(root, out, err)) < 0 ||
	    (r = read_format(target, type, &out->format, err)) < 0)
		return r;
	return read_image(target, out, err);
}

int volume_xml_parse(const char *text, size_t len, const struct pool_type *type,
		     const char *name, struct volume_spec *out, struct error *err)
{
	AUTO_DOCUMENT struct xml_document *doc = NULL;
	AUTO_VOLUME_SPEC struct volume_spec spec = VOLUME_SPEC_INIT;
	int r = xml_document_parse(text, len, "volume", &doc, err);

	if (r < 0)
		return r;
	r = read_volume(xml_root(doc), type, name, &spec, err);
	if (r < 0)
		return r;
	*out = spec;
	spec = (struct volume_spec)VOLUME_SPEC_INIT;
	return 0;
}

/* -- printing -- */

static bool same_device(const struct extent *a, const struct extent *b)
{
	return a->device && b->device && !strcmp(a->device, b->device);
}

/* Extents come grouped by device. */
static void write_extents(struct xml_writer *w, const struct volume_spec *v)
{
	if (!v->n_extents)
		return;
	xml_begin(w, "source", NULL);
	for (size_t i = 0; i < v->n_extents; i++) {
		const struct extent *e = &v->extents[i];
		bool first = !i || !same_device(e - 1, e);
		bool last = i + 1 == v->n_extents || !same_device(e, e + 1);
		char start[32], end[32];

		snprintf(start, sizeof(start), "%" PRIu64, e->start);
		snprintf(end, sizeof(end), "%" PRIu64, e->end);
		if (first)
			xml_begin(w, "device", "path", e->device, NULL);
		xml_empty(w, "extent", "start", start, "end", end, NULL);
		if (last)
			xml_end(w, "device");
	}
	xml_end(w, "source");
}

static void write_time(struct xml_writer *w, const char *name, const struct timespec *t)
{
	char text[48];

	if (t->tv_nsec)
		snprintf(text, sizeof(text), "%lld.%09ld", (long long)t->tv_sec,
			 t->tv_nsec);
	else
		snprintf(text, sizeof(text), "%lld", (long long)t->tv_sec);
	xml_text(w, name, text);
}

static void write_times(struct xml_writer *w, const struct volume_spec *v)
{
	if (!v->has_times)
		return;
	xml_begin(w, "timestamps", NULL);
	write_time(w, "atime", &v->atime);
	write_time(w, "mtime", &v->mtime);
	write_time(w, "ctime", &v->ctime);
	write_time(w, "btime", &v->btime);
	xml_end(w, "timestamps");
}

static void write_features(struct xml_writer *w, const struct volume_spec *v)
{
	if (!v->has_features)
		return;
	if (!v->features) {
		xml_empty(w, "features", NULL);
		return;
	}
	xml_begin(w, "features", NULL);
	for (size_t i = 0; i < N_FEATURES; i++)
		if (v->features & features[i].bit)
			xml_empty(w, features[i].name, NULL);
	xml_end(w, "features");
}

static void write_format(struct xml_writer *w, const struct pool_type *type,
			 const char *format)
{
	if (type->volume_formats)
		xml_empty(w, "format", "type",
			  format ? format : type->default_volume_format, NULL);
}

static void write_target(struct xml_writer *w, const struct volume_spec *v,
			 const struct pool_type *type)
{
	xml_begin(w, "target", NULL);
	xml_text(w, "path", v->path);
	write_format(w, type, v->format);
	xml_write_permissions(w, &v->permissions);
	write_times(w, v);
	encryption_xml_write(w, &v->encryption);
	xml_text(w, "compat", v->compat);
	if (v->cluster_size)
		xml_number(w, "clusterSize", "B", v->cluster_size);
	write_features(w, v);
	xml_end(w, "target");
}

static void write_volume(struct xml_writer *w, const struct volume_spec *v,
			 const struct pool_type *type)
{
	bool known = v->has_allocation ||
		     v->allocation; /* else all of it, as libvirt has it */

	xml_begin(w, "volume", "type", v->type ? v->type : type->volume_type, NULL);
	xml_text(w, "name", v->name);
	xml_text(w, "key", v->key);
	write_extents(w, v);
	xml_number(w, "capacity", "bytes", v->capacity);
	xml_number(w, "allocation", "bytes", known ? v->allocation : v->capacity);
	if (v->physical)
		xml_number(w, "physical", "bytes", v->physical);
	write_target(w, v, type);
	if (v->backing.path) {
		xml_begin(w, "backingStore", NULL);
		xml_text(w, "path", v->backing.path);
		write_format(w, type, v->backing.format);
		xml_write_permissions(w, &v->backing.permissions);
		xml_end(w, "backingStore");
	}
	xml_end(w, "volume");
}

int volume_xml_print(const struct volume_spec *spec, const struct pool_type *type,
		     struct buf *out, struct error *err)
{
	struct xml_writer w = XML_WRITER(out);

	write_volume(&w, spec, type);
	return xml_written(&w, "the volume", err);
}
