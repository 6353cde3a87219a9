/*
 * Units of a host adapter, as /sys has them now: nothing is remembered, so what comes and
 * goes is seen.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "backends/common/file_pool.h"
#include "backends/common/sysfs.h"
#include "backends/scsi/scsi.h"
#include "backends/support/clock.h"

#define DEVICES	  "/sys/bus/scsi/devices"
#define SETTLE_NS (5 * NS_PER_S) /* for the disks of a scan to be there */
#define LOOK_NS	  (10 * NS_PER_MS)

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

/* -- names -- */

void unit_name(const struct unit *u, char out[UNIT_NAME])
{
	snprintf(out, UNIT_NAME, "unit:%u:%u:%" PRIu64, u->bus, u->target, u->lun);
}

/* One way to write each: what reads the same is not the same name. */
bool unit_parse(const char *name, struct unit *out)
{
	char again[UNIT_NAME];

	if (sscanf(name, "unit:%u:%u:%" SCNu64, &out->bus, &out->target, &out->lun) != 3)
		return false;
	unit_name(out, again);
	return !strcmp(name, again);
}

static bool is_unit(const char *name, unsigned number, struct unit *out)
{
	unsigned host;
	int end = 0;

	return sscanf(name, "%u:%u:%u:%" SCNu64 "%n", &host, &out->bus, &out->target,
		      &out->lun, &end) == 4 &&
	       host == number && (!name[end] || name[end] == '/');
}

bool unit_in_path(const char *path, unsigned number, struct unit *out)
{
	for (const char *at = path; (at = strchr(at, '/')); at++)
		if (is_unit(at + 1, number, out))
			return true;
	return false;
}

static void unit_sys(unsigned number, const struct unit *u, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, DEVICES "/%u:%u:%u:%" PRIu64, number, u->bus, u->target,
		 u->lun);
}

/* -- their block devices -- */

/* False: it has none, or none yet. */
static bool block_of(const char *sys, dev_t *device)
{
	char path[PATH_MAX], line[SYS_LINE];
	struct dirent *e;
	unsigned a, b;

	snprintf(path, sizeof(path), "%s/block", sys);

	CLEANUP(cleanup_dir) DIR *d = opendir(path);

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    sys_read(line, sizeof(line), "%s/%s/dev", path, e->d_name) < 0 ||
		    sscanf(line, "%u:%u", &a, &b) != 2)
			continue;
		*device = makedev(a, b);
		return true;
	}
	return false;
}

static int no_unit(const char *name, struct error *err)
{
	return error_set(
		err, ENOENT,
		"there is no volume '%s': a unit's is called unit:BUS:TARGET:LUN", name);
}

int unit_device(struct scsi_pool *p, const char *name, dev_t *device, struct error *err)
{
	int number = atomic_load(&p->number);
	char sys[PATH_MAX];
	struct unit u;

	if (number == HOST_NONE || !unit_parse(name, &u))
		return no_unit(name, err);
	unit_sys(number, &u, sys);
	return block_of(sys, device) ? 0 : no_unit(name, err);
}

/* -- all of them -- */

typedef int (*sys_each)(void *arg, const struct unit *u, const char *sys);

static int each_sys(unsigned number, sys_each each, void *arg)
{
	CLEANUP(cleanup_dir) DIR *d = opendir(DEVICES);
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	while (r >= 0 && (errno = 0, e = readdir(d))) {
		char sys[PATH_MAX];
		struct unit u;

		if (!is_unit(e->d_name, number, &u))
			continue;
		snprintf(sys, sizeof(sys), DEVICES "/%s", e->d_name);
		r = each(arg, &u, sys);
	}
	return r < 0 ? r : -errno;
}

struct blocks {
	int (*each)(void *arg, const struct unit *, dev_t device);
	void *arg;
};

static int with_block(void *arg, const struct unit *u, const char *sys)
{
	struct blocks *b = arg;
	dev_t device;

	return block_of(sys, &device) ? b->each(b->arg, u, device) : 0;
}

static int gone(struct error *err)
{
	return error_set(err, EIO, "the SCSI adapter of the pool is gone");
}

int unit_each(struct scsi_pool *p,
	      int (*each)(void *arg, const struct unit *, dev_t device), void *arg,
	      struct error *err)
{
	struct blocks b = { each, arg };
	int number = atomic_load(&p->number), r;

	if (number == HOST_NONE)
		return gone(err);
	r = each_sys(number, with_block, &b);
	/* what was listed of an adapter that went meanwhile is not all */
	if (r >= 0 && !sys_exists("/sys/class/scsi_host/host%d", number))
		return gone(err);
	return r;
}

/* -- scanning -- */

/* A disk that the kernel has seen and not made a block device of yet. */
static int count_early(void *arg, const struct unit *u, const char *sys)
{
	char type[SYS_LINE] = "", state[SYS_LINE] = "";
	dev_t device;

	sys_read(type, sizeof(type), "%s/type", sys);
	sys_read(state, sizeof(state), "%s/state", sys);
	if (!strcmp(type, "0") && !strcmp(state, "running") && !block_of(sys, &device))
		++*(unsigned *)arg;
	return 0;
}

static int settle(unsigned number, struct call *call, struct error *err)
{
	uint64_t until = clock_now() + SETTLE_NS;
	struct timespec pause = { .tv_nsec = LOOK_NS };

	for (;;) {
		unsigned early = 0;
		int r = call_check(call, err);

		if (r < 0)
			return r;
		each_sys(number, count_early, &early);
		if (!early || clock_now() >= until)
			return 0;
		nanosleep(&pause, NULL);
	}
}

static int tell_size(void *arg, const struct unit *u, const char *sys)
{
	int r = call_check(arg, NULL);

	if (r == 0)
		sys_write("1", "%s/rescan", sys);
	return r;
}

int unit_scan(struct scsi_pool *p, bool again, struct call *call, struct error *err)
{
	int number = atomic_load(&p->number), r;

	if (number == HOST_NONE)
		return gone(err);
	if (again)
		each_sys(number, tell_size, call);
	r = sys_write("- - -", "/sys/class/scsi_host/host%d/scan", number);
	/* some adapters know their units without */
	if (r < 0 && r != -EOPNOTSUPP && r != -EINVAL)
		return error_code(err, -r, "cannot have adapter host%d look for units",
				  number);
	return settle(number, call, err);
}
