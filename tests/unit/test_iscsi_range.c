/* Ranges that wait for each other, and slices of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backends/iscsi/range.h"

static void a_range_is_alone_unless_it_fills_its_blocks(void **state)
{
	static const struct {
		uint64_t off, len, first, end;
		bool alone;
	} cases[] = {
		{ 0, 512, 0, 1, false },   { 512, 1024, 1, 3, false }, { 1, 511, 0, 1, true },
		{ 0, 511, 0, 1, true },	   { 511, 2, 0, 2, true },     { 512, 1, 1, 2, true },
		{ 1024, 513, 2, 4, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct range r = range_of(cases[i].off, cases[i].len, 512);

		assert_int_equal(r.first, cases[i].first);
		assert_int_equal(r.end, cases[i].end);
		assert_int_equal(r.alone, cases[i].alone);
	}
}

static void whole_blocks_never_wait_for_each_other(void **state)
{
	struct list writing = LIST_INIT(writing), blocked = LIST_INIT(blocked);
	struct range a = { .first = 0, .end = 8 }, b = { .first = 4, .end = 12 };

	(void)state;
	assert_true(range_enter(&writing, &blocked, &a));
	assert_true(range_enter(&writing, &blocked, &b));
	assert_true(list_empty(&blocked));
}

static void who_reads_what_it_writes_waits_and_is_waited_for(void **state)
{
	struct list writing = LIST_INIT(writing), blocked = LIST_INIT(blocked);
	struct range whole = { .first = 0, .end = 8 };
	struct range part = { .first = 7, .end = 9, .alone = true };
	struct range after = { .first = 8, .end = 16 };
	struct range away = { .first = 16, .end = 17, .alone = true };

	(void)state;
	assert_true(range_enter(&writing, &blocked, &whole));
	assert_false(range_enter(&writing, &blocked, &part));
	/* free as such, but it may not overtake the one that waits */
	assert_false(range_enter(&writing, &blocked, &after));
	assert_true(range_enter(&writing, &blocked, &away));
	assert_null(range_next(&writing, &blocked));

	range_leave(&whole);
	assert_ptr_equal(range_next(&writing, &blocked), &part);
	assert_null(range_next(&writing, &blocked));
	range_leave(&part);
	assert_ptr_equal(range_next(&writing, &blocked), &after);
	assert_null(range_next(&writing, &blocked));
	assert_true(list_empty(&blocked));
}

/* Any number of them, in any order: no two that conflict ever write at once, and all get on. */
static void a_crowd_gets_through(void **state)
{
	enum { N = 200 };
	struct list writing = LIST_INIT(writing), blocked = LIST_INIT(blocked);
	struct range r[N], *next;
	bool runs[N] = { false };
	size_t entered = 0, left = 0;

	(void)state;
	srand(7);
	while (left < N) {
		if (entered < N && rand() % 2) {
			uint64_t first = rand() % 20;

			r[entered] = (struct range){ .first = first,
						     .end = first + 1 + rand() % 4,
						     .alone = rand() % 3 == 0 };
			runs[entered] = range_enter(&writing, &blocked, &r[entered]);
			entered++;
		} else if (entered) {
			size_t i = rand() % entered;

			if (!runs[i])
				continue;
			runs[i] = false;
			range_leave(&r[i]);
			left++;
			while ((next = range_next(&writing, &blocked)))
				runs[next - r] = true;
		}
		for (size_t i = 0; i < entered; i++)
			for (size_t j = 0; j < i; j++)
				assert_false(runs[i] && runs[j] && (r[i].alone || r[j].alone) &&
					     r[i].first < r[j].end && r[j].first < r[i].end);
	}
	assert_true(list_empty(&writing) && list_empty(&blocked));
}

static void slices_are_what_they_are_of(void **state)
{
	char text[] = "abcdefghij";
	struct iovec iov[] = { { text, 3 }, { text + 3, 0 }, { text + 3, 4 }, { text + 7, 3 } };
	struct iovec out[4];
	char got[16];

	(void)state;
	assert_int_equal(iov_length(iov, 4), 10);
	for (size_t skip = 0; skip <= 10; skip++) {
		for (size_t len = 0; skip + len <= 10; len++) {
			size_t n = iov_slice(iov, 4, skip, len, out);

			assert_true(n <= 4);
			assert_int_equal(iov_length(out, n), len);
			iov_gather(out, n, got);
			assert_memory_equal(got, text + skip, len);
		}
	}
	assert_int_equal(iov_length(out, iov_slice(iov, 4, 8, 100, out)), 2);
}

static void scattering_stops_where_it_is_told(void **state)
{
	char a[3] = "xx", b[4] = "yyy";
	struct iovec iov[] = { { a, 2 }, { b, 3 } };

	(void)state;
	iov_scatter(iov, 2, "12345", 4);
	assert_string_equal(a, "12");
	assert_string_equal(b, "34y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_alone_unless_it_fills_its_blocks),
		cmocka_unit_test(whole_blocks_never_wait_for_each_other),
		cmocka_unit_test(who_reads_what_it_writes_waits_and_is_waited_for),
		cmocka_unit_test(a_crowd_gets_through),
		cmocka_unit_test(slices_are_what_they_are_of),
		cmocka_unit_test(scattering_stops_where_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
