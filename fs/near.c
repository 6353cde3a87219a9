/*
 * The CPU of the one client, and which threads have moved there. A wrong guess costs some
 * time and nothing else, so the few variables are set without a lock.
 */
#include "fs/near.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/support/cleanup.h"
#include "backends/support/cpus.h"

#define LOOK_EVERY 64  /* requests of one client between two looks at where it runs */
#define LOOKS_OFF  128 /* not taken after it went away from us */

static atomic_uint client, run; /* who asked last, and how often in a row */
static atomic_int there = CPUS_ALL;
static atomic_uint off; /* looks that are not taken */
static _Thread_local int here = CPUS_ALL;

/* The CPU on which a thread runs, or ran last: field 39 of its stat, 37 behind the name,
 * which may hold anything. */
static int cpu_of(pid_t tid)
{
	char path[40], text[1024], *at;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);

	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return CPUS_ALL;
	text[n] = '\0';
	at = strrchr(text, ')');
	for (int i = 0; at && i < 37; i++)
		at = strchr(at + 1, ' ');
	return at ? atoi(at) : CPUS_ALL;
}

bool near_more_wait(struct fuse_session *se)
{
	struct pollfd p = { .fd = fuse_session_fd(se), .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

static void move(void)
{
	int cpu = atomic_load_explicit(&there, memory_order_relaxed);

	if (cpu != here && (cpus_use(cpu) || cpus_use(cpu = CPUS_ALL)))
		here = cpu;
}

void near_follow(void)
{
	if (cpus_many())
		move();
}

/*
 * On a machine with idle CPUs the kernel wakes the client on another one than ours, so
 * that following it is what keeps the two apart: where it does not stay it is left alone
 * for a while.
 */
static int where_to(struct fuse_session *se, pid_t pid)
{
	int was = atomic_load_explicit(&there, memory_order_relaxed), cpu;

	if (atomic_load(&off)) {
		atomic_fetch_sub(&off, 1);
		return CPUS_ALL;
	}
	if (near_more_wait(se)) /* it does not wait for each answer */
		return CPUS_ALL;
	cpu = cpu_of(pid);
	if (was == CPUS_ALL || was == cpu)
		return cpu;
	atomic_store(&off, LOOKS_OFF);
	return CPUS_ALL;
}

unsigned near_client(struct fuse_session *se, const struct fuse_buf *request)
{
	const struct fuse_in_header *in = request->mem;
	unsigned n = 0;

	if (!in->pid) /* the kernel itself, or another pid namespace */
		return atomic_load(&run);
	if (in->pid != atomic_load_explicit(&client, memory_order_relaxed)) {
		atomic_store(&client, in->pid);
		atomic_store(&run, 0);
		atomic_store(&there, CPUS_ALL);
	} else {
		n = atomic_fetch_add(&run, 1) + 1;
	}
	if (!cpus_many())
		return n;
	if (n % LOOK_EVERY == LOOK_EVERY - 1)
		atomic_store(&there, where_to(se, in->pid));
	move();
	return n;
}
