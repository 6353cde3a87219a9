/* Reads the JSON of lvm's reports. Members that are missing or not as lvm writes them
 * make it fail: half a list is never taken for a whole one. */
#include "backends/logical/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "backends/logical/name.h"

DEFINE_CLEANUP(cleanup_json, json_t *, json_decref)

const char *const report_words[] = {
	"--reportformat",
	"json",
	"--units",
	"b",
	"--nosuffix",
	"--configreport",
	"vg",
	"-o",
	"vg_size,vg_free,vg_extent_size,vg_missing_pv_count",
	"--configreport",
	"pv",
	"-o",
	"pv_name",
	"--configreport",
	"lv",
	"-o",
	"lv_name,lv_uuid,lv_size,origin_size,lv_role,lv_layout,origin,pool_lv,data_"
	"percent,"
	"lv_active,lv_device_open,lv_skip_activation,lv_snapshot_invalid,lv_tags",
	"--configreport",
	"pvseg",
	"-o",
	"pvseg_start",
	"--configreport",
	"seg",
	"-o",
	"lv_name,chunk_size,zero,seg_pe_ranges",
	NULL
};

const char *const report_pvs_words[] = { "--reportformat", "json", "-o",
					 "vg_name,pv_name", NULL };

static int malformed(const char *what, struct error *err)
{
	return error_set(err, EBADMSG, "lvm's report is not understood: %s", what);
}

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "no memory for lvm's report");
}

/* -- members -- */

/* A member's text; NULL: there is none. */
static const char *text_of(const json_t *row, const char *name)
{
	return json_string_value(json_object_get(row, name));
}

static int read_text(const json_t *row, const char *name, char **out, struct error *err)
{
	const char *text = text_of(row, name);

	if (!text)
		return malformed(name, err);
	*out = *text ? strdup(text) : NULL;
	return *text && !*out ? no_memory(err) : 0;
}

/* A whole decimal number up to where end says. */
static bool parse_number(const char *text, const char **end, uint64_t *out)
{
	char *behind;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &behind, 10);
	*end = behind;
	return errno == 0 && *out <= INT64_MAX;
}

static int read_number(const json_t *row, const char *name, uint64_t *out,
		       struct error *err)
{
	const char *text = text_of(row, name), *end;

	if (!text || !parse_number(text, &end, out) || *end)
		return malformed(name, err);
	return 0;
}

/* Whether a word is in a list "a,b,c". */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (n == len && !strncmp(list, word, n))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* What follows the prefix in the first of the tags that has it. */
static int read_tag(const char *tags, const char *prefix, char **out, struct error *err)
{
	size_t len = strlen(prefix);

	for (; *tags; tags += strspn(tags, ",")) {
		size_t n = strcspn(tags, ",");

		if (n > len && !strncmp(tags, prefix, len)) {
			*out = strndup(tags + len, n - len);
			return *out ? 0 : no_memory(err);
		}
		tags += n;
	}
	return 0;
}

/* -- volumes -- */

static enum lv_kind kind_of(const json_t *row)
{
	const char *role = text_of(row, "lv_role"), *layout = text_of(row, "lv_layout"),
		   *origin = text_of(row, "origin");

	if (has_word(layout, "pool"))
		return has_word(layout, "thin") ? LV_THINPOOL : LV_HIDDEN;
	if (!has_word(role, "public"))
		return LV_HIDDEN;
	if (has_word(layout, "thin"))
		return LV_THIN;
	if (!has_word(role, "thicksnapshot"))
		return LV_PLAIN;
	return origin && *origin == '[' ? LV_SPARSE : LV_SNAPSHOT;
}

/* "12.34" */
static unsigned hundredths(const char *text)
{
	uint64_t whole, part = 0;
	const char *end;

	if (!text || !parse_number(text, &end, &whole))
		return 0;
	if (*end == '.' && end[1] >= '0' && end[1] <= '9') {
		part = (end[1] - '0') * 10;
		if (end[2] >= '0' && end[2] <= '9')
			part += end[2] - '0';
	}
	return whole >= 100 ? 10000 : whole * 100 + part;
}

