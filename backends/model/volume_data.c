/* What a descriptor of a volume can be asked, per class of volumes. */
#include <errno.h>
#include <string.h>
#include <sys/param.h>

#include "backends/model/volume_base.h"
#include "backends/model/volume_handle.h"
#include "backends/model/volume_io.h"
#include "backends/model/volume_space.h"
#include "backends/model/volume_zero.h"

static int failed(const struct volume_handle *h, const char *what, struct error *err)
{
	return error_errno(err, "cannot %s volume '%s'", what, h->name);
}

int volume_fsync(struct volume_handle *h, bool data_only, struct call *call,
		 struct error *err)
{
	if (h->file.fd < 0)
		return volume_io_flush(h, false, call, err);
	if ((data_only ? fdatasync(h->file.fd) : fsync(h->file.fd)) < 0)
		return failed(h, "sync", err);
	return 0;
}

int volume_sync_names(struct pool *p, struct call *call, struct error *err)
{
	AUTO_USE struct use u = { 0 };
	int r = pool_begin(p, &u, err);

	if (r < 0 || !USE_HAS(&u, sync_names))
		return r;
	return u.backend->sync_names(u.pool, call, err);
}

/* -- sizes and ranges -- */

static int stat_open(struct volume_handle *h, struct vol_stat *out, struct call *call,
		     struct error *err)
{
	const struct backend *b = h->use.backend;
	const char *name = h->name;

	if (h->snap && USE_HAS(&h->use, snap_stat))
		return b->snap_stat(h->use.pool, name, h->snap, out, call, err);
	if (USE_HAS(&h->use, vol_fstat))
		return b->vol_fstat(h->use.pool, &h->file, out, call, err);
	return b->vol_stat(h->use.pool, name, out, call, err);
}

int volume_fstat(struct volume_handle *h, struct vol_stat *out, struct call *call,
		 struct error *err)
{
	struct volumes *vs = pool_volumes(h->pool);
	AUTO_FREE char *name = NULL;
	int r = stat_open(h, out, call, err);

	if (r < 0 || h->snap)
		return r;
	name = volumes_name(vs, h->of.volume);
	if (name)
		volume_overlay(h->pool, &h->use, name, out);
	return 0;
}

static int ftruncate_file(struct volume_handle *h, uint64_t size, struct call *call,
			  struct error *err)
{
	struct vol_stat st = { 0 };
	AUTO_FREE char *name = NULL;
	int r = 0;

	if (h->file.fd < 0 || pool_protected(h->pool))
		r = stat_open(h, &st, call, err);
	if (r == 0 && size < st.size)
		r = volume_check_protected(h->pool, "shrink", h->name, err);
	if (r < 0)
		return r;
	if (h->file.fd >= 0)
		return ftruncate(h->file.fd, size) < 0 ? failed(h, "resize", err) : 0;
	name = volumes_name(pool_volumes(h->pool), h->of.volume);
	if (!name)
		return error_set(err, EBUSY, "a volume that was removed is not resized");
	if (!USE_HAS(&h->use, vol_resize))
		return volume_unsupported(&h->use, "have its volumes resized", err);
	return h->use.backend->vol_resize(h->use.pool, name, size,
					  size < st.size ? RESIZE_SHRINK : 0, call, err);
}

static int check_writable(const struct volume_handle *h, struct error *err)
{
	if (handle_writes(h))
		return 0;
	return error_set(err, EBADF, "volume '%s' was not opened for writing",
			 h->name);
}

int volume_ftruncate(struct volume_handle *h, uint64_t size, struct call *call,
		     struct error *err)
{
	int r = check_writable(h, err);

	if (r < 0)
		return r;
	if (size > INT64_MAX)
		return error_set(err, EFBIG, "no volume is as large as that");
	r = h->class == VOLUMES_ARE_FILES ? ftruncate_file(h, size, call, err) :
					    space_ftruncate(h, size, call, err);
	if (r == 0)
		volume_event_by_file(h->pool, h->name);
	return r;
}

/* fallocate without a descriptor, or of what is no file, inside the size. */
static int allocate_range(struct volume_handle *h, int mode, uint64_t off, uint64_t len,
			  struct call *call, struct error *err)
{
	int fast = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);

	if (!fast || !len)
		return 0;
	return volume_clear(h, fast & FALLOC_FL_PUNCH_HOLE ? IO_PUNCH : IO_ZERO, off, len,
			    call, err);
}

