/* What the kernel tells of multipath maps: status lines and events, whole and broken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backends/common/uevent.h"
#include "backends/mpath/paths.h"

#define TWO "2 0 0 0 2 1 A 0 1 2 8:16 A 0 0 1 E 0 1 2 8:32 F 3 0 1 "

static const struct {
	const char *status;
	unsigned up, total;
} lines[] = {
	/* service-time, round-robin, one group of two and two of one; a handler; none */
	{ TWO, 1, 2 },
	{ "2 0 0 0 1 1 A 0 2 0 65:0 A 0 65:16 A 0 ", 2, 2 },
	{ "2 1 0 1 alua 1 1 D 0 2 2 8:16 F 12 0 1 8:32 F 1 0 1", 0, 2 },
	{ "2 0 1 0 0 0 ", 0, 0 },
	{ "0 0 1 1 A 1 x 1 0 sda A 0", 1, 1 },
};

static void test_status(void **state)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct paths p;

		assert_true(paths_parse(lines[i].status, &p));
		assert_int_equal(p.up, lines[i].up);
		assert_int_equal(p.total, lines[i].total);
	}
}

static void test_broken_status(void **state)
{
	static const char *const broken[] = {
		"",
		" ",
		"x",
		"2 0",
		"-1 0 0 0",
		"2 0 0 0 2",
		"2 0 0 0 1 1 A 0 1",
		"2 0 0 0 1 1 A 0 1 0 8:16 X 0",
		"2 0 0 0 1 1 A 0 1 0 8:16 AA 0",
		"2 0 0 0 1 1 A 0 1 0 8:16 A",
		"2 0 0 0 1 1 A 0 99999999999999999999 0 8:16 A 0",
		"99999999999999999999999999 0",
		"2 0 0 0 18446744073709551615 1 A 0 0 0",
		"2 0 0 0 1x 1",
	};
	struct paths p;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_false(paths_parse(broken[i], &p));
	/* whatever a line ends in the midst of */
	for (size_t n = 0; n < strlen(TWO) - 2; n++) {
		char *cut = strndup(TWO, n);

		assert_false(paths_parse(cut, &p));
		free(cut);
	}
}

static void test_event(void **state)
{
	static const char text[] = "change@/devices/virtual/block/dm-0\0ACTION=change\0"
				   "DEVPATH=/devices/virtual/block/dm-0\0DM_NAME=a b\0"
				   "EMPTY=";
	struct uevent e;

	assert_true(uevent_read(text, sizeof(text) - 1, &e));
	assert_string_equal(uevent_get(&e, "ACTION"), "change");
	assert_string_equal(uevent_get(&e, "DM_NAME"), "a b");
	assert_string_equal(uevent_get(&e, "EMPTY"), "");
	assert_null(uevent_get(&e, "DM"));
	assert_null(uevent_get(&e, "NONE"));
	assert_null(uevent_get(&e, "change@/devices/virtual/block/dm-0"));
}

static void test_broken_event(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} broken[] = {
		{ "", 0 },	 { "\0\0\0", 3 },   { "libudev\0x@", 10 },
		{ "add@/x", 6 }, { "add@/x\0", 7 }, { "add\0@=1", 7 },
	};
	struct uevent e;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_false(uevent_read(broken[i].data, broken[i].len, &e));
	/* lines without a value, and empty ones */
	assert_true(uevent_read("add@/x\0\0\0A\0B=1", 14, &e));
	assert_null(uevent_get(&e, "A"));
	assert_string_equal(uevent_get(&e, "B"), "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_broken_status),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_broken_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
