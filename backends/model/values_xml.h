/* What descriptions of pools and volumes share: permissions, secrets, UUIDs, sizes. */
#pragma once

#include "backends/model/doc_xml.h"
#include "backends/model/write_xml.h"
#include "backends/support/spec.h"

/* 32 hex digits, '-' or blanks between pairs of them, to canonical lower case. */
bool uuid_canonical(const char *text, char uuid[UUID_TEXT]);

/* <permissions>; e may be NULL. -EINVAL, -ENOMEM. */
int xml_read_permissions(const struct xml_element *e, struct permissions *out,
			 struct error *err);
/* Nothing when all of it is unset. */
void xml_write_permissions(struct xml_writer *w, const struct permissions *p);

/* <secret>: exactly one of uuid and usage. */
int xml_read_secret(const struct xml_element *e, struct secret_ref *out,
		    struct error *err);
void xml_write_secret(struct xml_writer *w, const struct secret_ref *s);

/* <capacity unit=''> and the like, the first child of that name; *has tells whether it
 * was there. */
int xml_read_size(const struct xml_element *from, const char *name, uint64_t *bytes,
		  bool *has, struct error *err);
