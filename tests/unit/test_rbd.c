/* The pure parts of the rbd backend: names, sizes, times, and Ceph's encodings. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backends/rbd/rbd.h"
#include "backends/support/clock.h"

/* -- names -- */

static const struct {
	const char *name, *pool, *namespace; /* pool NULL: refused */
} names[] = {
	{ "rbd", "rbd", NULL },
	{ "a pool", "a pool", NULL },
	{ "rbd/tenant", "rbd", "tenant" },
	{ "", NULL, NULL },
	{ "/tenant", NULL, NULL },
	{ "rbd/", NULL, NULL },
	{ "rbd/a/b", NULL, NULL },
};

static void names_are_pools_and_namespaces(void **state)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		AUTO_FREE char *pool = NULL;
		AUTO_FREE char *namespace = NULL;
		struct error err = { 0 };
		int r = config_split_name(names[i].name, &pool, &namespace, &err);

		if (!names[i].pool) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(err.text, "POOL/NAMESPACE"));
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(pool, names[i].pool);
		assert_int_equal(!namespace, !names[i].namespace);
		if (namespace)
			assert_string_equal(namespace, names[i].namespace);
	}
}

static const struct {
	const char *path, *pool, *image, *snap; /* image NULL: refused */
} backings[] = {
	{ "rbd/golden@v1", "rbd", "golden", "v1" },
	{ "golden@v1", "rbd", "golden", "v1" },
	{ "rbd/tenant/golden@v1", "rbd/tenant", "golden", "v1" },
	{ "rbd/at@home@v1", "rbd", "at@home", "v1" },
	{ "rbd2/golden@v1", "rbd", NULL, NULL },
	{ "rbd/tenant/golden@v1", "rbd", NULL, NULL },
	{ "/images/golden.qcow2", "rbd", NULL, NULL },
	{ "rbd/golden", "rbd", NULL, NULL },
	{ "rbd/golden@", "rbd", NULL, NULL },
	{ "rbd/@v1", "rbd", NULL, NULL },
	{ "", "rbd", NULL, NULL },
};

static void backing_paths_are_snapshots_of_the_same_pool(void **state)
{
	for (size_t i = 0; i < sizeof(backings) / sizeof(*backings); i++) {
		AUTO_FREE char *image = NULL;
		AUTO_FREE char *snap = NULL;
		struct error err = { 0 };
		int r = config_split_backing(backings[i].path, backings[i].pool, &image,
					     &snap, &err);

		if (!backings[i].image) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(err.text, "/IMAGE@SNAPSHOT"));
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(image, backings[i].image);
		assert_string_equal(snap, backings[i].snap);
	}
}

/* -- numbers -- */

static void sizes_are_whole_sectors(void **state)
{
	assert_int_equal(config_round_size(0), 0);
	assert_int_equal(config_round_size(1), 512);
	assert_int_equal(config_round_size(512), 512);
	assert_int_equal(config_round_size(513), 1024);
	assert_int_equal(config_round_size(INT64_MAX), UINT64_C(1) << 63);
	assert_true(config_round_size(UINT64_MAX) == UINT64_MAX);
}

static void operations_end_before_their_requests(void **state)
{
	assert_int_equal(config_op_timeout(0), 1);
	assert_int_equal(config_op_timeout(2 * NS_PER_S), 1);
	assert_int_equal(config_op_timeout(3 * NS_PER_S), 2);
	assert_int_equal(config_op_timeout(4 * NS_PER_S), 3);
	assert_int_equal(config_op_timeout(30 * NS_PER_S), 23);
	assert_int_equal(config_op_timeout(UINT64_MAX), 3600);
}

/* -- encodings -- */

static void strings_have_their_length_before_them(void **state)
{
	static const char id[] = "\x0c\0\0\0"
				 "102164ea3f07";
	AUTO_FREE char *text = decode_string(id, sizeof(id) - 1);

	assert_string_equal(text, "102164ea3f07");
	assert_null(decode_string(id, sizeof(id) - 2)); /* one byte short */
	assert_null(decode_string(id, 3));
	assert_null(decode_string("", 0));
	assert_null(decode_string("\0\0\0\0", 4));
	assert_null(decode_string("\xff\xff\xff\xff"
				  "a",
				  5));
	assert_null(decode_string("\3\0\0\0"
				  "a\0b",
				  7));
}

static void times_are_seconds_and_nanoseconds(void **state)
{
	struct timespec t;

	assert_true(decode_time("\x07\x7c\x03\x6b\xa2\xeb\x7c\x28", 8, &t));
	assert_int_equal(t.tv_sec, 0x6b037c07);
	assert_int_equal(t.tv_nsec, 0x287ceba2);
	assert_false(decode_time("\x07\x7c\x03\x6b\xff\xff\xff\xff", 8, &t));
	assert_false(decode_time("\x07\x7c\x03\x6b", 4, &t));
}

/* As an OSD gave it: 16 objects. */
static const char map[] = "\x0e\0\0\0"
			  "\1\1\x08\0\0\0"
			  "\x10\0\0\0\0\0\0\0";

static void object_maps_say_how_many_they_have(void **state)
{
	char broken[sizeof(map)];
	uint64_t n = 0;

	assert_true(decode_map_header(map, OBJECT_MAP_HEADER, &n));
	assert_int_equal(n, 16);
	assert_false(decode_map_header(map, OBJECT_MAP_HEADER - 1, &n));
	assert_false(decode_map_header("", 0, &n));
	for (int at = 0; at < 5; at++) { /* lengths and version of another encoding */
		memcpy(broken, map, sizeof(map));
		broken[at] ^= 0x40;
		assert_false(decode_map_header(broken, OBJECT_MAP_HEADER, &n));
	}
}

static void objects_are_counted(void **state)
{
	/* 0 1 2 3 | 1 1 1 1 | 2 2 0 3 */
	static const unsigned char bits[] = { 0x1b, 0x55, 0xa3 };
	static const unsigned expected[] = { 0, 0, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 7 };
	unsigned char all[256];
	bool is_last;

	for (unsigned n = 0; n <= 12; n++) {
		assert_int_equal(decode_map_count(bits, n, &is_last), expected[n]);
		assert_int_equal(is_last, n && expected[n] != expected[n - 1]);
	}
	memset(all, 0xff, sizeof(all));
	assert_int_equal(decode_map_count(all, sizeof(all) * 4, NULL), sizeof(all) * 4);
	memset(all, 0xaa, sizeof(all)); /* all being removed */
	assert_int_equal(decode_map_count(all, sizeof(all) * 4, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_pools_and_namespaces),
		cmocka_unit_test(backing_paths_are_snapshots_of_the_same_pool),
		cmocka_unit_test(sizes_are_whole_sectors),
		cmocka_unit_test(operations_end_before_their_requests),
		cmocka_unit_test(strings_have_their_length_before_them),
		cmocka_unit_test(times_are_seconds_and_nanoseconds),
		cmocka_unit_test(object_maps_say_how_many_they_have),
		cmocka_unit_test(objects_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