static int allocate_provisioned(struct volume_handle *h, int mode, uint64_t off,
				uint64_t len, struct call *call, struct error *err)
{
	uint64_t size = volume_space_size(handle_space(h)), end = off + len;
	int r;

	if (end > size && !(mode & FALLOC_FL_KEEP_SIZE)) {
		r = space_ftruncate(h, end, call, err);
		if (r < 0)
			return r;
		size = end;
		volume_event(h->pool, EVENT_VOLUME_CHANGED, h->name, NULL);
	}
	if (end > size && !(mode & FALLOC_FL_PUNCH_HOLE))
		return error_set(err, EOPNOTSUPP,
				 "volume '%s' has no space behind its end to reserve",
				 h->name);
	end = MIN(end, size);
	return off < end ? allocate_range(h, mode, off, end - off, call, err) : 0;
}

/* Files of a backend that has no descriptors. */
static int allocate_plain(struct volume_handle *h, int mode, uint64_t off, uint64_t len,
			  struct call *call, struct error *err)
{
	struct vol_stat st = { 0 };
	uint64_t end = off + len;
	int r = stat_open(h, &st, call, err);

	if (r == 0 && end > st.size && !(mode & FALLOC_FL_KEEP_SIZE))
		r = ftruncate_file(h, end, call, err);
	else
		end = MIN(end, st.size);
	return r < 0 || off >= end ? r
				   : allocate_range(h, mode, off, end - off, call, err);
}

int volume_allocate(struct volume_handle *h, int mode, uint64_t off, uint64_t len,
		    struct call *call, struct error *err)
{
	uint64_t end;
	int r = check_writable(h, err);

	if (r < 0)
		return r;
	if (!len || __builtin_add_overflow(off, len, &end) || end > INT64_MAX)
		return error_set(err, len ? EFBIG : EINVAL,
				 "that is no range of a volume");
	if (mode & FALLOC_FL_PUNCH_HOLE)
		r = volume_check_protected(h->pool, "punch a hole into", h->name, err);
	if (r < 0)
		return r;
	if (h->class != VOLUMES_ARE_FILES)
		return allocate_provisioned(h, mode, off, len, call, err);
	if (h->file.fd < 0)
		return allocate_plain(h, mode, off, len, call, err);
	return fallocate(h->file.fd, mode, off, len) < 0 ? failed(h, "allocate", err) : 0;
}

/* Without the backend's help all of it is data. */
static off_t seek_plain(off_t off, int whence, off_t size)
{
	if (off < 0 || off >= size)
		return -ENXIO;
	return whence == SEEK_DATA ? off : size;
}

off_t volume_seek(struct volume_handle *h, off_t off, int whence, struct call *call,
		  struct error *err)
{
	struct vol_stat st = { 0 };
	off_t at;
	int r;

	if (h->file.fd >= 0 && h->class == VOLUMES_ARE_FILES) {
		at = lseek(h->file.fd, off, whence);
		if (at < 0 && errno == ENXIO)
			return error_set(err, ENXIO,
					 "there is nothing behind that offset");
		return at < 0 ? failed(h, "look for data in", err) : at;
	}
	if (USE_HAS(&h->use, vol_seek)) {
		at = h->use.backend->vol_seek(h->file.vol, off, whence, call, err);
	} else {
		r = volume_fstat(h, &st, call, err);
		at = r < 0 ? r : seek_plain(off, whence, st.size);
	}
	return at == -ENXIO ? error_set(err, ENXIO, "there is nothing behind that offset")
			    : at;
}

/* Up to where there is something to copy; files know it themselves, or the kernel of
 * them. */
static int source_end(struct volume_handle *h, uint64_t *end, struct call *call,
		      struct error *err)
{
	struct vol_stat st = { 0 };
	int r;

	*end = volume_size(h);
	if (h->class == VOLUMES_ARE_FILES || *end != UINT64_MAX)
		return 0;
	r = volume_fstat(h, &st, call, err);
	*end = st.size;
	return r;
}

ssize_t volume_copy(struct volume_handle *from, off_t from_off, struct volume_handle *to,
		    off_t to_off, size_t len, struct call *call, struct error *err)
{
	bool transfers = volume_transfers(from, to);
	uint64_t size = 0;
	ssize_t r;

	if (!transfers && from->pool != to->pool)
		return error_set(err, EXDEV, "two pools copy nothing between them");
	if (!transfers && !USE_HAS(&to->use, vol_copy))
		return volume_unsupported(&to->use, "copy between its volumes", err);
	r = check_writable(to, err);
	if (r == 0)
		r = source_end(from, &size, call, err);
	if (r < 0)
		return r;
	if ((uint64_t)from_off >= size)
		return 0;
	len = MIN(len, size - from_off);
	r = volume_prepare_write(to, to_off, len, call, err);
	if (r <= 0)
		return r;
	if (transfers)
		return volume_transfer(from, from_off, to, to_off, r, call, err);
	return to->use.backend->vol_copy(&from->file, from_off, &to->file, to_off, r,
					 call, err);
}
