/*
 * The plugin API: one pool type is one const struct backend, its module's only exported
 * symbol.
 *
 * The caller (model) checks state, arguments, protection and capabilities before it
 * calls, so no backend repeats them; a NULL member means "a pool of this type cannot do
 * this" and becomes EOPNOTSUPP. Functions return 0 (or a count) or -errno with the
 * sentence in err. All of them may wait, unless said otherwise; they honour
 * call->deadline_ns and call->cancelled as well as their library allows. With .parallel
 * they run on several threads at once, else one at a time per pool.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"
#include "backends/support/spec.h"

#define BACKEND_API 1

/* What a verb or request carries. */
struct call {
	uint64_t deadline_ns;         /* clock_now() time; 0: none */
	const atomic_bool *cancelled; /* may be NULL */
	uid_t uid;                    /* who asks; owner of what is made */
	gid_t gid;
	mode_t mode;                  /* of what is made, umask applied */
	/* May be NULL; from any thread; does not block. total 0: not known. */
	void (*progress)(struct call *, uint64_t done, uint64_t total);
	void *owner; /* the caller's */
	pid_t pid;   /* the thread that asks; 0: not known */
	/* Of vol_open, vol_setattr and vol_resize: vol_stat.ident of the volume that is
	 * meant, since another may have its name by now, which the caller has no
	 * permissions for: -ESTALE. 0: whichever has the name. Volumes that are files
	 * look at it: anybody who may write to their directory gives them names. */
	uint64_t ident;
};

enum change { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_DATA, CHANGE_ALL };

/* What a backend may ask of its host. Valid until stop or detach has returned. */
struct host {
	void *ctx;
	/* The secret's bytes are added to value, which the caller buf_wipe()s. -ENOENT:
	 * not set. */
	int (*secret)(void *ctx, const struct secret_ref *, struct buf *value,
		      struct error *);
	/* Something changed behind our back. Any thread, never blocks, coalesced.
	 * volume is NULL for CHANGE_ALL (names may have been missed). */
	void (*changed)(void *ctx, enum change, const char *volume);
	/* The source is gone (the pool becomes away); NULL: it is back. Any thread, never
	 * blocks. */
	void (*lost)(void *ctx, const struct error *);
	/* One volume turned out to be bad: what its error file and the log say. Any
	 * thread, never blocks. */
	void (*failed)(void *ctx, const char *volume, const struct error *);
};

struct pool_stat {
	uint64_t capacity, allocation, available; /* bytes, as libvirt counts them */
	struct permissions permissions; /* live ones of the target; else all unset */
	ino_t files, files_free;                  /* for statfs; 0: not known */
	uint64_t reserved; /* of available: not for ordinary users, so df leaves it out */
};

/* A volume as stat(2) sees it. */
struct vol_stat {
	uint64_t size;      /* what a reader gets */
	uint64_t allocated; /* bytes */
	uint64_t ident; /* differs when another object has taken the name; 0: not known */
	bool has_owner;     /* mode (permission bits), uid and gid are the source's own */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool has_times; /* the source keeps them reliably */
	struct timespec atime, mtime, ctime;
	uint32_t io_size; /* best read and written in pieces of it; 0: the caller knows */
};

/* What to change; members outside mask are not read. */
#define VOL_MODE  (1u << 0)
#define VOL_UID   (1u << 1)
#define VOL_GID   (1u << 2)
#define VOL_ATIME (1u << 3) /* tv_nsec may be UTIME_NOW */
#define VOL_MTIME (1u << 4)

struct vol_attr {
	unsigned mask;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec atime, mtime;
};

/*
 * An open volume. With fd >= 0 the host reads and writes the descriptor itself (inline or
 * by kernel passthrough when regular); else all I/O goes through vol_submit.
 */
struct vol_file {
	void *vol;
	int fd; /* -1: none; owned by the backend until vol_close */
	bool regular;
	/* Of a block device: what BLKDISCARD discards in whole multiples of this reads as
	 * zeros (a thin LV's chunk). 0: nothing is known. */
	uint32_t discard_zeroes;
};

/*
 * IO_PUNCH and IO_ZERO: [off, off + len) reads as zeros afterwards; PUNCH gives the space
 * back where it can, ZERO keeps it. -EOPNOTSUPP where that cannot be had faster than by
 * writing zeros.
 */
enum io_op { IO_READ, IO_WRITE, IO_FLUSH, IO_PUNCH, IO_ZERO };

