/* The options table: what -o takes, what it sets, and what --help says of it. */
#include "fs/options.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct row {
	const char *name;
	const char *expects; /* the value, for messages and --help; NULL: takes none */
	int (*set)(void *at, const char *value);
	size_t at;
	const char *help;
};

static int set_true(void *at, const char *value)
{
	*(bool *)at = true;
	return 0;
}

static int set_false(void *at, const char *value)
{
	*(bool *)at = false;
	return 0;
}

static int set_number(unsigned *at, const char *value, int base, unsigned long min,
		      unsigned long max)
{
	char *end;

	if (*value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;

	unsigned long n = strtoul(value, &end, base);

	if (errno || *end || n < min || n > max)
		return -EINVAL;
	*at = n;
	return 0;
}

static int set_seconds(void *at, const char *value)
{
	return set_number(at, value, 10, 1, 86400);
}

static int set_mode(void *at, const char *value)
{
	return set_number(at, value, 8, 0, 0777);
}

static int set_user(void *at, const char *value)
{
	if (set_number(at, value, 10, 0, UINT32_MAX - 1) == 0)
		return 0;

	const struct passwd *user = getpwnam(value);

	if (!user)
		return -EINVAL;
	*(unsigned *)at = user->pw_uid;
	return 0;
}

static int set_group(void *at, const char *value)
{
	if (set_number(at, value, 10, 0, UINT32_MAX - 1) == 0)
		return 0;

	const struct group *group = getgrnam(value);

	if (!group)
		return -EINVAL;
	*(unsigned *)at = group->gr_gid;
	return 0;
}

#define FLAG(name, set, member, help)                                                    \
	{ name, NULL, set, offsetof(struct options, member), help }
#define VALUE(name, expects, set, member, help)                                          \
	{ name, expects, set, offsetof(struct options, member), help }

static const struct row rows[] = {
	FLAG("ro", set_true, read_only,
	     "show only: no lock on SOURCE, nothing is started or written"),
	FLAG("rw", set_false, read_only, "read and write (default)"),
	VALUE("uid", "a user", set_user, uid, "owner of directories and text files"),
	VALUE("gid", "a group", set_group, gid, "their group"),
	VALUE("mode", "an octal mode", set_mode, mode,
	      "mode of directories (0755); files get it less the x bits"),
	VALUE("timeout", "1 to 86400 seconds", set_seconds, timeout_s,
	      "how long an operation may wait for its source (30)"),
	FLAG("no-autostart", set_true, no_autostart, "start no pool but by its ctl"),
	FLAG("protected", set_true, protect, "pools are protected unless told otherwise"),
	FLAG("no-passthrough", set_true, no_passthrough,
	     "read and write files here, not in the kernel"),
	FLAG("xattr", set_true, xattr, "extended attributes of volumes that are files"),
	FLAG("debug", set_true, debug, "log more"),
	FLAG("allow_other", set_true, allow_other,
	     "other users may enter (root's mounts always allow it)"),
};

/* What libfuse hands to the kernel. */
static const char *const kernel_options[] = {
	"suid",    "nosuid",     "dev",     "nodev",   "exec",          "noexec",
	"sync",    "async",      "dirsync", "atime",   "noatime",       "nodiratime",
	"context=", "fscontext=", "defcontext=", "rootcontext=", "blkdev",
};

/* What mount(8), systemd and fstab put there for themselves, and what always holds. */
static const char *const swallowed[] = {
	"defaults", "nofail", "_netdev", "auto", "noauto", "user", "nouser", "users",
	"owner", "noowner", "group", "nogroup", "diratime", "relatime", "norelatime",
	"strictatime", "nostrictatime", "lazytime", "nolazytime", "loud", "silent",
	"default_permissions", "x-", "X-", "comment=",
};

static const struct row *find_row(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

/* A word of a list; one that ends in = or - stands for all that begin so. */
static bool listed(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(list[i]);
		bool prefix = list[i][len - 1] == '=' || list[i][len - 1] == '-';

		if (strncmp(word, list[i], len) == 0 && (prefix || !word[len]))
			return true;
	}
	return false;
}

#define LISTED(list, word) listed(list, sizeof(list) / sizeof(*(list)), word)

static int add_kernel(struct options *o, const char *word, struct error *err)
{
	if ((o->kernel.len && buf_putc(&o->kernel, ',') < 0) ||
	    buf_puts(&o->kernel, word) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int set_option(struct options *o, const char *word, struct error *err)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct row *row = find_row(word, len);

	if (!row && LISTED(kernel_options, word))
		return add_kernel(o, word, err);
	if (!row && LISTED(swallowed, word))
		return 0;
	if (!row)
		return error_set(err, EINVAL,
				 "option '%.200s' is not known; see storagefs --help",
				 word);
	if (!row->expects && equals)
		return error_set(err, EINVAL, "option '%s' takes no value", row->name);
	if (row->expects && !equals)
		return error_set(err, EINVAL, "option '%s' needs %s: %s=…", row->name,
				 row->expects, row->name);
	if (row->set((char *)o + row->at, equals ? equals + 1 : NULL) < 0)
		return error_set(err, EINVAL, "option '%s' must be %s, not '%.200s'",
				 row->name, row->expects, equals + 1);
	return 0;
}

bool options_known(const char *word)
{
	return find_row(word, strcspn(word, "=")) || LISTED(kernel_options, word) ||
	       LISTED(swallowed, word);
}

int options_parse_list(struct options *o, const char *list, struct error *err)
{
	AUTO_FREE char *copy = strdup(list);
	char *rest = copy, *word;
	int ret = 0;

	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	while (ret == 0 && (word = strsep(&rest, ",")))
		if (*word)
			ret = set_option(o, word, err);
	return ret;
}

static int set_path(struct options *o, const char *path, struct error *err)
{
	char **at = !o->source ? &o->source : !o->mountpoint ? &o->mountpoint : NULL;

	if (!at)
		return error_set(err, EINVAL, "'%.200s' is one argument too many", path);
	if (!*path)
		return error_set(err, EINVAL, "%s is empty",
				 at == &o->source ? "SOURCE" : "MOUNTPOINT");
	*at = strdup(path);
	return *at ? 0 : error_set(err, ENOMEM, "out of memory");
}

int options_parse(struct options *o, int argc, char **argv, struct error *err)
{
	bool words_only = false;
	int ret = 0;

	for (int i = 1; i < argc && ret == 0; i++) {
		const char *a = argv[i];

		if (words_only || a[0] != '-' || !a[1])
			ret = set_path(o, a, err);
		else if (strcmp(a, "--") == 0)
			words_only = true;
		else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0)
			o->help = true;
		else if (strcmp(a, "-V") == 0 || strcmp(a, "--version") == 0)
			o->version = true;
		else if (strcmp(a, "-f") == 0)
			o->foreground = true;
		else if (strcmp(a, "-o") == 0 && i + 1 < argc)
			ret = options_parse_list(o, argv[++i], err);
		else if (strncmp(a, "-o", 2) == 0 && a[2])
			ret = options_parse_list(o, a + 2, err);
		else
			ret = error_set(err, EINVAL, "argument '%.200s' is not known", a);
	}
	if (ret < 0 || o->help || o->version)
		return ret;
	if (!o->mountpoint)
		return error_set(err, EINVAL,
				 "%s is missing: storagefs [-f] [-o OPTIONS] SOURCE "
				 "MOUNTPOINT", o->source ? "MOUNTPOINT" : "SOURCE");
	return 0;
}

void options_init(struct options *o)
{
	*o = (struct options){
		.timeout_s = 30, .uid = getuid(), .gid = getgid(), .mode = 0755,
	};
}

void options_free(struct options *o)
{
	free(o->source);
	free(o->mountpoint);
	buf_free(&o->kernel);
}

static int help_row(struct buf *out, const struct row *r)
{
	char name[40];

	snprintf(name, sizeof(name), "%s%s", r->name, r->expects ? "=" : "");
	return buf_printf(out, "  %-16s %s%s%s\n", name, r->help, r->expects ? "; " : "",
			  r->expects ? r->expects : "");
}

int options_help(struct buf *out)
{
	int ret = buf_puts(out,
		"storagefs: storage pools and volumes as files\n\n"
		"Usage: storagefs [-f] [-o OPTION[,OPTION…]] SOURCE MOUNTPOINT\n"
		"       storagefs --help | --version\n\n"
		"SOURCE is the directory with the definitions, "
		"/etc/storagefs by convention.\n"
		"  -f  stay in the foreground and log to stderr\n\n"
		"Options:\n");

	for (size_t i = 0; ret == 0 && i < sizeof(rows) / sizeof(*rows); i++)
		ret = help_row(out, &rows[i]);
	if (ret == 0)
		ret = buf_puts(out, "and the kernel's own:");
	for (size_t i = 0; ret == 0 && i < sizeof(kernel_options) / sizeof(char *); i++)
		ret = buf_printf(out, " %s", kernel_options[i]);
	return ret < 0 ? ret : buf_puts(out, "\n");
}
