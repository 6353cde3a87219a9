/* Open volumes on the fake backend: growth, trimming, skipped ranges, locks, I/O that
 * hangs. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "backends/model/attributes.h"
#include "backends/model/events.h"
#include "backends/model/volume.h"
#include "backends/model/volume_space.h"
#include "backends/model/volumes.h"
#include "backends/support/clock.h"
#include "tests/unit/stub_pool.h"

#define KiB (UINT64_C(1) << 10)
#define MiB (UINT64_C(1) << 20)

static struct call call = { .mode = 0600 };
static struct error err;
static struct pool *files, *provisioned, *given;

static int start(void **state)
{
	files = stub_pool_start("files");
	provisioned = stub_pool_start("provisioned");
	given = stub_pool_start("given");
	return 0;
}

/* As block devices are. */
static int start_on_descriptors(void **state)
{
	start(state);
	stub_pool_control(provisioned, "descriptors", "");
	stub_pool_control(given, "descriptors", "");
	return 0;
}

static int end(void **state)
{
	stub_pool_end(files);
	stub_pool_end(provisioned);
	stub_pool_end(given);
	return 0;
}

/* -- helpers -- */

struct waiting {
	struct io io;
	struct iovec iov;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	ssize_t result;
};

static void done(struct io *io, ssize_t result, const struct error *e)
{
	struct waiting *w = container_of(io, struct waiting, io);

	SCOPED_LOCK(&w->lock);
	w->result = result;
	w->done = true;
	pthread_cond_signal(&w->cond);
}

static void submit(struct volume_handle *h, struct waiting *w, enum io_op op,
		   uint64_t off, void *data, size_t len)
{
	*w = (struct waiting){
		.io = { .op = op, .off = off, .len = len, .iovcnt = 1, .done = done },
		.iov = { data, len },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER
	};
	w->io.iov = &w->iov;
	volume_submit(h, &w->io);
}

static ssize_t result(struct waiting *w)
{
	SCOPED_LOCK(&w->lock);
	while (!w->done)
		pthread_cond_wait(&w->cond, &w->lock);
	return w->result;
}

static ssize_t transfer(struct volume_handle *h, enum io_op op, uint64_t off, void *data,
			size_t len)
{
	struct waiting w;
	int fd = volume_fd(h);

	if (fd >= 0)
		return op == IO_READ ? pread(fd, data, len, off) :
				       pwrite(fd, data, len, off);
	submit(h, &w, op, off, data, len);
	return result(&w);
}

/* As fs writes: prepared where it has to be, as much as that allows. */
static ssize_t put(struct volume_handle *h, uint64_t off, const void *data, size_t len)
{
	struct error e;
	ssize_t n = len;

	if (!volume_write_ready(h, off, len))
		n = volume_prepare_write(h, off, len, &call, &e);
	return n <= 0 ? n : transfer(h, IO_WRITE, off, (void *)data, n);
}

static struct volume_handle *open_as(struct pool *p, const char *v, int flags,
				     bool created)
{
	struct volume_handle *h = NULL;
	int r = volume_open(p, v, NULL, flags, created, getpid(), &h, &call, &err);

	if (r < 0)
		fail_msg("open: %d %s", r, err.text);
	return h;
}

static uint64_t size_of(struct pool *p, const char *v)
{
	struct vol_stat st = { 0 };

	assert_int_equal(volume_stat(p, v, &st, &call, &err), 0);
	return st.size;
}

/* A device knows its own end. */
static void assert_end(struct volume_handle *h, uint64_t size)
{
	uint64_t end = volume_size(h);

	if (volume_fd(h) >= 0 && end == UINT64_MAX)
		end = lseek(volume_fd(h), 0, SEEK_END);
	assert_int_equal(end, size);
}

static bool is_unsized(struct pool *p, const char *v)
{
	struct volume_attributes a;

	attributes_volume(pool_attributes(p), v, &a);
	return a.unsized;
}

