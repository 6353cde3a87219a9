/*
 * The kernel's asynchronous I/O: one context, made when it is first used, and the thread
 * that takes what has ended.
 *
 * RWF_NOWAIT: else a device that hangs would take what it has room for, and then hold
 * whoever submits.
 */
#include "fs/aio.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backends/support/thread.h"
#include "fs/near.h"

#define UNDER_WAY 1024
#define AT_ONCE	  32

static pthread_once_t once = PTHREAD_ONCE_INIT;
static aio_context_t context; /* 0: there is none */

static void take_event(const struct io_event *e)
{
	struct aio *a = (struct aio *)(uintptr_t)e->data;

	atomic_load_explicit(&a->done, memory_order_acquire)(a, e->res);
}

static void *take_events(void *unused)
{
	struct io_event events[AT_ONCE];

	for (;;) {
		long n = syscall(SYS_io_getevents, context, 1, AT_ONCE, events, NULL);

		if (n < 0 && errno != EINTR)
			return unused;
		for (long i = 0; i < n; i++)
			take_event(&events[i]);
		near_follow();
	}
}

/* Not having it, as where too many others have theirs, costs time alone. */
static void begin(void)
{
	if (syscall(SYS_io_setup, UNDER_WAY, &context) < 0) {
		context = 0;
	} else if (thread_start(NULL, "direct", take_events, NULL) < 0) {
		syscall(SYS_io_destroy, context);
		context = 0;
	}
}

int aio_submit(struct aio *a, void (*done)(struct aio *a, ssize_t result), int fd,
	       bool write, int how, void *bytes, size_t size, off_t off)
{
	struct iocb one = {
		.aio_data = (uintptr_t)a,
		.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)bytes,
		.aio_nbytes = size,
		.aio_offset = off,
		.aio_rw_flags = RWF_NOWAIT | how,
	};
	struct iocb *list[] = { &one };

	pthread_once(&once, begin);
	if (!context)
		return -ENOSYS;
	atomic_store_explicit(&a->done, done, memory_order_release);
	return syscall(SYS_io_submit, context, 1, list) == 1 ? 0 : -errno;
}
