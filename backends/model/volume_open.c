/*
 * Open volumes: opening and closing them, and what has to be done before bytes are moved.
 *
 * volume_open holds the pool's instance while it opens; from then on the open volume
 * itself keeps the pool from being stopped.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/model/volume_base.h"
#include "backends/model/volume_handle.h"
#include "backends/model/volume_io.h"
#include "backends/model/volume_lock.h"
#include "backends/model/volume_space.h"
#include "backends/support/log.h"
#include "backends/support/process.h"

/* -- opening and closing -- */

static void handle_free(struct volume_handle *h)
{
	if (!h)
		return;
	if (h->of.volume)
		volumes_leave(pool_volumes(h->pool), &h->of);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->idle);
	pool_unref(h->pool);
	free(h->name);
	free(h->snap);
	free(h);
}
DEFINE_CLEANUP(cleanup_handle, struct volume_handle *, handle_free)

static struct volume_handle *handle_new(struct pool *p, const struct use *u,
					const char *name, const char *snap, int flags)
{
	struct volume_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->pool = pool_ref(p);
	h->use = (struct use){ .backend = u->backend, .pool = u->pool };
	h->class = volume_class(u);
	h->flags = flags;
	h->file.fd = h->flock_fd = -1;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->idle, NULL);
	list_init(&h->flights);
	h->name = strdup(name);
	if (snap)
		h->snap = strdup(snap);
	if (!h->name || (snap && !h->snap)) {
		handle_free(h);
		return NULL;
	}
	return h;
}

/* O_TRUNC of a protected pool is refused where there is something to lose. */
static int check_open(struct volume_handle *h, const char *name, bool created,
		      struct call *call, struct error *err)
{
	struct vol_stat st = { 0 };

	if (!USE_HAS(&h->use, vol_open))
		return volume_unsupported(&h->use, "have its volumes opened", err);
	if (h->snap && (handle_writes(h) || h->flags & O_TRUNC))
		return error_set(err, EROFS, "snapshot '%s' of volume '%s' is read-only",
				 h->snap, name);
	if (!(h->flags & O_TRUNC) || created || !pool_protected(h->pool))
		return 0;
	if (h->class == VOLUMES_ARE_FILES &&
	    h->use.backend->vol_stat(h->use.pool, name, &st, call, NULL) == 0 && !st.size)
		return 0;
	return volume_check_protected(h->pool, "overwrite", name, err);
}

/* What the model has to know of a volume that is not a file before it is written. */
static int learn_space(struct volume_handle *h, const char *name, bool created,
		       struct call *call, struct error *err)
{
	struct vol_stat st = { 0 };
	const struct backend *b = h->use.backend;
	int r;

	if (h->snap) {
		r = USE_HAS(&h->use, snap_stat) ?
			    b->snap_stat(h->use.pool, name, h->snap, &st, call, err) :
			    volume_unsupported(&h->use, "have snapshots", err);
		h->snap_size = st.size;
		return r;
	}
	r = USE_HAS(&h->use, vol_fstat)
		    ? b->vol_fstat(h->use.pool, &h->file, &st, call, err)
		    : b->vol_stat(h->use.pool, name, &st, call, err);
	if (r < 0 || h->class == VOLUMES_ARE_FILES)
		return r;
	volume_space_load(h->pool, h->of.volume, &st);
	h->truncated = handle_writes(h) && (created || h->flags & O_TRUNC);
	return 0;
}

/* Different files that had one name in turn are different volumes. */
static int identify(struct volume_handle *h, struct error *err)
{
	struct stat st;

	if (h->class != VOLUMES_ARE_FILES || h->file.fd < 0 || h->snap)
		return 0;
	if (fstat(h->file.fd, &st) < 0)
		return error_errno(err, "cannot look at volume '%s'", h->name);
	return volumes_identify(pool_volumes(h->pool), &h->of, st.st_dev, st.st_ino, err);
}

static int finish_open(struct volume_handle *h, const char *name, bool created,
		       struct call *call, struct error *err)
{
	int r = identify(h, err);

	/* Files know their size themselves. */
	if (r == 0 && (h->snap || h->class != VOLUMES_ARE_FILES))
		r = learn_space(h, name, created, call, err);
	if (r < 0)
		h->use.backend->vol_close(h->use.pool, &h->file);
	return r;
}

int volume_open(struct pool *p, const char *name, const char *snap, int flags,
		bool created, pid_t opener, struct volume_handle **out, struct call *call,
		struct error *err)
{
	AUTO_USE struct use u = { 0 };
	CLEANUP(cleanup_handle) struct volume_handle *h = NULL;
	int r = pool_begin(p, &u, err), how = O_ACCMODE | O_DIRECT;

