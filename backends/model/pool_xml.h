/* Pool descriptions as libvirt 11.3 reads and writes them (src/conf/storage_conf.c). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backends/backend.h"
#include "backends/support/buf.h"
#include "backends/support/error.h"
#include "backends/support/spec.h"

/*
 * Parses and checks a <pool> document. default_name replaces a missing name (may be
 * NULL); what libvirt derives from the name (source/name, logical's target) is filled in
 * from the document's own name first. uuid stays "" when missing. out is POOL_SPEC_INIT
 * on entry and left so on failure. Errors: -EINVAL (line, element and reason).
 */
int pool_xml_parse(const char *text, size_t len, const char *default_name,
		   struct pool_spec *out, struct error *err);

/* Prints it. live: sizes, and permissions of the target; NULL for a saved or inactive
 * pool (zeros). Adds nothing on failure (-ENOMEM, -EILSEQ). */
int pool_xml_print(const struct pool_spec *spec, const struct pool_stat *live,
		   struct buf *out, struct error *err);

/* A <source> document (discovery's question), host, auth and initiator only. */
int source_xml_parse(const char *text, size_t len, struct pool_source *out,
		     struct error *err);

/* A <sources> document from n sources, as find-storage-pool-sources prints it. */
int sources_xml_print(const char *type, const struct pool_source *sources, size_t n,
		      struct buf *out, struct error *err);

/* Deep copy by value; out is POOL_SPEC_INIT on entry. -ENOMEM. */
int pool_spec_copy(const struct pool_spec *from, struct pool_spec *out);

/*
 * Whether two specs use the same storage: a shared device (fs, logical, disk); host and
 * dir; IQN and initiator; adapter; any second mpath; sheepdog's host; rbd and
 * iscsi-direct never. Or the same target path (dir, fs, netfs, logical; the targets of
 * the others just name where to look in /dev). NULL: no conflict; else words, with what
 * they share: "target '/a'".
 */
const char *pool_specs_conflict(const struct pool_spec *a, const struct pool_spec *b,
				char *words, size_t size);