static void assert_bytes(struct pool *p, const char *v, uint64_t off, size_t len,
			 int byte)
{
	struct volume_handle *h = open_as(p, v, O_RDONLY, false);
	unsigned char *data = malloc(len);
	size_t same = 0;

	assert_int_equal(transfer(h, IO_READ, off, data, len), len);
	while (same < len && data[same] == byte)
		same++;
	if (same < len)
		fail_msg("byte %zu is %02x, not %02x", (size_t)off + same, data[same],
			 byte);
	free(data);
	volume_close(h, &call);
}

static char block[4 * 1024 * 1024];

/* -- unsized volumes -- */

static void an_upload_grows_and_is_trimmed(void **state)
{
	struct volume_handle *h;

	stub_pool_control(provisioned, "dirty", "");
	assert_int_equal(volume_create(provisioned, "v", &call, &err), 0);
	assert_true(is_unsized(provisioned, "v"));
	h = open_as(provisioned, "v", O_WRONLY | O_TRUNC, false);
	volume_close(h, &call);
	assert_true(is_unsized(provisioned, "v")); /* touched only */

	memset(block, 'x', sizeof(block));
	h = open_as(provisioned, "v", O_WRONLY | O_TRUNC, false);
	assert_int_equal(volume_flush(h, getpid(), &call, &err),
			 0); /* bash's, before it writes */
	for (uint64_t off = 0; off < 36 * MiB; off += 4 * MiB) {
		assert_int_equal(put(h, off, block, sizeof(block)), sizeof(block));
		assert_int_equal(volume_size(h), off + 4 * MiB);
		assert_int_equal(size_of(provisioned, "v"), off + 4 * MiB);
	}
	assert_int_equal(put(h, 36 * MiB, block, 5), 5);
	assert_false(is_unsized(provisioned, "v"));
	assert_false(volume_flush_ready(h));
	assert_int_equal(volume_flush(h, 1, &call, &err), 0); /* another process' close */
	assert_false(volume_flush_ready(h));
	assert_int_equal(volume_flush(h, getpid(), &call, &err), 0);
	assert_true(volume_flush_ready(h));
	assert_int_equal(size_of(provisioned, "v"), 40 * MiB);
	assert_int_equal(put(h, 40 * MiB, block, 5), -ENOSPC);
	assert_int_equal(put(h, 40 * MiB - 3, block, 5), 3);
	volume_close(h, &call);
	assert_int_equal(size_of(provisioned, "v"), 40 * MiB);
	assert_bytes(provisioned, "v", 0, 36 * MiB + 5, 'x');
}

static void release_trims_what_no_close_did(void **state)
{
	struct volume_handle *h;

	assert_int_equal(volume_create(provisioned, "v", &call, &err), 0);
	h = open_as(provisioned, "v", O_WRONLY, true);
	assert_int_equal(put(h, 5 * MiB, block, 10), 10);
	assert_int_equal(put(h, 17 * MiB, block, 10), 10);
	volume_close(h, &call);
	assert_int_equal(size_of(provisioned, "v"), 20 * MiB);
	assert_bytes(provisioned, "v", 0, 5 * MiB, 0);
	h = open_as(provisioned, "v", O_WRONLY, false);
	assert_int_equal(put(h, 20 * MiB, block, 10), -ENOSPC);
	volume_close(h, &call);
}

/* dd conv=notrunc,sparse to what was touched: never written, so what it skips is nothing
 * yet. */
static void what_was_only_touched_holds_nothing(void **state)
{
	struct volume_handle *a, *b;

	stub_pool_control(provisioned, "dirty", "");
	assert_int_equal(volume_create(provisioned, "v", &call, &err), 0);
	a = open_as(provisioned, "v", O_WRONLY, false);
	b = open_as(provisioned, "v", O_WRONLY, false);
	assert_int_equal(put(a, 3 * MiB, "a", 1), 1);
	assert_int_equal(put(b, 6 * MiB, "b", 1), 1);
	assert_int_equal(volume_flush(a, getpid(), &call, &err), 0);
	assert_int_equal(size_of(provisioned, "v"), 8 * MiB);
	volume_close(a, &call);
	volume_close(b, &call);
	assert_bytes(provisioned, "v", 0, 3 * MiB, 0);
	assert_bytes(provisioned, "v", 3 * MiB + 1, 3 * MiB - 1, 0);
	assert_bytes(provisioned, "v", 6 * MiB, 1, 'b');
}

