/*
 * Random operations on a file and the same on a plain one beside it: `random_ops FILE
 * PLAIN SEED COUNT`. Results, errors, data and sizes must be the same throughout. What
 * FILE cannot do (EOPNOTSUPP) is not done to PLAIN either, and counted. Both files are
 * made anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_MAX      (4 << 20)	  /* bytes of a file */
#define LEN_MAX	      (256 << 10) /* bytes of an operation */
#define ALIGN	      4096
#define COMPARE_EVERY 500 /* operations */

struct side {
	const char *path;
	int fd;
	uint8_t *out; /* what an operation read; LEN_MAX bytes */
};

/* What both sides are asked for. */
struct args {
	off_t off, to;
	size_t len;
	int mode;
	const uint8_t *data; /* LEN_MAX random bytes */
};

static struct side sides[2]; /* FILE, PLAIN */
static int open_flags = O_RDWR;
static uint8_t *noise; /* what writes take from */
static uint64_t rng;

static uint64_t next(void)
{
	uint64_t z = (rng += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return next() % n;
}

static int failed(void)
{
	return errno ? -errno : -EIO;
}

/* -- operations: bytes done, with what was read in s->out; or -errno -- */

static ssize_t do_read(struct side *s, const struct args *a)
{
	ssize_t n = pread(s->fd, s->out, a->len, a->off);

	return n < 0 ? failed() : n;
}

static ssize_t do_write(struct side *s, const struct args *a)
{
	ssize_t n = pwrite(s->fd, a->data, a->len, a->off);

	return n < 0 ? failed() : n;
}

static ssize_t do_readv(struct side *s, const struct args *a)
{
	size_t half = a->len / 2 / ALIGN * ALIGN;
	struct iovec v[] = { { s->out, half }, { s->out + half, a->len - half } };
	ssize_t n = preadv(s->fd, v, 2, a->off);

	return n < 0 ? failed() : n;
}

static ssize_t do_writev(struct side *s, const struct args *a)
{
	size_t half = a->len / 2 / ALIGN * ALIGN;
	struct iovec v[] = { { (void *)a->data, half },
			     { (void *)(a->data + half), a->len - half } };
	ssize_t n = pwritev(s->fd, v, 2, a->off);

	return n < 0 ? failed() : n;
}

static ssize_t do_ftruncate(struct side *s, const struct args *a)
{
	return ftruncate(s->fd, a->off) < 0 ? failed() : 0;
}

static ssize_t do_truncate(struct side *s, const struct args *a)
{
	return truncate(s->path, a->off) < 0 ? failed() : 0;
}

static ssize_t do_fallocate(struct side *s, const struct args *a)
{
	return fallocate(s->fd, a->mode, a->off, a->len + 1) < 0 ? failed() : 0;
}

static ssize_t do_copy(struct side *s, const struct args *a)
{
	loff_t from = a->off, to = a->to;
	size_t done = 0;

	while (done < a->len) {
		ssize_t n = copy_file_range(s->fd, &from, s->fd, &to, a->len - done, 0);

		if (n < 0)
			return failed();
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

/* The part of a range that is inside the file, for mappings. */
static size_t inside(const struct side *s, const struct args *a)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0 || a->off >= st.st_size)
		return 0;
	return st.st_size - a->off < (off_t)a->len ? (size_t)(st.st_size - a->off)
						   : a->len;
}

static ssize_t mapped(struct side *s, const struct args *a, bool write)
{
	size_t len = inside(s, a), skip = a->off % ALIGN;
	int protection = write ? PROT_READ | PROT_WRITE : PROT_READ;

	if (len == 0)
		return 0;

	uint8_t *at =
		mmap(NULL, skip + len, protection, MAP_SHARED, s->fd, a->off - skip);

	if (at == MAP_FAILED)
		return failed();
	if (write)
		memcpy(at + skip, a->data, len);
	memcpy(s->out, at + skip, len);

	int r = write ? msync(at, skip + len, MS_SYNC) : 0;

	munmap(at, skip + len);
	return r < 0 ? failed() : (ssize_t)len;
}

static ssize_t do_map_read(struct side *s, const struct args *a)
{
	return mapped(s, a, false);
}

static ssize_t do_map_write(struct side *s, const struct args *a)
{
	return mapped(s, a, true);
}

static ssize_t do_fsync(struct side *s, const struct args *a)
{
	return (a->mode ? fsync(s->fd) : fdatasync(s->fd)) < 0 ? failed() : 0;
}

static ssize_t do_forget(struct side *s, const struct args *a)
{
	return -posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static ssize_t do_reopen(struct side *s, const struct args *a)
{
	int fd = open(s->path, a->mode | O_CLOEXEC);

	if (fd < 0)
		return failed();
	close(s->fd);
	s->fd = fd;
	return 0;
}

static ssize_t do_second_reader(struct side *s, const struct args *a)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return failed();
	n = pread(fd, s->out, a->len, a->off);
	n = n < 0 ? failed() : n;
	close(fd);
	return n;
}

/* Where data begin is each filesystem's own affair; what it calls a hole must read as
 * zeros. */
static ssize_t do_seek(struct side *s, const struct args *a)
{
	off_t data = lseek(s->fd, a->off, SEEK_DATA);
	struct args hole = { .off = a->off, .len = LEN_MAX };
	ssize_t n;

	if (data < 0 && errno != ENXIO)
		return failed();
	if (data >= 0 && data - a->off < LEN_MAX)
		hole.len = data - a->off;
	n = do_second_reader(s, &hole);
	if (n < 0)
		return n;
	for (ssize_t i = 0; i < n; i++)
		if (s->out[i])
			return -EUCLEAN;
	return 0;
}

/* -- choosing what to do -- */

static void choose_range(struct args *a)
{
	a->off = below(FILE_MAX - LEN_MAX);
	a->len = below(4) ? below(16384) : below(LEN_MAX);
	if (open_flags & O_DIRECT || below(3) == 0) {
		a->off -= a->off % ALIGN;
		a->len -= a->len % ALIGN;
	}
}

static void choose_size(struct args *a)
{
	a->off = below(8) ? below(FILE_MAX) : below(ALIGN);
}

static void choose_fallocate(struct args *a)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};

	choose_range(a);
	a->mode = modes[below(sizeof(modes) / sizeof(*modes))];
}

