/*
 * What the command line and -o say: one table for the parser, --help and the manual's
 * test. A pure parser: it asks no file but the user and group databases.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "backends/support/buf.h"
#include "backends/support/error.h"

struct options {
	bool help, version, foreground;
	bool read_only, no_autostart, protect, no_passthrough, xattr, debug;
	bool allow_other;
	unsigned timeout_s;
	unsigned uid, gid, mode; /* of directories */
	char *source, *mountpoint; /* as given; NULL: not given */
	struct buf kernel;         /* options that the kernel takes: "nosuid,noatime" */
};

/* The defaults; uid and gid are the process' own. */
void options_init(struct options *o);
void options_free(struct options *o);

/* argv[0] is skipped. -EINVAL: the sentence names the word that was wrong. */
int options_parse(struct options *o, int argc, char **argv, struct error *err);

/* One comma-separated list as behind -o. */
int options_parse_list(struct options *o, const char *list, struct error *err);

/* Whether a word of such a list is an option at all, whatever its value: for mount(8)'s
 * -s. */
bool options_known(const char *word);

/* The text of --help. */
int options_help(struct buf *out);
