/* Names of partitions, and the answers of disk-table: good ones, and what none should be.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/disk/disk_kernel.h"
#include "backends/disk/disk_table.h"
#include "backends/support/buf.h"

#define HEAD "disk 1048576000 512\nlabel dos\n"
#define TAIL "next 3 6\ndone\n"

static void names(void **state)
{
	static const struct {
		const char *disk;
		enum choice separator;
		unsigned number;
		const char *name;
	} cases[] = {
		{ "sdb", CHOICE_UNSET, 1, "sdb1" },
		{ "sdaa", CHOICE_UNSET, 128, "sdaa128" },
		{ "nvme0n1", CHOICE_UNSET, 1, "nvme0n1p1" },
		{ "loop0", CHOICE_UNSET, 15, "loop0p15" },
		{ "mpatha", CHOICE_UNSET, 1, "mpatha1" },
		{ "mpatha", CHOICE_NO, 1, "mpatha1" },
		{ "mpatha", CHOICE_YES, 1, "mpathap1" },
		{ "map1", CHOICE_NO, 2, "map1p2" },
		{ "map1", CHOICE_YES, 2, "map1p2" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char prefix[DISK_NAME_MAX], name[DISK_NAME_MAX];

		disk_prefix(cases[i].disk, cases[i].separator, prefix);
		disk_part_name(prefix, cases[i].number, name);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(disk_number(prefix, name), cases[i].number);
	}
}

static void no_names(void **state)
{
	static const char *const bad[] = {
		"",
		"sdb",
		"sdb0",
		"sdb01",
		"sdb-1",
		"sdb+1",
		"sdb 1",
		"sdb1 ",
		"sdb1\n",
		"sdc1",
		"sda1",
		"sdb1x",
		"sdb99999",
		"sdb4294967297",
		"sdb9999",
		"xsdb1",
		"../sdb1",
		"sdb1/..",
		"sdb/1",
		"sdb\3771",
		"sdbp1",
		"holders",
	};
	char long_name[5000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(disk_number("sdb", bad[i]), 0);
	memset(long_name, '1', sizeof(long_name));
	memcpy(long_name, "sdb", 3);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(disk_number("sdb", long_name), 0);
	assert_int_equal(disk_number("sdb", "sdb4096"), 4096);
	assert_int_equal(disk_number("sdb", "sdb4097"), 0);
}

static void long_names(void **state)
{
	char long_name[1000], prefix[DISK_NAME_MAX], name[DISK_NAME_MAX];

	memset(long_name, 'm', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	disk_prefix(long_name, CHOICE_YES, prefix);
	disk_part_name(prefix, 4096, name);
	assert_true(strlen(name) < sizeof(name));
}

static void table(void **state)
{
	AUTO_TABLE struct disk_table t = { 0 };
	AUTO_TABLE struct disk_table copy = { 0 };
	struct error err = { 0 };

	assert_int_equal(disk_table_parse(HEAD
					  "free primary 512 1048576\n"
					  "part 1 primary 1048576 2097152 linux-lvm\n"
					  "part 2 extended 2097152 20971520 extended\n"
					  "part 5 logical 3145728 4194304 none\n"
					  "free logical 4194304 20971520\n"
					  "part 9 metadata 0 512 none\n" TAIL,
					  &t, &err),
			 0);
	assert_int_equal(disk_table_copy(&t, &copy), 0);
	assert_int_equal(copy.size, 1048576000);
	assert_int_equal(copy.sector, 512);
	assert_string_equal(copy.label, "dos");
	assert_int_equal(copy.n_parts, 4);
	assert_int_equal(copy.n_free, 2);
	assert_int_equal(copy.next, 3);
	assert_int_equal(copy.next_logical, 6);
	assert_int_equal(disk_table_find(&copy, 5)->kind, DISK_LOGICAL);
	assert_int_equal(disk_table_find(&copy, 5)->end, 4194304);
	assert_string_equal(disk_table_find(&copy, 1)->format, "linux-lvm");
	assert_null(disk_table_find(&copy, 3));
	assert_null(disk_table_find(&copy, 0));
	assert_int_equal(copy.free[1].kind, DISK_LOGICAL);
}

static void hostile(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"done\n",
		HEAD,
		HEAD "next 1 0\n",
		HEAD "done",
		HEAD TAIL "x",
		HEAD TAIL "part 1 primary 512 1024 none\n",
		"disk 0 512\nlabel dos\n" TAIL,
		"disk -1 512\nlabel dos\n" TAIL,
		"disk 18446744073709551616 512\nlabel dos\n" TAIL,
		"disk 9223372036854775808 512\nlabel dos\n" TAIL,
		"disk 1048576 511\nlabel dos\n" TAIL,
		"disk 1048576 512 3\nlabel dos\n" TAIL,
		"disk 1048576 512\n" TAIL,
		"disk 1048576 512\nlabel\n" TAIL,
		"disk 1048576 512\nlabel aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" TAIL,
		HEAD "part 0 primary 512 1024 none\n" TAIL,
		HEAD "part -1 primary 512 1024 none\n" TAIL,
		HEAD "part 4097 primary 512 1024 none\n" TAIL,
		HEAD "part 1 primary 1024 1024 none\n" TAIL,
		HEAD "part 1 primary 1024 512 none\n" TAIL,
		HEAD "part 1 primary 512 99999999999 none\n" TAIL,
		HEAD "part 1 primary 512 1024 ext4\n" TAIL,
		HEAD "part 1 secondary 512 1024 none\n" TAIL,
		HEAD "part 1 primary 512 1024\n" TAIL,
		HEAD "part 1 primary 512 1024 none none\n" TAIL,
		HEAD "part 1 primary 512 1024 none\npart 1 primary 512 1024 none\n" TAIL,
		HEAD "part 1 primary 0x200 1024 none\n" TAIL,
		HEAD "part 1 primary  512\n" TAIL,
		HEAD "free primary 512\n" TAIL,
		HEAD "free 512 1024\n" TAIL,
		HEAD "next 1\ndone\n",
		HEAD "next 1 99999\ndone\n",
		HEAD "anything\n" TAIL,
		HEAD "a b c d e f g h i j k l m n o p\n" TAIL,
		"error\n",
		"error 0 nothing\n",
		"error -5 nothing\n",
		"error 99999 nothing\n",
		"error EIO nothing\n",
		"error 5\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		AUTO_TABLE struct disk_table t = { 0 };
		struct error err = { 0 };

		if (disk_table_parse(bad[i], &t, &err) != -EIO)
			fail_msg("case %zu is taken: %s", i, bad[i]);
		assert_non_null(strstr(err.text, "disk-table"));
		assert_null(t.parts);
		assert_null(t.free);
	}
}

static void errors(void **state)
{
	AUTO_TABLE struct disk_table t = { 0 };
	struct error err = { 0 };
	char text[3000];

	assert_int_equal(disk_table_parse("error 28 no\troom \x1b[31m\n", &t, &err),
			 -ENOSPC);
	assert_string_equal(err.text, "no room  [31m");
	memset(text, 'x', sizeof(text));
	memcpy(text, "error 16 ", 9);
	strcpy(text + sizeof(text) - 2, "\n");
	assert_int_equal(disk_table_parse(text, &t, &err), -EBUSY);
	/* what was told before an error counts for nothing */
	assert_int_equal(disk_table_parse(HEAD "part 1 primary 512 1024 none\n"
					       "error 5 broken\n",
					  &t, &err),
			 -EIO);
	assert_null(t.parts);
}

