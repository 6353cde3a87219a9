/* For tests of volumes that are files: a dir pool on a directory of its own, through its
 * backend. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/backend.h"
#include "backends/support/run.h"

extern const struct backend storagefs_backend;

#define BE (&storagefs_backend)

struct dir_pool {
	char path[64];
	void *pool;
	int fd; /* the directory, past the backend */
	struct host host;
	struct pool_spec spec;
	struct call call;
	struct error err;
	const char *secret; /* NULL: none is set */
	char asked[128];    /* usage or uuid of the last secret asked for */
};

static inline int dir_pool_secret(void *ctx, const struct secret_ref *ref,
				  struct buf *value, struct error *err)
{
	struct dir_pool *p = ctx;

	snprintf(p->asked, sizeof(p->asked), "%s", ref->uuid ? ref->uuid : ref->usage);
	if (!p->secret)
		return error_set(err, ENOENT, "no secret");
	return buf_puts(value, p->secret);
}

static inline void dir_pool_changed(void *ctx, enum change what, const char *name)
{
	(void)ctx, (void)what, (void)name;
}

static inline void dir_pool_lost(void *ctx, const struct error *err)
{
	(void)ctx, (void)err;
}

static inline int dir_pool_setup(void **state)
{
	static const struct pool_spec spec = POOL_SPEC_INIT;
	struct dir_pool *p = calloc(1, sizeof(*p));

	strcpy(p->path, "/tmp/storagefs-test-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->host = (struct host){
			.ctx = p,
			.secret = dir_pool_secret,
			.changed = dir_pool_changed,
			.lost = dir_pool_lost,
		};
	p->call = (struct call){ .uid = geteuid(), .gid = getegid(), .mode = 0640 };
	p->spec = spec;
	p->spec.target = p->path;
	assert_int_equal(BE->start(&p->spec, &p->host, &p->call, &p->pool, &p->err), 0);
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY);
	*state = p;
	return 0;
}

static inline int dir_pool_teardown(void **state)
{
	struct dir_pool *p = *state;
	const char *argv[] = { "rm", "-rf", p->path, NULL };
	struct run rm = { .argv = argv };

	assert_int_equal(BE->stop(p->pool, &p->call, &p->err), 0);
	close(p->fd);
	assert_int_equal(run_tool(&rm, &p->err), 0);
	free(p);
	return 0;
}

/* Makes a file with this text past the backend. */
static inline void put_file(struct dir_pool *p, const char *name, const char *text)
{
	int fd = openat(p->fd, name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

struct names {
	size_t n;
	char all[4096]; /* each followed by '|' while there is room */
};

static inline int note_name(void *arg, const char *name)
{
	struct names *names = arg;
	size_t len = strlen(names->all);

	names->n++;
	snprintf(names->all + len, sizeof(names->all) - len, "%s|", name);
	return 0;
}

static inline bool is_listed(struct dir_pool *p, const char *name)
{
	struct names names = { 0 };
	char want[300];

	assert_int_equal(BE->list(p->pool, note_name, &names, &p->call, &p->err), 0);
	snprintf(want, sizeof(want), "|%s|", name);
	memmove(names.all + 1, names.all, sizeof(names.all) - 1);
	names.all[0] = '|';
	names.all[sizeof(names.all) - 1] = '\0';
	return strstr(names.all, want);
}

/* All entries of the directory, hidden ones too. */
static inline size_t count_entries(struct dir_pool *p)
{
	struct stat st;
	struct names names = { 0 };

	assert_int_equal(BE->list(p->pool, note_name, &names, &p->call, &p->err), 0);
	assert_int_equal(fstat(p->fd, &st), 0);
	return names.n + st.st_nlink - 2;
}

#define assert_ok(p, expression)                                                     \
	do {                                                                         \
		int result_ = (expression);                                          \
		if (result_ < 0)                                                     \
			fail_msg("%s: %d: %s", #expression, result_, (p)->err.text); \
	} while (0)

#define assert_fails(p, want, text_part, expression)                              \
	do {                                                                      \
		(p)->err = (struct error){ 0 };                                   \
		assert_int_equal((expression), -(want));                          \
		assert_int_equal((p)->err.code, (want));                          \
		if (!strstr((p)->err.text, text_part))                            \
			fail_msg("'%s' is not in: %s", text_part, (p)->err.text); \
	} while (0)
