/* A pool's <source>, in and out. */
#pragma once

#include "backends/model/doc_xml.h"
#include "backends/model/pool_types.h"
#include "backends/model/write_xml.h"
#include "backends/support/spec.h"

/* e: the <source>, or NULL where there is none. What the type does not have is left out.
 * *out is cleared by the caller on failure, too. */
int source_xml_read(const struct xml_element *e, const struct pool_type *type,
		    struct pool_source *out, struct error *err);

/* Of a path: runs of '/' become one and the last goes; two leading ones and URLs stay. */
void path_tidy(char *path);

/* Where a type's mount or configuration options are. */
struct xml_namespace {
	const char *uri, *attribute; /* "xmlns:fs" */
	const char *list, *list_tag, *option_tag;
	bool has_value;
};
/* NULL: the type has none. */
const struct xml_namespace *xml_namespace_of(const struct pool_type *type);