/* The submitter owns io, iov and its memory, which stay valid until done. */
struct io {
	enum io_op op;
	uint64_t off, len; /* len: of PUNCH and ZERO; READ and WRITE have iov */
	struct iovec *iov;
	int iovcnt;
	/* Exactly once, from any thread, maybe before submit returns. result: bytes or
	 * -errno. */
	void (*done)(struct io *, ssize_t result, const struct error *);
	void *owner;
	/* Of a write, may be NULL: what its bytes lie in. Who needs them beyond done
	 * takes it before, leaves NULL, and gives it to free_bytes at the end. */
	void *bytes;
	void (*free_bytes)(void *bytes);
	/* Of a read with one iovec: done takes the bytes from wherever that points by
	 * then, which may be memory of the backend that stays until done has returned. */
	bool anywhere;
	/* Of a flush: it is a close(2), perhaps by one of several who have the
	 * descriptor. What it tells was lost is told again to who syncs. */
	bool closes;
};

/* How the volumes of a type come to be: files; provisioned by us; given by a server or
 * the kernel. */
enum volume_class { VOLUMES_ARE_FILES, VOLUMES_PROVISIONED, VOLUMES_GIVEN };

enum build_mode { BUILD, BUILD_OVERWRITE, BUILD_NO_OVERWRITE };

/* Called for each name of a listing; a negative return ends it and becomes its result. */
typedef int (*vol_each)(void *arg, const char *name);
typedef int (*source_each)(void *arg, const struct pool_source *source);

#define RESIZE_SHRINK  (1u << 0) /* the new size is smaller, and asked for */
#define RESIZE_VIRTUAL (1u << 1) /* the disk inside an image, not the file: files only */
#define RESIZE_ROOM    (1u << 2) /* for a writer, who writes or zeroes all that is gained */

#define RENAME_VOL_NOREPLACE (1u << 0)
#define RENAME_VOL_EXCHANGE  (1u << 1)

struct backend {
	size_t size;  /* of the struct the module was compiled with */
	unsigned api; /* BACKEND_API */
	const char *type;
	enum volume_class volumes;
	bool parallel;
	const char *const *tools; /* programs it runs, NULL-terminated; may be NULL */

	/* -- the pool; called one at a time for one pool -- */

	/* Whether the pool is active already, so that start would only adopt it. NULL, or
	 * -EOPNOTSUPP: nothing of it is to be seen outside the daemon. Touches nothing
	 * and does not wait. */
	int (*check)(const struct pool_spec *, const struct host *, struct call *,
		     bool *active, struct error *);
	/* Makes it usable, or adopts what is active already. *pool is what the rest gets.
	 */
	int (*start)(const struct pool_spec *, const struct host *, struct call *,
		     void **pool, struct error *);
	/* Undoes start and frees pool; on an error the pool stays usable. No other call
	 * is running. */
	int (*stop)(void *pool, struct call *, struct error *);
	/* Frees pool and leaves what the kernel holds: the daemon ends. */
	void (*detach)(void *pool);
	int (*build)(const struct pool_spec *, const struct host *, enum build_mode,
		     struct call *, struct error *);
	/* Removes what build made; the caller has seen that no volumes exist where it
	 * could. */
	int (*remove)(const struct pool_spec *, const struct host *, struct call *,
		      struct error *);
	int (*refresh)(void *pool, struct call *, struct error *);
	/* NULL for stat: nothing is known, all zero. */
	int (*pool_stat)(void *pool, struct pool_stat *, struct call *, struct error *);
	/* Whether nothing of this pool can hang (a local filesystem, local disks): then
	 * its descriptors are read and written inline, and of volumes that are files all
	 * other calls run inline, too. Does not wait. NULL: false. */
	bool (*local)(void *pool);

	/* -- volumes; names come from lookups and are any file name -- */