static void growth_makes_do_with_what_there_is(void **state)
{
	struct volume_handle *h;

	stub_pool_control(provisioned, "size", "32M");
	assert_int_equal(volume_create(provisioned, "v", &call, &err), 0);
	h = open_as(provisioned, "v", O_WRONLY, true);
	for (uint64_t off = 0; off < 32 * MiB; off += 4 * MiB)
		assert_int_equal(put(h, off, block, 4 * MiB), 4 * MiB);
	assert_int_equal(put(h, 32 * MiB, block, 1), -ENOSPC);
	volume_close(h, &call);
	assert_int_equal(size_of(provisioned, "v"), 32 * MiB);
}

static void any_truncate_sizes(void **state)
{
	struct volume_handle *h;

	for (int by_path = 0; by_path < 2; by_path++) {
		const char *v = by_path ? "a" : "b";

		assert_int_equal(volume_create(provisioned, v, &call, &err), 0);
		h = open_as(provisioned, v, O_WRONLY, true);
		if (by_path)
			assert_int_equal(
				volume_truncate(provisioned, v, 16 * MiB, &call, &err),
				0);
		else
			assert_int_equal(volume_ftruncate(h, 16 * MiB, &call, &err), 0);
		assert_false(is_unsized(provisioned, v));
		assert_end(h, 16 * MiB);
		assert_int_equal(put(h, 16 * MiB, block, 1), -ENOSPC);
		volume_close(h, &call);
		assert_int_equal(size_of(provisioned, v), 16 * MiB);
	}
	assert_int_equal(volume_create(provisioned, "c", &call, &err), 0);
	assert_int_equal(volume_store(provisioned, "c", "capacity", "4M", &call, &err),
			 0);
	assert_false(is_unsized(provisioned, "c"));
}

/* -- sized volumes -- */

static void sized(struct pool *p, const char *v, uint64_t size)
{
	assert_int_equal(volume_create(p, v, &call, &err), 0);
	assert_int_equal(volume_truncate(p, v, size, &call, &err), 0);
}

static void truncating_a_descriptor(void **state)
{
	struct volume_handle *h;

	sized(provisioned, "v", 16 * MiB);
	memset(block, 'o', sizeof(block));
	h = open_as(provisioned, "v", O_RDWR, false);
	for (uint64_t off = 0; off < 16 * MiB; off += sizeof(block))
		assert_int_equal(put(h, off, block, sizeof(block)), sizeof(block));
	assert_int_equal(volume_ftruncate(h, 8 * MiB, &call, &err), -EPERM);
	assert_int_equal(volume_ftruncate(h, 16 * MiB, &call, &err), 0);
	assert_int_equal(volume_ftruncate(h, 20 * MiB, &call, &err), 0);
	assert_end(h, 20 * MiB);
	volume_close(h, &call);

	h = open_as(provisioned, "v", O_WRONLY | O_TRUNC, false);
	assert_int_equal(size_of(provisioned, "v"), 20 * MiB);
	assert_int_equal(put(h, 5 * MiB + 100, "new", 3), 3);
	assert_int_equal(volume_ftruncate(h, 7 * MiB, &call, &err), 0);
	assert_int_equal(size_of(provisioned, "v"), 20 * MiB);
	volume_close(h, &call);
	assert_bytes(provisioned, "v", 0, 5 * MiB + 100, 0);
	assert_bytes(provisioned, "v", 5 * MiB + 100, 1, 'n');
	assert_bytes(provisioned, "v", 5 * MiB + 103, 2 * MiB - 103, 0);
	assert_bytes(provisioned, "v", 7 * MiB, 9 * MiB, 'o');

	h = open_as(provisioned, "v", O_RDONLY, false);
	assert_int_equal(volume_ftruncate(h, 1, &call, &err), -EBADF);
	volume_close(h, &call);
}

