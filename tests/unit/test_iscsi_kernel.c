/* Node records of open-iscsi: changed without losing a line, and values that fit. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backends/iscsi/kernel_record.h"

#define BEGIN "# BEGIN RECORD 2.1.8\n"
#define END   "# END RECORD\n"

static const struct setting set[] = {
	{ "node.startup", "manual" },
	{ "node.session.auth.password", "pass word # = x" },
	{ "node.session.auth.username_in", NULL },
};

static const struct {
	const char *before, *after;
} edits[] = {
	/* replaced, kept, and what has no value removed */
	{ BEGIN
	  "node.startup = automatic\nnode.startup_x = 1\n"
	  "node.session.auth.password_in = b\nnode.session.auth.username_in = a\n" END,
	  BEGIN
	  "node.startup_x = 1\nnode.session.auth.password_in = b\n"
	  "node.startup = manual\nnode.session.auth.password = pass word # = x\n" END },
	/* no end, no newline, nothing at all */
	{ "a = b\n", "a = b\nnode.startup = manual\n"
		     "node.session.auth.password = pass word # = x\n" },
	{ "node.startup=x", "node.startup = manual\n"
			    "node.session.auth.password = pass word # = x\n" },
	{ "", "node.startup = manual\nnode.session.auth.password = pass word # = x\n" },
};

static void test_edit(void **state)
{
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		AUTO_BUF struct buf out = { 0 };

		assert_int_equal(record_edit(edits[i].before, set, 3, &out), 0);
		assert_string_equal(buf_text(&out), edits[i].after);
	}
}

static void test_values(void **state)
{
	static const char *const good[] = { "a", "a b", "#", "a=b", "ä", "a\tb" };
	static const char *const bad[] = { "",	  " ",	  "a ",	 " a",
					   "\ta", "a\nb", "a\r", "a\n" };
	char longest[257];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(record_can_hold(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(record_can_hold(bad[i]));
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	assert_false(record_can_hold(longest));
	longest[255] = '\0';
	assert_true(record_can_hold(longest));
}

static void test_iface(void **state)
{
	const char *text = BEGIN "iface.iscsi_ifacename = storagefs-1\nx = y\n" END;

	assert_true(record_is_of(text, "storagefs-1"));
	assert_false(record_is_of(text, "storagefs-"));
	assert_false(record_is_of(text, "storagefs-12"));
	assert_false(record_is_of(text, "default"));
	assert_false(record_is_of("", "default"));
	assert_true(record_is_of("iface.iscsi_ifacename = a", "a"));
}

static void test_missing(void **state)
{
	struct error err = { 0 };

	assert_false(record_exists("iqn.2026-11.test:none", "storagefs-0"));
	assert_int_equal(record_set("iqn.2026-11.test:none", "storagefs-0", set, 3, &err),
			 -ENOENT);
	assert_false(record_has_iface("storagefs-none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edit),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_iface),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
