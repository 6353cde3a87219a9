/* Whether a path leads into our own mount, without going there. */
#include "backends/model/own_mount.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/support/cleanup.h"

#define MAX_LINKS  40 /* as the kernel's */
#define MAX_MOUNTS 16

/* Where our filesystem is mounted. */
struct mounts {
	char *at[MAX_MOUNTS];
	size_t n;
};

static void mounts_clear(struct mounts *m)
{
	while (m->n)
		free(m->at[--m->n]);
}

static void add_mount(struct mounts *m, const char *path)
{
	if (m->n < MAX_MOUNTS && (m->at[m->n] = strdup(path)))
		m->n++;
}

/* Undoes mountinfo's \ooo in place. */
static void unescape(char *path)
{
	char *to = path;
	unsigned byte;

	for (; *path; to++) {
		if (*path == '\\' && sscanf(path + 1, "%3o", &byte) == 1) {
			*to = byte;
			path += 4;
		} else {
			*to = *path++;
		}
	}
	*to = '\0';
}

/* Each mount's "MAJOR:MINOR" and path. */
static void each_mount(void (*fn)(void *arg, const char *device, const char *path),
		       void *arg)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	if (!f)
		return;
	while (getline(&line, &size, f) > 0) {
		char device[32], path[PATH_MAX];

		if (sscanf(line, "%*d %*d %31s %*s %4095s", device, path) != 2)
			continue;
		unescape(path);
		fn(arg, device, path);
	}
	fclose(f);
}

struct search {
	const char *mountpoint;
	char device[32]; /* of the last mount there, which hides the others */
	struct mounts *into;
};

static void find_device(void *arg, const char *device, const char *path)
{
	struct search *s = arg;

	if (!strcmp(path, s->mountpoint))
		snprintf(s->device, sizeof(s->device), "%s", device);
}

static void find_same(void *arg, const char *device, const char *path)
{
	struct search *s = arg;

	if (!strcmp(device, s->device) && strcmp(path, s->mountpoint))
		add_mount(s->into, path);
}

static void find_mounts(const char *mountpoint, struct mounts *m)
{
	struct search s = { .mountpoint = mountpoint, .into = m };

	add_mount(m, mountpoint);
	each_mount(find_device, &s);
	/* before it is mounted the device is that of the directory below: not ours */
	if (*s.device && !strncmp(s.device, "0:", 2))
		each_mount(find_same, &s);
}

static bool is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !strncmp(path, top, len) && (path[len] == '/' || !path[len]);
}

static bool is_ours(const struct mounts *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++)
		if (is_below(path, m->at[i]))
			return true;
	return false;
}

/* A path on its way: where it has led to, and the names that are left. */
struct walk {
	char done[PATH_MAX], rest[PATH_MAX];
	const char *at; /* in rest */
	unsigned links;
};

/* The next name, and its length; 0: there is none. */
static size_t next_name(struct walk *w, const char **name)
{
	size_t len;

	*name = w->at + strspn(w->at, "/");
	len = strcspn(*name, "/");
	w->at = *name + len;
	return len;
}

static void go_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash)
		*slash = '\0';
}

/* false: too long for a path. */
static bool go_down(struct walk *w, const char *name, size_t len)
{
	size_t had = strlen(w->done), room = sizeof(w->done) - had;

	return snprintf(w->done + had, room, "/%.*s", (int)len, name) < (int)room;
}

/* Where it has led to a link, that is walked next. false: too long for a path. */
static bool follow_link(struct walk *w)
{
	char link[PATH_MAX], left[PATH_MAX];
	ssize_t n = readlink(w->done, link, sizeof(link) - 1);

	if (n <= 0 || ++w->links > MAX_LINKS)
		return true;
	link[n] = '\0';
	if (snprintf(left, sizeof(left), "%s/%s", link, w->at) >= (int)sizeof(left))
		return false;
	if (*link == '/')
		w->done[0] = '\0';
	else
		go_up(w);
	w->at = strcpy(w->rest, left);
	return true;
}

/* Walks the path as the kernel would, and stops where it becomes ours. */
static bool leads_into(const struct mounts *m, const char *path)
{
	struct walk w = { .done = "" };
	const char *name;
	size_t len;

	if (snprintf(w.rest, sizeof(w.rest), "%s", path) >= (int)sizeof(w.rest))
		return false;
	w.at = w.rest;
	while ((len = next_name(&w, &name))) {
		if (len == 1 && *name == '.')
			continue;
		if (len == 2 && !strncmp(name, "..", 2)) {
			go_up(&w);
			continue;
		}
		if (!go_down(&w, name, len))
			return false;
		if (is_ours(m, w.done)) /* before anything there is asked */
			return true;
		if (!follow_link(&w))
			return false;
	}
	return is_ours(m, w.done);
}

bool own_mount_has(const char *mountpoint, const char *path)
{
	CLEANUP(mounts_clear) struct mounts m = { 0 };

	if (!mountpoint || *path != '/')
		return false;
	find_mounts(mountpoint, &m);
	return leads_into(&m, path);
}