static void given_volumes_are_truncated_like_that(void **state)
{
	struct volume_handle *h;

	memset(block, 'o', sizeof(block));
	h = open_as(given, "unit0", O_RDWR, false);
	assert_int_equal(put(h, 0, block, sizeof(block)), sizeof(block));
	assert_int_equal(put(h, 64 * MiB - 1, block, 2), 1);
	assert_int_equal(volume_ftruncate(h, 65 * MiB, &call, &err), -EOPNOTSUPP);
	assert_int_equal(volume_ftruncate(h, 63 * MiB, &call, &err), -EOPNOTSUPP);
	assert_int_equal(volume_ftruncate(h, 64 * MiB, &call, &err), 0);
	volume_close(h, &call);
	h = open_as(given, "unit0", O_RDWR | O_TRUNC, false);
	assert_int_equal(put(h, MiB, "n", 1), 1);
	assert_int_equal(volume_ftruncate(h, 65 * MiB, &call, &err), -EOPNOTSUPP);
	volume_close(h, &call);
	assert_bytes(given, "unit0", 0, MiB, 0);
	assert_bytes(given, "unit0", MiB + 1, MiB, 'o');
}

/* A cp of a sparse file: data, hole, data, hole; on a new volume, and over an old one. */
static void skipped_ranges_read_as_zeros(void **state)
{
	static const char *const slow[] = { NULL, "punch", "zero" };

	stub_pool_control(provisioned, "dirty", "");
	for (int created = 0; created < 2; created++) {
		for (size_t i = 0; i < 3; i++) {
			char v[] = { 'a' + created * 3 + i, 0 };
			struct volume_handle *h;

			if (slow[i])
				stub_pool_control(provisioned, slow[i],
						  "errno=EOPNOTSUPP");
			assert_int_equal(volume_create(provisioned, v, &call, &err), 0);
			if (!created)
				assert_int_equal(volume_truncate(provisioned, v, 12 * MiB,
								 &call, &err),
						 0);
			h = open_as(provisioned, v, O_WRONLY | (created ? 0 : O_TRUNC),
				    created);
			assert_int_equal(put(h, 300, "a", 1), 1);
			assert_int_equal(put(h, 3 * MiB + 7, "b", 1), 1);
			assert_int_equal(volume_ftruncate(h, 10 * MiB, &call, &err), 0);
			assert_int_equal(volume_flush(h, getpid(), &call, &err), 0);
			volume_close(h, &call);
			assert_int_equal(size_of(provisioned, v), 12 * MiB);
			assert_bytes(provisioned, v, 0, 300, 0);
			assert_bytes(provisioned, v, 300, 1, 'a');
			assert_bytes(provisioned, v, 301, 3 * MiB + 7 - 301, 0);
			assert_bytes(provisioned, v, 3 * MiB + 8, 7 * MiB - 8, 0);
			if (!created)
				assert_bytes(provisioned, v, 10 * MiB, 2 * MiB, 0xaa);
		}
	}
}

/* -- random writers, out of order, against a plain buffer -- */

#define WRITERS 8
#define WRITES	60
#define SPAN	(12 * MiB)

struct writes {
	struct volume_handle *h;
	unsigned seed;
	struct {
		uint64_t off;
		size_t len;
		char byte;
	} w[WRITERS * WRITES];
	atomic_size_t next;
};

static void *write_some(void *arg)
{
	struct writes *all = arg;
	char *data = malloc(256 * KiB);
	size_t i;

	while ((i = all->next++) < WRITERS * WRITES) {
		memset(data, all->w[i].byte, all->w[i].len);
		if (put(all->h, all->w[i].off, data, all->w[i].len) !=
		    (ssize_t)all->w[i].len)
			abort();
	}
	free(data);
	return NULL;
}

/* Ranges that do not overlap, in random order, so that any order gives the same bytes. */
static void plan_writes(struct writes *all, unsigned char *model, uint64_t *high)
{
	size_t n = WRITERS * WRITES;
	uint64_t slot = SPAN / n;

	*high = 0;
	for (size_t i = 0; i < n; i++) {
		bool whole = rand_r(&all->seed) % 4; /* most begin where another ends */
		uint64_t from = whole ? 0 : rand_r(&all->seed) % (slot / 2);

		all->w[i].off = i * slot + from;
		all->w[i].len = whole ? slot : 1 + rand_r(&all->seed) % (slot - from);
		all->w[i].byte = 'a' + i % 26;
	}
	for (size_t i = n; i > 1; i--) { /* near each other, as parallel writers are */
		size_t j = i - 1 - rand_r(&all->seed) % MIN(i, 12);
		__typeof__(all->w[0]) t = all->w[i - 1];

		all->w[i - 1] = all->w[j];
		all->w[j] = t;
	}
	for (size_t i = 0; i < n; i++) {
		if (rand_r(&all->seed) % 8 == 0) /* leaves holes */
			all->w[i].len = 1;
		memset(model + all->w[i].off, all->w[i].byte, all->w[i].len);
		*high = MAX(*high, all->w[i].off + all->w[i].len);
	}
}

