/*
 * How much there is of a volume that is not a file: the size it was given, growth while
 * it is not sized yet, and the zeros that writers are promised for what they skip
 * (storagefs-tree(7)). One user at a time has the turn to change any of it; the
 * rest goes on meanwhile.
 */
#pragma once

#include "backends/model/volume_handle.h"

void volume_space_init(struct volume_space *s);
void volume_space_exit(struct volume_space *s);

/* Learns size and whether it is unsized, once per volume in use; st: from the backend,
 * just now. */
void volume_space_load(struct pool *p, struct volume *v, const struct vol_stat *st);

/* The backend says so of a volume that changes its size by itself. */
void volume_space_resized(struct volume_space *s, uint64_t size);

/* The size to show; false: it is what the backend says. */
bool volume_space_growing(struct volume_space *s, uint64_t *size);
uint64_t volume_space_size(struct volume_space *s);

/*
 * Resizes for good. flags: RESIZE_SHRINK where a smaller size is meant; without it that
 * is -EPERM. The same size only makes it sized.
 */
int volume_space_resize(struct pool *p, const struct use *u, struct volume *v,
			uint64_t size, unsigned flags, struct call *call,
			struct error *err);

/* Of handles: what volume_write_ready and volume_prepare_write are for volumes not files.
 */
bool space_write_ready(struct volume_handle *h, uint64_t off, uint64_t end);
ssize_t space_prepare_write(struct volume_handle *h, uint64_t off, uint64_t end,
			    struct call *call, struct error *err);
/* ftruncate of a descriptor. */
int space_ftruncate(struct volume_handle *h, uint64_t size, struct call *call,
		    struct error *err);
/* Whether this handle wrote to a volume that is still growing; and its end. */
bool space_needs_trim(struct volume_handle *h);
int space_trim(struct volume_handle *h, struct call *call, struct error *err);