	/* Whole or failing: an error after some names makes the caller drop them. */
	int (*list)(void *pool, vol_each, void *arg, struct call *, struct error *);
	/* -ENOENT: no such volume. */
	int (*vol_stat)(void *pool, const char *name, struct vol_stat *, struct call *,
			struct error *);
	/* All that the description has; out is VOLUME_SPEC_INIT on entry. name is set by
	 * the caller. */
	int (*vol_describe)(void *pool, const char *name, struct volume_spec *out,
			    struct call *, struct error *);
	/* With spec->has_capacity false: the smallest volume of the type. -EEXIST: name
	 * is taken. */
	int (*vol_create)(void *pool, const char *name, const struct volume_spec *,
			  struct call *, struct error *);
	int (*vol_delete)(void *pool, const char *name, struct call *, struct error *);
	/* Without flags an existing target is replaced by files, -EEXIST elsewhere. */
	int (*vol_rename)(void *pool, const char *from, const char *to, unsigned flags,
			  struct call *, struct error *);
	/* size is rounded up to the type's unit. */
	int (*vol_resize)(void *pool, const char *name, uint64_t size, unsigned flags,
			  struct call *, struct error *);
	/* NULL: the model keeps mode and owner itself, and times are dropped. */
	int (*vol_setattr)(void *pool, const char *name, const struct vol_attr *,
			   struct call *, struct error *);
	/* algorithm: "zero" and libvirt's others. progress is told. */
	int (*vol_wipe)(void *pool, const char *name, const char *algorithm,
			struct call *, struct error *);
	/* Makes the volume independent of its backing store. */
	int (*vol_flatten)(void *pool, const char *name, struct call *, struct error *);

	/* -- open volumes -- */

	/* flags: open(2)'s access mode, O_DIRECT, O_TRUNC for files, and O_DSYNC for what
	 * writes back. snap: NULL, or a snapshot to read. */
	int (*vol_open)(void *pool, const char *name, const char *snap, int flags,
			struct vol_file *, struct call *, struct error *);
	/* No I/O is in flight. */
	void (*vol_close)(void *pool, struct vol_file *);
	/* For volumes without a descriptor; does not wait. */
	void (*vol_submit)(void *vol, struct io *);
	/* Optional; done is still called. */
	void (*vol_cancel)(void *vol, struct io *);
	/* As vol_stat, for a volume that may have been renamed or deleted since. */
	int (*vol_fstat)(void *pool, const struct vol_file *, struct vol_stat *,
			 struct call *, struct error *);
	/* SEEK_DATA or SEEK_HOLE; returns the offset or -ENXIO. For volumes without a
	 * descriptor, or which are not files. NULL: all is data. */
	off_t (*vol_seek)(void *vol, off_t off, int whence, struct call *,
			  struct error *);
	/* Copies without the bytes passing through us; may do less than asked. Both of
	 * one pool. */
	ssize_t (*vol_copy)(const struct vol_file *from, off_t from_off,
			    const struct vol_file *to, off_t to_off, size_t len,
			    struct call *, struct error *);

	/* -- snapshots -- */

	int (*snap_list)(void *pool, const char *name, vol_each, void *arg, struct call *,
			 struct error *);
	int (*snap_stat)(void *pool, const char *name, const char *snap,
			 struct vol_stat *, struct call *, struct error *);
	int (*snap_create)(void *pool, const char *name, const char *snap, struct call *,
			   struct error *);
	int (*snap_delete)(void *pool, const char *name, const char *snap, struct call *,
			   struct error *);
	int (*snap_revert)(void *pool, const char *name, const char *snap, struct call *,
			   struct error *);

	/* -- discovery: what could become a pool of this type -- */

	/* from: host, auth and initiator to ask with; empty for this host's own. */
	int (*discover)(const struct pool_source *from, const struct host *, source_each,
			void *arg, struct call *, struct error *);

	/* For a type whose pools differ in it (the tests' fake). NULL: .volumes. Does not
	 * wait. */
	enum volume_class (*volume_class)(void *pool);

	/* Writes are answered before they are stored, and IO_FLUSH says whether they are:
	 * a writer's close(2) flushes, so that what was written and lost is told. */
	bool writes_back;

	/* The free ranges of the source device, as the last of the calls above found
	 * them, for the caller to free; does not wait. -ENOMEM. */
	int (*free_extents)(void *pool, struct extent **, size_t *);

	/* Nobody tells the backend that a source which it called lost is back: refresh is
	 * called now and then until it succeeds. */
	bool lost_is_asked;

	/* What vol_resize rounds up to, in bytes; does not wait. NULL: one byte. */
	uint64_t (*vol_unit)(void *pool);

	/* Which names there are is stored when this returns: fsync(2) of volumes/. NULL:
	 * it is as soon as a volume is made, renamed or deleted. */
	int (*sync_names)(void *pool, struct call *, struct error *);
};

/* Defines the module's one exported symbol. */
#define BACKEND_DEFINE(...)                                                              \
	__attribute__((visibility("default"))) const struct backend storagefs_backend = { \
		.size = sizeof(struct backend), .api = BACKEND_API, __VA_ARGS__          \
	}