static void compare(struct pool *p, const char *v, const unsigned char *model, size_t len)
{
	struct volume_handle *h = open_as(p, v, O_RDONLY, false);
	unsigned char *data = malloc(len);

	assert_int_equal(transfer(h, IO_READ, 0, data, len), len);
	for (size_t i = 0; i < len; i++)
		if (data[i] != model[i])
			fail_msg("byte %zu is %02x, not %02x", i, data[i], model[i]);
	free(data);
	volume_close(h, &call);
}

static void writers_may_come_in_any_order(void **state)
{
	unsigned char *model = malloc(SPAN);
	struct writes *all = calloc(1, sizeof(*all));

	stub_pool_control(provisioned, "dirty", "");
	for (int round = 0; round < 6; round++) {
		char v[] = { 'a' + round, 0 };
		bool unsized = round % 2;
		pthread_t threads[WRITERS];
		uint64_t high;

		/* slow, so that others come meanwhile */
		stub_pool_control(provisioned, "punch", "delay=1");
		if (round >= 2)
			stub_pool_control(provisioned, "punch", "errno=EOPNOTSUPP");
		if (round >= 4)
			stub_pool_control(provisioned, "zero", "errno=EOPNOTSUPP");
		assert_int_equal(volume_create(provisioned, v, &call, &err), 0);
		if (!unsized)
			assert_int_equal(
				volume_truncate(provisioned, v, SPAN, &call, &err), 0);
		*all = (struct writes){ .seed = round + 1 };
		memset(model, 0, SPAN);
		plan_writes(all, model, &high);
		all->h = open_as(provisioned, v, O_RDWR | (unsized ? 0 : O_TRUNC),
				 unsized);
		for (int i = 0; i < WRITERS; i++)
			pthread_create(&threads[i], NULL, write_some, all);
		for (int i = 0; i < WRITERS; i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(volume_flush(all->h, getpid(), &call, &err), 0);
		volume_close(all->h, &call);
		compare(provisioned, v, model, high);
	}
	free(all);
	free(model);
}

/* -- what a descriptor is asked -- */

static void ranges_are_allocated_and_cleared(void **state)
{
	struct volume_handle *h;
	int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	memset(block, 'o', sizeof(block));
	for (int i = 0; i < 2; i++) {
		struct pool *p = i ? provisioned : files;

		sized(p, "v", 8 * MiB);
		h = open_as(p, "v", O_RDWR, false);
		assert_int_equal(put(h, 0, block, sizeof(block)), sizeof(block));
		assert_int_equal(volume_allocate(h, punch, MiB, MiB, &call, &err), 0);
		assert_int_equal(
			volume_allocate(h, FALLOC_FL_ZERO_RANGE, 3 * MiB, 1, &call, &err),
			0);
		assert_int_equal(volume_allocate(h, punch, 100 * MiB, MiB, &call, &err),
				 0);
		assert_int_equal(volume_allocate(h, 0, 0, 8 * MiB, &call, &err), 0);
		assert_int_equal(volume_allocate(h, 0, 0, 0, &call, &err), -EINVAL);
		assert_int_equal(volume_allocate(h, 0, 1, UINT64_MAX, &call, &err),
				 -EFBIG);
		assert_int_equal(size_of(p, "v"), 8 * MiB);
		assert_int_equal(volume_allocate(h, 0, 8 * MiB, 4 * MiB, &call, &err), 0);
		assert_int_equal(size_of(p, "v"), 12 * MiB);
		assert_int_equal(volume_seek(h, MiB, SEEK_DATA, &call, &err), 2 * MiB);
		assert_int_equal(volume_seek(h, 0, SEEK_HOLE, &call, &err), MiB);
		assert_int_equal(volume_seek(h, 50 * MiB, SEEK_DATA, &call, &err),
				 -ENXIO);
		volume_close(h, &call);
		assert_bytes(p, "v", MiB, MiB, 0);
		assert_bytes(p, "v", 2 * MiB, MiB, 'o');
		assert_bytes(p, "v", 3 * MiB, 1, 0);
	}
}

static void copies_inside_a_pool_and_out_of_it(void **state)
{
	struct volume_handle *from, *to, *other;
	off_t at = 0;
	ssize_t n;

	memset(block, 'c', sizeof(block));
	sized(provisioned, "from", 4 * MiB);
	assert_int_equal(volume_create(provisioned, "to", &call, &err), 0);
	assert_int_equal(volume_create(files, "x", &call, &err), 0);
	from = open_as(provisioned, "from", O_RDWR, false);
	to = open_as(provisioned, "to", O_RDWR, true);
	other = open_as(files, "x", O_RDWR, true);
	assert_int_equal(put(from, 0, block, 4 * MiB), 4 * MiB);
	while ((n = volume_copy(from, at, to, at + MiB, 16 * MiB, &call, &err)) > 0)
		at += n;
	assert_int_equal(n, 0);
	assert_int_equal(at, 4 * MiB);
	assert_false(volume_transfers(from, to));
	assert_true(volume_transfers(from, other));
	for (at = 0; (n = volume_copy(from, at + 5, other, at, 3 * MiB, &call, &err)) > 0;)
		at += n;
	assert_int_equal(n, 0);
	assert_int_equal(at, 4 * MiB - 5);
	volume_close(from, &call);
	volume_close(to, &call);
	volume_close(other, &call);
	assert_int_equal(size_of(provisioned, "to"), 8 * MiB);
	assert_bytes(provisioned, "to", 0, MiB, 0);
	assert_bytes(provisioned, "to", MiB, 4 * MiB, 'c');
	assert_bytes(files, "x", 0, 4 * MiB - 5, 'c');
	assert_int_equal(size_of(files, "x"), 4 * MiB - 5);
}

/* A device knows its end; one that is growing shows what was written. */
static void a_descriptor_ends_where_its_device_does(void **state)
{
	struct volume_handle *h, *reader;

	assert_int_equal(volume_create(provisioned, "v", &call, &err), 0);
	h = open_as(provisioned, "v", O_RDWR, true);
	reader = open_as(provisioned, "v", O_RDONLY, false);
	assert_true(volume_fd(h) >= 0 && !volume_is_regular(h));
	assert_int_equal(put(h, 0, block, 4 * MiB), 4 * MiB);
	assert_int_equal(put(h, 4 * MiB, block, 5), 5);
	assert_int_equal(volume_size(reader), 4 * MiB + 5);
	volume_close(h, &call);
	assert_int_equal(volume_size(reader), UINT64_MAX);
	assert_int_equal(put(reader, 0, block, 1), -1);
	volume_close(reader, &call);

	h = open_as(given, "unit0", O_RDWR, false);
	assert_int_equal(volume_size(h), UINT64_MAX);
	assert_true(volume_write_ready(h, 64 * MiB - 1, 1));
	assert_int_equal(put(h, 64 * MiB - 1, block, 2), 1);
	assert_int_equal(put(h, 64 * MiB, block, 1), -ENOSPC);
	volume_close(h, &call);
}

/* What the head and the tail of a range are too small for is written. */
static void odd_ranges_are_cleared_on_descriptors(void **state)
{
	int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	struct volume_handle *h;

	memset(block, 'o', sizeof(block));
	sized(provisioned, "v", 4 * MiB);
	h = open_as(provisioned, "v", O_RDWR, false);
	assert_int_equal(put(h, 0, block, sizeof(block)), sizeof(block));
	assert_int_equal(volume_allocate(h, punch, 100, 10, &call, &err), 0);
	assert_int_equal(volume_allocate(h, punch, MiB + 1, MiB, &call, &err), 0);
	assert_int_equal(volume_allocate(h, punch, 4 * MiB - 1, MiB, &call, &err), 0);
	volume_close(h, &call);
	assert_bytes(provisioned, "v", 0, 100, 'o');
	assert_bytes(provisioned, "v", 100, 10, 0);
	assert_bytes(provisioned, "v", 110, MiB + 1 - 110, 'o');
	assert_bytes(provisioned, "v", MiB + 1, MiB, 0);
	assert_bytes(provisioned, "v", 2 * MiB + 1, 2 * MiB - 2, 'o');
	assert_bytes(provisioned, "v", 4 * MiB - 1, 1, 0);
}

static void locks_belong_to_owners(void **state)
{
	struct flock all = { .l_type = F_WRLCK },
		     part = { .l_type = F_RDLCK, .l_len = 10 };
	struct volume_handle *a, *b;

	assert_int_equal(volume_create(files, "v", &call, &err), 0);
	a = open_as(files, "v", O_RDWR, false);
	b = open_as(files, "v", O_RDWR, false);
	assert_int_equal(volume_setlk(a, 1, &part, &err), 0);
	assert_int_equal(volume_setlk(b, 1, &all, &err), 0); /* the same process */
	assert_int_equal(volume_setlk(b, 2, &part, &err), -EAGAIN);
	assert_int_equal(volume_getlk(b, 2, &part, &err), 0);
	assert_int_equal(part.l_type, F_WRLCK);
	all.l_type = F_UNLCK;
	assert_int_equal(volume_setlk(b, 7, &all, &err), 0);
	volume_unlock_owner(b, 1);
	assert_int_equal(volume_getlk(b, 2, &part, &err), 0);
	assert_int_equal(part.l_type, F_UNLCK);

	all.l_type = F_WRLCK;
	assert_int_equal(volume_setlk(b, 3, &all, &err), 0);
	assert_int_equal(volume_flock(a, LOCK_EX, &err), 0);
	assert_int_equal(volume_flock(b, LOCK_SH | LOCK_NB, &err), -EAGAIN);
	assert_int_equal(volume_flock(a, LOCK_UN, &err), 0);
	assert_int_equal(volume_flock(b, LOCK_SH, &err), 0);
	volume_close(b, &call); /* an open file description's locks end with it */
	assert_int_equal(volume_setlk(a, 4, &all, &err), 0);
	assert_int_equal(volume_flock(a, LOCK_EX, &err), 0);
	volume_close(a, &call);
}

/* -- hangs -- */

static void what_hangs_is_given_up_and_closed_later(void **state)
{
	struct call soon = { .deadline_ns = clock_now() + 100 * NS_PER_MS };
	struct volume_handle *h;
	struct waiting w;

	sized(provisioned, "v", 4 * MiB);
	h = open_as(provisioned, "v", O_RDWR, false);
	stub_pool_control(provisioned, "flush", "stuck");
	stub_pool_control(provisioned, "read", "hang");
	assert_int_equal(volume_fsync(h, false, &soon, &err), -ETIMEDOUT);
	submit(h, &w, IO_READ, 0, block, 512);
	volume_cancel(h, &w.io);
	assert_int_equal(result(&w), -ECANCELED);
	volume_close(h, &soon);
	assert_int_equal(volumes_open_count(pool_volumes(provisioned)), 1);
	stub_pool_control(provisioned, "flush", NULL);
	for (int i = 0; i < 6000 && volumes_open_count(pool_volumes(provisioned)); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10 * NS_PER_MS }, NULL);
	assert_int_equal(volumes_open_count(pool_volumes(provisioned)), 0);
}

