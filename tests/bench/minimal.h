/*
 * The part that the least filesystems share: one file, MOUNT/data, shown without libfuse
 * by one thread.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DATA_INO 2
#define VALID    3600 /* seconds */
#define BUFFER   (1 << 20) /* bytes of the largest read or write */
#define HEADER   4096      /* and room for what comes with them */

/* Of kernels newer than some headers. */
#define OPEN_DIRECT (FOPEN_DIRECT_IO | 1u << 5 | 1u << 6) /* no flush, parallel */

/* What is behind the file. */
struct shown {
	uint64_t (*size)(void);
	void (*init)(struct fuse_init_out *); /* changes the answer; NULL: it is fine */
	/* These answer. */
	void (*open)(const struct fuse_in_header *);
	void (*read)(struct fuse_in_header *);
	void (*write)(struct fuse_in_header *);
	/* HEADER + BUFFER bytes for the next request, once the last was served. */
	struct fuse_in_header *(*room)(void);
};

static int device;
static const char *mountpoint;

static inline void reply(const struct fuse_in_header *in, int error, void *data, size_t len)
{
	struct fuse_out_header head = { .len = sizeof(head) + len, .error = -error,
					.unique = in->unique };
	struct iovec iov[] = { { &head, sizeof(head) }, { data, len } };

	if (writev(device, iov, len ? 2 : 1) < 0 && errno != ENOENT)
		exit(1);
}

static inline void reply_written(const struct fuse_in_header *in, ssize_t n)
{
	struct fuse_write_out out = { .size = n < 0 ? 0 : n };

	reply(in, n < 0 ? -n : 0, &out, n < 0 ? 0 : sizeof(out));
}

static inline void fill(const struct shown *shown, uint64_t ino, struct fuse_attr *a)
{
	*a = (struct fuse_attr){ .ino = ino, .nlink = 1, .blksize = 4096 };
	a->mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	a->size = ino == FUSE_ROOT_ID ? 0 : shown->size();
}

static inline void do_init(const struct shown *shown,
			     const struct fuse_in_header *in)
{
	const struct fuse_init_in *arg = (const void *)(in + 1);
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = arg->max_readahead, .max_write = BUFFER,
		.max_pages = BUFFER / 4096, .time_gran = 1,
		.flags = FUSE_MAX_PAGES | FUSE_BIG_WRITES | FUSE_ASYNC_DIO,
	};

	if (shown->init)
		shown->init(&out);
	reply(in, 0, &out, sizeof(out));
}

static inline void do_lookup(const struct shown *shown,
			     const struct fuse_in_header *in)
{
	struct fuse_entry_out out = { .nodeid = DATA_INO, .entry_valid = VALID,
				      .attr_valid = VALID };

	fill(shown, DATA_INO, &out.attr);
	if (strcmp((const char *)(in + 1), "data") != 0)
		reply(in, ENOENT, NULL, 0);
	else
		reply(in, 0, &out, sizeof(out));
}

static inline void do_getattr(const struct shown *shown,
			     const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr_valid = VALID };

	fill(shown, in->nodeid, &out.attr);
	reply(in, 0, &out, sizeof(out));
}

static inline void serve(const struct shown *shown, struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_INIT: do_init(shown, in); break;
	case FUSE_LOOKUP: do_lookup(shown, in); break;
	case FUSE_GETATTR: do_getattr(shown, in); break;
	case FUSE_OPEN: shown->open(in); break;
	case FUSE_READ: shown->read(in); break;
	case FUSE_WRITE: shown->write(in); break;
	case FUSE_RELEASE:
	case FUSE_FLUSH:
	case FUSE_FSYNC: reply(in, 0, NULL, 0); break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: break;
	default: reply(in, ENOSYS, NULL, 0);
	}
}

static inline void ended(int sig)
{
	(void)sig;
	umount2(mountpoint, MNT_DETACH);
}

/* 0, or the program's status. */
static inline int mount_at(const char *where)
{
	char options[100];

	mountpoint = where;
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	if (device < 0 || mount("minimal", mountpoint, "fuse.minimal", 0, options) < 0)
		return 1;
	signal(SIGTERM, ended);
	return 0;
}

/* 1; 0: none is there, of a device that does not wait; -1: the end. */
static inline int serve_one(const struct shown *shown)
{
	struct fuse_in_header *in = shown->room();
	ssize_t n;

	do
		n = read(device, in, HEADER + BUFFER);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	serve(shown, in);
	return 1;
}
