/*
 * What each pool type's XML has: known for all of libvirt's types that we model, also
 * where the module is not installed. Source: libvirt 11.3, its src/conf/storage_conf.c
 * and src/conf/schemas/storagepool.rng.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Parts of a <source>, as bits of pool_type.needs (required) and .prints (printed when
 * given). */
#define SOURCE_HOST      (1u << 0)
#define SOURCE_DEVICE    (1u << 1)
#define SOURCE_DIR       (1u << 2)
#define SOURCE_ADAPTER   (1u << 3)
#define SOURCE_NAME      (1u << 4)
#define SOURCE_INITIATOR (1u << 5)
#define SOURCE_FORMAT    (1u << 6) /* prints only: always printed */
#define SOURCE_TARGET    (1u << 7) /* a target/path */
#define SOURCE_NAME_DEFAULT (1u << 8) /* source/name defaults to the pool's name and back */
#define SOURCE_FS_OPTIONS   (1u << 9)
#define SOURCE_RBD_OPTIONS  (1u << 10)
#define SOURCE_COW          (1u << 11)

struct pool_type {
	const char *name;
	const char *libraries; /* what its module is built with; NULL: libc */
	unsigned needs, prints;
	const char *const *formats;        /* of the pool, NULL-terminated; NULL: none */
	const char *default_format;
	const char *const *volume_formats; /* of its volumes; NULL: none */
	const char *default_volume_format;
	const char *auth;                  /* "chap", "ceph" or NULL */
	unsigned default_port;             /* as libvirt fills it in; 0: none */
	const char *target_prefix; /* logical: "/dev/", target is prefix + source name */
	const char *volume_type;           /* "file", "block" or "network" */
	bool multipath; /* its volumes have paths, some of which may be down */
};

/* NULL: no such type. */
const struct pool_type *pool_type_find(const char *name);

/* In libvirt's order; NULL behind the last. */
const struct pool_type *pool_type_at(size_t i);

/* Whether a NULL-terminated list of formats has this one. */
bool format_listed(const char *const *formats, const char *format);
