/*
 * Pool type "sheepdog": what its files share.
 *
 * A pool has one thread, the loop's, which owns the session with the cluster and all open
 * inodes. Functions that may wait run on the caller's thread and ask the loop; those that
 * say so run on the loop.
 */
#pragma once

#include "backends/backend.h"
#include "backends/common/loop.h"
#include "backends/sheepdog/sheep_proto.h"
#include "backends/sheepdog/sheep_recent.h"
#include "backends/sheepdog/sheep_session.h"

struct sheep_pool {
	struct loop *loop;
	struct sheep_session *session; /* the loop's */
	struct list inodes;	       /* open ones; the loop's */
	struct host host;
	struct pool_host *hosts; /* of the definition: names, asked again by refresh */
	size_t n_hosts;
	char *name;  /* source/name: part of the volumes' keys */
	char *where; /* the first host as a person writes it, for sentences */
	bool locks;  /* the cluster does lock VDIs */
	pthread_mutex_t lock_turn;
	struct sheep_recent recent;
	bool started;	     /* the loop's, and so is the rest */
	struct list gathers; /* operations to which more may be added, latest last */
	struct list crowd;   /* writes that wait for room */
	struct list chunks,
		spare_chunks; /* read ahead, the oldest first; memory for more */
	unsigned n_chunks;    /* those, and what is dropped and under way */
	size_t behind; /* bytes of memory for what was answered and is not stored */
	struct loop_call *draining; /* who waits until that is 0; NULL: nobody */
};

/* -- asking a sheep and waiting for it: sheep_ask.c -- */

struct sheep_question {
	struct sheep_request request;
	const void *out; /* payload */
	size_t out_len;
	void *in; /* gets the answer's payload */
	size_t in_len;
	bool once; /* not to be repeated when in doubt */
	bool repeatable;
	struct sheep_reply reply;
};

/* All at once; 0 when each has its answer, whatever its result. */
int sheep_ask(struct sheep_pool *, struct sheep_question *, size_t n, struct call *,
	      struct error *);

/* Runs fn on the loop and waits. arg must not be needed after it has returned: fn is
 * quick, so it is waited for in any case. -ENOMEM: it was not run. */
int sheep_on_loop(struct sheep_pool *, void (*fn)(void *arg), void *arg);

/* -- VDIs by name: sheep_vdi.c -- */

/* The working VDI, or with a tag or an id other than 0 that snapshot. -ENOENT. */
int vdi_find(struct sheep_pool *, const char *name, const char *tag, uint32_t snapid,
	     struct sheep_vdi *, struct call *, struct error *);
int vdi_read(struct sheep_pool *, uint32_t vid, struct sheep_vdi *, struct call *,
	     struct error *);
/* n entries of the map, which the caller frees. */
int vdi_read_map(struct sheep_pool *, const struct sheep_vdi *, uint32_t **map,
		 struct call *, struct error *);
/* Entries first to end of the map: those that are not 0 are set to it. */
int vdi_clear_map(struct sheep_pool *, uint32_t vid, uint32_t first, uint32_t end,
		  struct call *, struct error *);
/* Bytes of the inode outside its map. */
int vdi_write_head(struct sheep_pool *, uint32_t vid, uint32_t at, const void *,
		   size_t len, struct call *, struct error *);
/* base NULL: empty. was: the VDI that has the name, which becomes a snapshot, while the
 * new one has base's content; 0: none has, or -EEXIST. */
int vdi_new(struct sheep_pool *, const char *name, uint64_t size,
	    const struct sheep_vdi *base, uint32_t was, uint32_t *vid, struct call *,
	    struct error *);
/* Gives all its objects back, then its name. */
int vdi_delete(struct sheep_pool *, const struct sheep_vdi *, struct call *,
	       struct error *);

/* -- lists: sheep_list.c -- */

/* Every VDI and snapshot that is not deleted. */
typedef int (*vdi_each)(void *arg, const struct sheep_vdi *);
int vdi_list(struct sheep_pool *, vdi_each, void *arg, struct call *, struct error *);
/* Those of one name. */
int vdi_list_name(struct sheep_pool *, const char *name, vdi_each, void *arg,
		  struct call *, struct error *);

/* -- snapshots by the names that we show: sheep_snap.c -- */

/* By its tag, or by its number where it has none that can be a file's name. */
int snap_find(struct sheep_pool *, const char *name, const char *snap, struct sheep_vdi *,
	      struct call *, struct error *);

/* What a snapshot is shown as. */
void snap_name(const struct sheep_vdi *, char out[SHEEP_NAME]);

/* Whether a file can have the name. */
bool sheep_is_file_name(const char *name);

/* -- the plugin's members, by file -- */

/* sheep_volume.c */
int sheep_list(void *, vol_each, void *arg, struct call *, struct error *);
int sheep_vol_stat(void *, const char *, struct vol_stat *, struct call *,
		   struct error *);
int sheep_vol_describe(void *, const char *, struct volume_spec *, struct call *,
		       struct error *);
int sheep_vol_create(void *, const char *, const struct volume_spec *, struct call *,
		     struct error *);
int sheep_vol_delete(void *, const char *, struct call *, struct error *);
int sheep_vol_flatten(void *, const char *, struct call *, struct error *);
int sheep_vol_resize(void *, const char *, uint64_t size, unsigned flags, struct call *,
		     struct error *);

/* sheep_wipe.c */
int sheep_vol_wipe(void *, const char *, const char *algorithm, struct call *,
		   struct error *);

/* sheep_open.c */
int sheep_vol_open(void *, const char *, const char *snap, int flags, struct vol_file *,
		   struct call *, struct error *);
void sheep_vol_close(void *, struct vol_file *);
int sheep_vol_fstat(void *, const struct vol_file *, struct vol_stat *, struct call *,
		    struct error *);
off_t sheep_vol_seek(void *vol, off_t, int whence, struct call *, struct error *);

/* sheep_op.c */
void sheep_vol_submit(void *vol, struct io *);
void sheep_vol_cancel(void *vol, struct io *);

/* sheep_snap.c */
int sheep_snap_list(void *, const char *, vol_each, void *arg, struct call *,
		    struct error *);
int sheep_snap_stat(void *, const char *, const char *snap, struct vol_stat *,
		    struct call *, struct error *);
int sheep_snap_create(void *, const char *, const char *snap, struct call *,
		      struct error *);
int sheep_snap_delete(void *, const char *, const char *snap, struct call *,
		      struct error *);
int sheep_snap_revert(void *, const char *, const char *snap, struct call *,
		      struct error *);

/* sheep_stat.c, sheep_discover.c */
int sheep_pool_stat(void *, struct pool_stat *, struct call *, struct error *);
int sheep_discover(const struct pool_source *from, const struct host *, source_each,
		   void *arg, struct call *, struct error *);
