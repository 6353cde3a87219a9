/* Writes that are answered before they are stored, over a store that answers when told.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "backends/rbd/rbd.h"

#define PIECE	   (256 << 10)
#define SMALL	   4096
#define ON_ITS_WAY 999999

static struct io *submitted[128];
static unsigned n_submitted;
static struct behind behind;
static uint64_t seen;
static unsigned stored;
static atomic_uint_fast64_t of_pool;

static void store(void *vol, struct io *io)
{
	assert_ptr_equal(vol, &behind);
	submitted[n_submitted++] = io;
}

static int begin(void **state)
{
	n_submitted = stored = 0;
	behind_init(&behind, store, &behind, &of_pool);
	seen = behind_seen(&behind);
	return 0;
}

static int end(void **state)
{
	assert_int_equal(atomic_load(&of_pool), 0);
	behind_exit(&behind);
	return 0;
}

/* One operation of a client. */
struct asked {
	struct io io;
	struct iovec iov;
	ssize_t result;
	char text[sizeof(((struct error *)0)->text)];
	char data[PIECE];
};

static void done(struct io *io, ssize_t result, const struct error *err)
{
	struct asked *a = io->owner;

	assert_int_equal(a->result, ON_ITS_WAY);
	a->result = result;
	strcpy(a->text, err ? err->text : "");
}

static void ask_bytes(struct asked *a, enum io_op op, uint64_t off, size_t len)
{
	bool bytes = op == IO_READ || op == IO_WRITE;

	a->iov = (struct iovec){ .iov_base = a->data, .iov_len = len };
	a->io = (struct io){ .op = op,
			     .off = off,
			     .len = bytes || op == IO_FLUSH ? 0 : len,
			     .iov = bytes ? &a->iov : NULL,
			     .iovcnt = bytes,
			     .done = done,
			     .owner = a };
	a->result = ON_ITS_WAY;
	memset(a->data, (int)(off / PIECE) + 1, PIECE);
	behind_submit(&behind, &seen, &a->io);
}

static void ask(struct asked *a, enum io_op op, uint64_t off)
{
	ask_bytes(a, op, off, PIECE);
}

static void land(unsigned i, ssize_t result)
{
	struct error err = { 0 };
	struct io *io = submitted[i];

	if (result < 0)
		error_set(&err, -result, "the disk is gone");
	io->done(io, result, result < 0 ? &err : NULL);
}

static void a_lone_write_is_answered_and_keeps_its_bytes(void **state)
{
	struct asked a;

	ask(&a, IO_WRITE, PIECE);
	assert_int_equal(a.result, PIECE);
	assert_int_equal(n_submitted, 1);
	memset(a.data, 0, PIECE);
	assert_int_equal(submitted[0]->iov->iov_len, PIECE);
	assert_int_equal(((char *)submitted[0]->iov->iov_base)[PIECE - 1], 2);
	land(0, PIECE);
	ask(&a, IO_FLUSH, 0);
	land(1, 0);
	assert_int_equal(a.result, 0);
}

static unsigned freed;

static void free_bytes(void *bytes)
{
	assert_int_equal(((char *)bytes)[0], 7);
	freed++;
}

static void what_its_bytes_lie_in_is_taken_by_an_early_write_alone(void **state)
{
	char bytes[PIECE] = { 7 };
	struct asked a;

	freed = 0;
	for (unsigned i = 0; i < 2; i++) {
		a.iov = (struct iovec){ bytes, PIECE };
		a.io = (struct io){ .op = IO_WRITE, .off = i * PIECE, .iov = &a.iov,
				    .iovcnt = 1, .done = done, .owner = &a,
				    .bytes = bytes, .free_bytes = free_bytes };
		a.result = ON_ITS_WAY;
		behind.deep = i * 2;
		behind_submit(&behind, &seen, &a.io);
		assert_int_equal(a.result, i ? ON_ITS_WAY : PIECE);
		assert_ptr_equal(a.io.bytes, i ? bytes : NULL);
		assert_ptr_equal(submitted[i]->iov->iov_base, bytes);
	}
	a.iov = (struct iovec){ NULL, 0 };
	assert_int_equal(submitted[0]->iov->iov_len, PIECE);
	assert_int_equal(freed, 0);
	land(0, PIECE);
	land(1, PIECE);
	assert_int_equal(freed, 1);
}

static void a_flush_waits_and_tells_what_was_lost_once(void **state)
{
	uint64_t other = behind_seen(&behind), late;
	struct asked a, flush;

	ask(&a, IO_WRITE, 0);
	ask(&flush, IO_FLUSH, 0);
	assert_int_equal(n_submitted, 1);
	land(0, -EIO);
	assert_int_equal(n_submitted, 2);
	land(1, 0);
	assert_int_equal(flush.result, -EIO);
	assert_non_null(strstr(flush.text, "is lost: the disk is gone"));
	ask(&flush, IO_FLUSH, 0);
	land(2, 0);
	assert_int_equal(flush.result, 0);

	/* another that had it open is told as well; who opens it now is not */
	late = behind_seen(&behind);
	seen = other;
	ask(&flush, IO_FLUSH, 0);
	land(3, 0);
	assert_int_equal(flush.result, -EIO);
	seen = late;
	ask(&flush, IO_FLUSH, 0);
	land(4, 0);
	assert_int_equal(flush.result, 0);
}