	if (r < 0)
		return r;
	h = handle_new(p, &u, name, snap, flags);
	if (!h)
		return error_code(err, ENOMEM, "cannot open volume '%s'", name);
	/* O_EXCL promises a file with nothing in it: cp and tar, which write no holes,
	 * would leave there what a plan has made */
	if (created && flags & O_EXCL && handle_writes(h) &&
	    h->class == VOLUMES_ARE_FILES)
		h->flags = flags |= O_TRUNC;
	r = check_open(h, name, created, call, err);
	if (r == 0)
		r = volumes_enter(pool_volumes(p), name, opener, &h->of, err);
	if (r < 0)
		return r;
	if (USE_HAS(&u, writes_back))
		how |= O_DSYNC;
	if (h->class == VOLUMES_ARE_FILES)
		how |= O_TRUNC;
	else if (handle_writes(h))
		h->opener = process_of(opener);
	r = u.backend->vol_open(u.pool, name, snap, flags & how, &h->file, call, err);
	if (r == 0)
		r = finish_open(h, name, created, call, err);
	if (r < 0)
		return r;
	*out = take(h);
	return 0;
}

static void trim(struct volume_handle *h, struct call *call)
{
	struct error err = { 0 };

	if (!handle_writes(h) || h->class != VOLUMES_PROVISIONED || !space_needs_trim(h))
		return;
	if (space_trim(h, call, &err) < 0) {
		volumes_remember(pool_volumes(h->pool), h->name, &err);
		log_error("%s", err.text);
		return;
	}
	volume_event(h->pool, EVENT_VOLUME_CHANGED, h->name, NULL);
}

/* True: something is in flight still, and its end will close the handle. */
static bool leave_to_last_flight(struct volume_handle *h)
{
	SCOPED_LOCK(&h->lock);
	h->closed = !list_empty(&h->flights);
	return h->closed;
}

void volume_close(struct volume_handle *h, struct call *call)
{
	if (!h)
		return;
	volume_io_drain(h, call);
	if (leave_to_last_flight(h))
		return;
	trim(h, call);
	volume_locks_close(h);
	h->use.backend->vol_close(h->use.pool, &h->file);
	handle_free(h);
}

/* -- what fs asks before and after it moves bytes -- */

int volume_fd(const struct volume_handle *h)
{
	return h->file.fd;
}

bool volume_is_regular(const struct volume_handle *h)
{
	return h->file.fd >= 0 && h->file.regular;
}

uint64_t volume_size(struct volume_handle *h)
{
	uint64_t size;

	if (h->snap)
		return h->file.fd >= 0 ? UINT64_MAX : h->snap_size;
	if (h->class == VOLUMES_ARE_FILES)
		return UINT64_MAX;
	/* a device may have been made larger from outside, and has more than was written
	 * while it is growing */
	if (h->file.fd >= 0)
		return volume_space_growing(handle_space(h), &size) ? size : UINT64_MAX;
	return volume_space_size(handle_space(h));
}

bool volume_write_ready(struct volume_handle *h, uint64_t off, size_t len)
{
	uint64_t end;

	if (h->class == VOLUMES_ARE_FILES)
		return true;
	return !__builtin_add_overflow(off, len, &end) && space_write_ready(h, off, end);
}

ssize_t volume_prepare_write(struct volume_handle *h, uint64_t off, size_t len,
			     struct call *call, struct error *err)
{
	uint64_t end;

	if (h->class == VOLUMES_ARE_FILES || !len)
		return len;
	if (__builtin_add_overflow(off, len, &end) || end > INT64_MAX)
		return error_set(err, EFBIG, "no volume is as large as that");
	return space_prepare_write(h, off, end, call, err);
}

/* -- ends -- */

/* A file server tells what it could not store when a file is closed. */
static bool flush_matters(const struct volume_handle *h)
{
	return h->file.fd >= 0 && handle_writes(h) && h->class == VOLUMES_ARE_FILES &&
	       !(USE_HAS(&h->use, local) && h->use.backend->local(h->use.pool));
}

/* Whether what was written may be lost yet. */
static bool is_written_back(const struct volume_handle *h)
{
	return USE_HAS(&h->use, writes_back) && atomic_load(&h->unflushed);
}

bool volume_flush_ready(struct volume_handle *h)
{
	atomic_store(&h->of.closing, true);
	if (!handle_writes(h))
		return true;
	if (h->class == VOLUMES_ARE_FILES)
		return !flush_matters(h);
	return !is_written_back(h) &&
	       (h->class == VOLUMES_GIVEN || !space_needs_trim(h));
}

static bool opened_by(const struct volume_handle *h, pid_t pid)
{
	return pid == h->of.opener || pid == h->opener || process_of(pid) == h->opener;
}

int volume_flush(struct volume_handle *h, pid_t pid, struct call *call, struct error *err)
{
	int r;

	if (volume_flush_ready(h))
		return 0;
	if (h->class == VOLUMES_ARE_FILES) {
		int fd = fcntl(h->file.fd, F_DUPFD_CLOEXEC, 0);

		if (fd < 0 || close(fd) < 0)
			return error_errno(err, "volume '%s' could not be stored",
					   h->name);
		return 0;
	}
	if (is_written_back(h)) {
		r = volume_io_flush(h, true, call, err);
		if (r < 0) {
			/* others may have the descriptor, and have not been told */
			atomic_store(&h->unflushed, true);
			return r;
		}
	}
	if (h->class != VOLUMES_PROVISIONED || !space_needs_trim(h) || !opened_by(h, pid))
		return 0;
	r = space_trim(h, call, err);
	if (r == 0)
		volume_event(h->pool, EVENT_VOLUME_CHANGED, h->name, NULL);
	return r;
}
