/* Volumes: block devices that the kernel has of the adapter's units. */
#include <string.h>

#include "backends/common/block_volumes.h"
#include "backends/scsi/scsi.h"

/* -- all of them -- */

struct listing {
	vol_each each;
	void *arg;
};

static int list_unit(void *arg, const struct unit *u, dev_t device)
{
	struct listing *l = arg;
	char name[UNIT_NAME];

	unit_name(u, name);
	return l->each(l->arg, name);
}

int scsi_list(void *pool, vol_each each, void *arg, struct call *call, struct error *err)
{
	struct listing l = { each, arg };
	int r = unit_each(pool, list_unit, &l, err);

	return r < 0 && err && !err->code ? error_code(err, -r, "cannot list the units")
					  : r;
}

static int add_size(void *arg, const struct unit *u, dev_t device)
{
	block_add_size(device, arg);
	return 0;
}

int scsi_pool_stat(void *pool, struct pool_stat *out, struct call *call,
		   struct error *err)
{
	return unit_each(pool, add_size, out, err);
}

/* -- one of them -- */

/* The path of its node, which names the device for as long as it is there. */
static int find(struct scsi_pool *p, const char *name, dev_t *device, char **path,
		struct error *err)
{
	int r = unit_device(p, name, device, err);

	if (r == 0)
		r = block_device_path(*device, path, err);
	return r;
}

int scsi_vol_stat(void *pool, const char *name, struct vol_stat *out, struct call *call,
		  struct error *err)
{
	AUTO_FREE char *path = NULL;
	dev_t device;
	int r = find(pool, name, &device, &path, err);

	return r < 0 ? r : block_stat(path, out, err);
}

int scsi_vol_describe(void *pool, const char *name, struct volume_spec *out,
		      struct call *call, struct error *err)
{
	struct scsi_pool *p = pool;
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *stable = NULL;
	dev_t device;
	int r = find(p, name, &device, &path, err);

	if (r < 0)
		return r;
	block_settle(device, call->deadline_ns);
	r = block_stable_path(p->target, device, &stable, err);
	if (r == 0)
		r = block_describe(path, out, err);
	if (r == 0)
		r = block_scsi_name(device, &out->key, err);
	if (r < 0)
		return r;
	free(out->path);
	out->path = take(stable);
	return 0;
}

int scsi_vol_open(void *pool, const char *name, const char *snap, int flags,
		  struct vol_file *out, struct call *call, struct error *err)
{
	AUTO_FREE char *path = NULL;
	dev_t device;
	int r = find(pool, name, &device, &path, err);

	return r < 0 ? r : block_open(path, flags, out, err);
}

void scsi_vol_close(void *pool, struct vol_file *f)
{
	block_close(f);
}

int scsi_vol_fstat(void *pool, const struct vol_file *f, struct vol_stat *out,
		   struct call *call, struct error *err)
{
	return block_fstat(f, out, err);
}

int scsi_vol_wipe(void *pool, const char *name, const char *algorithm, struct call *call,
		  struct error *err)
{
	AUTO_FREE char *path = NULL;
	dev_t device;
	int r = find(pool, name, &device, &path, err);

	return r < 0 ? r : block_wipe(path, algorithm, call, err);
}
