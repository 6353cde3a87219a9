/* A directory as a pool: which names are volumes, and what each call does to them and to
 * nothing else. */
#include "tests/unit/dir_pool.h"

#include <pthread.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "backends/support/clock.h"

static char name_255[256];

static const char *const legal[] = {
	"a", "x.xml", " blank ", "new\nline", "\xff\xfe not utf-8", ".hidden", "-rf",
	"*", "a:b",   "%s%n",	 name_255,
};

static const char *const illegal[] = {
	"", ".", "..", "a/b", "/etc/passwd", "../x", "a/"
};

/* Entries that no call may show, follow or open. */
static const char *const others[] = {
	"dir",	 "fifo",   "socket",  "device",	  "to-outside", "to-absolute",
	"to-up", "to-dir", "to-fifo", "dangling", "loop",	"to-proc",
};

static void make_others(struct dir_pool *p)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", p->path);
	assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof(address)), 0);
	close(s);
	assert_int_equal(mkdirat(p->fd, "dir", 0700), 0);
	assert_int_equal(mkfifoat(p->fd, "fifo", 0600), 0);
	if (mknodat(p->fd, "device", S_IFCHR | 0600, makedev(1, 3)) < 0)
		assert_int_equal(mkfifoat(p->fd, "device", 0600), 0);
	symlinkat("/etc/passwd", p->fd, "to-absolute");
	symlinkat("dir/../../outside", p->fd, "to-outside");
	symlinkat("..", p->fd, "to-up");
	symlinkat("dir", p->fd, "to-dir");
	symlinkat("fifo", p->fd, "to-fifo");
	symlinkat("nowhere", p->fd, "dangling");
	symlinkat("loop", p->fd, "loop");
	symlinkat("/proc/self/exe", p->fd, "to-proc");
}

static void any_legal_name_is_a_volume(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = VOLUME_SPEC_INIT;
	struct vol_stat st;

	memset(name_255, 'n', 255);
	for (size_t i = 0; i < sizeof(legal) / sizeof(*legal); i++) {
		assert_ok(p, BE->vol_create(p->pool, legal[i], &spec, &p->call, &p->err));
		assert_fails(p, EEXIST, "cannot create",
			     BE->vol_create(p->pool, legal[i], &spec, &p->call, &p->err));
		assert_true(is_listed(p, legal[i]));
		assert_ok(p, BE->vol_stat(p->pool, legal[i], &st, &p->call, &p->err));
		assert_int_equal(st.size, 0);
		assert_true(st.ident != 0 && st.has_owner && st.has_times);
		assert_int_equal(st.mode, 0640);
		assert_ok(p, BE->vol_rename(p->pool, legal[i], "moved", 0, &p->call,
					    &p->err));
		assert_false(is_listed(p, legal[i]));
		assert_ok(p, BE->vol_delete(p->pool, "moved", &p->call, &p->err));
	}
	assert_int_equal(count_entries(p), 0);
}

static void other_names_are_refused(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = VOLUME_SPEC_INIT;
	struct vol_attr attr = { .mask = VOL_MODE, .mode = 0777 };
	struct vol_file file;
	struct vol_stat st;
	char long_name[300];

	put_file(p, "v", "");
	for (size_t i = 0; i < sizeof(illegal) / sizeof(*illegal); i++) {
		const char *n = illegal[i];

		assert_fails(p, EINVAL, "name",
			     BE->vol_create(p->pool, n, &spec, &p->call, &p->err));
		assert_fails(p, EINVAL, "name",
			     BE->vol_stat(p->pool, n, &st, &p->call, &p->err));
		assert_fails(p, EINVAL, "name",
			     BE->vol_open(p->pool, n, NULL, O_RDONLY, &file, &p->call,
					  &p->err));
		assert_fails(p, EINVAL, "name",
			     BE->vol_delete(p->pool, n, &p->call, &p->err));
		assert_fails(p, EINVAL, "name",
			     BE->vol_rename(p->pool, n, "w", 0, &p->call, &p->err));
		assert_fails(p, EINVAL, "name",
			     BE->vol_rename(p->pool, "v", n, 0, &p->call, &p->err));
		assert_fails(p, EINVAL, "name",
			     BE->vol_setattr(p->pool, n, &attr, &p->call, &p->err));
		assert_fails(p, EINVAL, "name",
			     BE->vol_resize(p->pool, n, 0, 0, &p->call, &p->err));
	}
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_fails(p, ENAMETOOLONG, "255",
		     BE->vol_create(p->pool, long_name, &spec, &p->call, &p->err));
}

