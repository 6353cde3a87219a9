/* The measured client's work on the bytes of one file or two. */
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK (256 << 10)          /* cp's */

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | (opt.direct ? O_DIRECT : 0) | O_CLOEXEC, 0644);

	if (fd < 0)
		die("cannot open '%s'", path);
	return fd;
}

static uint64_t file_size(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		die("cannot tell a file's size");
	return size;
}

/* Not zeros: some servers store those as holes. */
static char *new_block(size_t size)
{
	void *p;

	errno = posix_memalign(&p, 4096, size);
	if (errno)
		die("cannot allocate %zu bytes", size);
	memset(p, 0xa5, size);
	return p;
}

static void read_at(int fd, char *data, size_t size, uint64_t at)
{
	ssize_t n = pread(fd, data, size, at);

	if (n == (ssize_t)size)
		return;
	if (n >= 0)
		errno = ENODATA;
	die("cannot read %zu bytes at %ju", size, (uintmax_t)at);
}

static void write_at(int fd, const char *data, size_t size, uint64_t at)
{
	ssize_t n = pwrite(fd, data, size, at);

	if (n == (ssize_t)size)
		return;
	if (n >= 0)
		errno = ENOSPC;
	die("cannot write %zu bytes at %ju", size, (uintmax_t)at);
}

/* Outside the measured part: each round begins with nothing to write back. */
static void settle(int fd)
{
	fdatasync(fd);
	close(fd);
}

void run_fill(char **args)
{
	int fd = open_file(args[0], O_WRONLY | O_CREAT);
	uint64_t size = strtoull(args[1], NULL, 10);
	char *data = new_block(opt.block);

	meter_start();
	for (uint64_t at = 0; at + opt.block <= size; at += opt.block)
		write_at(fd, data, opt.block, at);
	meter_stop(size);
	settle(fd);
	free(data);
}

static void read_through(const char *path, size_t block, bool measured)
{
	int fd = open_file(path, O_RDONLY);
	uint64_t size = file_size(fd);
	char *data = new_block(block);

	if (measured)
		meter_start();
	for (uint64_t at = 0; at + block <= size; at += block)
		read_at(fd, data, block, at);
	if (measured)
		meter_stop(size);
	close(fd);
	free(data);
}

void run_seqread(char **args)
{
	if (!opt.direct)
		read_through(args[0], opt.block, false);
	read_through(args[0], opt.block, true);
}

void run_seqwrite(char **args)
{
	int fd = open_file(args[0], O_WRONLY);
	uint64_t size = file_size(fd);
	char *data = new_block(opt.block);

	meter_start();
	for (uint64_t at = 0; at + opt.block <= size; at += opt.block)
		write_at(fd, data, opt.block, at);
	meter_stop(size);
	settle(fd);
	free(data);
}

/* Random I/O: each thread has its own descriptor, as each job of fio has. */
struct walker {
	pthread_t thread;
	const char *path;
	bool writes;
	uint64_t random, done;
};

static pthread_barrier_t all_open, go;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void *walk(void *arg)
{
	struct walker *w = arg;
	int fd = open_file(w->path, w->writes ? O_RDWR : O_RDONLY);
	uint64_t blocks = file_size(fd) / opt.block, end;
	char *data = new_block(opt.block);

	pthread_barrier_wait(&all_open);
	pthread_barrier_wait(&go);
	end = now_ns() + (uint64_t)(opt.seconds * 1e9);
	while ((!opt.count || w->done < opt.count) && now_ns() < end) {
		uint64_t at = next_random(&w->random) % blocks * opt.block;

		if (w->writes)
			write_at(fd, data, opt.block, at);
		else
			read_at(fd, data, opt.block, at);
		w->done++;
	}
	pthread_barrier_wait(&all_open);
	pthread_barrier_wait(&go);
	if (w->writes)
		fdatasync(fd);
	close(fd);
	free(data);
	return NULL;
}

