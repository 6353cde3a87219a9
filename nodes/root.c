/* The root of the tree: its rows, the README, and backends/. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "backends/model/job.h"
#include "backends/model/metrics.h"
#include "backends/model/pools.h"
#include "nodes/table.h"

static const char readme[] =
	"This tree is storage as files. A pool is a directory, a volume is a regular file whose\n"
	"bytes are the volume's bytes, and what can be said about either is a small text file.\n"
	"\n"
	"  mkdir pools/images                       make a pool\n"
	"  cp images.xml pools/images/xml           define it (libvirt's pool XML) and start it\n"
	"  touch pools/images/volumes/disk1         make a volume\n"
	"  truncate -s 10G pools/images/volumes/disk1\n"
	"  cat pools/images/info/disk1/xml          describe it (libvirt's volume XML)\n"
	"  cp a.img pools/images/volumes/disk2      upload; the other way round: download\n"
	"  touch pools/images/snapshots/disk1/s1    take a snapshot, where the type has them\n"
	"  rm pools/images/volumes/disk1            delete it\n"
	"  df pools/images                          what is free\n"
	"\n"
	"  cat pools/images/state                   running, inactive, failed, ...\n"
	"  cat pools/images/ctl                     the verbs that are valid now\n"
	"  echo stop > pools/images/ctl             stop it; start, build, refresh, delete\n"
	"  cat pools/images/error                   why the last thing failed, and what to do\n"
	"  echo 1 > pools/images/autostart          start it after mounting\n"
	"  echo 1 > pools/images/protected          nothing can be deleted in it\n"
	"  rmdir pools/images                       undefine it; no data is touched\n"
	"\n"
	"  mkdir info/V (in a pool), echo qcow2 > info/V/format, echo 20G > info/V/capacity,\n"
	"  touch volumes/V                          make a volume piece by piece\n"
	"\n"
	"  error, events, jobs, metrics             last failure, changes, work under way, figures\n"
	"  backends/TYPE                            what each pool type can do here\n"
	"  secrets/ID                               passwords and keys: written, never read back\n"
	"  sources/TYPE                             what could become a pool\n"
	"\n"
	"Sizes are bytes, or have a unit: 10G and 10GiB are powers of 1024, 10GB of 1000.\n"
	"The manual: storagefs(8), storagefs-tree(7).\n";

static int show_readme(const struct node *n, struct call *call, struct buf *out,
		       struct error *err)
{
	return buf_puts(out, readme);
}

static int show_error(const struct node *n, struct call *call, struct buf *out,
		      struct error *err)
{
	return model_error_show(out);
}

static int show_jobs(const struct node *n, struct call *call, struct buf *out,
		     struct error *err)
{
	return jobs_show(out);
}

static int store_jobs(const struct node *n, const char *text, size_t len,
		      struct call *call, struct error *err)
{
	return jobs_write(text, err);
}

static int show_metrics(const struct node *n, struct call *call, struct buf *out,
			struct error *err)
{
	return metrics_show(out);
}

const struct row root_rows[] = {
	ATTR("README", show_readme),
	ATTR("error", show_error),
	{ .name = "events", .perm = 0444, .kind = &stream_kind },
	ATTR_RW("jobs", show_jobs, store_jobs),
	ATTR("metrics", show_metrics),
	DIRECTORY("backends", &backends_kind),
	DIRECTORY("secrets", &secrets_kind),
	{ .name = "sources", .perm = 0700, .kind = &sources_kind, .flags = ROW_PRIVATE },
	DIRECTORY("pools", &pools_kind),
	{ 0 },
};

const struct row root_row = TABLE("/", &table_kind, root_rows, NULL);

/* -- backends/TYPE -- */

static int show_backend(const struct node *n, struct call *call, struct buf *out,
			struct error *err)
{
	return backend_show(n->name, out, err);
}

static const struct row backend_row = { .name = "backend", .perm = 0444, .kind = &value_kind,
					.show = show_backend, .in = "backends" };

static int backends_lookup(const struct node *dir, const char *name, struct node *out,
			   struct stat *st, struct call *call, struct error *err)
{
	if (!pool_type_find(name))
		return error_set(err, ENOENT, "there is no pool type '%s'", name);
	return node_set(out, &backend_row, NULL, name, NULL, 0);
}

static int backends_list(const struct node *dir, struct listing *into, struct call *call,
			 struct error *err)
{
	const struct pool_type *type;

	for (size_t i = 0; (type = pool_type_at(i)); i++)
		if (listing_add(into, type->name, DT_REG) < 0)
			return error_set(err, ENOMEM, "cannot list: out of memory");
	return 0;
}

const struct kind backends_kind = {
	.type = S_IFDIR,
	.lookup = backends_lookup,
	.list = backends_list,
};
