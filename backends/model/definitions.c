/* Definitions of pools on disk, as libvirt lays them out. */
#include "backends/model/definitions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/store.h"
#include "backends/model/xml.h"

#define SUFFIX	  ".xml"
#define PATH_SIZE (DEFINITION_NAME_MAX + 32)
#define XML_MODE  0600

static const char *xml_path(char path[PATH_SIZE], const char *name)
{
	snprintf(path, PATH_SIZE, "%s" SUFFIX, name);
	return path;
}

static const char *link_path(char path[PATH_SIZE], const char *name)
{
	snprintf(path, PATH_SIZE, "autostart/%s" SUFFIX, name);
	return path;
}

/* The pool that a file name of SOURCE belongs to; false: it is none's. */
static bool pool_of(const char *file, char name[DEFINITION_NAME_MAX + 1])
{
	size_t len = strlen(file), suffix = strlen(SUFFIX);

	if (len <= suffix || len - suffix > DEFINITION_NAME_MAX ||
	    strcmp(file + len - suffix, SUFFIX))
		return false;
	snprintf(name, DEFINITION_NAME_MAX + 1, "%.*s", (int)(len - suffix), file);
	return true;
}

struct each {
	int (*fn)(void *arg, const char *name);
	void *arg;
};

static int each_file(void *arg, const char *file)
{
	const struct each *e = arg;
	char name[DEFINITION_NAME_MAX + 1];

	return pool_of(file, name) ? e->fn(e->arg, name) : 0;
}

int definitions_each(int (*fn)(void *arg, const char *name), void *arg, struct error *err)
{
	struct each e = { fn, arg };

	return store_list(".", each_file, &e, err);
}

int autostart_links_each(int (*fn)(void *arg, const char *name), void *arg,
			 struct error *err)
{
	struct each e = { fn, arg };

	return store_list("autostart", each_file, &e, err);
}

int definition_read(const char *name, struct buf *text, struct error *err)
{
	char path[PATH_SIZE];

	return store_read(xml_path(path, name), XML_LIMIT, text, err);
}

int definition_store(const char *name, const struct buf *text, struct error *err)
{
	char path[PATH_SIZE];

	return store_file(xml_path(path, name), text->data, text->len, XML_MODE, err);
}

static bool has_link(const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return !store_stat(link_path(path, name), &st);
}

bool definition_exists(const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return !store_stat(xml_path(path, name), &st);
}

/* The link after it: a pool that stays keeps its own, and one without a pool is removed
 * when there is one of that name again. */
int definition_remove(const char *name, struct error *err)
{
	char path[PATH_SIZE], kept[PATH_SIZE + 1];
	int r;

	snprintf(kept, sizeof(kept), "%s~", xml_path(path, name));
	r = store_rename(path, kept, false, err);
	if (r < 0 && r != -ENOENT)
		return r;
	autostart_link_set(name, false, NULL);
	return 0;
}

int definition_rename(const char *from, const char *to, const struct buf *text,
		      struct error *err)
{
	char old[PATH_SIZE], new[PATH_SIZE];
	bool renamed = false;
	int r;

	if (definition_exists(to))
		return error_set(err, EEXIST, "there is a definition of '%s' already",
				 to);
	/* first what counts only with a definition; then that is renamed, and rewritten:
	 * a crash leaves one definition, not two, and what belongs to it */
	r = autostart_link_set(to, has_link(from), err);
	if (!r)
		r = store_rename(xml_path(old, from), xml_path(new, to), true, err);
	renamed = !r;
	if (!r)
		r = definition_store(to, text, err);
	if (r < 0 && renamed)
		store_rename(new, old, true, NULL);
	autostart_link_set(r < 0 ? to : from, false, NULL);
	return r;
}

int autostart_link_set(const char *name, bool on, struct error *err)
{
	char path[PATH_SIZE], target[PATH_SIZE];
	int r;

	link_path(path, name);
	if (on) {
		snprintf(target, sizeof(target), "../%s" SUFFIX, name);
		return store_link(path, target, err);
	}
	r = has_link(name) ? store_remove(path, err) : 0;
	return r == -ENOENT ? 0 : r;
}
