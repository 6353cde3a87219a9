/*
 * The least filesystem that shows one file, without libfuse: what FUSE itself costs.
 * minimal_file MOUNT FILE shows FILE as MOUNT/data and passes it through to the kernel
 * (Linux 6.9); with a third argument, "direct", one thread reads and writes it, with direct
 * I/O and from one buffer. It needs root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DATA_INO 2
#define VALID    3600 /* seconds */

/* Of kernels newer than some headers. */
#define HAS_FLAGS2       (1u << 30)
#define HAS_PASSTHROUGH2 (1u << 5)
#define OPEN_PASSED      (1u << 7)
#define OPEN_DIRECT      (FOPEN_DIRECT_IO | 1u << 5 | 1u << 6) /* no flush, parallel */

struct backing {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing)

#define BUFFER (1 << 20)

static int device, backing, file;
static bool direct;

static void fill(uint64_t ino, struct fuse_attr *a)
{
	/* a device has its size there alone */
	off_t size = lseek(file, 0, SEEK_END);

	*a = (struct fuse_attr){ .ino = ino, .nlink = 1, .blksize = 4096 };
	a->mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	a->size = ino == FUSE_ROOT_ID ? 0 : size;
}

static void reply(const struct fuse_in_header *in, int error, void *data, size_t len)
{
	struct fuse_out_header head = { .len = sizeof(head) + len, .error = -error,
					.unique = in->unique };
	struct iovec iov[] = { { &head, sizeof(head) }, { data, len } };

	if (writev(device, iov, len ? 2 : 1) < 0 && errno != ENOENT)
		exit(1);
}

static void do_read(const struct fuse_in_header *in)
{
	static _Alignas(4096) char data[BUFFER];
	const struct fuse_read_in *arg = (const void *)(in + 1);
	ssize_t n = pread(file, data, arg->size, arg->offset);

	reply(in, n < 0 ? errno : 0, data, n < 0 ? 0 : n);
}

static void do_write(const struct fuse_in_header *in)
{
	const struct fuse_write_in *arg = (const void *)(in + 1);
	ssize_t n = pwrite(file, arg + 1, arg->size, arg->offset);
	struct fuse_write_out out = { .size = n < 0 ? 0 : n };

	reply(in, n < 0 ? errno : 0, &out, n < 0 ? 0 : sizeof(out));
}

static void do_init(const struct fuse_in_header *in)
{
	const struct fuse_init_in *arg = (const void *)(in + 1);
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = arg->max_readahead, .max_write = BUFFER,
		.max_pages = BUFFER / 4096, .time_gran = 1,
		.flags = FUSE_MAX_PAGES | FUSE_BIG_WRITES | FUSE_ASYNC_DIO,
	};

	if (!direct) {
		out.flags |= HAS_FLAGS2;
		out.flags2 = HAS_PASSTHROUGH2;
		out.unused[0] = 1; /* max_stack_depth */
	}
	reply(in, 0, &out, sizeof(out));
}

static void do_lookup(const struct fuse_in_header *in)
{
	struct fuse_entry_out out = { .nodeid = DATA_INO, .entry_valid = VALID,
				      .attr_valid = VALID };

	fill(DATA_INO, &out.attr);
	if (strcmp((const char *)(in + 1), "data") != 0)
		reply(in, ENOENT, NULL, 0);
	else
		reply(in, 0, &out, sizeof(out));
}

static void do_getattr(const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr_valid = VALID };

	fill(in->nodeid, &out.attr);
	reply(in, 0, &out, sizeof(out));
}

static void do_open(const struct fuse_in_header *in)
{
	struct fuse_open_out out = { .open_flags = direct ? OPEN_DIRECT : OPEN_PASSED };

	if (!direct)
		memcpy((char *)&out + sizeof(out) - sizeof(backing), &backing,
		       sizeof(backing));
	reply(in, 0, &out, sizeof(out));
}

static void serve(const struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_INIT: do_init(in); break;
	case FUSE_LOOKUP: do_lookup(in); break;
	case FUSE_GETATTR: do_getattr(in); break;
	case FUSE_OPEN:
		if (!direct && backing <= 0) {
			struct backing b = { .fd = file };

			backing = ioctl(device, BACKING_OPEN, &b);
		}
		if (!direct && backing <= 0)
			reply(in, EIO, NULL, 0);
		else
			do_open(in);
		break;
	case FUSE_READ: do_read(in); break;
	case FUSE_WRITE: do_write(in); break;
	case FUSE_RELEASE:
	case FUSE_FLUSH:
	case FUSE_FSYNC: reply(in, 0, NULL, 0); break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: break;
	default: reply(in, ENOSYS, NULL, 0);
	}
}

static const char *mountpoint;

static void ended(int sig)
{
	(void)sig;
	umount2(mountpoint, MNT_DETACH);
}

int main(int argc, char **argv)
{
	static _Alignas(4096) char request[BUFFER + 4096];
	char options[100];
	ssize_t n;

	if (argc != 3 && argc != 4)
		return 2;
	direct = argc == 4;
	mountpoint = argv[1];
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	file = open(argv[2], O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	if (device < 0 || file < 0 ||
	    mount("minimal", mountpoint, "fuse.minimal", 0, options) < 0)
		return 1;
	signal(SIGTERM, ended);
	while ((n = read(device, request, sizeof(request))) > 0 || errno == EINTR)
		if (n > 0)
			serve((const struct fuse_in_header *)request);
	return 0;
}
