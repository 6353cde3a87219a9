/*
 * Pool type "rbd": the images of a Ceph pool, or of one namespace in it, through librados
 * and librbd. One connection per pool; what is said of images comes from their metadata
 * objects, and an image is open only while somebody uses it.
 *
 * Names beginning with rados_ and rbd_ are the libraries', but for struct rbd_pool,
 * rbd_failed and the members of struct backend in rbd.c.
 *
 * rbd_pool.lock guards the open images, the roll and the pulse's fields. It is held
 * across no call of librados or librbd. Completions run on the libraries' threads and
 * never wait.
 */
#pragma once

#include <pthread.h>
#include <rados/librados.h>
#include <rbd/librbd.h>

#include "backends/backend.h"
#include "backends/support/list.h"
#include "backends/support/map.h"

/* -- rbd_config.c: what a definition means to Ceph; pure -- */

#define RBD_USER "admin" /* who asks where the definition has no <auth> */

/* source/name is POOL or POOL/NAMESPACE. The caller frees both; *namespace may be NULL.
 * -EINVAL. */
int config_split_name(const char *name, char **pool, char **namespace, struct error *err);

/* IMAGE@SNAP with or without this pool's path before it, as a backing path has it.
 * -EINVAL: it is none, or in another pool. */
int config_split_backing(const char *path, const char *pool_path, char **image,
			 char **snap, struct error *err);

/* Sizes are whole sectors: QEMU aborts at others, and the kernel's rbd cuts them. */
uint64_t config_round_size(uint64_t size);

/* Seconds for one operation, when a request may take timeout_ns: less, so that Ceph's own
 * word comes before the deadline's. */
unsigned config_op_timeout(uint64_t timeout_ns);

/* -- rbd_monitors.c -- */

/*
 * Asks the hosts which of Ceph's two protocols they speak, all at once, and adds those
 * that answered to mon_host with explicit protocols: librados takes its whole timeout to
 * say that a key is wrong, or a port closed, when it is left to find that out.
 */
int monitors_find(const struct pool_source *source, uint64_t deadline_ns,
		  struct buf *mon_host, struct error *err);

/* -- rbd_connect.c -- */

struct cluster {
	rados_t rados;	  /* NULL: not connected */
	rados_ioctx_t io; /* NULL: no pool chosen */
	unsigned op_timeout_s;
};

/* Connects; options may be NULL. */
int cluster_connect(struct cluster *c, const struct pool_source *source,
		    const struct pool_option *options, size_t n_options,
		    const struct host *host, struct call *call, struct error *err);
int cluster_choose_pool(struct cluster *c, const char *pool, const char *namespace,
			struct error *err);
/* Frees what is there. May block for as long as Ceph does not answer. */
void cluster_close(struct cluster *c);

/* -- rbd_header.c: images as their metadata objects have them, without opening any -- */

struct header {
	char *name, *id; /* id NULL: is looked up; "": an image of the old format */
	int result;	 /* 0, or why the rest is not known: -ENOENT, … */
	uint64_t size, features, flags;
	unsigned order; /* objects have 1 << order bytes */
	struct timespec modified;
	bool has_modified, has_parent;
	bool has_used; /* an object map says it */
	uint64_t used; /* bytes in objects of its own */
	/* To ask for what a snapshot uses: given with the image's id. */
	uint64_t snap_id, snap_size;
};

struct rbd_pool;

/* Reads n at once, deep in flight. Each header has its own result; -errno only where
 * nothing could be asked. */
int headers_read(struct rbd_pool *p, struct header *headers, size_t n, struct error *err);

/* Called on librados' threads, or by who begins. */
struct headers_told {
	void (*each)(void *arg, struct header *h); /* is read, or failed; may be NULL */
	/* None is under way any more; failed: those that each has not had are not read,
	 * for that reason. */
	void (*over)(void *arg, int failed);
};

/* As headers_read in the background; the headers are not the caller's until over.
 * -ENOMEM: nothing began. */
int headers_begin(struct rbd_pool *p, struct header *headers, size_t n,
		  const struct headers_told *told, void *arg);
void header_clear(struct header *h);

#define OBJECT_NAME 300

/* The object that has an image's map; snap_id 0: of the image itself. */
void header_map_name(char name[OBJECT_NAME], const char *id, uint64_t snap_id);

/* -- rbd_decode.c: Ceph's encodings; pure, and wary of what it is given -- */

#define OBJECT_MAP_HEADER 18

/* The text of an encoded string (length, bytes); the caller frees it. NULL: it is none.
 */
char *decode_string(const char *data, size_t len);
bool decode_u64(const char *data, size_t len, uint64_t *out);
bool decode_time(const char *data, size_t len, struct timespec *out);
/* The number of objects that an object map's header announces. */
bool decode_map_header(const char *data, size_t len, uint64_t *objects);
/* How many of n objects exist, in a piece of an object map that begins at one of them.
 * *last (may be NULL): whether the n-th does. */
