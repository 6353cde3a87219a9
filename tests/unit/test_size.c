/* Sizes with units, by libvirt's rules. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "backends/support/size.h"

static const struct {
	const char *number, *unit;
	uint64_t bytes;
	const char *error;
} elements[] = {
	{ "0", NULL, 0, NULL },
	{ " +010", "", 10, NULL },
	{ "1", "KiB", 1024, NULL },
	{ "1", "k", 1024, NULL },
	{ "1", "kB", 1000, NULL },
	{ "3", "gib", 3221225472, NULL },
	{ "2", "TB", 2000000000000, NULL },
	{ "7", "E", UINT64_C(7) << 60, NULL },
	{ "7", "bytes", 7, NULL },
	{ "9223372036854775807", "B", INT64_MAX, NULL },
	{ "8", "E", 0, "too large" },
	{ "18446744073709551616", NULL, 0, "malformed capacity" },
	{ "9223372036854775808", NULL, 0, "too large" },
	{ "-5", NULL, 0, "malformed" },
	{ "1.5", "G", 0, "malformed" },
	{ "1024 ", NULL, 0, "malformed" },
	{ "0x10", NULL, 0, "malformed" },
	{ "", NULL, 0, "malformed" },
	{ "1", "Z", 0, "unknown unit" },
	{ "1", "kibi", 0, "unknown unit" },
	{ "1", "i", 0, "unknown unit" },
};

static void elements_are_read_as_libvirt_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(elements) / sizeof(*elements); i++) {
		struct error err = { 0 };
		uint64_t bytes = 0;
		int r = size_parse(elements[i].number, elements[i].unit, "capacity", &bytes, &err);

		if (elements[i].error) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(err.text, elements[i].error));
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(bytes, elements[i].bytes);
	}
}

static void words_are_read_as_people_type_them(void **state)
{
	struct error err = { 0 };
	uint64_t bytes;

	(void)state;
	assert_int_equal(size_parse_text("10G\n", &bytes, &err), 0);
	assert_int_equal(bytes, UINT64_C(10) << 30);
	assert_int_equal(size_parse_text(" 10 GB ", &bytes, &err), 0);
	assert_int_equal(bytes, UINT64_C(10000000000));
	assert_int_equal(size_parse_text("512", &bytes, &err), 0);
	assert_int_equal(bytes, 512);
	assert_int_equal(size_parse_text("G", &bytes, &err), -EINVAL);
	assert_int_equal(size_parse_text("", &bytes, &err), -EINVAL);
	assert_int_equal(size_parse_text(" +1G", &bytes, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nothing is added"));
	assert_int_equal(size_parse_text("1G 2", &bytes, &err), -EINVAL);
	assert_int_equal(size_parse_text("1 XiB", &bytes, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_read_as_libvirt_does),
		cmocka_unit_test(words_are_read_as_people_type_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