static void run_random(const char *path, bool writes)
{
	struct walker *walkers = calloc(opt.threads, sizeof(*walkers));
	uint64_t done = 0;

	if (!walkers)
		die("cannot allocate threads");
	if (!writes && !opt.direct)
		read_through(path, 1 << 20, false);
	pthread_barrier_init(&all_open, NULL, opt.threads + 1);
	pthread_barrier_init(&go, NULL, opt.threads + 1);
	for (unsigned i = 0; i < opt.threads; i++) {
		struct walker *w = &walkers[i];

		*w = (struct walker){ .path = path, .writes = writes,
				      .random = 88172645463325252ull + i * 7919 };
		errno = pthread_create(&w->thread, NULL, walk, w);
		if (errno)
			die("cannot start a thread");
	}
	pthread_barrier_wait(&all_open);
	meter_start();
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&all_open);
	for (unsigned i = 0; i < opt.threads; i++)
		done += walkers[i].done;
	meter_stop(done);
	pthread_barrier_wait(&go);
	for (unsigned i = 0; i < opt.threads; i++)
		pthread_join(walkers[i].thread, NULL);
	free(walkers);
}

void run_randread(char **args)
{
	run_random(args[0], false);
}

void run_randwrite(char **args)
{
	run_random(args[0], true);
}

/* Opened anew, as each reader does: a server may have to fill the cache again. */
static void map_through(const char *path, bool measured)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const volatile char *p;
	uint64_t size;

	if (fd < 0)
		die("cannot open '%s'", path);
	size = file_size(fd);
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("cannot map '%s'", path);
	if (measured)
		meter_start();
	for (uint64_t at = 0; at < size; at += 64)
		(void)p[at];
	if (measured)
		meter_stop(size);
	munmap((void *)p, size);
	close(fd);
}

void run_mmapread(char **args)
{
	map_through(args[0], false);
	map_through(args[0], true);
}

/* copy_file_range as cp does it, and cp's loop where it cannot. */
static void copy_range(int from, off_t from_at, int to, off_t to_at, uint64_t size,
		       char *data)
{
	while (size) {
		ssize_t n = copy_file_range(from, &from_at, to, &to_at, size, 0);

		if (n > 0) {
			size -= n;
			continue;
		}
		if (n == 0)
			break;
		if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP &&
		    errno != ENOSYS && errno != EPERM)
			die("cannot copy");
		while (size) {
			size_t part = size < COPY_CHUNK ? size : COPY_CHUNK;

			read_at(from, data, part, from_at);
			write_at(to, data, part, to_at);
			from_at += part;
			to_at += part;
			size -= part;
		}
	}
}

void run_copy(char **args)
{
	int from = open_file(args[0], O_RDONLY);
	int to = open_file(args[2], O_WRONLY | O_CREAT);
	uint64_t size = strtoull(args[4], NULL, 10);
	char *data = new_block(COPY_CHUNK);

	meter_start();
	copy_range(from, strtoll(args[1], NULL, 10), to, strtoll(args[3], NULL, 10), size,
		   data);
	meter_stop(size);
	close(from);
	settle(to);
	free(data);
}

/* Copies the data and skips the holes; the extra number is the target's st_blocks. */
void run_sparsecopy(char **args)
{
	int from = open_file(args[0], O_RDONLY);
	int to = open_file(args[1], O_WRONLY | O_CREAT);
	uint64_t size = file_size(from);
	char *data = new_block(COPY_CHUNK);
	off_t at = 0, hole;
	struct stat st;

	meter_start();
	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		hole = lseek(from, at, SEEK_HOLE);
		if (hole < 0)
			die("cannot find the next hole of '%s'", args[0]);
		copy_range(from, at, to, at, hole - at, data);
		at = hole;
	}
	if (errno != ENXIO)
		die("cannot find the data of '%s'", args[0]);
	if (file_size(to) < size && ftruncate(to, size) < 0)
		die("cannot set the size of '%s'", args[1]);
	meter_stop(size);
	if (fstat(to, &st) < 0)
		die("cannot stat '%s'", args[1]);
	meter_extra(st.st_blocks);
	close(from);
	settle(to);
	free(data);
}