static void what_is_no_file_is_not_there(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = VOLUME_SPEC_INIT, out = VOLUME_SPEC_INIT;
	struct vol_attr attr = { .mask = VOL_MODE, .mode = 0777 };
	struct vol_file file;
	struct vol_stat st;

	make_others(p);
	put_file(p, "v", "data");
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		const char *n = others[i];

		assert_false(is_listed(p, n));
		assert_fails(p, ENOENT, n,
			     BE->vol_stat(p->pool, n, &st, &p->call, &p->err));
		assert_fails(
			p, ENOENT, n,
			BE->vol_open(p->pool, n, NULL, O_RDWR, &file, &p->call, &p->err));
		assert_fails(p, ENOENT, n,
			     BE->vol_describe(p->pool, n, &out, &p->call, &p->err));
		assert_fails(p, ENOENT, n, BE->vol_delete(p->pool, n, &p->call, &p->err));
		assert_fails(p, ENOENT, n,
			     BE->vol_rename(p->pool, n, "w", 0, &p->call, &p->err));
		assert_fails(p, EEXIST, n,
			     BE->vol_rename(p->pool, "v", n, 0, &p->call, &p->err));
		assert_fails(p, ENOENT, n,
			     BE->vol_setattr(p->pool, n, &attr, &p->call, &p->err));
		assert_fails(p, ENOENT, n,
			     BE->vol_resize(p->pool, n, 0, 0, &p->call, &p->err));
		assert_fails(p, ENOENT, n,
			     BE->vol_wipe(p->pool, n, "zero", &p->call, &p->err));
		assert_fails(p, EEXIST, n,
			     BE->vol_create(p->pool, n, &spec, &p->call, &p->err));
		assert_int_equal(faccessat(p->fd, n, F_OK, AT_SYMLINK_NOFOLLOW), 0);
	}
	assert_true(is_listed(p, "v"));
}

static void links_inside_are_volumes(void **state)
{
	struct dir_pool *p = *state;
	struct vol_attr attr = { .mask = VOL_MODE, .mode = 0604 };
	struct volume_spec out = VOLUME_SPEC_INIT;
	struct vol_stat st;
	char absolute[128];

	put_file(p, "real", "12345");
	symlinkat("real", p->fd, "link");
	snprintf(absolute, sizeof(absolute), "%s/real", p->path);
	symlinkat(absolute, p->fd, "whole");
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "whole" : "link";

		assert_true(is_listed(p, name));
		assert_ok(p, BE->vol_stat(p->pool, name, &st, &p->call, &p->err));
		assert_int_equal(st.size, 5);
		assert_ok(p, BE->vol_describe(p->pool, name, &out, &p->call, &p->err));
		assert_int_equal(out.capacity, 5);
		volume_spec_clear(&out);
	}
	assert_ok(p, BE->vol_setattr(p->pool, "link", &attr, &p->call, &p->err));
	assert_ok(p, BE->vol_stat(p->pool, "real", &st, &p->call, &p->err));
	assert_int_equal(st.mode, 0604);
	assert_ok(p, BE->vol_delete(p->pool, "link", &p->call, &p->err));
	assert_true(is_listed(p, "real"));
}

struct swapper {
	struct dir_pool *p;
	atomic_bool end;
};

/* Gives one name to a file, a FIFO, a device and a link out, by turns. */
static void *swap(void *arg)
{
	static const char *const by[] = { "file", "fifo", "device", "to-absolute",
					  "to-up" };
	struct swapper *s = arg;

	for (unsigned i = 0; !atomic_load(&s->end); i++) {
		linkat(s->p->fd, by[i % 5], s->p->fd, "next", 0);
		renameat(s->p->fd, "next", s->p->fd, "target");
	}
	return NULL;
}

