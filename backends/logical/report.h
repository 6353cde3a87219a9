/*
 * What lvm's reports say, read into data. Knows nothing of processes, so that unit tests
 * can feed it anything.
 */
#pragma once

#include <stddef.h>

#include "backends/logical/vg.h"
#include "backends/support/error.h"

/* What to ask: the words behind `lvm fullreport`, ended by NULL; the group's name is to
 * follow. */
extern const char *const report_words[];

/* Reads the answer. -EBADMSG: it is not what lvm says. out is for vg_clear() also
 * when this fails. */
int report_parse(const char *text, size_t len, struct vg *out, struct error *err);

/* All pairs of a volume group and a physical volume that `pvs` lists. */
typedef int (*pv_each)(void *arg, const char *vg, const char *pv);
extern const char *const report_pvs_words[];
int report_pvs_parse(const char *text, size_t len, pv_each each, void *arg,
		     struct error *err);
