/* Mounting, the operations table, and the threads that serve it. */
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_log.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/support/clock.h"
#include "backends/support/cpus.h"
#include "backends/support/log.h"
#include "backends/support/run.h"
#include "fs/buffer.h"
#include "fs/crew.h"
#include "fs/fuse.h"
#include "fs/file.h"
#include "fs/fuse_compat.h"
#include "fs/io.h"
#include "fs/near.h"
#include "fs/ops.h"

#define THREAD_STACK (512u << 10)
#define READ_AHEAD   1024 /* KiB */
#define ONE_CLIENT   64 /* requests in a row */

static struct fuse_session *session;
static char *mountpoint;
static bool mounted;

static pthread_t threads[CREW_MAX];
static atomic_bool ended[CREW_MAX];
static atomic_bool stopping;

struct fuse_session *session_fuse(void)
{
	return session;
}

/* -- negotiation -- */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC |
				FUSE_CAP_ASYNC_DIO | FUSE_CAP_POSIX_LOCKS |
				FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_READDIRPLUS |
				FUSE_CAP_IOCTL_DIR | FUSE_CAP_AUTO_INVAL_DATA;

	if (!(conn->capable & FUSE_CAP_ATOMIC_O_TRUNC)) {
		log_error("this kernel opens and truncates in two steps, which would "
			  "lose data");
		kill(getpid(), SIGTERM);
	}
	conn->max_background = conn->congestion_threshold = 4096;
	conn->max_write = conn->max_readahead = IO_MAX;
	compat_init(conn, wanted);
}

static struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.link = op_link,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
	.open = op_open,
	.create = op_create,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.copy_file_range = op_copy_file_range,
	.poll = op_poll,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,
	.getlk = op_getlk,
	.setlk = op_setlk,
	.flock = op_flock,
};

static void add_xattr_ops(void)
{
	ops.setxattr = op_setxattr;
	ops.getxattr = op_getxattr;
	ops.listxattr = op_listxattr;
	ops.removexattr = op_removexattr;
}

/* -- mounting -- */

/* A comma or backslash in SOURCE would end the option. */
static int add_escaped(struct buf *b, const char *text)
{
	int ret = 0;

	for (; *text && ret == 0; text++) {
		if (*text == ',' || *text == '\\')
			ret = buf_putc(b, '\\');
		if (ret == 0)
			ret = buf_putc(b, *text);
	}
	return ret;
}

static int mount_options(const struct options *o, struct buf *b)
{
	bool other = o->allow_other || geteuid() == 0;

	if (buf_puts(b, "subtype=storagefs,default_permissions,fsname=") < 0 ||
	    add_escaped(b, o->source) < 0)
		return -ENOMEM;
	if ((other && buf_puts(b, ",allow_other") < 0) ||
	    (o->read_only && buf_puts(b, ",ro") < 0))
		return -ENOMEM;
	if (o->kernel.len && buf_printf(b, ",%s", o->kernel.data) < 0)
		return -ENOMEM;
	return 0;
}

static unsigned compat_wanted(const struct options *o)
{
	return (o->no_passthrough ? 0 : COMPAT_PASSTHROUGH) |
	       COMPAT_DIRECT_MMAP | COMPAT_PARALLEL_DIROPS |
	       (o->xattr ? COMPAT_HANDLE_KILLPRIV_2 : 0);
}

/* libfuse's own words: kept for the error, and logged. */
static char fuse_said[200];

static void on_fuse_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char text[sizeof(fuse_said)];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	if (mounted)
		log_warning("%s", text);
	else
		strcpy(fuse_said, text);
}

int session_mount(const struct options *o, struct error *err)
{
	AUTO_BUF struct buf opts = { 0 };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int ret;

	fuse_set_log_func(on_fuse_log);
	if (o->xattr)
		add_xattr_ops();
	mountpoint = strdup(o->mountpoint);
	if (!mountpoint || mount_options(o, &opts) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (fuse_opt_add_arg(&args, "storagefs") == 0 &&
	    fuse_opt_add_arg(&args, "-o") == 0 && fuse_opt_add_arg(&args, opts.data) == 0)
		session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	fuse_opt_free_args(&args);
	if (!session)
		return error_set(err, EINVAL,
				 "libfuse refuses the mount options '%s': %s", opts.data,
				 fuse_said);
	if (fuse_session_mount(session, mountpoint) < 0) {
		fuse_session_destroy(take(session));
		return error_set(err, EIO, "cannot mount on '%s': %s", mountpoint,
				 fuse_said[0] ? fuse_said : "fusermount3 says why");
	}
	mounted = true;
	fcntl(fuse_session_fd(session), F_SETFD, FD_CLOEXEC);
	ret = compat_attach(session, compat_wanted(o));
	return ret < 0 ? error_code(err, -ret, "cannot use /dev/fuse") : 0;
}

/* Larger reads ahead are worth 10 to 15 %; without the privilege it stays as it is. */
static void set_read_ahead(void)
{
	char path[80];
	struct statx st;
	FILE *f;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb",
		 st.stx_dev_major, st.stx_dev_minor);
	f = fopen(path, "we");
	if (!f)
		return;
	fprintf(f, "%d\n", READ_AHEAD);
	fclose(f);
}