/* The flush is asked for long after the write has failed. */
static void who_closes_is_told_and_leaves_it_to_who_syncs(void **state)
{
	static const struct {
		bool closes;
		int result;
	} asks[] = { { true, -EIO }, { true, -EIO }, { false, -EIO }, { true, 0 }, { false, 0 } };
	struct asked a;

	ask(&a, IO_WRITE, 0);
	land(0, -EIO);
	for (unsigned i = 0; i < sizeof(asks) / sizeof(*asks); i++) {
		a.io = (struct io){ .op = IO_FLUSH,
				    .closes = asks[i].closes,
				    .done = done,
				    .owner = &a };
		a.result = ON_ITS_WAY;
		behind_submit(&behind, &seen, &a.io);
		land(1 + i, 0);
		assert_int_equal(a.result, asks[i].result);
	}
}

static void what_was_lost_is_kept_for_the_flush(void **state)
{
	struct asked a, flush;

	ask(&a, IO_WRITE, 0);
	land(0, PIECE / 2); /* half of it */
	ask(&a, IO_WRITE, PIECE);
	land(1, PIECE);
	ask(&flush, IO_FLUSH, 0);
	land(2, 0);
	assert_int_equal(flush.result, -EIO);
}

static void a_flush_does_not_wait_for_what_comes_after(void **state)
{
	struct asked a, b, flush;

	ask(&a, IO_WRITE, 0);
	ask(&flush, IO_FLUSH, 0);
	ask(&b, IO_WRITE, PIECE);
	assert_int_equal(b.result, PIECE);
	land(0, PIECE);
	assert_int_equal(n_submitted, 3);
	assert_int_equal(submitted[2]->op, IO_FLUSH);
	land(2, 0);
	assert_int_equal(flush.result, 0);
	land(1, PIECE);
}

static void what_touches_its_range_waits(void **state)
{
	static const enum io_op ops[] = { IO_READ, IO_WRITE, IO_PUNCH, IO_ZERO };

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		struct asked a, over, beside;

		n_submitted = 0;
		ask(&a, IO_WRITE, PIECE);
		ask(&over, ops[i], PIECE + PIECE - 1);
		assert_int_equal(over.result, ON_ITS_WAY);
		assert_int_equal(n_submitted, 1);
		ask(&beside, IO_READ, 0);
		assert_int_equal(n_submitted, 2);
		land(1, PIECE);
		land(0, PIECE);
		assert_int_equal(n_submitted, 3);
		assert_int_equal(submitted[2]->op, ops[i]);
		land(2, ops[i] == IO_READ || ops[i] == IO_WRITE ? PIECE : 0);
		assert_int_not_equal(over.result, ON_ITS_WAY);
	}
}

/* Several on their way: no copy, the result is the store's own. */
static void who_writes_many_at_once_is_answered_when_stored(void **state)
{
	static struct asked many[100];
	unsigned early = 0;

	for (unsigned i = 0; i < 100; i++) {
		ask(&many[i], IO_WRITE, i * PIECE);
		early += many[i].result == PIECE;
	}
	assert_in_range(early, 1, 99);
	assert_int_equal(n_submitted, 100);
	assert_int_equal(many[99].result, ON_ITS_WAY);
	assert_ptr_equal(submitted[99]->iov->iov_base, many[99].data);
	for (unsigned i = 0; i < 99; i++)
		land(i, PIECE);
	land(99, -EIO);
	assert_int_equal(many[98].result, PIECE);
	assert_int_equal(many[99].result, -EIO);

	/* and goes on so, though the next comes alone; unless it is small */
	ask(&many[0], IO_WRITE, 0);
	assert_int_equal(many[0].result, ON_ITS_WAY);
	ask_bytes(&many[1], IO_WRITE, PIECE, SMALL);
	assert_int_equal(many[1].result, SMALL);
	land(100, PIECE);
	land(101, SMALL);
	ask(&many[1], IO_FLUSH, 0); /* who was told of it is not told again */
	land(102, 0);
	assert_int_equal(many[1].result, 0);
}

static void note_stored(void *arg)
{
	stored++;
}

static void the_end_waits_for_all(void **state)
{
	struct asked a, b;

	ask(&a, IO_WRITE, 0);
	ask(&b, IO_WRITE, PIECE);
	behind_when_stored(&behind, note_stored, NULL);
	land(1, PIECE);
	assert_int_equal(stored, 0);
	land(0, -EIO);
	assert_int_equal(stored, 1);
	behind_exit(&behind);
	begin(NULL);
	behind_when_stored(&behind, note_stored, NULL);
	assert_int_equal(stored, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lone_write_is_answered_and_keeps_its_bytes),
		TEST(what_its_bytes_lie_in_is_taken_by_an_early_write_alone),
		TEST(a_flush_waits_and_tells_what_was_lost_once),
		TEST(who_closes_is_told_and_leaves_it_to_who_syncs),
		TEST(what_was_lost_is_kept_for_the_flush),
		TEST(a_flush_does_not_wait_for_what_comes_after),
		TEST(what_touches_its_range_waits),
		TEST(who_writes_many_at_once_is_answered_when_stored),
		TEST(the_end_waits_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