uint64_t decode_map_count(const unsigned char *bits, uint64_t n, bool *last);
/* The first of the objects [from, n) of such a piece that may have data, or has none; n:
 * there is no such. */
uint64_t decode_map_find(const unsigned char *bits, uint64_t from, uint64_t n, bool data);

/* -- rbd_roll.c: what the last listing found, so that ls -l asks for many at once -- */

struct roll_entry {
	struct map_link by_name;
	struct header header; /* its result: of the last reading */
	uint64_t read_ns;     /* when; 0: only name and id are known */
	uint64_t reading;     /* is being read, where it is the roll's serial */
	bool awaited;
};

struct roll {
	struct roll_entry *entries;
	size_t n, next; /* next: where a walk is expected to go on */
	bool walks;	/* what is before that was read for one */
	struct map by_name;
	uint64_t serial, used_ns;
};

/* Names and identities as just listed; takes the array. */
void roll_replace(struct rbd_pool *p, struct header *headers, size_t n);
/* What is known of an image and is fresh, or read now. -ENOENT. The caller clears *out.
 */
int roll_header(struct rbd_pool *p, const char *name, struct header *out,
		struct error *err);
/* We have changed it. NULL: anything may have changed. */
void roll_forget(struct rbd_pool *p, const char *name);
/* Frees a listing that nobody has used for a while; with the lock held. */
void roll_expire(struct rbd_pool *p);
/* Waits until nothing is being read for it. */
void roll_settle(struct rbd_pool *p);

/* -- rbd_behind.c: writes that are answered before they are stored -- */

/* Of one image, whoever has it open. */
struct behind {
	void (*submit)(void *vol, struct io *); /* as backend->vol_submit; stores */
	void *vol;
	pthread_mutex_t lock; /* guards the rest */
	struct list early;    /* answered, on their way */
	struct list waiting;  /* for those */
	atomic_uint_fast64_t *of_pool;
	uint64_t bytes, serial;
	unsigned n_early, unanswered; /* writes */
	unsigned deep;		      /* writes to come of which none is answered early */
	uint64_t lost;		      /* how many answered writes failed */
	struct error error;	      /* the last of them */
	bool told;		      /* of the last */
	pthread_cond_t all_stored;
	void (*stored)(void *);
	void *stored_arg;
};

/* of_pool: the bytes of all its early writes. */
void behind_init(struct behind *b, void (*submit)(void *vol, struct io *), void *vol,
		 atomic_uint_fast64_t *of_pool);
void behind_exit(struct behind *b);

/* What an opener starts from: earlier losses are not its own. */
uint64_t behind_seen(struct behind *b);
/* As vol_submit. seen: the opener's, alive until io is done. */
void behind_submit(struct behind *b, uint64_t *seen, struct io *io);
/* Nothing is submitted any more: calls fn when all is stored or lost, now or later; b is
 * then used no more. */
void behind_when_stored(struct behind *b, void (*fn)(void *), void *arg);
/* Waits for that at most until the deadline, so that what goes past the behind finds all
 * that was answered. false: it has not come. */
bool behind_wait(struct behind *b, uint64_t deadline_ns);

/* -- rbd_image.c: open images, shared by all who use one -- */

enum image_state { IMAGE_OPENING, IMAGE_OPEN, IMAGE_CLOSING };

struct image {
	struct list link;
	struct rbd_pool *pool;
	char *name, *snap; /* snap NULL: the image itself */
	char *id;
	rbd_image_t rbd;
	enum image_state state;
	unsigned users, writers;
	bool turn; /* somebody takes or gives back its lock */
	bool read_only;
	atomic_bool wrote; /* its time of change is to be set */
	struct behind behind;
	pthread_mutex_t looker_lock;
	rbd_image_t looker; /* rbd_seek.c's own opening, or NULL */
};

/* IMAGE_CHANGE: for what librbd has the lock's owner do, who may be elsewhere, and else
 * takes the lock for itself. */
enum image_use { IMAGE_READ, IMAGE_CHANGE, IMAGE_WRITE };

/* What vol_file.vol is. */
struct opened {
	struct image *image;
	enum image_use use;
	uint64_t seen;		       /* behind's */
	atomic_uint_fast64_t presumed; /* rbd_seek.c's */
};

/* IMAGE_WRITE: with the exclusive lock; -EBUSY names who has it. */
int image_get(struct rbd_pool *p, const char *name, const char *snap, enum image_use use,
	      struct call *call, struct image **out, struct error *err);
/* Does not wait: what has to be told to Ceph is told in the background. */
void image_put(struct image *i, enum image_use use);
/* Waits until an image that nobody uses is closed, so that it can be removed or renamed.
 */
int image_wait_closed(struct rbd_pool *p, const char *name, struct call *call,
		      struct error *err);
void image_renamed(struct rbd_pool *p, const char *from, const char *to);
/* Stores: what behind submits. */
void image_submit(void *image, struct io *io);
/* Waits until what was answered is stored, or lost. */
int image_settle(struct image *i, struct call *call, struct error *err);
/* Waits until none is open; false: some are at the deadline. */
bool images_settle(struct rbd_pool *p, uint64_t deadline_ns);