static void choose_copy(struct args *a)
{
	choose_range(a);
	a->to = below(FILE_MAX - LEN_MAX);
}

static void choose_flags(struct args *a)
{
	static const int flags[] = { 0, 0, O_DIRECT, O_APPEND, O_DSYNC, O_TRUNC };

	a->mode = O_RDWR | flags[below(sizeof(flags) / sizeof(*flags))];
}

static void choose_switch(struct args *a)
{
	a->mode = below(2);
}

static const struct op {
	const char *name;
	unsigned weight;
	void (*choose)(struct args *a);
	ssize_t (*run)(struct side *s, const struct args *a);
} ops[] = {
	{ "read", 20, choose_range, do_read },
	{ "write", 25, choose_range, do_write },
	{ "readv", 5, choose_range, do_readv },
	{ "writev", 5, choose_range, do_writev },
	{ "ftruncate", 4, choose_size, do_ftruncate },
	{ "truncate", 2, choose_size, do_truncate },
	{ "fallocate", 8, choose_fallocate, do_fallocate },
	{ "copy", 6, choose_copy, do_copy },
	{ "map_read", 6, choose_range, do_map_read },
	{ "map_write", 6, choose_range, do_map_write },
	{ "fsync", 2, choose_switch, do_fsync },
	{ "forget", 2, choose_switch, do_forget },
	{ "reopen", 4, choose_flags, do_reopen },
	{ "second_reader", 3, choose_range, do_second_reader },
	{ "seek", 2, choose_range, do_seek },
};
#define N_OPS (sizeof(ops) / sizeof(*ops))

static unsigned long done[N_OPS], unsupported[N_OPS];

static const struct op *choose(void)
{
	unsigned total = 0, n;

	for (size_t i = 0; i < N_OPS; i++)
		total += ops[i].weight;
	n = below(total);
	for (size_t i = 0;; n -= ops[i++].weight)
		if (n < ops[i].weight)
			return &ops[i];
}

/* -- comparing -- */

