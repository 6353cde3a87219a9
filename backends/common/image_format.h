/*
 * Disk image formats, recognised from their own headers: family of formats by family, one
 * const struct each (after util-linux libblkid). Only reads; never opens another file;
 * only where SEEK_DATA finds data. Hostile headers give an error or "raw", never a crash,
 * a hang, a large allocation or a read past 1 MiB in all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backends/support/error.h"
#include "backends/support/spec.h"

struct image_info {
	const char *format; /* static: "raw", "qcow2", … */
	uint64_t capacity;  /* virtual size in bytes; of raw: the file's size */
	char *backing;      /* path as the header has it, or NULL; owned */
	char *backing_format; /* as the header has it, or NULL; owned */
	char *data_file;    /* qcow2 external data file, or NULL; owned */
	char compat[8];     /* qcow2: "0.10" or "1.1"; else "" */
	uint64_t cluster_size;
	bool has_features;  /* qcow2 v3 */
	unsigned features;  /* FEATURE_* of spec.h */
	bool encrypted;     /* qcow aes, qcow2 aes or luks, or a luks container */
	const char *encryption; /* static: "luks", "luks2", "aes" or NULL */
	char cipher[64];    /* luks1: "aes-xts-plain64"-like, else "" */
	unsigned key_bits;  /* luks1 */
};

void image_info_clear(struct image_info *info);

/*
 * Probes an open regular file (or device) from its start; its offset moves. size: of the
 * file. out is zero on entry. What is not recognised, or too short, is "raw" with the
 * file's size. -EIO: reading failed; -EINVAL: it claims a format whose header is damaged;
 * out then has format and capacity = size.
 */
int image_probe(int fd, uint64_t size, struct image_info *out, struct error *err);

/* The same on bytes in memory (tests, fuzzers). size: of the whole file. */
int image_probe_bytes(const void *data, size_t len, uint64_t size, struct image_info *out,
		      struct error *err);

/* Fills what a description has from a probe: format, capacity, compat, features, cluster
 * size, encryption, backing (path and format). -ENOMEM. */
int image_describe(const struct image_info *info, struct volume_spec *out);

/* All names that image_probe can give, NULL-terminated, "raw" first. */
extern const char *const image_formats[];
