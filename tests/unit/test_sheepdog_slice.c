/* Payloads in pieces: any split of the same bytes is filled, cleared and copied alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/sheepdog/sheep_slice.h"

#define SIZE 12

static const size_t splits[][4] = {
	{ SIZE }, { 1, 11 }, { 0, 5, 0, 7 }, { 4, 4, 4 }, { 11, 1 },
};
#define SPLITS (sizeof(splits) / sizeof(splits[0]))

/* The bytes in pieces; returns how many. */
static int split(char *bytes, const size_t lengths[4], struct iovec iov[4])
{
	for (int n = 0; n < 4; n++) {
		iov[n] = (struct iovec){ bytes, lengths[n] };
		bytes += lengths[n];
	}
	return 4;
}

static void fill_and_copy(const size_t lengths[4], size_t skip, size_t done)
{
	char bytes[SIZE], want[SIZE], back[SIZE] = { 0 };
	struct iovec iov[4];
	int n = split(bytes, lengths, iov);
	size_t len = SIZE - skip - 1; /* a byte behind it stays as it is */
	struct sheep_slice s = { iov, n, skip, len };

	memset(bytes, '.', SIZE);
	memset(want, '.', SIZE);
	memcpy(want + skip + done, "abcdefghijkl", len - done);
	slice_fill(&s, done, "abcdefghijkl", len - done);
	assert_memory_equal(bytes, want, SIZE);
	slice_copy(&s, back);
	assert_memory_equal(back, want + skip, len);
	memset(want + skip, 0, len);
	slice_clear(&s);
	assert_memory_equal(bytes, want, SIZE);
}

static void test_splits(void **state)
{
	for (size_t i = 0; i < SPLITS; i++)
		for (size_t skip = 0; skip < SIZE; skip++)
			for (size_t done = 0; done < SIZE - skip; done++)
				fill_and_copy(splits[i], skip, done);
}

static void test_some_entries(void **state)
{
	char bytes[SIZE];
	struct iovec iov[4], out[4];
	struct sheep_slice s = { iov, split(bytes, splits[3], iov), 2, 9 };

	assert_int_equal(slice_iov(&s, 0, out, 2), 2);
	assert_ptr_equal(out[0].iov_base, bytes + 2);
	assert_int_equal(out[0].iov_len, 2);
	assert_int_equal(out[1].iov_len, 4);
	assert_int_equal(slice_iov(&s, 6, out, 4), 1);
	assert_ptr_equal(out[0].iov_base, bytes + 8);
	assert_int_equal(out[0].iov_len, 3);
	assert_int_equal(slice_iov(&s, 9, out, 4), 0);
}

static void test_nowhere(void **state)
{
	const struct sheep_slice s = { NULL, 1, 0, SIZE };

	slice_fill(&s, 0, "abcdefghijkl", SIZE);
	slice_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_some_entries),
		cmocka_unit_test(test_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