/* A zeroing that was given up must not overwrite what comes after it. */
static void a_late_zero_keeps_the_turn(void **state)
{
	struct call soon = { .deadline_ns = clock_now() + 50 * NS_PER_MS };
	struct volume_handle *h;

	sized(provisioned, "v", 4 * MiB);
	h = open_as(provisioned, "v", O_RDWR | O_TRUNC, false);
	stub_pool_control(provisioned, "punch", "stuck");
	assert_int_equal(volume_prepare_write(h, MiB, 1, &soon, &err), -ETIMEDOUT);
	soon.deadline_ns = clock_now() + 50 * NS_PER_MS;
	assert_false(volume_write_ready(h, 0, 1));
	assert_int_equal(volume_prepare_write(h, 0, 1, &soon, &err), -ETIMEDOUT);
	stub_pool_control(provisioned, "punch", NULL);
	assert_int_equal(put(h, 0, "a", 1), 1);
	assert_int_equal(put(h, MiB, "b", 1), 1);
	volume_close(h, &call);
	assert_bytes(provisioned, "v", 0, 1, 'a');
	assert_bytes(provisioned, "v", 1, MiB - 1, 0);
}

static void failures_keep_the_data(void **state)
{
	struct volume_handle *h;

	assert_int_equal(volume_create(provisioned, "v", &call, &err), 0);
	h = open_as(provisioned, "v", O_WRONLY, true);
	assert_int_equal(put(h, 0, block, sizeof(block)), sizeof(block));
	stub_pool_control(provisioned, "vol_resize", "errno=EIO");
	assert_int_equal(put(h, sizeof(block), block, 1), -EIO);
	stub_pool_control(provisioned, "vol_resize", NULL);
	assert_int_equal(put(h, sizeof(block), block, 1), 1);
	stub_pool_control(provisioned, "vol_resize", "errno=EIO");
	assert_int_equal(volume_flush(h, getpid(), &call, &err), -EIO);
	stub_pool_control(provisioned, "vol_resize", NULL);
	volume_close(h, &call);
	assert_int_equal(size_of(provisioned, "v"), 8 * MiB);
	stub_pool_control(provisioned, "vol_open", "errno=EACCES");
	assert_int_equal(
		volume_open(provisioned, "v", NULL, O_RDONLY, false, 0, &h, &call, &err),
		-EACCES);
	assert_int_equal(volumes_open_count(pool_volumes(provisioned)), 0);
}

