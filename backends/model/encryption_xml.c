/* A volume's <encryption>, in and out. */
#include "backends/model/encryption_xml.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pool_types.h"
#include "backends/model/values_xml.h"

static int read_secrets(const struct xml_element *from, struct volume_encryption *out,
			struct error *err)
{
	const struct xml_element *e = xml_first(from, "secret");

	if (!e)
		return 0;
	out->secrets = calloc(xml_count(e), sizeof(*out->secrets));
	if (!out->secrets)
		return error_set(err, ENOMEM, "out of memory");
	for (; e; e = xml_next(e)) {
		struct secret_ref *s = &out->secrets[out->n_secrets++];
		int r = xml_read_secret(e, s, err);

		if (r < 0)
			return r;
		if (!s->type || strcmp(s->type, "passphrase"))
			return xml_refuse(e, err,
					  "unknown volume encryption secret type '%s': "
					  "'passphrase' is known",
					  s->type ? s->type : "");
	}
	return 0;
}

static int read_cipher(const struct xml_element *e, struct volume_cipher *out,
		       struct error *err)
{
	static const struct xml_string_row rows[] = {
		{ "@name", offsetof(struct volume_cipher, name) },
		{ "@mode", offsetof(struct volume_cipher, mode) },
		{ "@hash", offsetof(struct volume_cipher, hash) },
	};
	long long size = -1;
	int r;

	if ((r = xml_strings(e, rows, sizeof(rows) / sizeof(*rows), out, err)) < 0 ||
	    (r = xml_integer(e, "size", 10, 0, INT_MAX, &size, err)) < 0)
		return r;
	if (!out->name)
		return xml_refuse(e, err, "cipher info missing 'name' attribute");
	if (size < 0)
		return xml_refuse(e, err, "cipher info missing 'size' attribute");
	out->size = size;
	return 0;
}

static int read_luks(const struct xml_element *from, struct volume_encryption *out,
		     struct error *err)
{
	static const struct xml_string_row rows[] = {
		{ "ivgen/@name", offsetof(struct volume_encryption, ivgen_name) },
		{ "ivgen/@hash", offsetof(struct volume_encryption, ivgen_hash) },
	};
	const struct xml_element *cipher = xml_first(from, "cipher");
	const struct xml_element *ivgen = xml_first(from, "ivgen");
	int r = cipher ? read_cipher(cipher, &out->cipher, err) : 0;

	if (r < 0 || !ivgen)
		return r;
	if (!cipher)
		return xml_refuse(ivgen, err, "<ivgen> needs a <cipher> beside it");
	r = xml_strings(from, rows, sizeof(rows) / sizeof(*rows), out, err);
	if (r < 0)
		return r;
	if (!out->ivgen_name)
		return xml_refuse(ivgen, err, "missing ivgen info name string");
	return 0;
}

int encryption_xml_read(const struct xml_element *e, struct volume_encryption *out,
			struct error *err)
{
	static const char *const formats[] = {
		"default", "qcow", "luks", "luks2", "luks-any", NULL,
	};
	static const char *const engines[] = { "qemu", "librbd", NULL };
	int r;

	if (!e)
		return 0;
	if ((r = xml_string(e, "@format", &out->format, err)) < 0 ||
	    (r = xml_string(e, "@engine", &out->engine, err)) < 0)
		return r;
	if (!out->format)
		return xml_refuse(e, err, "missing volume encryption format");
	if (!format_listed(formats, out->format))
		return xml_refuse(e, err, "unknown volume encryption format type %s",
				  out->format);
	if (out->engine && !format_listed(engines, out->engine))
		return xml_refuse(e, err, "unknown volume encryption engine %s",
				  out->engine);
	r = read_secrets(e, out, err);
	if (r < 0 || strncmp(out->format, "luks", 4))
		return r;
	return read_luks(e, out, err);
}

void encryption_xml_write(struct xml_writer *w, const struct volume_encryption *v)
{
	char size[16];

	if (!v->format)
		return;
	xml_begin(w, "encryption", "format", v->format, "engine", v->engine, NULL);
	for (size_t i = 0; i < v->n_secrets; i++)
		xml_write_secret(w, &v->secrets[i]);
	snprintf(size, sizeof(size), "%u", v->cipher.size);
	if (v->cipher.name)
		xml_empty(w, "cipher", "name", v->cipher.name, "size", size, "mode",
			  v->cipher.mode, "hash", v->cipher.hash, NULL);
	if (v->ivgen_name)
		xml_empty(w, "ivgen", "name", v->ivgen_name, "hash", v->ivgen_hash, NULL);
	xml_end(w, "encryption");
}
