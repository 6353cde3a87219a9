/* Names of units: of volumes, and in the kernel's paths. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backends/scsi/scsi.h"

static void names_have_one_way_to_be_written(void **state)
{
	static const struct {
		const char *name;
		bool ok;
		struct unit unit;
	} cases[] = {
		{ "unit:0:0:0", true, { 0, 0, 0 } },
		{ "unit:1:22:333", true, { 1, 22, 333 } },
		{ "unit:0:0:18446744073709551615", true, { 0, 0, UINT64_MAX } },
		{ "unit:0:0:18446744073709551616", false, { 0 } },
		{ "unit:0:4294967296:0", false, { 0 } },
		{ "unit:0:0:01", false, { 0 } },
		{ "unit:0:0:+1", false, { 0 } },
		{ "unit:0:0: 1", false, { 0 } },
		{ "unit:0:0:-1", false, { 0 } },
		{ "unit:0:0:1 ", false, { 0 } },
		{ "unit:0:0", false, { 0 } },
		{ "unit:0:0:0:0", false, { 0 } },
		{ "Unit:0:0:0", false, { 0 } },
		{ "", false, { 0 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct unit u = { 0 };
		char again[UNIT_NAME];

		if (unit_parse(cases[i].name, &u) != cases[i].ok)
			fail_msg("'%s'", cases[i].name);
		if (!cases[i].ok)
			continue;
		assert_int_equal(u.bus, cases[i].unit.bus);
		assert_int_equal(u.target, cases[i].unit.target);
		assert_true(u.lun == cases[i].unit.lun);
		unit_name(&u, again);
		assert_string_equal(again, cases[i].name);
	}
}

static void units_are_found_in_paths(void **state)
{
	static const char disk[] = "/devices/pci0000:00/0000:00:04.0/virtio1/host2/"
				   "target2:0:1/2:0:1:5/block/sdc";
	struct unit u = { 0 };

	assert_true(unit_in_path(disk, 2, &u));
	assert_int_equal(u.bus, 0);
	assert_int_equal(u.target, 1);
	assert_int_equal(u.lun, 5);
	assert_false(unit_in_path(disk, 3, &u));
	assert_true(unit_in_path("/x/2:0:1:5", 2, &u));
	assert_false(unit_in_path("/x/2:0:1:5x/y", 2, &u));
	assert_false(unit_in_path("/x/target2:0:1/2:0:1", 2, &u));
	assert_false(unit_in_path("", 2, &u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_one_way_to_be_written),
		cmocka_unit_test(units_are_found_in_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
