/* Opens a device through libparted, and hears what that says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "backends/disk/tool.h"

/* A dos table, at the end of the first sector. */
#define DOS_ENTRIES  446
#define DOS_ENTRY    16
#define DOS_END	     510
#define DOS_TYPE     4
#define DOS_TYPE_GPT 0xee

#define LOCK_TRIES    1500
#define LOCK_PAUSE_NS 10000000

static const struct {
	const char *ours, *theirs;
} labels[] = {
	{ "dos", "msdos" }, { "dvh", "dvh" },	{ "gpt", "gpt" }, { "mac", "mac" },
	{ "bsd", "bsd" },   { "pc98", "pc98" }, { "sun", "sun" },
};
#define N_LABELS (sizeof(labels) / sizeof(*labels))

/* libparted has one handler for the process. */
static char said[300];
static bool may_damage;

const char *tool_label(const char *label)
{
	for (size_t i = 0; i < N_LABELS; i++)
		if (!strcmp(labels[i].ours, label))
			return labels[i].theirs;
	return NULL;
}

static const char *our_label(const char *theirs)
{
	for (size_t i = 0; i < N_LABELS; i++)
		if (!strcmp(labels[i].theirs, theirs))
			return labels[i].ours;
	return "other";
}

/*
 * A damaged table is read as well as it can be, and never written: repairing is nothing
 * that a tool does by the way. What is only worth a warning is so for both.
 */
static PedExceptionOption on_exception(PedException *e)
{
	if (e->type > PED_EXCEPTION_INFORMATION && !*said)
		snprintf(said, sizeof(said), "%s", e->message);
	if (e->type <= PED_EXCEPTION_WARNING && e->options & PED_EXCEPTION_IGNORE)
		return PED_EXCEPTION_IGNORE;
	if (e->type <= PED_EXCEPTION_WARNING && e->options & PED_EXCEPTION_OK)
		return PED_EXCEPTION_OK;
	if (!may_damage && e->options & PED_EXCEPTION_OK)
		return PED_EXCEPTION_OK;
	return e->options & PED_EXCEPTION_CANCEL ? PED_EXCEPTION_CANCEL
						 : PED_EXCEPTION_UNHANDLED;
}

void tool_forget(void)
{
	*said = '\0';
}

/* What it said, with the device's name for that of our node. */
int tool_failed(const struct tool *t, struct error *err, const char *what)
{
	const char *name = t->dev ? t->dev->path : t->path, *at = strstr(said, name);

	if (!*said)
		return error_set(err, EIO, "cannot %s '%s': libparted does not say why",
				 what, t->path);
	if (!at)
		return error_set(err, EIO, "cannot %s '%s': %s", what, t->path, said);
	return error_set(err, EIO, "cannot %s '%s': %.*s%s%s", what, t->path,
			 (int)(at - said), said, t->path, at + strlen(name));
}

/* udev has the lock alone while it reads a table anew, when the kernel knows no
 * partitions for a moment. */
static int lock(struct tool *t, struct error *err)
{
	struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	struct stat st;

	t->fd = open(t->path, O_RDONLY | O_CLOEXEC);
	if (t->fd < 0 || fstat(t->fd, &st) < 0)
		return error_errno(err, "cannot open device '%s'", t->path);
	t->device = S_ISBLK(st.st_mode) ? st.st_rdev : 0;
	for (int i = 0; flock(t->fd, (t->writes ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0;
	     i++) {
		if (errno != EWOULDBLOCK)
			return error_errno(err, "cannot lock device '%s'", t->path);
		if (i == LOCK_TRIES)
			return error_set(err, EBUSY,
					 "another program has the table of partitions of "
					 "'%s' locked: try again when it has ended",
					 t->path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/*
 * libparted opens for writing also what it only reads, and when that is closed udev has
 * the kernel drop all partitions and look for them again. udev watches the device's name
 * and not the device: through another one nothing of that happens.
 */
static PedDevice *open_quietly(const struct tool *t)
{
	char dir[] = "/dev/.storagefs-XXXXXX", node[64];
	PedDevice *dev = NULL;

	if (!t->device || t->prefix || !mkdtemp(dir))
		return NULL;
	snprintf(node, sizeof(node), "%s/disk", dir);
	if (mknod(node, S_IFBLK | 0600, t->device) == 0) {
		dev = ped_device_get(node);
		if (dev && !ped_device_open(dev)) {
			ped_device_destroy(dev);
			dev = NULL;
		}
		unlink(node);
	}
	rmdir(dir);
	return dev;
}

static int open_device(struct tool *t, struct error *err)
{
	t->dev = open_quietly(t);
	if (t->dev)
		return 0;
	t->dev = ped_device_get(t->path);
	if (!t->dev || !ped_device_open(t->dev))
		return tool_failed(t, err, "open device");
	return 0;
}

int tool_read(struct tool *t, struct error *err)
{
	PedDiskType *type;

	if (t->disk)
		ped_disk_destroy(t->disk);
	t->disk = NULL;
	tool_forget();
	type = ped_disk_probe(t->dev);
	snprintf(t->label, sizeof(t->label), "%s", type ? our_label(type->name) : "none");
	if (!type || !tool_label(t->label))
		return 0;
	t->disk = ped_disk_new(t->dev);
	if (!t->disk)
		return tool_failed(t, err, "read the table of partitions of");
	tool_forget();
	return 0;
}

/*
 * What stands in the first sector of a gpt, and libparted writes it anew: one entry that
 * keeps other programs away. With more it is a second table, which other systems start
 * from and which would be gone.
 */
int tool_check_alone(const struct tool *t, struct error *err)
{
	uint8_t sector[512];

	if (strcmp(t->label, "gpt"))
		return 0;
	if (pread(t->fd, sector, sizeof(sector), 0) != sizeof(sector))
		return error_set(err, EIO, "cannot read the first sector of '%s'",
				 t->path);
	for (size_t at = DOS_ENTRIES; at < DOS_END; at += DOS_ENTRY) {
		uint8_t type = sector[at + DOS_TYPE];

		if (type && type != DOS_TYPE_GPT)
			return error_set(
				err, EOPNOTSUPP,
				"the table of partitions of '%s' is a hybrid one: other "
				"systems read a dos table before it, which would be "
				"lost; change both with gdisk or sfdisk",
				t->path);
	}
	return 0;
}

int tool_open(struct tool *t, struct error *err)
{
	int r;

	ped_exception_set_handler(on_exception);
	may_damage = t->writes;
	r = lock(t, err);
	if (r == 0)
		r = open_device(t, err);
	if (r < 0)
		return r;
	if (t->writes && t->dev->read_only)
		return error_set(err, EROFS, "device '%s' can only be read", t->path);
	r = tool_read(t, t->anew ? NULL : err);
	return t->anew ? 0 : r;
}

void tool_close(struct tool *t)
{
	if (t->disk)
		ped_disk_destroy(t->disk);
	if (t->dev && t->dev->open_count)
		ped_device_close(t->dev);
	if (t->fd >= 0)
		close(t->fd);
}
