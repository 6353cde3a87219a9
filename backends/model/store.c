/* SOURCE: its lock, and files that are read whole and replaced atomically. */
#include "backends/model/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "backends/support/clock.h"
#include "backends/support/map.h"
#include "backends/support/process.h"

#define LOCK_FILE ".lock"
#define DEATH_NS  (10 * NS_PER_S)
#define LOOK_MS	  20
#define NEW_FILE  ".new-" /* and a hash of the name */
#define DIGITS	  16

static struct {
	int dir, lock;
	atomic_bool read_only;
	char source[PATH_MAX];
} store = { .dir = -1, .lock = -1 };

/* -- SOURCE itself -- */

static int sync_directory(int dir, const char *path, struct error *err)
{
	if (fsync(dir) < 0 && errno != EINVAL) /* not every filesystem can */
		return error_errno(err, "cannot write the directory of '%s/%s' to disk",
				   store.source, path);
	return 0;
}

/* What is stored in a directory must not go with it. */
static int sync_parent(const char *path, struct error *err)
{
	char parent[PATH_MAX + 4];

	snprintf(parent, sizeof(parent), "%s/..", path);

	AUTO_FD int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		return error_errno(err, "cannot write '%s' to disk", parent);
	return 0;
}

static int make_directories(const char *path, struct error *err)
{
	char part[PATH_MAX];
	int r = 0;

	if (snprintf(part, sizeof(part), "%s/", path) >= (int)sizeof(part))
		return error_code(err, ENAMETOOLONG, "cannot make the directory '%s'",
				  path);
	for (char *slash = strchr(part + 1, '/'); slash && !r;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) == 0)
			r = sync_parent(part, err);
		else if (errno != EEXIST)
			r = error_errno(err, "cannot make the directory '%s'", part);
		*slash = '/';
	}
	return r;
}

static pid_t read_owner(int fd)
{
	char pid[24] = "";
	ssize_t n = fd < 0 ? -1 : pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	return atoi(pid);
}

pid_t store_owner(const char *source)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/" LOCK_FILE, source) >= (int)sizeof(path))
		return 0;

	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return read_owner(fd);
}

static int refuse_locked(int fd, struct error *err)
{
	char pid[24] = "not known";
	pid_t owner = read_owner(fd);

	if (owner)
		snprintf(pid, sizeof(pid), "%d", (int)owner);
	return error_set(err, EBUSY,
			 "'%s' is in use by another storagefs (pid %s): unmount that one "
			 "first, or "
			 "mount with -o ro",
			 store.source, pid);
}

static void sweep(void);

static int lock_file(int fd)
{
	uint64_t until = clock_now() + DEATH_NS;
	int r;

	while ((r = flock(fd, LOCK_EX | LOCK_NB)) < 0 && errno == EWOULDBLOCK &&
	       process_is_dead(read_owner(fd)) && !deadline_passed(until))
		poll(NULL, 0, LOOK_MS);
	return r;
}

static int take_lock(struct error *err)
{
	AUTO_FD int fd = openat(store.dir, LOCK_FILE,
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char pid[24];
	int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());

	if (fd < 0)
		return error_errno(err,
				   "cannot lock '%s' (mount with -o ro to only look)",
				   store.source);
	if (lock_file(fd) < 0)
		return errno == EWOULDBLOCK ? refuse_locked(fd, err) :
					      error_errno(err, "cannot lock '%s/%s'",
							  store.source, LOCK_FILE);
	/* the pid is for others' messages, and for who clears a dead mount away: a full
	 * disk does not matter here */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, len, 0) < 0)
		errno = 0;
	store.lock = take_fd(&fd);
	sweep();
	return 0;
}

int store_open(const char *source, bool read_only, struct error *err)
{
	snprintf(store.source, sizeof(store.source), "%s", source);
	if (!read_only && access(source, F_OK) < 0 && make_directories(source, err) < 0)
		return -err->code;
	store.dir = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store.dir < 0)
		return error_errno(err,
				   "cannot open '%s', the directory of the definitions",
				   source);
	atomic_store(&store.read_only, read_only);

	int r = read_only ? 0 : take_lock(err);

	if (r < 0)
		store_close();
	return r;
}

