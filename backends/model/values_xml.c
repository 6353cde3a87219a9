/* Permissions, secrets, UUIDs and sizes in descriptions. */
#include "backends/model/values_xml.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/support/size.h"

#define BLANKS " \t\n\v\f\r"

bool uuid_canonical(const char *text, char uuid[UUID_TEXT])
{
	char canonical[UUID_TEXT], *to = canonical;

	text += strspn(text, BLANKS);
	for (int i = 0; i < 16; i++) {
		text += i ? strspn(text, "- ") : 0;
		if (!isxdigit((unsigned char)text[0]) ||
		    !isxdigit((unsigned char)text[1]))
			return false;
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = tolower((unsigned char)*text++);
		*to++ = tolower((unsigned char)*text++);
	}
	*to = '\0';
	if (text[strspn(text, BLANKS)])
		return false;
	memcpy(uuid, canonical, UUID_TEXT);
	return true;
}

/* A whole text as a number: leading blanks and a sign are allowed. */
static bool whole_number(const char *text, int base, long long *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, base);
	return !errno && end != text && !*end;
}

static int read_mode(const struct xml_element *from, int *mode, struct error *err)
{
	const struct xml_element *e = xml_first(from, "mode");
	AUTO_FREE char *text = NULL;
	long long value;
	int r = e ? xml_string(from, "mode", &text, err) : 0;

	if (r < 0 || !text)
		return r;
	if (!whole_number(text, 8, &value) || value < 0 || value > 0777)
		return xml_refuse(e, err,
				  "malformed octal mode '%s': 0 to 0777 is wanted", text);
	*mode = value;
	return 0;
}

/* Unlike elsewhere, an empty element is not a missing one. All 32 bits set is -1, too. */
static int read_id(const struct xml_element *from, const char *name, int64_t *id,
		   struct error *err)
{
	const struct xml_element *e = xml_first(from, name);
	AUTO_FREE char *text = NULL;
	long long value;
	int r = e ? xml_string(from, name, &text, err) : 0;

	if (r < 0 || !e)
		return r;
	if (!text || !whole_number(text, 10, &value) || value < -1 || value > UINT32_MAX)
		return xml_refuse(e, err,
				  "malformed %s element '%s': a decimal id is wanted",
				  name, text ? text : "");
	*id = value == UINT32_MAX ? -1 : value;
	return 0;
}

int xml_read_permissions(const struct xml_element *e, struct permissions *out,
			 struct error *err)
{
	int r;

	if (!e)
		return 0;
	if ((r = read_mode(e, &out->mode, err)) < 0 ||
	    (r = read_id(e, "owner", &out->owner, err)) < 0 ||
	    (r = read_id(e, "group", &out->group, err)) < 0)
		return r;
	return xml_string(e, "label", &out->label, err);
}

void xml_write_permissions(struct xml_writer *w, const struct permissions *p)
{
	char mode[16];

	if (p->mode < 0 && p->owner < 0 && p->group < 0 && !p->label)
		return;
	xml_begin(w, "permissions", NULL);
	/* libvirt has permission bits only */
	snprintf(mode, sizeof(mode), "0%o", p->mode & 0777);
	xml_text(w, "mode", p->mode < 0 ? NULL : mode);
	if (p->owner >= 0)
		xml_number(w, "owner", NULL, p->owner);
	if (p->group >= 0)
		xml_number(w, "group", NULL, p->group);
	xml_text(w, "label", p->label);
	xml_end(w, "permissions");
}

int xml_read_secret(const struct xml_element *e, struct secret_ref *out,
		    struct error *err)
{
	AUTO_FREE char *uuid = NULL;
	char canonical[UUID_TEXT];
	int r;

	if ((r = xml_attribute(e, "type", &out->type, err)) < 0 ||
	    (r = xml_attribute(e, "uuid", &uuid, err)) < 0 ||
	    (r = xml_attribute(e, "usage", &out->usage, err)) < 0)
		return r;
	if (!uuid && !out->usage)
		return xml_refuse(e, err, "missing secret uuid or usage attribute");
	if (uuid && out->usage)
		return xml_refuse(e, err,
				  "either secret uuid or usage expected, not both");
	if (!uuid)
		return 0;
	if (!uuid_canonical(uuid, canonical))
		return xml_refuse(e, err, "invalid secret uuid '%s'", uuid);
	out->uuid = strdup(canonical);
	return out->uuid ? 0 : error_set(err, ENOMEM, "out of memory");
}

void xml_write_secret(struct xml_writer *w, const struct secret_ref *s)
{
	xml_empty(w, "secret", "type", s->type, "uuid", s->uuid, "usage", s->usage, NULL);
}

int xml_read_size(const struct xml_element *from, const char *name, uint64_t *bytes,
		  bool *has, struct error *err)
{
	const struct xml_element *e = xml_first(from, name);
	AUTO_FREE char *number = NULL;
	AUTO_FREE char *unit = NULL;
	int r;

	*has = false;
	if (!e)
		return 0;
	if ((r = xml_string(from, name, &number, err)) < 0 ||
	    (r = xml_attribute(e, "unit", &unit, err)) < 0 || !number)
		return r;
	if (size_parse(number, unit, xml_name(e), bytes, err) < 0)
		return xml_refuse_prefix(e, err);
	*has = true;
	return 0;
}
