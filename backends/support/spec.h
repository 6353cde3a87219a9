/*
 * What a pool or volume description says, as data: libvirt's storage model, one superset
 * struct each.
 *
 * Every string is owned by the struct it is in; NULL means "not given". The model parses
 * and prints them (model/pool_xml.h, model/volume_xml.h); backends read pool specs and
 * fill in volume specs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "backends/support/cleanup.h"

#define UUID_TEXT 37 /* canonical lower-case text and its NUL */

/* yes, no, or not given: as libvirt's yes/no attributes. */
enum choice { CHOICE_UNSET, CHOICE_NO, CHOICE_YES };

struct permissions {
	int mode;             /* permission bits; -1: not given */
	int64_t owner, group; /* -1: not given */
	char *label;
};
#define PERMISSIONS_UNSET { .mode = -1, .owner = -1, .group = -1 }

/* Names a secret: exactly one of uuid and usage is set. type is kept as given. */
struct secret_ref {
	char *type, *uuid, *usage;
};

struct pool_host {
	char *name;
	unsigned port; /* 0: not given */
};

/* A range of bytes on a device; end is the first byte behind it. */
struct extent {
	char *device; /* NULL where the context says which */
	uint64_t start, end;
};

struct pool_device {
	char *path;
	enum choice part_separator;
	struct extent *free; /* free extents, live only */
	size_t n_free;
};

enum adapter_type { ADAPTER_NONE, ADAPTER_SCSI_HOST, ADAPTER_FC_HOST };

struct pool_adapter {
	enum adapter_type type;
	char *name;
	bool has_parentaddr;
	unsigned unique_id, domain, bus, slot, function; /* with has_parentaddr */
	char *wwnn, *wwpn, *parent, *parent_wwnn, *parent_wwpn, *parent_fabric_wwn;
	enum choice managed;
};

struct pool_auth {
	char *type; /* "chap" or "ceph"; NULL: no <auth> */
	char *username;
	struct secret_ref secret;
};

/* fs:option (value NULL) or rbd:option. */
struct pool_option {
	char *name, *value;
};

struct pool_source {
	struct pool_host *hosts;
	size_t n_hosts;
	struct pool_device *devices;
	size_t n_devices;
	char *dir, *name, *initiator, *format, *protocol_ver, *vendor, *product;
	struct pool_adapter adapter;
	struct pool_auth auth;
};

struct pool_spec {
	char *type, *name;
	char uuid[UUID_TEXT]; /* "": not given */
	enum choice cow;
	struct pool_source source;
	char *target; /* target/path; NULL for types without one */
	struct permissions permissions;
	char *refresh_allocation; /* "default", "capacity" or NULL */
	struct pool_option *options;
	size_t n_options;
};

struct volume_cipher {
	char *name, *mode, *hash;
	unsigned size; /* bits */
};

struct volume_encryption {
	char *format, *engine;
	struct secret_ref *secrets;
	size_t n_secrets;
	struct volume_cipher cipher; /* name NULL: not given */
	char *ivgen_name, *ivgen_hash;
};

/* Features of a qcow2 header, as bits of volume_spec.features. */
#define FEATURE_LAZY_REFCOUNTS (1u << 0)
#define FEATURE_EXTENDED_L2    (1u << 1)
#define FEATURE_DATA_FILE      (1u << 2) /* found by probing only */

struct volume_backing {
	char *path, *format; /* path NULL: no backing store */
	struct permissions permissions;
};

struct volume_spec {
	char *type; /* "file", "block", "network", … */
	char *name, *key;
	bool has_capacity, has_allocation;
	uint64_t capacity, allocation, physical; /* bytes; physical 0: not printed */
	struct extent *extents;
	size_t n_extents;
	/* target */
	char *path, *format;
	struct permissions permissions;
	bool has_times;
	struct timespec atime, mtime, ctime, btime;
	struct volume_encryption encryption; /* format NULL: none */
	char *compat;
	bool nocow;
	uint64_t cluster_size; /* 0: not given */
	unsigned paths, paths_up; /* of a multipath map */
	bool has_features;
	unsigned features;
	struct volume_backing backing;
};

#define POOL_SPEC_INIT   { .permissions = PERMISSIONS_UNSET }
#define VOLUME_SPEC_INIT { .permissions = PERMISSIONS_UNSET, .backing.permissions = PERMISSIONS_UNSET }

/* Release what the struct holds and leave it as its _INIT. */
void pool_source_clear(struct pool_source *s);
void pool_spec_clear(struct pool_spec *s);
void volume_spec_clear(struct volume_spec *s);
void secret_ref_clear(struct secret_ref *r);
void permissions_clear(struct permissions *p);

#define AUTO_POOL_SPEC   CLEANUP(pool_spec_clear)
#define AUTO_VOLUME_SPEC CLEANUP(volume_spec_clear)
#define AUTO_POOL_SOURCE CLEANUP(pool_source_clear)