static int read_sizes(const json_t *row, struct lv *lv, struct error *err)
{
	int r = read_number(row, "lv_size", &lv->size, err);

	lv->filled = hundredths(text_of(row, "data_percent"));
	if (r < 0 || lv->kind == LV_THIN)
		return r;
	lv->room = lv->size;
	/* of a snapshot lvm calls that its size which it takes */
	if (lv->kind == LV_SNAPSHOT || lv->kind == LV_SPARSE)
		return read_number(row, "origin_size", &lv->size, err);
	return 0;
}

/* A field that is empty where it does not hold. */
static bool holds(const json_t *row, const char *name)
{
	const char *text = text_of(row, name);

	return text && *text && strcmp(text, "unknown");
}

static int read_lv(const json_t *row, struct lv *lv, struct error *err)
{
	const char *tags = text_of(row, "lv_tags");
	int r;

	if (!text_of(row, "lv_role") || !text_of(row, "lv_layout") || !tags)
		return malformed("a logical volume", err);
	lv->kind = kind_of(row);
	lv->active = holds(row, "lv_active");
	lv->open = holds(row, "lv_device_open");
	lv->skipped = holds(row, "lv_skip_activation");
	lv->invalid = holds(row, "lv_snapshot_invalid");
	if ((r = read_text(row, "lv_name", &lv->name, err)) < 0 ||
	    (r = read_text(row, "lv_uuid", &lv->uuid, err)) < 0 ||
	    (r = read_text(row, "origin", &lv->origin, err)) < 0 ||
	    (r = read_text(row, "pool_lv", &lv->pool, err)) < 0 ||
	    (r = read_tag(tags, LOGICAL_TAG_SNAPSHOT, &lv->snap, err)) < 0 ||
	    (r = read_tag(tags, LOGICAL_TAG_OF, &lv->snap_of, err)) < 0 ||
	    (r = read_tag(tags, LOGICAL_TAG_ID, &lv->id, err)) < 0)
		return r;
	/* it becomes part of a path */
	if (!lv->name || !logical_name_valid(lv->name))
		return malformed("the name of a logical volume", err);
	return read_sizes(row, lv, err);
}

/* -- extents -- */

/* "/dev/sda:0-9": from the right, since names have colons in them. */
static int parse_range(const char *text, size_t len, uint64_t extent_size,
		       struct extent *out, struct error *err)
{
	const char *at = memrchr(text, ':', len), *end;
	uint64_t first, last, behind;

	/* what a thin or RAID volume stands on is no device */
	if (!at || text[0] != '/')
		return 0;
	if (!parse_number(at + 1, &end, &first) || *end != '-' ||
	    !parse_number(end + 1, &end, &last) || end != text + len || last < first ||
	    __builtin_mul_overflow(last + 1, extent_size, &behind) || behind > INT64_MAX)
		return malformed("seg_pe_ranges", err);
	out->device = strndup(text, at - text);
	out->start = first * extent_size;
	out->end = behind;
	return out->device ? 1 : no_memory(err);
}

static int add_ranges(struct lv *lv, const char *ranges, uint64_t extent_size,
		      struct error *err)
{
	while (*ranges) {
		size_t n = strcspn(ranges, " ,");
		struct extent *more =
			reallocarray(lv->extents, lv->n_extents + 1, sizeof(*more));
		int r;

		if (!more)
			return no_memory(err);
		lv->extents = more;
		r = parse_range(ranges, n, extent_size, &more[lv->n_extents], err);
		if (r < 0)
			return r;
		lv->n_extents += r;
		ranges += n;
		ranges += strspn(ranges, " ,");
	}
	return 0;
}

static int read_segment(const json_t *row, struct vg *out, struct error *err)
{
	const char *name = text_of(row, "lv_name"),
		   *ranges = text_of(row, "seg_pe_ranges");
	uint64_t chunk = 0;
	struct lv *lv;
	int r;

	if (!name || !ranges || !text_of(row, "zero"))
		return malformed("a segment", err);
	r = read_number(row, "chunk_size", &chunk, err);
	lv = r < 0 ? NULL : vg_find(out, name);
	if (lv && lv->kind == LV_THINPOOL) {
		lv->chunk = chunk;
		lv->zeroes = holds(row, "zero");
	}
	return lv ? add_ranges(lv, ranges, out->extent_size, err) : r;
}