/* -- threads -- */

static void *serve(void *arg);

static int start_thread(unsigned i)
{
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	ret = pthread_create(&threads[i], &attr, serve, &ended[i]);
	pthread_attr_destroy(&attr);
	return ret;
}

/* What such a client asks, and the kernel on its own, is answered without a wait. */
static bool is_quick_name(const struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_LOOKUP:
	case FUSE_GETATTR:
	case FUSE_SETATTR:
	case FUSE_MKNOD:
	case FUSE_CREATE:
	case FUSE_UNLINK:
	case FUSE_OPEN:
	case FUSE_FLUSH:
	case FUSE_OPENDIR:
	case FUSE_READDIRPLUS:
		return in->pid;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		return true;
	default:
		return false;
	}
}

/*
 * What is served before another thread could be woken for the next request: I/O that a
 * backend only takes; small reads of what lies in memory; and names and texts for a
 * client that asks for one after the other.
 */
static bool is_quick(const struct fuse_buf *request, unsigned in_a_row)
{
	const struct fuse_in_header *in = request->mem;
	const struct fuse_read_in *io = (const void *)(in + 1); /* of writes, too */
	bool one_client = in_a_row >= ONE_CLIENT;

	if (in->opcode != FUSE_READ && in->opcode != FUSE_WRITE)
		return one_client && is_quick_name(in);
	if (request->size < sizeof(*in) + sizeof(*io))
		return false;
	switch (file_data(io->fh)) {
	case FILE_TEXT:
		return one_client && in->opcode == FUSE_READ;
	case FILE_SUBMITTED:
		return true;
	case FILE_DIRECT:
		return io->size <= IO_SMALL;
	case FILE_CACHED:
		return in->opcode == FUSE_READ && io->size <= IO_SMALL;
	default:
		return false;
	}
}

static bool more_wait(void)
{
	return near_more_wait(session);
}

static void serve_request(struct fuse_buf *buf)
{
	unsigned in_a_row = near_client(session, buf);

	crew_begin(is_quick(buf, in_a_row));
	fuse_session_process_buf(session, buf);
	crew_done();
}

static void serve_requests(struct fuse_buf *buf)
{
	while (!fuse_session_exited(session)) {
		int n = fuse_session_receive_buf(session, buf);

		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0) {
			if (n < 0)
				log_error("cannot read from /dev/fuse: %s", strerror(-n));
			break;
		}
		serve_request(buf);
	}
}

static void *serve(void *arg)
{
	struct fuse_buf buf = { .mem = NULL };
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);
	cpus_use(CPUS_ALL);
	buffer_receive(&buf);
	serve_requests(&buf);
	buffer_receive_end(&buf);
	if (!atomic_load(&stopping)) /* unmounted by somebody else */
		kill(getpid(), SIGUSR2);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void woken(int sig)
{
}

int session_serve(struct error *err)
{
	struct sigaction wake = { .sa_handler = woken };
	int ret;

	sigaction(SIGUSR1, &wake, NULL);
	ret = crew_open(start_thread, more_wait, cpus_count() / 2);
	if (ret)
		return error_code(err, ret, "cannot start a thread");
	set_read_ahead();
	return 0;
}

/*
 * With the descriptor still open: closing it first, as libfuse does, would let a thread
 * that is about to read from it read from whatever gets its number next.
 */
void session_unmount(void)
{
	const char *const argv[] = { "fusermount3", "-u",	"-q", "-z",
				     "--",	    mountpoint, NULL };
	struct run run = { .argv = argv, .deadline_ns = clock_now() + 10 * NS_PER_S };
	struct error err = { 0 };

	if (umount2(mountpoint, MNT_DETACH) == 0 || errno != EPERM)
		return;
	if (run_tool(&run, &err) < 0)
		log_warning("cannot unmount '%s': %s", mountpoint, err.text);
}

/* A thread may be about to read when the signal comes, so it comes again. */
static bool join(unsigned i, uint64_t deadline)
{
	while (!atomic_load(&ended[i])) {
		struct timespec tick = { .tv_nsec = 10 * NS_PER_MS };

		if (deadline_passed(deadline))
			return false;
		pthread_kill(threads[i], SIGUSR1);
		nanosleep(&tick, NULL);
	}
	pthread_join(threads[i], NULL);
	return true;
}

bool session_stop(unsigned timeout_ms)
{
	uint64_t deadline = clock_now() + timeout_ms * NS_PER_MS;
	unsigned n;

	atomic_store(&stopping, true);
	fuse_session_exit(session);
	n = crew_close();
	for (unsigned i = 0; i < n; i++)
		if (!join(i, deadline))
			return false;
	return true;
}

/*
 * libfuse unmounts by path, unless it sees that the connection is dead: by now somebody
 * else may have mounted there. A pipe without a reader in place of the device looks dead
 * enough.
 */
void session_close(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == 0) {
		close(fds[0]);
		dup3(fds[1], fuse_session_fd(session), O_CLOEXEC);
		close(fds[1]);
		fuse_session_unmount(session);
	}
	fuse_session_destroy(take(session));
	free(take(mountpoint));
}
