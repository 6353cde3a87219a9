/*
 * Secrets: one file each in SOURCE/secrets.
 *
 * `lock` orders writers. Values live in wiped buffers only, and never in a message.
 */
#include "backends/model/secrets.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/store.h"
#include "backends/support/cleanup.h"

#define SECRET_LIMIT (1 << 20)
#define PATH_SIZE    (NAME_MAX + 16)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int secret_path(const char *id, char path[PATH_SIZE], struct error *err)
{
	if (!*id || *id == '.' || strchr(id, '/') || strlen(id) > NAME_MAX)
		return error_set(err, EINVAL,
				 "'%s' is no name for a secret: a UUID or a usage name "
				 "is (with %%2F "
				 "for /), not starting with a dot",
				 id);
	snprintf(path, PATH_SIZE, "secrets/%s", id);
	return 0;
}

int secret_store(const char *id, const void *value, size_t len, struct error *err)
{
	char path[PATH_SIZE];
	int r = secret_path(id, path, err);

	if (r < 0)
		return r;
	if (len && ((const char *)value)[len - 1] == '\n')
		len--;
	if (!len || len > SECRET_LIMIT)
		return error_set(err, EINVAL, "the value of secret '%s' %s", id,
				 len ? "is larger than 1 MiB" : "is empty");

	SCOPED_LOCK(&lock);
	return store_file(path, value, len, 0600, err);
}

int secret_remove(const char *id, struct error *err)
{
	char path[PATH_SIZE];
	int r = secret_path(id, path, err);

	if (r < 0)
		return r;

	SCOPED_LOCK(&lock);
	return store_remove(path, err);
}

bool secret_exists(const char *id, struct timespec *mtime)
{
	char path[PATH_SIZE];
	struct stat st;

	if (secret_path(id, path, NULL) < 0 || store_stat(path, &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	if (mtime)
		*mtime = st.st_mtim;
	return true;
}

int secrets_list(int (*each)(void *arg, const char *id), void *arg, struct error *err)
{
	return store_list("secrets", each, arg, err);
}

/* A usage name as a file name; false: no name is as long, and a cut one is another's. */
static bool encode_usage(const char *usage, char id[NAME_MAX + 1])
{
	size_t n = 0;

	for (; *usage && n + (*usage == '/' ? 3 : 1) <= NAME_MAX; usage++) {
		if (*usage == '/')
			n += sprintf(id + n, "%%2F");
		else
			id[n++] = *usage;
	}
	id[n] = '\0';
	return !*usage;
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = tolower((unsigned char)*text);
}

int secret_get(const struct secret_ref *ref, struct buf *value, struct error *err)
{
	char id[NAME_MAX + 1], path[PATH_SIZE];
	int r;

	if (ref->uuid)
		snprintf(id, sizeof(id), "%s", ref->uuid);
	else if (!encode_usage(ref->usage ? ref->usage : "", id))
		return error_set(err, ENAMETOOLONG,
				 "the usage name '%.60s…' is too long for a secret",
				 ref->usage);
	r = secret_path(id, path, err);
	if (r < 0)
		return r;
	r = store_read(path, SECRET_LIMIT, value, err);
	if (r == -ENOENT && ref->uuid) {
		lower(id);
		secret_path(id, path, NULL);
		r = store_read(path, SECRET_LIMIT, value, err);
	}
	if (r == -ENOENT)
		return error_set(
			err, ENOENT,
			"the secret '%s' is not set: write its value to secrets/%s", id,
			id);
	return r;
}
