/*
 * Mount options: the daemon's table (fs/options.h) says what there is; here is only what
 * a remount needs beyond it, the kernel's flags by name.
 */
#include "mount-helper/options.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "fs/options.h"

static const struct {
	const char *name;
	unsigned long set, clear;
} flags[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME },
	{ "atime", 0, MS_NOATIME },
	{ "relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME },
	{ "strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
};

/* The last word on a flag counts. */
static void note_flag(struct mount_options *o, const char *word)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		if (strcmp(word, flags[i].name) != 0)
			continue;
		o->set = (o->set & ~flags[i].clear) | flags[i].set;
		o->clear = (o->clear & ~flags[i].set) | flags[i].clear;
	}
}

/* By the daemon's own parser, so that a bad value is refused before anything runs. */
static int check_word(struct mount_options *o, const char *word, struct error *err)
{
	struct options parsed;
	int r;

	options_init(&parsed);
	r = options_parse_list(&parsed, word, err);
	if (r == 0 && strncmp(word, "timeout=", 8) == 0)
		o->timeout_s = parsed.timeout_s;
	options_free(&parsed);
	return r;
}

static int add_word(struct mount_options *o, const char *word, bool sloppy,
		    struct error *err)
{
	if (strcmp(word, "remount") == 0) {
		o->remount = true;
		return 0;
	}
	if (sloppy && !options_known(word))
		return 0;
	if (check_word(o, word, err) < 0)
		return -err->code;
	note_flag(o, word);
	if (buf_printf(&o->daemon, "%s%s", o->daemon.len ? "," : "", word) < 0)
		return error_set(err, ENOMEM, "no memory for the mount options");
	return 0;
}

int mount_options_add(struct mount_options *o, const char *list, bool sloppy,
		      struct error *err)
{
	AUTO_FREE char *copy = strdup(list);
	char *rest = copy, *word;
	int r = 0;

	if (!copy)
		return error_set(err, ENOMEM, "no memory for the mount options");
	while (r == 0 && (word = strsep(&rest, ",")) != NULL)
		if (*word)
			r = add_word(o, word, sloppy, err);
	return r;
}

void mount_options_free(struct mount_options *o)
{
	buf_free(&o->daemon);
}