/* -- rbd_seek.c: data and holes -- */

/* Calls each for what holds data, in any order; parent: of its parent as well. What was
 * written before is taken in. Returns 0, what each returned, or librbd's -errno. */
int image_extents(struct image *i, uint64_t off, uint64_t len, bool parent,
		  int (*each)(uint64_t off, size_t len, int exists, void *arg),
		  void *arg);

/* -- rbd_snaps.c: what snapshots there are -- */

struct snaps;

/* What is known of any is no longer believed. */
void snapshots_forget(struct rbd_pool *p);
/* Remembers those of an open image, which were just changed. */
void snapshots_look(struct image *i);

/* -- rbd_pulse.c: whether Ceph answers, and whether names have changed -- */

struct pulse {
	pthread_t thread;
	bool runs, ends, hurry, away;
	bool telling;	  /* the host is being told something */
	uint64_t version; /* of the directory object; 0: not known */
};

/* Asks once, so that a pool that cannot be used does not start, and goes on looking. */
int pulse_start(struct rbd_pool *p, struct error *err);
/* The host is told nothing from now on. Does not wait for Ceph. */
void pulse_silence(struct rbd_pool *p);
void pulse_stop(struct rbd_pool *p);
/* Looks once, for who asks. */
int pulse_ask(struct rbd_pool *p, struct error *err);
/* Something was not answered: look now. */
void pulse_hurry(struct rbd_pool *p);
/* We have changed names ourselves. */
void pulse_forgive(struct rbd_pool *p);

/* -- rbd.c -- */

struct rbd_pool {
	struct host host;
	struct cluster cluster;
	char *path; /* POOL or POOL/NAMESPACE: what libvirt puts before an image's name */
	bool all_allocated; /* refresh/volume@allocation='capacity' */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list images;
	atomic_uint_fast64_t early_bytes; /* of their early writes */
	struct roll roll;
	unsigned windows;	  /* being read for the roll */
	pthread_cond_t looked_at; /* something awaited of it has come */
	struct snaps *snaps;	  /* of the image looked at last; NULL: none */
	struct pulse pulse;
};

#define RBD_IO_SIZE (1u << 20) /* what readers and writers should ask for at a time */

/* librbd's way to tell a call how far it is; its negative answer ends what can be ended.
 */
int rbd_progress(uint64_t done, uint64_t total, void *call);

/*
 * The sentence for a negative result of librados or librbd, and Ceph's peculiar errnos as
 * the tree has them. fmt says what could not be done. Returns the negative errno. p may
 * be NULL.
 */
int rbd_failed(struct rbd_pool *p, int result, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), nonnull(4)));

/* -- the members of struct backend, by file -- */

int rbd_vol_list(void *pool, vol_each, void *arg, struct call *, struct error *);
int rbd_vol_stat(void *pool, const char *name, struct vol_stat *, struct call *,
		 struct error *);
int rbd_vol_describe(void *pool, const char *name, struct volume_spec *, struct call *,
		     struct error *);

int rbd_vol_create(void *pool, const char *name, const struct volume_spec *,
		   struct call *, struct error *);
int rbd_vol_delete(void *pool, const char *name, struct call *, struct error *);
int rbd_vol_rename(void *pool, const char *from, const char *to, unsigned flags,
		   struct call *, struct error *);
uint64_t rbd_vol_unit(void *pool);
int rbd_vol_resize(void *pool, const char *name, uint64_t size, unsigned flags,
		   struct call *, struct error *);
int rbd_vol_flatten(void *pool, const char *name, struct call *, struct error *);
int rbd_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *,
		 struct error *);

int rbd_vol_open(void *pool, const char *name, const char *snap, int flags,
		 struct vol_file *, struct call *, struct error *);
void rbd_vol_close(void *pool, struct vol_file *);
void rbd_vol_submit(void *vol, struct io *);
int rbd_vol_fstat(void *pool, const struct vol_file *, struct vol_stat *, struct call *,
		  struct error *);
off_t rbd_vol_seek(void *vol, off_t off, int whence, struct call *, struct error *);
ssize_t rbd_vol_copy(const struct vol_file *from, off_t from_off,
		     const struct vol_file *to, off_t to_off, size_t len, struct call *,
		     struct error *);

int rbd_snapshot_list(void *pool, const char *name, vol_each, void *arg, struct call *,
		      struct error *);
int rbd_snapshot_stat(void *pool, const char *name, const char *snap, struct vol_stat *,
		      struct call *, struct error *);
int rbd_snapshot_create(void *pool, const char *name, const char *snap, struct call *,
			struct error *);
int rbd_snapshot_delete(void *pool, const char *name, const char *snap, struct call *,
			struct error *);
int rbd_snapshot_revert(void *pool, const char *name, const char *snap, struct call *,
			struct error *);

int rbd_discover(const struct pool_source *from, const struct host *, source_each,
		 void *arg, struct call *, struct error *);
