/* Names of logical volumes, and lvm's reports: real ones, and what nobody would send. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "backends/logical/name.h"
#include "backends/logical/report.h"

/* -- names -- */

static void test_names(void **state)
{
	static const struct {
		const char *name, *says; /* says NULL: it is one */
	} cases[] = {
		{ "lv", NULL },
		{ "a+b_c.d-e", NULL },
		{ ".hidden", NULL },
		{ "snapshop", NULL },
		{ "", "consists of" },
		{ "-x", "'-'" },
		{ ".", "'.'" },
		{ "..", "'..'" },
		{ "a b", "consists of" },
		{ "a/b", "consists of" },
		{ "\xc3\xa4", "consists of" },
		{ "line\nfeed", "consists of" },
		{ "snapshot", "does not begin with" },
		{ "snapshot1", "does not begin with" },
		{ "pvmove0", "does not begin with" },
		{ "x_tmeta", "_tmeta" },
		{ "x_rimage_0", "_rimage" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error err = { 0 };
		int r = logical_name_check("vg", cases[i].name, &err);

		assert_int_equal(r, cases[i].says ? -EINVAL : 0);
		if (cases[i].says)
			assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void test_long_names(void **state)
{
	struct error err = { 0 };
	char name[LOGICAL_NAME_MAX + 1];

	memset(name, 'x', sizeof(name));
	name[LOGICAL_NAME_MAX] = '\0';
	assert_int_equal(logical_name_check("vg", name, &err), -EINVAL);
	name[124] = '\0'; /* and "vg-" are 127 */
	assert_int_equal(logical_name_check("vg", name, &err), 0);
	name[1] = '-'; /* which counts twice */
	assert_int_equal(logical_name_check("vg", name, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too long"));
}

static void test_maps(void **state)
{
	static const struct {
		const char *map, *vg, *lv; /* lv NULL: it is of none */
	} cases[] = {
		{ "vg-lv", "vg", "lv" },
		{ "vg-a--b", "vg", "a-b" },
		{ "my--vg-lv", "my-vg", "lv" },
		{ "my--vg-lv", "my", NULL },
		{ "vg-lv-real", "vg", NULL },
		{ "vg-lv-cow", "vg", NULL },
		{ "vg-tp_tmeta", "vg", NULL },
		{ "vg-", "vg", NULL },
		{ "vg", "vg", NULL },
		{ "vg--lv", "vg", NULL },
		{ "vg2-lv", "vg", NULL },
		{ "control", "vg", NULL },
		{ "", "vg", NULL },
	};
	char lv[LOGICAL_NAME_MAX], map[LOGICAL_MAP_MAX], endless[4 * LOGICAL_NAME_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool is = logical_name_of_map(cases[i].map, cases[i].vg, lv);

		assert_int_equal(is, cases[i].lv != NULL);
		if (!is)
			continue;
		assert_string_equal(lv, cases[i].lv);
		logical_name_to_map(cases[i].vg, lv, map);
		assert_string_equal(map, cases[i].map);
	}
	memset(endless, 'x', sizeof(endless));
	memcpy(endless, "vg-", 3);
	endless[sizeof(endless) - 1] = '\0';
	assert_false(logical_name_of_map(endless, "vg", lv));
	memset(endless, '-', sizeof(endless) - 1);
	logical_name_to_map(endless, endless, map);
	assert_true(strlen(map) < sizeof(map));
}

/* -- reports -- */

#define VG_OF(size, free, extent)                                                       \
	"\"vg\":[{\"vg_size\":" size ",\"vg_free\":" free ",\"vg_extent_size\":" extent \
	",\"vg_missing_pv_count\":\"0\"}]"
#define VG    VG_OF("\"2139095040\"", "\"1908408320\"", "\"4194304\"")
#define PV    "\"pv\":[{\"pv_name\":\"/dev/sda\"},{\"pv_name\":\"/dev/sdf\"}]"
#define PVSEG "\"pvseg\":[{\"pvseg_start\":\"0\"}]"
#define LV(name, size, origin_size, role, layout, origin, pool, percent, tags)          \
	"{\"lv_name\":\"" name "\",\"lv_uuid\":\"uuid-" name "\",\"lv_size\":\"" size   \
	"\",\"origin_size\":\"" origin_size "\",\"lv_role\":\"" role                    \
	"\",\"lv_layout\":\"" layout "\",\"origin\":\"" origin "\",\"pool_lv\":\"" pool \
	"\",\"data_percent\":\"" percent "\",\"lv_active\":\"active\","                 \
	"\"lv_device_open\":\"\",\"lv_skip_activation\":\"\","                          \
	"\"lv_snapshot_invalid\":\"unknown\",\"lv_tags\":\"" tags "\"}"
#define PLAIN(name) LV(name, "41943040", "", "public", "linear", "", "", "", "")
#define SEG_OF(name, zero, ranges)                                            \
	"{\"lv_name\":\"" name "\",\"chunk_size\":\"65536\",\"zero\":\"" zero \
	"\",\"seg_pe_ranges\":\"" ranges "\"}"
#define SEG(name, ranges) SEG_OF(name, "unknown", ranges)
#define REPORT(lvs, segs) \
	"{\"report\":[{" VG "," PV ",\"lv\":[" lvs "]," PVSEG ",\"seg\":[" segs "]}]}"

static int parse(const char *text, struct vg *out, struct error *err)
{
	return report_parse(text, strlen(text), out, err);
}

static void test_report(void **state)
{
	/* clang-format off */
	static const char text[] = REPORT(
		LV("thin0", "1073741824", "", "public,origin,thinorigin", "thin,sparse",
		   "", "tp", "12.34", "") ","
		LV("tp", "83886080", "", "private", "thin,pool", "", "", "0.00", "") ","
		LV("raw", "83886080", "", "private", "thin,pool", "", "", "0.00", "") ","
		LV("cow", "46137344", "41943040", "public,snapshot,thicksnapshot", "linear",
		   "lin", "", "3.5", "") ","
		LV("sparse", "16777216", "104857600", "public,snapshot,thicksnapshot",
		   "linear", "[sparse_vorigin]", "", "0.00", "") ","
		LV("lin.s1", "46137344", "41943040", "public,snapshot,thicksnapshot",
		   "linear", "lin", "", "100.00",
		   "other,storagefs.snapshot=s1,storagefs.of=uuid-lin") ","
		LV("heir", "4194304", "", "public", "linear", "", "", "",
		   "storagefs.id=uuid-lin") ","
		LV("lin", "41943040", "41943040", "public,origin,thickorigin", "linear", "",
		   "", "", "mine"),
		SEG_OF("tp", "zero", "tp_tdata:0-19") "," SEG_OF("raw", "", "") ","
		SEG("lin", "/dev/disk/by-path/pci-0000:00:1f.2:10-13 /dev/sdf:0-3") ","
		SEG("thin0", "") "," SEG("gone", "/dev/sda:1-2"));
	/* clang-format on */
	struct vg g;
	struct error err = { 0 };
	const struct lv *lin, *lv;

	assert_int_equal(parse(text, &g, &err), 0);
	assert_int_equal(g.size, 2139095040);
	assert_int_equal(g.free, 1908408320);
	assert_int_equal(g.n_pvs, 2);
	assert_string_equal(g.pvs[1], "/dev/sdf");
	assert_int_equal(g.n_lvs, 8);

	lin = vg_find(&g, "lin");
	assert_true(lv_is_volume(lin));
	assert_int_equal(lin->kind, LV_PLAIN);
	assert_int_equal(lin->room, 41943040);
	assert_true(lin->active && !lin->open && !lin->skipped && !lin->invalid);
	assert_int_equal(lin->n_extents, 2);
	assert_string_equal(lin->extents[0].device, "/dev/disk/by-path/pci-0000:00:1f.2");
	assert_int_equal(lin->extents[0].start, 10 * 4194304);
	assert_int_equal(lin->extents[0].end, 14 * 4194304);
	assert_string_equal(lin->extents[1].device, "/dev/sdf");

	lv = vg_find(&g, "thin0");
	assert_int_equal(lv->kind, LV_THIN);
	assert_int_equal(lv->filled, 1234);
	assert_string_equal(lv->pool, "tp");
	lv = vg_find(&g, "tp");
	assert_int_equal(lv->kind, LV_THINPOOL);
	assert_int_equal(lv->chunk, 65536);
	assert_true(lv->zeroes && !vg_find(&g, "raw")->zeroes);
	assert_false(lv_is_volume(lv));
	lv = vg_find(&g, "cow");
	assert_int_equal(lv->kind, LV_SNAPSHOT);
	assert_int_equal(lv->size, 41943040);
	assert_int_equal(lv->room, 46137344);
	assert_int_equal(lv->filled, 350);
	assert_true(lv_is_volume(lv) && !lv_is_snapshot_of(lv, lin));
	assert_int_equal(vg_find(&g, "sparse")->kind, LV_SPARSE);
	assert_int_equal(vg_find(&g, "sparse")->size, 104857600);
	lv = vg_find(&g, "lin.s1");
	assert_false(lv_is_volume(lv));
	assert_true(lv_is_snapshot_of(lv, lin));
	assert_false(lv_is_snapshot_of(lv, vg_find(&g, "thin0")));
	assert_string_equal(lv->snap, "s1");
	/* one that has taken the place of another has its snapshots */
	assert_true(lv_is_snapshot_of(lv, vg_find(&g, "heir")));
	assert_true(lv_is_volume(vg_find(&g, "heir")));
	vg_clear(&g);
}

static void test_changes(void **state)
{
	struct vg g;
	struct error err = { 0 };

	assert_int_equal(parse(REPORT(PLAIN("b"), ""), &g, &err), 0);
	assert_non_null(vg_add(&g, "c"));
	assert_non_null(vg_add(&g, "a"));
	assert_int_equal(g.n_lvs, 3);
	assert_int_equal(vg_rename(&g, vg_find(&g, "a"), "d"), 0);
	assert_null(vg_find(&g, "a"));
	assert_string_equal(vg_find(&g, "b")->uuid, "uuid-b");
	vg_remove(&g, vg_find(&g, "b"));
	assert_null(vg_find(&g, "b"));
	assert_string_equal(g.lvs[0].name, "c");
	assert_string_equal(g.lvs[1].name, "d");
	vg_remove(&g, vg_find(&g, "c"));
	vg_remove(&g, vg_find(&g, "d"));
	assert_null(vg_find(&g, "d"));
	assert_non_null(vg_add(&g, "e"));
	vg_clear(&g);
}

#define GROUP(vg) "{\"report\":[{" vg "," PV ",\"lv\":[],\"seg\":[]}]}"

static const char *const bad[] = {
	"",
	"lvm says no",
	"[]",
	"{}",
	"{\"report\":{}}",
	"{\"report\":[]}",
	"{\"report\":[{},{}]}",
	"{\"report\":[{" VG "," PV ",\"lv\":[]}]}",
	"{\"report\":[{" PV ",\"lv\":[],\"seg\":[]}]}",
	"{\"report\":[{\"vg\":[{}]," PV ",\"lv\":[],\"seg\":[]}]}",
	GROUP(VG_OF("\"1\"", "\"2\"", "\"1\"")),
	GROUP(VG_OF("\"1\"", "\"0\"", "\"0\"")),
	GROUP(VG_OF("\"1.00m\"", "\"0\"", "\"1\"")),
	GROUP(VG_OF("1", "0", "1")),
	REPORT("{}", ""),
	REPORT("7", ""),
	REPORT("{\"lv_name\":null}", ""),
	REPORT(PLAIN("../../etc/passwd"), ""),
	REPORT(PLAIN(""), ""),
	REPORT(PLAIN("a\\u0000b"), ""),
	REPORT(PLAIN("a\xff"), ""),
	REPORT(PLAIN("same") "," PLAIN("same"), ""),
	REPORT(LV("v", "-1", "", "public", "linear", "", "", "", ""), ""),
	REPORT(LV("v", "", "", "public", "linear", "", "", "", ""), ""),
	REPORT(LV("v", "9223372036854775808", "", "public", "linear", "", "", "", ""),
	       ""),
	REPORT(LV("v", "99999999999999999999", "", "public", "linear", "", "", "", ""),
	       ""),
	REPORT(LV("v", "4096", "x", "public,thicksnapshot", "linear", "o", "", "", ""),
	       ""),
	REPORT(PLAIN("v"), "{}"),
	REPORT(PLAIN("v"), SEG("v", "/dev/sda")) "trailing",
	REPORT(PLAIN("v"), SEG("v", "/dev/sda:")),
	REPORT(PLAIN("v"), SEG("v", "/dev/sda:1")),
	REPORT(PLAIN("v"), SEG("v", "/dev/sda:5-4")),
	REPORT(PLAIN("v"), SEG("v", "/dev/sda:0-1x")),
	REPORT(PLAIN("v"), SEG("v", "/dev/sda:0-9223372036854775807")),
};

static void test_bad_reports(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct error err = { 0 };
		struct vg g;
		int r = parse(bad[i], &g, &err);

		if (r != -EBADMSG)
			fail_msg("%d for %s", r, bad[i]);
		assert_non_null(strstr(err.text, "not understood"));
		vg_clear(&g);
	}
}

/* Cut anywhere it is no report, and nothing worse. */
static void test_cut_reports(void **state)
{
	static const char text[] =
		REPORT(PLAIN("a") "," PLAIN("b"), SEG("a", "/dev/sda:0-9"));

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *copy = malloc(len + 1);
		struct error err = { 0 };
		struct vg g;

		assert_non_null(copy);
		memcpy(copy, text, len);
		assert_int_equal(report_parse(copy, len, &g, &err), -EBADMSG);
		vg_clear(&g);
		free(copy);
	}
}

static int count_pv(void *arg, const char *vg, const char *pv)
{
	++*(int *)arg;
	return strcmp(vg, "stop") ? 0 : -ENOMEM;
}

static void test_pvs(void **state)
{
	static const char text[] = "{\"report\":[{\"pv\":["
				   "{\"vg_name\":\"vg0\",\"pv_name\":\"/dev/sda\"},"
				   "{\"vg_name\":\"\",\"pv_name\":\"/dev/sdb\"},"
				   "{\"vg_name\":\"vg0\",\"pv_name\":\"/dev/sdc\"}]}]}";
	static const char stop[] = "{\"report\":[{\"pv\":["
				   "{\"vg_name\":\"stop\",\"pv_name\":\"/dev/sda\"},"
				   "{\"vg_name\":\"vg0\",\"pv_name\":\"/dev/sdc\"}]}]}";
	struct error err = { 0 };
	int n = 0;

	assert_int_equal(report_pvs_parse(text, strlen(text), count_pv, &n, &err), 0);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(report_pvs_parse(stop, strlen(stop), count_pv, &n, &err),
			 -ENOMEM);
	assert_int_equal(n, 1);
	assert_int_equal(report_pvs_parse("{\"report\":[{}]}", 15, count_pv, &n, &err),
			 -EBADMSG);
	assert_int_equal(report_pvs_parse(NULL, 0, count_pv, &n, &err), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_maps),	    cmocka_unit_test(test_report),
		cmocka_unit_test(test_changes),	    cmocka_unit_test(test_bad_reports),
		cmocka_unit_test(test_cut_reports), cmocka_unit_test(test_pvs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