static void a_race_opens_nothing_but_the_file(void **state)
{
	struct dir_pool *p = *state;
	struct swapper s = { .p = p };
	uint64_t end = clock_now() + NS_PER_S / 2;
	unsigned opened = 0;
	pthread_t thread;

	make_others(p);
	put_file(p, "file", "the file");
	put_file(p, "target", "the file");
	pthread_create(&thread, NULL, swap, &s);
	while (clock_now() < end || !opened) {
		struct vol_file file;
		struct stat st;
		char text[16] = "";
		int r = BE->vol_open(p->pool, "target", NULL, O_RDWR, &file, &p->call,
				     &p->err);

		if (r < 0) {
			assert_int_equal(r, -ENOENT);
			continue;
		}
		opened++;
		assert_int_equal(fstat(file.fd, &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_true(read(file.fd, text, 8) == 8 && !strcmp(text, "the file"));
		BE->vol_close(p->pool, &file);
	}
	atomic_store(&s.end, true);
	pthread_join(thread, NULL);
	assert_true(opened > 0);
}

static void opening_reads_writes_and_truncates(void **state)
{
	struct dir_pool *p = *state;
	struct vol_file file;
	struct vol_stat st;

	put_file(p, "v", "12345678");
	assert_ok(p, BE->vol_open(p->pool, "v", NULL, O_RDWR, &file, &p->call, &p->err));
	assert_true(file.fd >= 0 && file.regular);
	assert_true(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pwrite(file.fd, "abc", 3, 0), 3);
	assert_ok(p, BE->vol_fstat(p->pool, &file, &st, &p->call, &p->err));
	assert_int_equal(st.size, 8);
	assert_ok(p, BE->vol_delete(p->pool, "v", &p->call, &p->err));
	assert_ok(p, BE->vol_fstat(p->pool, &file, &st, &p->call, &p->err));
	BE->vol_close(p->pool, &file);
	put_file(p, "v", "12345678");
	assert_ok(p, BE->vol_open(p->pool, "v", NULL, O_WRONLY | O_TRUNC, &file, &p->call,
				  &p->err));
	BE->vol_close(p->pool, &file);
	assert_ok(p, BE->vol_stat(p->pool, "v", &st, &p->call, &p->err));
	assert_int_equal(st.size, 0);
	assert_fails(p, EOPNOTSUPP, "snapshot",
		     BE->vol_open(p->pool, "v", "s", O_RDONLY, &file, &p->call, &p->err));
}

static void renaming_replaces_or_does_not(void **state)
{
	struct dir_pool *p = *state;
	struct vol_stat a, b, st;

	put_file(p, "a", "a");
	put_file(p, "b", "bb");
	BE->vol_stat(p->pool, "a", &a, &p->call, &p->err);
	BE->vol_stat(p->pool, "b", &b, &p->call, &p->err);
	assert_true(a.ident != b.ident);
	assert_fails(p, EEXIST, "'b'",
		     BE->vol_rename(p->pool, "a", "b", RENAME_VOL_NOREPLACE, &p->call,
				    &p->err));
	assert_fails(p, ENOENT, "'c'",
		     BE->vol_rename(p->pool, "a", "c", RENAME_VOL_EXCHANGE, &p->call,
				    &p->err));
	assert_ok(p, BE->vol_rename(p->pool, "a", "b", RENAME_VOL_EXCHANGE, &p->call,
				    &p->err));
	BE->vol_stat(p->pool, "b", &st, &p->call, &p->err);
	assert_int_equal(st.ident, a.ident);
	assert_ok(p, BE->vol_rename(p->pool, "b", "c", RENAME_VOL_NOREPLACE, &p->call,
				    &p->err));
	assert_ok(p, BE->vol_rename(p->pool, "a", "c", 0, &p->call, &p->err));
	BE->vol_stat(p->pool, "c", &st, &p->call, &p->err);
	assert_int_equal(st.ident, b.ident);
	assert_int_equal(count_entries(p), 1);
	assert_fails(p, ENOENT, "'a'",
		     BE->vol_rename(p->pool, "a", "d", 0, &p->call, &p->err));
}

static void attributes_are_the_files(void **state)
{
	struct dir_pool *p = *state;
	struct vol_attr a = { .mask = VOL_MODE | VOL_ATIME | VOL_MTIME,
			      .mode = 0604,
			      .atime = { 1000, 5 },
			      .mtime = { 2000, 7 } };
	struct vol_stat st;

	put_file(p, "v", "");
	if (!geteuid()) {
		a.mask |= VOL_UID | VOL_GID;
		a.uid = 1234;
		a.gid = 4321;
	}
	assert_ok(p, BE->vol_setattr(p->pool, "v", &a, &p->call, &p->err));
	assert_ok(p, BE->vol_stat(p->pool, "v", &st, &p->call, &p->err));
	assert_int_equal(st.mode, 0604);
	assert_int_equal(st.atime.tv_sec, 1000);
	assert_int_equal(st.mtime.tv_nsec, 7);
	if (!geteuid()) {
		assert_int_equal(st.uid, 1234);
		assert_int_equal(st.gid, 4321);
	}
	a = (struct vol_attr){ .mask = VOL_MTIME, .mtime = { .tv_nsec = UTIME_NOW } };
	assert_ok(p, BE->vol_setattr(p->pool, "v", &a, &p->call, &p->err));
	assert_ok(p, BE->vol_stat(p->pool, "v", &st, &p->call, &p->err));
	assert_int_equal(st.atime.tv_sec, 1000);
	assert_true(st.mtime.tv_sec > 2000);
}

static void a_removed_directory_is_no_empty_pool(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = VOLUME_SPEC_INIT;
	struct names names = { 0 };
	struct pool_stat stat = { .permissions = PERMISSIONS_UNSET };
	struct vol_stat st;

	assert_int_equal(rmdir(p->path), 0);
	assert_fails(p, EIO, "was removed",
		     BE->list(p->pool, note_name, &names, &p->call, &p->err));
	assert_fails(p, EIO, "was removed",
		     BE->pool_stat(p->pool, &stat, &p->call, &p->err));
	assert_fails(p, EIO, "was removed",
		     BE->vol_stat(p->pool, "v", &st, &p->call, &p->err));
	assert_fails(p, EIO, "was removed",
		     BE->vol_create(p->pool, "v", &spec, &p->call, &p->err));
	spec.has_capacity = true;
	spec.capacity = 1000;
	assert_fails(p, EIO, "was removed",
		     BE->vol_create(p->pool, "v", &spec, &p->call, &p->err));
	assert_fails(p, ENOENT, "echo build", BE->refresh(p->pool, &p->call, &p->err));
	/* made again: refresh takes it */
	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_ok(p, BE->refresh(p->pool, &p->call, &p->err));
	assert_ok(p, BE->vol_create(p->pool, "v", &spec, &p->call, &p->err));
	assert_ok(p, BE->list(p->pool, note_name, &names, &p->call, &p->err));
	assert_int_equal(names.n, 1);
	close(p->fd);
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY);
}

static void many_volumes_are_listed_fast(void **state)
{
	struct dir_pool *p = *state;
	struct names names = { 0 };
	struct timespec begin, end; /* of CPU: others may hold up this thread */

	for (int i = 0; i < 10000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "volume-%d", i);
		assert_int_equal(mknodat(p->fd, name, S_IFREG | 0600, 0), 0);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	assert_ok(p, BE->list(p->pool, note_name, &names, &p->call, &p->err));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	assert_int_equal(names.n, 10000);
	assert_true(end.tv_sec - begin.tv_sec <= 1);
}

static int refuse_second(void *arg, const char *name)
{
	return ++*(int *)arg == 2 ? -ENOBUFS : 0;
}

static void a_listing_stops_when_told(void **state)
{
	struct dir_pool *p = *state;
	atomic_bool cancelled = true;
	struct names names = { 0 };
	int seen = 0;

	for (char n = 'a'; n < 'f'; n++)
		put_file(p, (char[]){ n, 0 }, "");
	assert_int_equal(BE->list(p->pool, refuse_second, &seen, &p->call, &p->err),
			 -ENOBUFS);
	assert_int_equal(seen, 2);
	p->call.deadline_ns = clock_now() - 1;
	for (int i = 0; i < 1100; i++) {
		char name[32];

		snprintf(name, sizeof(name), "v%d", i);
		put_file(p, name, "");
	}
	assert_fails(p, ETIMEDOUT, "in time",
		     BE->list(p->pool, note_name, &names, &p->call, &p->err));
	p->call = (struct call){ .cancelled = &cancelled };
	assert_fails(p, EINTR, "cancelled",
		     BE->list(p->pool, note_name, &names, &p->call, &p->err));
	p->call = (struct call){ 0 };
}

static void copies_stay_inside(void **state)
{
	struct dir_pool *p = *state;
	struct vol_file from, to;
	char text[16] = "";
	ssize_t n;

	put_file(p, "from", "0123456789");
	put_file(p, "to", "");
	assert_ok(p, BE->vol_open(p->pool, "from", NULL, O_RDONLY, &from, &p->call,
				  &p->err));
	assert_ok(p, BE->vol_open(p->pool, "to", NULL, O_RDWR, &to, &p->call, &p->err));
	n = BE->vol_copy(&from, 2, &to, 1, 100, &p->call, &p->err);
	if (n != -EOPNOTSUPP) {
		assert_int_equal(n, 8);
		assert_int_equal(pread(to.fd, text, sizeof(text), 0), 9);
		assert_memory_equal(text,
				    "\0"
				    "23456789",
				    9);
	}
	assert_int_equal(BE->vol_copy(&from, 10, &to, 0, 5, &p->call, &p->err), 0);
	assert_int_equal(BE->vol_copy(&from, 0, &to, 0, 0, &p->call, &p->err), 0);
	BE->vol_close(p->pool, &from);
	BE->vol_close(p->pool, &to);
}

static void sizes_are_statvfs_as_libvirt_counts(void **state)
{
	struct dir_pool *p = *state;
	struct pool_stat s = { .permissions = PERMISSIONS_UNSET };
	struct statvfs fs;

	assert_ok(p, BE->pool_stat(p->pool, &s, &p->call, &p->err));
	assert_int_equal(statvfs(p->path, &fs), 0);
	assert_int_equal(s.capacity, fs.f_frsize * fs.f_blocks);
	assert_int_equal(s.capacity, s.allocation + s.available);
	assert_int_equal(s.permissions.mode, 0700);
	permissions_clear(&s.permissions);
	fchmod(p->fd, 01777);
	assert_ok(p, BE->pool_stat(p->pool, &s, &p->call, &p->err));
	assert_int_equal(s.permissions.mode, 01777);
	assert_int_equal(s.permissions.owner, geteuid());
	permissions_clear(&s.permissions);
	assert_true(BE->local(p->pool));
}

/* In a child with a tiny filesystem of its own: exit status 0 says that all went well. */
static int fill_tiny(struct dir_pool *p)
{
	struct volume_spec spec = VOLUME_SPEC_INIT;
	void *pool;
	struct names names = { 0 };
	struct stat st;
	int r;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tiny", p->path, "tmpfs", 0, "size=1M,nr_inodes=10") < 0)
		return 77;
	if (BE->start(&p->spec, &p->host, &p->call, &pool, &p->err) < 0)
		return 1;
	spec.has_capacity = spec.has_allocation = true;
	spec.capacity = spec.allocation = 4 << 20;
	r = BE->vol_create(pool, "v", &spec, &p->call, &p->err);
	if (r != -ENOSPC || !strstr(p->err.text, "cannot create volume 'v'"))
		return 2;
	spec.allocation = 0;
	if (BE->vol_create(pool, "sparse", &spec, &p->call, &p->err) < 0)
		return 3;
	BE->list(pool, note_name, &names, &p->call, &p->err);
	if (strcmp(names.all, "sparse|"))
		return 4;
	spec.format = "qcow2";
	spec.capacity = UINT64_C(1) << 50;
	r = BE->vol_create(pool, "image", &spec, &p->call, &p->err);
	if (r < 0 && r != -ENOSPC && r != -EOPNOTSUPP)
		return 5;
	if (stat(p->path, &st) < 0 || st.st_nlink != 2)
		return 6;
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		spec = (struct volume_spec)VOLUME_SPEC_INIT;
		r = BE->vol_create(pool, name, &spec, &p->call, &p->err);
		if (r < 0)
			return r == -ENOSPC ? 0 : 7;
	}
	return 8;
}

