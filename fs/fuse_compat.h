/*
 * What the kernel offers and libfuse 3.14 does not know yet: passthrough, mmap of
 * direct_io files, HANDLE_KILLPRIV_V2; and lookups in parallel, which it knows but
 * forgets to say. From libfuse 3.17 on these are negotiated by the library itself.
 */
#pragma once

#include <stdbool.h>

#include "fs/fuse.h"

/* Of compat_init: what we would like; what the kernel does not offer is left out. */
#define COMPAT_PASSTHROUGH       (1u << 0)
#define COMPAT_DIRECT_MMAP       (1u << 1)
#define COMPAT_HANDLE_KILLPRIV_2 (1u << 2)
#define COMPAT_PARALLEL_DIROPS   (1u << 3)

/* After fuse_session_mount, before the first request. 0 or -errno. */
int compat_attach(struct fuse_session *se, unsigned wanted);
/* In the init op: exactly these FUSE_CAP_ flags, as far as they are offered, and what
 * attach was asked for. */
void compat_init(struct fuse_conn_info *conn, unsigned flags);
/* Whether the kernel agreed to passthrough; false before init. */
bool compat_passthrough(void);
/* Whether direct_io files can be mapped shared; false before init. */
bool compat_direct_mmap(void);

/*
 * Memory for size bytes of data that begin a page, with room for what the library
 * receives besides. A request that is received into it has the bytes of a write there,
 * as a direct descriptor wants them. false: this library receives into memory of its own.
 */
void *compat_buffer_new(size_t size);
void compat_buffer_free(void *data);
bool compat_receive_into(struct fuse_buf *buf, void *data);
void *compat_received_in(const struct fuse_buf *buf);

/* Registers a regular file with the kernel: an id > 0, or -errno (-EPERM: not
 * privileged). */
int compat_backing_open(int fd);
void compat_backing_close(int id);

/* What an open is answered with. */
struct open_reply {
	uint64_t fh;
	uint32_t flags; /* FOPEN_*, from below */
	int32_t backing_id;
};

/* libfuse's names for these differ by version, the kernel's headers lack
 * the newer ones. */
#define OPEN_DIRECT_IO       (1u << 0)
#define OPEN_NO_FLUSH        (1u << 5)
#define OPEN_PARALLEL_WRITES (1u << 6)
#define OPEN_PASSTHROUGH     (1u << 7)

int compat_reply_open(fuse_req_t req, const struct open_reply *o);
int compat_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
			const struct open_reply *o);