/* Whoever has the turn reads the numbers without the lock. */
static void a_look_changes_no_size_in_anothers_turn(void **state)
{
	struct volume_space s = { .loaded = true, .size = 5, .turn = true };

	volume_space_init(&s);
	volume_space_resized(&s, 7);
	assert_int_equal(s.size, 5);
	s.turn = false;
	volume_space_resized(&s, 7);
	assert_int_equal(s.size, 7);
	volume_space_exit(&s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
#define DESCRIPTOR_TEST(name) \
	cmocka_unit_test_setup_teardown(name, start_on_descriptors, end)
	const struct CMUnitTest tests[] = {
		TEST(an_upload_grows_and_is_trimmed),
		TEST(release_trims_what_no_close_did),
		TEST(what_was_only_touched_holds_nothing),
		TEST(growth_makes_do_with_what_there_is),
		TEST(any_truncate_sizes),
		TEST(truncating_a_descriptor),
		TEST(given_volumes_are_truncated_like_that),
		TEST(skipped_ranges_read_as_zeros),
		TEST(writers_may_come_in_any_order),
		TEST(ranges_are_allocated_and_cleared),
		TEST(copies_inside_a_pool_and_out_of_it),
		TEST(locks_belong_to_owners),
		TEST(what_hangs_is_given_up_and_closed_later),
		TEST(a_late_zero_keeps_the_turn),
		TEST(a_look_changes_no_size_in_anothers_turn),
		TEST(failures_keep_the_data),
		DESCRIPTOR_TEST(an_upload_grows_and_is_trimmed),
		DESCRIPTOR_TEST(release_trims_what_no_close_did),
		DESCRIPTOR_TEST(what_was_only_touched_holds_nothing),
		DESCRIPTOR_TEST(growth_makes_do_with_what_there_is),
		DESCRIPTOR_TEST(any_truncate_sizes),
		DESCRIPTOR_TEST(truncating_a_descriptor),
		DESCRIPTOR_TEST(given_volumes_are_truncated_like_that),
		DESCRIPTOR_TEST(skipped_ranges_read_as_zeros),
		DESCRIPTOR_TEST(writers_may_come_in_any_order),
		DESCRIPTOR_TEST(copies_inside_a_pool_and_out_of_it),
		DESCRIPTOR_TEST(a_descriptor_ends_where_its_device_does),
		DESCRIPTOR_TEST(odd_ranges_are_cleared_on_descriptors),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	events_exit();
	return r;
}
