/* Making volumes: what raw files and images share. */
#pragma once

#include "backends/common/file_pool.h"

/* A volume of any format but plain raw, through qemu-img. */
int file_create_image(struct file_pool *fp, const char *name, const char *format,
		      const struct volume_spec *spec, struct call *call,
		      struct error *err);

/* -EEXIST when something has the name. */
int file_check_free(struct file_pool *fp, const char *name, struct error *err);

/* Owner, group and mode of a new volume: what the description says, else the pool, else
 * the caller. */
int file_set_owner(struct file_pool *fp, int fd, const struct volume_spec *spec,
		   const struct call *call, struct error *err);