/* -- the whole -- */

static int read_group(const json_t *row, struct vg *out, struct error *err)
{
	uint64_t missing = 0;
	int r;

	if ((r = read_number(row, "vg_size", &out->size, err)) < 0 ||
	    (r = read_number(row, "vg_free", &out->free, err)) < 0 ||
	    (r = read_number(row, "vg_extent_size", &out->extent_size, err)) < 0 ||
	    (r = read_number(row, "vg_missing_pv_count", &missing, err)) < 0)
		return r;
	out->missing = missing;
	if (!out->extent_size || out->free > out->size)
		return malformed("the sizes of the volume group", err);
	return 0;
}

static int read_pvs(const json_t *rows, struct vg *out, struct error *err)
{
	out->pvs = calloc(json_array_size(rows) + 1, sizeof(*out->pvs));
	if (!out->pvs)
		return no_memory(err);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		char *name = NULL;
		int r = read_text(json_array_get(rows, i), "pv_name", &name, err);

		if (r < 0)
			return r;
		if (name)
			out->pvs[out->n_pvs++] = name;
	}
	return 0;
}

static int read_lvs(const json_t *rows, struct vg *out, struct error *err)
{
	out->lvs = calloc(json_array_size(rows) + 1, sizeof(*out->lvs));
	if (!out->lvs)
		return no_memory(err);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		int r = read_lv(json_array_get(rows, i), &out->lvs[out->n_lvs++], err);

		if (r < 0)
			return r;
	}
	return vg_sort(out) ? 0 : malformed("two logical volumes of one name", err);
}

/* The one element of "report". */
static int read_document(const char *text, size_t len, json_t **root,
			 const json_t **element, struct error *err)
{
	json_error_t why;
	const json_t *report;

	*root = json_loadb(text ? text : "", len, JSON_REJECT_DUPLICATES, &why);
	if (!*root)
		return malformed(why.text, err);
	report = json_object_get(*root, "report");
	if (json_array_size(report) != 1)
		return malformed("it has not one part", err);
	*element = json_array_get(report, 0);
	return 0;
}

int report_parse(const char *text, size_t len, struct vg *out, struct error *err)
{
	CLEANUP(cleanup_json) json_t *root = NULL;
	const json_t *all = NULL, *vg, *pv, *lv, *seg;
	int r;

	*out = (struct vg){ 0 };
	r = read_document(text, len, &root, &all, err);
	if (r < 0)
		return r;
	vg = json_object_get(all, "vg");
	pv = json_object_get(all, "pv");
	lv = json_object_get(all, "lv");
	seg = json_object_get(all, "seg");
	if (json_array_size(vg) != 1 || !json_is_array(pv) || !json_is_array(lv) ||
	    !json_is_array(seg))
		return malformed("a part is missing", err);
	if ((r = read_group(json_array_get(vg, 0), out, err)) < 0 ||
	    (r = read_pvs(pv, out, err)) < 0 || (r = read_lvs(lv, out, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < json_array_size(seg); i++)
		r = read_segment(json_array_get(seg, i), out, err);
	return r;
}

int report_pvs_parse(const char *text, size_t len, pv_each each, void *arg,
		     struct error *err)
{
	CLEANUP(cleanup_json) json_t *root = NULL;
	const json_t *all = NULL, *rows;
	int r = read_document(text, len, &root, &all, err);

	if (r < 0)
		return r;
	rows = json_object_get(all, "pv");
	if (!json_is_array(rows))
		return malformed("pv", err);
	for (size_t i = 0; r >= 0 && i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *vg = text_of(row, "vg_name"), *pv = text_of(row, "pv_name");

		if (!vg || !pv)
			return malformed("pv", err);
		if (*vg && *pv)
			r = each(arg, vg, pv);
	}
	return r < 0 ? r : 0;
}