void store_close(void)
{
	if (store.lock >= 0)
		close(take_fd(&store.lock));
	if (store.dir >= 0)
		close(take_fd(&store.dir));
}

int store_set_read_only(bool read_only, struct error *err)
{
	if (read_only == atomic_load(&store.read_only))
		return 0;
	if (!read_only) {
		int r = take_lock(err);

		if (r < 0)
			return r;
	}
	atomic_store(&store.read_only, read_only);
	if (read_only)
		close(take_fd(&store.lock));
	return 0;
}

bool store_read_only(void)
{
	return atomic_load(&store.read_only);
}

const char *store_source(void)
{
	return store.source;
}

/* -- files -- */

static int check_writable(const char *path, struct error *err)
{
	if (!store_read_only())
		return 0;
	return error_set(err, EROFS, "cannot change '%s/%s': mounted read-only",
			 store.source, path);
}

/* A subdirectory of SOURCE: what is then stored in it must not go with it. */
static int make_subdirectory(const char *dir, struct error *err)
{
	if (mkdirat(store.dir, dir, 0700) == 0)
		return sync_directory(store.dir, dir, err);
	return errno == EEXIST ? 0 :
				 error_errno(err, "cannot make '%s/%s'", store.source, dir);
}

/* The directory of a path, and the name in it. */
static int open_parent(const char *path, bool make, const char **name, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	int fd, r = 0;

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	*name = slash ? slash + 1 : path;
	if (slash && make)
		r = make_subdirectory(dir, err);
	if (r < 0)
		return r;
	fd = openat(store.dir, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "cannot open '%s/%s'", store.source, dir) : fd;
}

static void new_name(char out[64], const char *name)
{
	snprintf(out, 64, NEW_FILE "%0*llx", DIGITS,
		 (unsigned long long)hash_string(name, 0));
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

/* What takes a name's place: a file, or a symbolic link to target. */
struct content {
	const void *data;
	size_t len;
	mode_t mode;
	const char *target;
};

static int make_file(int dir, const char *name, const struct content *c)
{
	AUTO_FD int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		       c->mode);
	int r;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, c->mode) < 0) /* one that a failure left may have another mode */
		return -errno;
	r = write_all(fd, c->data, c->len);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

static int make_link(int dir, const char *name, const struct content *c)
{
	unlinkat(dir, name, 0); /* what a failure left */
	return symlinkat(c->target, dir, name) < 0 ? -errno : 0;
}

/* What the name had before its change is on disk. */
enum before { NOTHING, BESIDE, LOST };

/* The old one takes the place of the new one, until that is on disk. */
static int put_in_place(int dir, const char *new, const char *name, enum before *before)
{
	struct stat st;

	*before = NOTHING;
	if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
		*before = BESIDE;
		if (!S_ISDIR(st.st_mode) &&
		    !renameat2(dir, new, dir, name, RENAME_EXCHANGE))
			return 0;
		*before = LOST; /* not every filesystem can exchange */
	}
	return renameat(dir, new, dir, name) < 0 ? -errno : 0;
}

static void put_back(int dir, const char *new, const char *name, enum before before)
{
	if (before == BESIDE)
		renameat(dir, new, dir, name);
	else if (before == NOTHING)
		unlinkat(dir, name, 0);
}

/* Makes the new one beside the one that it then replaces. */
static int replace(const char *path, const struct content *c, struct error *err)
{
	enum before before = NOTHING;
	const char *name;
	char new[64];
	int r = check_writable(path, err);

	if (r < 0)
		return r;

	AUTO_FD int dir = open_parent(path, true, &name, err);

	if (dir < 0)
		return dir;
	new_name(new, name);
	r = c->target ? make_link(dir, new, c) : make_file(dir, new, c);
	if (!r)
		r = put_in_place(dir, new, name, &before);
	if (r < 0) {
		unlinkat(dir, new, 0);
		return error_code(err, -r, "cannot write '%s/%s'", store.source, path);
	}
	r = sync_directory(dir, path, err);
	if (r < 0)
		put_back(dir, new, name, before);
	else if (before == BESIDE)
		unlinkat(dir, new, 0);
	return r;
}

