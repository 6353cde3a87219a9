/* Gathered writes: large buffers are taken, all else is copied, and the bytes are in
 * order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/sheepdog/sheep_pieces.h"

#define ROOM (UINT32_C(4) << 20)

static int freed;

static void count_free(void *bytes)
{
	freed++;
	free(bytes);
}

static const struct {
	size_t writes[6]; /* bytes; the last one is cut at the end of the room */
	int pieces, taken;
} cases[] = {
	{ { ROOM }, 1, 1 },
	{ { 1, 2, 3 }, 1, 0 },
	{ { PIECE_MIN, PIECE_MIN - 1, 5, PIECE_MIN, 7 }, 4, 2 },
	{ { 5, PIECE_MIN, 6, PIECE_MIN, 7, PIECE_MIN }, 6, 3 },
	{ { ROOM / 2, ROOM / 2 + 1 }, 2, 1 }, /* not all of it fits */
};

/* One write; its buffer is freed here where it was not taken. */
static void add(struct sheep_pieces *p, size_t size, char byte)
{
	char *bytes = malloc(size);
	struct iovec iov = { bytes, size };
	struct io io = {
		.iov = &iov, .iovcnt = 1, .bytes = bytes, .free_bytes = count_free
	};

	assert_non_null(bytes);
	memset(bytes, byte, size);
	assert_true(
		pieces_add(p, &io, 0, size < p->room - p->len ? size : p->room - p->len));
	if (io.bytes)
		free(io.bytes);
	iov = (struct iovec){ 0 }; /* the caller's are gone */
}

static void check_bytes(const struct sheep_pieces *p, const size_t writes[6])
{
	struct sheep_slice all = { p->iov, p->n, 0, p->len };
	char *bytes = malloc(p->len);
	size_t at = 0;

	assert_non_null(bytes);
	slice_copy(&all, bytes);
	for (int i = 0; i < 6; i++)
		for (size_t n = 0; n < writes[i] && at < p->len; n++)
			assert_int_equal(bytes[at++], 'a' + i);
	assert_int_equal(at, p->len);
	free(bytes);
}

static void test_pieces(void **state)
{
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		struct sheep_pieces *p = pieces_new(ROOM);

		assert_non_null(p);
		freed = 0;
		for (int i = 0; i < 6 && cases[c].writes[i]; i++)
			add(p, cases[c].writes[i], 'a' + i);
		assert_int_equal(p->n, cases[c].pieces);
		assert_int_equal(p->n_taken, cases[c].taken);
		assert_int_equal(freed, 0);
		check_bytes(p, cases[c].writes);
		pieces_free(p);
		assert_int_equal(freed, cases[c].taken);
	}
}

/* The rest of a write is copied, whatever its length: its buffer is needed twice. */
static void test_rest(void **state)
{
	size_t size = 2 * PIECE_MIN;
	char *bytes = malloc(size);
	struct iovec iov = { bytes, size };
	struct io io = {
		.iov = &iov, .iovcnt = 1, .bytes = bytes, .free_bytes = count_free
	};
	struct sheep_pieces *p = pieces_new(ROOM);

	assert_non_null(bytes);
	assert_non_null(p);
	memset(bytes, 'x', size);
	bytes[PIECE_MIN] = 'y';
	assert_true(pieces_add(p, &io, PIECE_MIN, PIECE_MIN));
	assert_ptr_equal(io.bytes, bytes);
	free(bytes);
	assert_int_equal(*(char *)p->iov[0].iov_base, 'y');
	assert_int_equal(p->n_taken, 0);
	pieces_free(p);
	pieces_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