/* More than there can be, and a line of each length. */
static void crowds(void **state)
{
	AUTO_TABLE struct disk_table t = { 0 };
	AUTO_BUF struct buf text = { 0 };
	struct error err = { 0 };

	buf_puts(&text, HEAD);
	for (int i = 1; i <= 4096; i++)
		buf_printf(&text, "part %d primary %d %d none\n", i, i * 512,
			   i * 512 + 512);
	buf_puts(&text, TAIL);
	assert_int_equal(disk_table_parse(buf_text(&text), &t, &err), 0);
	assert_int_equal(t.n_parts, 4096);
	for (size_t cut = 0; cut < 200; cut++) {
		AUTO_TABLE struct disk_table none = { 0 };
		AUTO_FREE char *part = strndup(buf_text(&text), cut);

		assert_int_equal(disk_table_parse(part, &none, &err), -EIO);
	}
	for (int i = 0; i < 5000; i++)
		buf_puts(&text, "free primary 512 1024\n");
	assert_int_equal(disk_table_parse(buf_text(&text), &t, &err), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),      cmocka_unit_test(no_names),
		cmocka_unit_test(long_names), cmocka_unit_test(table),
		cmocka_unit_test(hostile),    cmocka_unit_test(errors),
		cmocka_unit_test(crowds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
