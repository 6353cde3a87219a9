/*
 * The least filesystem that shows one file, without libfuse: what FUSE itself costs.
 * minimal_file MOUNT FILE shows FILE as MOUNT/data and passes it through to the kernel
 * (Linux 6.9); with a third argument, "direct" or "O_DIRECT", one thread, or as many as a
 * fourth says, reads and writes it, with direct I/O and from one buffer; with the latter
 * from and to the disk. It needs root.
 */
#include "minimal.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/ioctl.h>

#define PAGE 4096

/* Of kernels newer than some headers. */
#define HAS_FLAGS2	 (1u << 30)
#define HAS_MMAP2	 (1u << 4) /* of what is direct */
#define HAS_PASSTHROUGH2 (1u << 5)
#define OPEN_PASSED	 (1u << 7)

struct backing {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing)

static int backing, file;
static bool direct;

/* A device has its size there alone. */
static uint64_t size_of_data(void)
{
	return lseek(file, 0, SEEK_END);
}

/* Bytes to be written begin at a page. */
static struct fuse_in_header *request_room(void)
{
	static _Thread_local _Alignas(4096) char request[PAGE + HEADER + BUFFER];
	const size_t head = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in);

	return (void *)(request + PAGE - head);
}

static void do_read(struct fuse_in_header *in)
{
	static _Thread_local _Alignas(4096) char data[BUFFER];
	const struct fuse_read_in *arg = (const void *)(in + 1);
	ssize_t n = pread(file, data, arg->size, arg->offset);

	reply(in, n < 0 ? errno : 0, data, n < 0 ? 0 : n);
}

static void do_write(struct fuse_in_header *in)
{
	const struct fuse_write_in *arg = (const void *)(in + 1);
	ssize_t n = pwrite(file, arg + 1, arg->size, arg->offset);

	reply_written(in, n < 0 ? -errno : n);
}

static void extend_init(struct fuse_init_out *out)
{
	out->flags |= HAS_FLAGS2;
	out->flags2 = direct ? HAS_MMAP2 : HAS_PASSTHROUGH2;
	out->unused[0] = !direct; /* max_stack_depth */
}

static void do_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = { .open_flags = direct ? OPEN_DIRECT : OPEN_PASSED };

	if (!direct && backing <= 0) {
		struct backing b = { .fd = file };

		backing = ioctl(device, BACKING_OPEN, &b);
	}
	if (!direct)
		memcpy((char *)&out + sizeof(out) - sizeof(backing), &backing,
		       sizeof(backing));
	if (!direct && backing <= 0)
		reply(in, EIO, NULL, 0);
	else
		reply(in, 0, &out, sizeof(out));
}

static const struct shown shown = {
	.size = size_of_data,
	.init = extend_init,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.room = request_room,
};

static void *serve_all(void *unused)
{
	while (serve_one(&shown) > 0)
		;
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t another;

	if (argc < 3 || argc > 5)
		return 2;
	direct = argc >= 4;
	file = open(argv[2],
		    O_RDWR | O_CLOEXEC |
			    (direct && !strcmp(argv[3], "O_DIRECT") ? O_DIRECT : 0));
	if (file < 0 || mount_at(argv[1]) != 0)
		return 1;
	for (int n = argc == 5 ? atoi(argv[4]) : 1; n > 1; n--)
		if (pthread_create(&another, NULL, serve_all, NULL) != 0)
			return 1;
	serve_all(NULL);
	return 0;
}
