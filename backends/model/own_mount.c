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

/* Replaces what is left to walk by the link's target and the rest behind it. */
static bool follow(char *rest, char *link, const char *behind)
{
	char joined[PATH_MAX];

	if (snprintf(joined, sizeof(joined), "%s/%s", link, behind) >=
	    (int)sizeof(joined))
		return false;
	strcpy(rest, joined);
	return true;
}

/* Walks the path as the kernel would, and stops where it becomes ours. */
static bool walk(const struct mounts *m, const char *path)
{
	char done[PATH_MAX] = "", rest[PATH_MAX], link[PATH_MAX];
	char *at = rest;
	unsigned links = 0;

	if (snprintf(rest, sizeof(rest), "%s", path) >= (int)sizeof(rest))
		return false;
	for (;;) {
		size_t had = strlen(done), len;
		ssize_t n;

		at += strspn(at, "/");
		len = strcspn(at, "/");
		if (!len)
			return is_ours(m, done);
		if (len == 2 && !strncmp(at, "..", 2)) {
			char *slash = strrchr(done, '/');

			if (slash)
				*slash = '\0';
		} else if (len != 1 || *at != '.') {
			if (snprintf(done + had, sizeof(done) - had, "/%.*s", (int)len,
				     at) >= (int)(sizeof(done) - had))
				return false;
			if (is_ours(m, done))
				return true;
			n = readlink(done, link, sizeof(link) - 1);
			if (n > 0 && ++links <= MAX_LINKS) {
				link[n] = '\0';
				done[*link == '/' ? 0 : had] = '\0';
				if (!follow(rest, link, at + len))
					return false;
				at = rest;
				continue;
			}
		}
		at += len;
	}
}

bool own_mount_has(const char *mountpoint, const char *path)
{
	CLEANUP(mounts_clear) struct mounts m = { 0 };

	if (!mountpoint || *path != '/')
		return false;
	find_mounts(mountpoint, &m);
	return walk(&m, path);
}
