/*
 * Follows the kernel's events of device-mapper devices.
 *
 * `lock` guards the maps that the host knows of. It is held while the host is told, which
 * does not block.
 */
#include "backends/mpath/news.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "backends/common/uevent.h"
#include "backends/mpath/maps.h"

#define UUID_PREFIX "mpath-" /* multipath-tools' */
#define VALUE	    160

/* A map is told by its minor number: names change, and what is removed has none. */
struct known {
	unsigned minor;
	char name[MAP_NAME];
};

struct news {
	const struct host *host;
	struct uevent_watch *watch;
	pthread_mutex_t lock;
	struct known *known;
	size_t n_known;
};

/* -- what is known -- */

static struct known *find(const struct news *n, unsigned minor)
{
	for (size_t i = 0; i < n->n_known; i++)
		if (n->known[i].minor == minor)
			return &n->known[i];
	return NULL;
}

static bool know(struct news *n, unsigned minor, const char *name)
{
	struct known *more = reallocarray(n->known, n->n_known + 1, sizeof(*more));

	if (!more)
		return false;
	n->known = more;
	more[n->n_known].minor = minor;
	snprintf(more[n->n_known++].name, MAP_NAME, "%.*s", MAP_NAME - 1, name);
	return true;
}

static void forget(struct news *n, struct known *k)
{
	*k = n->known[--n->n_known];
}

static int learn(struct news *n, struct error *err)
{
	AUTO_FREE struct map *list = NULL;
	int count = maps_list(&list, err);

	n->n_known = 0;
	for (int i = 0; i < count; i++)
		know(n, minor(list[i].device), list[i].name);
	return count < 0 ? count : 0;
}

/* -- what is told -- */

static void tell(const struct news *n, enum change what, const char *name)
{
	n->host->changed(n->host->ctx, what, name);
}

/* What sysfs has of the device that an event is about; "": nothing. */
static void read_value(const struct uevent *e, const char *what, char out[VALUE])
{
	const char *device = uevent_get(e, "DEVPATH");
	char path[512];
	ssize_t len = -1;

	if (device && snprintf(path, sizeof(path), "/sys%s/dm/%s", device, what) <
			      (int)sizeof(path)) {
		AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

		len = fd < 0 ? -1 : read(fd, out, VALUE - 1);
	}
	out[len > 0 ? len : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

/* A path failed, or works again. */
static void on_path(const struct news *n, const struct uevent *e, const char *name)
{
	const char *up = uevent_get(e, "DM_NR_VALID_PATHS");
	const char *action = uevent_get(e, "DM_ACTION");
	const char *path = uevent_get(e, "DM_PATH");
	struct error err;

	tell(n, CHANGE_DATA, name);
	if (!up || strcmp(up, "0") || !action || strcmp(action, "PATH_FAILED"))
		return;
	error_set(&err, EIO,
		  "the last path of map '%s' has failed%s%s: 'multipath -ll' shows "
		  "them all",
		  name, path ? ", device " : "", path ? path : "");
	n->host->failed(n->host->ctx, name, &err);
}

static void on_change(struct news *n, const struct uevent *e, unsigned minor)
{
	struct known *k = find(n, minor);
	char name[VALUE], uuid[VALUE];

	read_value(e, "name", name);
	read_value(e, "uuid", uuid);
	if (k && !strcmp(k->name, name)) {
		on_path(n, e, name);
		return;
	}
	if (k) {
		tell(n, CHANGE_REMOVED, k->name);
		forget(n, k);
	}
	/* one that was made by hand has no such mark: then the list is asked */
	if (!*name || !*uuid ||
	    (!strncmp(uuid, UUID_PREFIX, strlen(UUID_PREFIX)) && !know(n, minor, name)))
		tell(n, CHANGE_ALL, NULL);
	else if (!strncmp(uuid, UUID_PREFIX, strlen(UUID_PREFIX)))
		tell(n, CHANGE_ADDED, name);
}

static void on_remove(struct news *n, unsigned minor)
{
	struct known *k = find(n, minor);

	if (!k)
		return;
	tell(n, CHANGE_REMOVED, k->name);
	forget(n, k);
}

/* A map comes with a "change": when it is added it has no table yet. */
static void on_event(void *arg, const struct uevent *e)
{
	struct news *n = arg;
	const char *subsystem = e ? uevent_get(e, "SUBSYSTEM") : NULL;
	const char *name = e ? uevent_get(e, "DEVNAME") : NULL;
	const char *action = e ? uevent_get(e, "ACTION") : NULL;

	SCOPED_LOCK(&n->lock);
	if (!e) {
		learn(n, NULL);
		tell(n, CHANGE_ALL, NULL);
		return;
	}
	if (!subsystem || strcmp(subsystem, "block") || !name || !action ||
	    strncmp(name, "dm-", 3) || !isdigit((unsigned char)name[3]))
		return;
	if (!strcmp(action, "change"))
		on_change(n, e, strtoul(name + 3, NULL, 10));
	else if (!strcmp(action, "remove"))
		on_remove(n, strtoul(name + 3, NULL, 10));
}

/* -- begin and end -- */

int news_start(const struct host *host, struct news **out, struct error *err)
{
	struct news *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return error_code(err, ENOMEM, "cannot watch multipath maps");
	n->host = host;
	pthread_mutex_init(&n->lock, NULL);
	r = uevent_add(on_event, n, &n->watch, err);
	if (r == 0) {
		/* events wait for the list, and what came before them is in it */
		SCOPED_LOCK(&n->lock);
		r = learn(n, err);
	}
	if (r < 0)
		news_end(n);
	else
		*out = n;
	return r;
}

void news_end(struct news *n)
{
	if (!n)
		return;
	uevent_remove(n->watch);
	pthread_mutex_destroy(&n->lock);
	free(n->known);
	free(n);
}