int store_file(const char *path, const void *data, size_t len, mode_t mode,
	       struct error *err)
{
	return replace(path, &(struct content){ .data = data, .len = len, .mode = mode },
		       err);
}

int store_link(const char *path, const char *target, struct error *err)
{
	return replace(path, &(struct content){ .target = target }, err);
}

int store_read(const char *path, size_t limit, struct buf *out, struct error *err)
{
	AUTO_FD int fd = openat(store.dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t had = out->len;
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "cannot read '%s/%s'", store.source, path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "'%s/%s' is not a regular file",
				 store.source, path);
	if ((uint64_t)st.st_size > limit)
		return error_set(err, EFBIG, "'%s/%s' is larger than %zu bytes",
				 store.source, path, limit);
	if (buf_reserve(out, st.st_size + 1) < 0)
		return error_code(err, ENOMEM, "cannot read '%s/%s'", store.source, path);
	/* one more than the size: the file is exactly that long, or has grown meanwhile
	 */
	for (size_t room = st.st_size + 1; room; room -= n) {
		n = read(fd, out->data + out->len, room);
		if (n <= 0)
			break;
		out->len += n;
	}
	out->data[out->len] = '\0';
	if (n >= 0)
		return 0;
	n = error_errno(err, "cannot read '%s/%s'", store.source, path);
	out->len = had;
	out->data[had] = '\0';
	return n;
}

int store_remove(const char *path, struct error *err)
{
	const char *name;
	int r = check_writable(path, err);

	if (r < 0)
		return r;

	AUTO_FD int dir = open_parent(path, false, &name, err);

	if (dir < 0)
		return dir;
	if (unlinkat(dir, name, 0) < 0)
		return error_errno(err, "cannot remove '%s/%s'", store.source, path);
	return sync_directory(dir, path, err);
}

int store_rename(const char *from, const char *to, bool no_replace, struct error *err)
{
	const char *name, *to_name = strrchr(to, '/');
	int r = check_writable(from, err);

	if (r < 0)
		return r;

	AUTO_FD int dir = open_parent(from, false, &name, err);

	if (dir < 0)
		return dir;
	to_name = to_name ? to_name + 1 : to;
	if (renameat2(dir, name, dir, to_name, no_replace ? RENAME_NOREPLACE : 0) < 0)
		return error_errno(err, "cannot rename '%s/%s' to '%s'", store.source,
				   from, to_name);
	r = sync_directory(dir, from, err);
	if (r < 0)
		renameat2(dir, to_name, dir, name, RENAME_NOREPLACE);
	return r;
}

int store_stat(const char *path, struct stat *st)
{
	return fstatat(store.dir, path, st, AT_SYMLINK_NOFOLLOW);
}

/* The new file of a writer, or of one that died. */
static bool is_new(const char *name)
{
	size_t len = strlen(NEW_FILE);

	return !strncmp(name, NEW_FILE, len) && strlen(name) == len + DIGITS &&
	       strspn(name + len, "0123456789abcdef") == DIGITS;
}

static bool is_entry(const char *name)
{
	return strcmp(name, ".") && strcmp(name, "..") && !is_new(name);
}

static int list(const char *path, bool (*wanted)(const char *name),
		int (*each)(void *arg, const char *name), void *arg, struct error *err)
{
	int fd = openat(store.dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		r = errno == ENOENT ?
			    0 :
			    error_errno(err, "cannot list '%s/%s'", store.source, path);
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r >= 0 && (errno = 0, e = readdir(d)))
		if (wanted(e->d_name))
			r = each(arg, e->d_name);
	if (r >= 0)
		r = errno ? error_errno(err, "cannot list '%s/%s'", store.source, path) :
			    0;
	closedir(d);
	return r;
}

int store_list(const char *path, int (*each)(void *arg, const char *name), void *arg,
	       struct error *err)
{
	return list(path, is_entry, each, arg, err);
}

static int remove_new(void *arg, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	unlinkat(store.dir, path, 0);
	return 0;
}

/* What a daemon that was killed has left: a secret, perhaps, that nobody would remove. */
static void sweep(void)
{
	static char *const dirs[] = { ".", "autostart", "attributes", "secrets" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		list(dirs[i], is_new, remove_new, dirs[i], NULL);
}
