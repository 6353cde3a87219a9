/*
 * Backend modules by type, loaded on first use and kept for the life of the process.
 *
 * `lock` guards the table and is held while a module is loaded, so that it is loaded
 * once.
 */
#include "backends/model/registry.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/pool_types.h"
#include "backends/support/cleanup.h"
#include "backends/support/log.h"

#define MAX_BACKENDS 32

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct backend *backends[MAX_BACKENDS];
static size_t n_backends;

static const struct backend *find(const char *type)
{
	for (size_t i = 0; i < n_backends; i++)
		if (!strcmp(backends[i]->type, type))
			return backends[i];
	return NULL;
}

int registry_add(const struct backend *b)
{
	SCOPED_LOCK(&lock);

	if (find(b->type))
		return -EEXIST;
	if (n_backends == MAX_BACKENDS)
		return -ENOSPC;
	backends[n_backends++] = b;
	return 0;
}

/* Types become file names: nothing but what a type's name has. */
static bool is_type(const char *type)
{
	if (!*type || strlen(type) > 32)
		return false;
	for (; *type; type++)
		if (!islower((unsigned char)*type) && *type != '-')
			return false;
	return true;
}

/* The directory of the executable, and of the build tree when that is where it is
 * (BUILD/fs). */
static bool build_directory(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (n < 0)
		return false;
	path[n] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	slash = strrchr(path, '/');
	if (slash && !strcmp(slash, "/fs"))
		*slash = '\0';
	return true;
}

/* Where the module is; false: nowhere. */
static bool find_module(const char *type, char *path, size_t size)
{
	char dir[PATH_MAX];

	if (build_directory(dir, sizeof(dir)) &&
	    snprintf(path, size, "%s/backends/%s.so", dir, type) < (int)size &&
	    !access(path, R_OK))
		return true;
	snprintf(path, size, "%s/%s.so", STORAGEFS_LIBDIR, type);
	return !access(path, R_OK);
}

static void refuse_missing(const char *type, const char *path, struct error *err)
{
	const struct pool_type *t = pool_type_find(type);

	if (t && t->libraries)
		error_set(err, EOPNOTSUPP,
			  "the backend '%s' is not installed: there is no %s, which a "
			  "storagefs has that was built with %s",
			  type, path, t->libraries);
	else
		error_set(err, EOPNOTSUPP,
			  "the backend '%s' is not installed: there is no %s", type,
			  path);
}

static const struct backend *load(const char *type, struct error *err)
{
	const struct backend *b;
	char path[PATH_MAX];
	void *module;

	if (!find_module(type, path, sizeof(path))) {
		refuse_missing(type, path, err);
		return NULL;
	}
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	b = module ? dlsym(module, "storagefs_backend") : NULL;
	if (!b) {
		error_set(err, EOPNOTSUPP,
			  "the backend '%s' cannot be loaded (is a library of it "
			  "missing?): %s",
			  type, dlerror());
		return NULL;
	}
	if (b->api != BACKEND_API || strcmp(b->type, type)) {
		error_set(err, EOPNOTSUPP,
			  "'%s' is a backend '%s' for another version of storagefs (%u, "
			  "not %u): "
			  "install the one that came with this storagefs",
			  path, b->type, b->api, BACKEND_API);
		return NULL;
	}
	return b;
}

struct loading {
	const char *type;
	struct error *err;
	const struct backend *backend;
};

static void *run_load(void *arg)
{
	struct loading *l = arg;

	l->backend = load(l->type, l->err);
	return NULL;
}

/* Libraries such as Ceph's need more stack for their constructors than our threads have:
 * one of the usual size does it. */
static const struct backend *load_on_large_stack(const char *type, struct error *err)
{
	struct loading l = { .type = type, .err = err };
	pthread_t thread;
	int r = pthread_create(&thread, NULL, run_load, &l);

	if (r) {
		error_code(err, r, "the backend '%s' cannot be loaded", type);
		return NULL;
	}
	pthread_join(thread, NULL);
	return l.backend;
}

const struct backend *registry_get(const char *type, struct error *err)
{
	const struct backend *b;

	SCOPED_LOCK(&lock);
	b = find(type);
	if (b)
		return b;
	if (!is_type(type)) {
		error_set(err, EOPNOTSUPP, "'%s' is no type of pools", type);
		return NULL;
	}
	if (n_backends == MAX_BACKENDS) {
		error_set(err, ENOSPC, "too many backends are loaded");
		return NULL;
	}
	b = load_on_large_stack(type, err);
	if (b) {
		backends[n_backends++] = b;
		log_debug("backend '%s' loaded", type);
	}
	return b;
}
