/* Volume descriptions as libvirt 11.3 reads and writes them (src/conf/storage_conf.c). */
#pragma once

#include <stddef.h>

#include "backends/model/pool_types.h"
#include "backends/support/buf.h"
#include "backends/support/error.h"
#include "backends/support/spec.h"

/*
 * Parses and checks a <volume> document for a pool of this type. name replaces <name>
 * (which may be missing). capacity may be missing only with a backing store. out is
 * VOLUME_SPEC_INIT on entry and left so on failure. A missing allocation leaves
 * has_allocation false (libvirt: all of it).
 */
int volume_xml_parse(const char *text, size_t len, const struct pool_type *type,
		     const char *name, struct volume_spec *out, struct error *err);

/* Prints it in libvirt's order. Formats only for types that have volume formats.
 * -EILSEQ: a name or path is not UTF-8. Adds nothing on failure. */
int volume_xml_print(const struct volume_spec *spec, const struct pool_type *type,
		     struct buf *out, struct error *err);