static void a_full_filesystem_leaves_nothing(void **state)
{
	struct dir_pool *p = *state;
	int status;
	pid_t child;

	if (geteuid()) {
		print_message("needs root: skipped\n");
		skip();
	}
	child = fork();
	if (!child)
		_exit(fill_tiny(p));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* No openat2, no flags of renameat2, no O_TMPFILE: an old kernel, a container, NFS. */
static bool forget_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* In a child; 0: all went well. */
static int use_old_kernel(struct dir_pool *p)
{
	struct volume_spec spec = VOLUME_SPEC_INIT;
	struct names names = { 0 };
	struct vol_stat st;

	if (!forget_calls())
		return 77;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (BE->vol_stat(p->pool, others[i], &st, &p->call, &p->err) != -ENOENT)
			return 100 + i;
	if (BE->vol_stat(p->pool, "link", &st, &p->call, &p->err) < 0 || st.size != 4 ||
	    BE->vol_stat(p->pool, "whole", &st, &p->call, &p->err) < 0)
		return 1;
	spec.has_capacity = true;
	spec.capacity = 1 << 20;
	if (BE->vol_create(p->pool, "new", &spec, &p->call, &p->err) < 0)
		return 2;
	if (BE->vol_create(p->pool, "new", &spec, &p->call, &p->err) != -EEXIST)
		return 3;
	if (BE->vol_rename(p->pool, "new", "newer", 0, &p->call, &p->err) < 0)
		return 4;
	if (BE->vol_rename(p->pool, "newer", "v", RENAME_VOL_NOREPLACE, &p->call,
			   &p->err) != -EEXIST)
		return 5;
	if (BE->vol_rename(p->pool, "newer", "v", RENAME_VOL_EXCHANGE, &p->call,
			   &p->err) != -EOPNOTSUPP)
		return 6;
	if (BE->vol_rename(p->pool, "newer", "v", 0, &p->call, &p->err) < 0)
		return 7;
	if (BE->list(p->pool, note_name, &names, &p->call, &p->err) < 0 || names.n != 3)
		return 8;
	return 0;
}

static void an_old_kernel_does(void **state)
{
	struct dir_pool *p = *state;
	char whole[128];
	int status;
	pid_t child;

	make_others(p);
	put_file(p, "v", "data");
	symlinkat("v", p->fd, "link");
	snprintf(whole, sizeof(whole), "%s/link", p->path);
	symlinkat(whole, p->fd, "whole");
	child = fork();
	if (!child)
		_exit(use_old_kernel(p));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_pool_setup, dir_pool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_legal_name_is_a_volume),
		TEST(other_names_are_refused),
		TEST(what_is_no_file_is_not_there),
		TEST(links_inside_are_volumes),
		TEST(a_race_opens_nothing_but_the_file),
		TEST(opening_reads_writes_and_truncates),
		TEST(renaming_replaces_or_does_not),
		TEST(attributes_are_the_files),
		TEST(a_removed_directory_is_no_empty_pool),
		TEST(many_volumes_are_listed_fast),
		TEST(a_listing_stops_when_told),
		TEST(copies_stay_inside),
		TEST(sizes_are_statvfs_as_libvirt_counts),
		TEST(an_old_kernel_does),
		TEST(a_full_filesystem_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
