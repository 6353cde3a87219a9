/* Finds and changes node records. */
#include "backends/iscsi/kernel_record.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define VALUE_LIMIT 255 /* of open-iscsi's own buffers */
#define FILE_LIMIT  65536
#define END_LINE    "# END RECORD"
#define IFACE_LINE  "iface.iscsi_ifacename = "

/* Where distributions have it. */
static const char *const roots[] = { "/etc/iscsi", "/var/lib/iscsi" };
#define N_ROOTS (sizeof(roots) / sizeof(*roots))

DEFINE_CLEANUP(cleanup_dir, DIR *, closedir)

/* -- the text -- */

bool record_can_hold(const char *value)
{
	size_t len = strlen(value);

	return len && len <= VALUE_LIMIT && !strpbrk(value, "\r\n") &&
	       !isspace((unsigned char)value[0]) &&
	       !isspace((unsigned char)value[len - 1]);
}

static bool sets(const char *line, const struct setting *s)
{
	size_t len = strlen(s->name);

	return !strncmp(line, s->name, len) && (line[len] == ' ' || line[len] == '=');
}

static bool is_set(const char *line, const struct setting *set, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sets(line, &set[i]))
			return true;
	return false;
}

/* Those without a value are left out. */
static int add_settings(const struct setting *set, size_t n, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		if (set[i].value)
			r = buf_printf(out, "%s = %s\n", set[i].name, set[i].value);
	return r;
}

int record_edit(const char *text, const struct setting *set, size_t n, struct buf *out)
{
	bool added = false;
	int r = 0;

	for (size_t len; *text && r == 0; text += len) {
		len = strcspn(text, "\n");
		len += text[len] == '\n';
		if (is_set(text, set, n))
			continue;
		if (!added && !strncmp(text, END_LINE, strlen(END_LINE))) {
			r = add_settings(set, n, out);
			added = true;
		}
		if (r == 0)
			r = buf_add(out, text, len);
	}
	return r < 0 || added ? r : add_settings(set, n, out);
}

bool record_is_of(const char *text, const char *iface)
{
	const char *line = strstr(text, IFACE_LINE);
	size_t len = strlen(iface);

	return line && !strncmp(line + strlen(IFACE_LINE), iface, len) &&
	       (line[strlen(IFACE_LINE) + len] == '\n' ||
		!line[strlen(IFACE_LINE) + len]);
}

/* -- the file -- */

static int read_file(const char *path, struct buf *out)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_LIMIT)
		return -ENOENT;
	if (buf_reserve(out, st.st_size + 1) < 0)
		return -ENOMEM;
	n = read(fd, out->data, st.st_size);
	if (n < 0)
		return -errno;
	out->data[n] = '\0';
	out->len = n;
	return 0;
}

/* The portal is a file where the target's portal group was not said, else a directory
 * with a file for each interface. */
static bool read_record(const char *portal, const char *iface, char path[PATH_MAX],
			struct buf *text)
{
	if (snprintf(path, PATH_MAX, "%s", portal) >= PATH_MAX ||
	    read_file(path, text) < 0) {
		buf_wipe(text);
		if (snprintf(path, PATH_MAX, "%s/%s", portal, iface) >= PATH_MAX ||
		    read_file(path, text) < 0)
			return false;
	}
	return record_is_of(buf_text(text), iface);
}

/* The record's file and text, and the root that it is below. */
static bool find(const char *target, const char *iface, char path[PATH_MAX],
		 struct buf *text, const char **root)
{
	for (size_t i = 0; i < N_ROOTS; i++) {
		char portal[PATH_MAX];
		struct dirent *e;

		snprintf(portal, sizeof(portal), "%s/nodes/%s", roots[i], target);

		CLEANUP(cleanup_dir) DIR *d = opendir(portal);

		while (d && (e = readdir(d))) {
			if (e->d_name[0] == '.' ||
			    snprintf(portal, sizeof(portal), "%s/nodes/%s/%s", roots[i],
				     target, e->d_name) >= PATH_MAX)
				continue;
			*root = roots[i];
			if (read_record(portal, iface, path, text))
				return true;
			buf_wipe(text);
		}
	}
	return false;
}

static int write_all(int fd, const struct buf *text)
{
	ssize_t n = write(fd, text->data, text->len);

	return n == (ssize_t)text->len ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* Under another name first: iscsiadm finds the old record or the new one. */
static int replace(const char *path, const char *root, const struct buf *text)
{
	char temporary[PATH_MAX];
	int r;

	snprintf(temporary, sizeof(temporary), "%s/.storagefs-XXXXXX", root);

	AUTO_FD int fd = mkostemp(temporary, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

int record_set(const char *target, const char *iface, const struct setting *set, size_t n,
	       struct error *err)
{
	WIPED_BUF struct buf old = { 0 };
	WIPED_BUF struct buf text = { 0 };
	char path[PATH_MAX];
	const char *root;
	int r;

	if (!find(target, iface, path, &old, &root))
		return error_set(err, ENOENT,
				 "iscsiadm left no node record of target '%s' in %s or "
				 "%s",
				 target, roots[0], roots[1]);
	/* grown once, so that no copy of a password is left behind */
	r = buf_reserve(&text, old.len + n * (VALUE_LIMIT + 64));
	if (r == 0)
		r = record_edit(buf_text(&old), set, n, &text);
	if (r == 0)
		r = replace(path, root, &text);
	return r < 0 ? error_code(err, -r, "cannot write node record '%s'", path) : 0;
}

bool record_exists(const char *target, const char *iface)
{
	WIPED_BUF struct buf text = { 0 };
	char path[PATH_MAX];
	const char *root;

	return find(target, iface, path, &text, &root);
}

bool record_has_iface(const char *iface)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < N_ROOTS; i++) {
		snprintf(path, sizeof(path), "%s/ifaces/%s", roots[i], iface);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}