static off_t size_of(const struct side *s)
{
	struct stat st;

	return fstat(s->fd, &st) < 0 ? -errno : st.st_size;
}

static void say(unsigned long n, const struct op *op, const struct args *a)
{
	fprintf(stderr, "operation %lu: %s off=%jd to=%jd len=%zu mode=%#x, opened %#x\n",
		n, op->name, (intmax_t)a->off, (intmax_t)a->to, a->len, a->mode,
		open_flags);
}

static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t len, off_t off)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i]) {
			fprintf(stderr, "byte %jd: %#x, but plain %#x\n",
				(intmax_t)(off + i), a[i], b[i]);
			return false;
		}
	return true;
}

static bool step(unsigned long n)
{
	const struct op *op = choose();
	struct args a = { .data = noise + below(16) * ALIGN };
	ssize_t r[2];
	off_t size[2];

	op->choose(&a);
	r[0] = op->run(&sides[0], &a);
	if (r[0] == -EOPNOTSUPP || (op->run == do_reopen && r[0] == -EINVAL)) {
		unsupported[op - ops]++;
		return true;
	}
	r[1] = op->run(&sides[1], &a);
	done[op - ops]++;
	if (op->run == do_reopen && r[0] == 0)
		open_flags = a.mode;
	for (int i = 0; i < 2; i++)
		size[i] = size_of(&sides[i]);
	if (r[0] == r[1] && size[0] == size[1] &&
	    (r[0] <= 0 || op->run == do_write || op->run == do_writev ||
	     op->run == do_copy || same_bytes(sides[0].out, sides[1].out, r[0], a.off)))
		return true;
	say(n, op, &a);
	fprintf(stderr, "gives %zd and size %jd, but plain %zd and size %jd\n", r[0],
		(intmax_t)size[0], r[1], (intmax_t)size[1]);
	return false;
}

static bool same_files(void)
{
	int fd[2] = { open(sides[0].path, O_RDONLY | O_CLOEXEC),
		      open(sides[1].path, O_RDONLY | O_CLOEXEC) };
	bool same = fd[0] >= 0 && fd[1] >= 0;
	ssize_t n = 1;

	for (off_t off = 0; same && n > 0; off += n) {
		n = pread(fd[0], sides[0].out, LEN_MAX, off);
		same = n >= 0 && pread(fd[1], sides[1].out, LEN_MAX, off) == n &&
		       same_bytes(sides[0].out, sides[1].out, n, off);
	}
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	if (!same)
		fprintf(stderr, "the files differ\n");
	return same;
}

static uint8_t *aligned(size_t len)
{
	void *p;

	if (posix_memalign(&p, ALIGN, len))
		exit(2);
	return p;
}

static void report(unsigned long count, unsigned long seed)
{
	printf("%lu operations, seed %lu:", count, seed);
	for (size_t i = 0; i < N_OPS; i++)
		printf(" %s %lu", ops[i].name, done[i]);
	for (size_t i = 0; i < N_OPS; i++)
		if (unsupported[i])
			printf(", %s cannot be done %lu times", ops[i].name,
			       unsupported[i]);
	printf("\n");
}

static void prepare(char **paths, unsigned long seed)
{
	rng = seed;
	noise = aligned(LEN_MAX + 16 * ALIGN);
	for (size_t i = 0; i < LEN_MAX + 16 * ALIGN; i++)
		noise[i] = next() | 1; /* never what a hole has */
	for (int i = 0; i < 2; i++) {
		sides[i] = (struct side){ paths[i], -1, aligned(LEN_MAX) };
		sides[i].fd =
			open(paths[i], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (sides[i].fd < 0) {
			perror(paths[i]);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: random_ops FILE PLAIN SEED COUNT\n");
		return 2;
	}

	unsigned long seed = strtoul(argv[3], NULL, 10),
		      count = strtoul(argv[4], NULL, 10);

	prepare(argv + 1, seed);
	for (unsigned long n = 1; n <= count; n++)
		if (!step(n) || (n % COMPARE_EVERY == 0 && !same_files())) {
			fprintf(stderr, "at operation %lu of seed %lu\n", n, seed);
			return 1;
		}
	if (!same_files())
		return 1;
	report(count, seed);
	return 0;
}
