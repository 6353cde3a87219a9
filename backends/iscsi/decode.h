/*
 * What a target sends, read byte by byte: every function takes what came, however short
 * or wrong it is, and touches nothing behind its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/common/scsi_name.h"

#define WWID_TEXT SCSI_NAME

/* -- REPORT LUNS -- */

/* How many bytes the whole list needs, whatever part of it came; 0: not even that is
 * there. */
size_t decode_luns_size(const uint8_t *data, size_t len);
/* The first two bytes of each LUN that can be addressed with them, at most max; returns
 * how many. Well-known units and those behind other units are left out. */
size_t decode_luns(const uint8_t *data, size_t len, uint16_t *luns, size_t max);

/* -- INQUIRY and its pages -- */

struct inquiry {
	unsigned qualifier, type;
	char vendor[9], product[17];
};
bool decode_inquiry(const uint8_t *data, size_t len, struct inquiry *out);

/* Page 0x80. The serial number without the blanks around it; false: there is none. */
bool decode_serial(const uint8_t *data, size_t len, char out[WWID_TEXT]);
/* Page 0x83, as scsi_id(8) and so libvirt write it: the kind's digit, then the best name
 * of the unit itself (NAA, EUI-64, T10, vendor's own), blanks as underscores. */
bool decode_wwid(const uint8_t *data, size_t len, const struct inquiry *inquiry,
		 char out[WWID_TEXT]);

/* The same of a unit that has a serial number only. */
void decode_serial_wwid(const char *serial, const struct inquiry *inquiry,
			char out[WWID_TEXT]);

/* Page 0xb0, in blocks; 0: not told, or no limit. */
struct block_limits {
	uint32_t transfer, unmap, unmap_ranges, unmap_granularity, unmap_alignment;
	uint64_t write_same;
};
void decode_block_limits(const uint8_t *data, size_t len, struct block_limits *out);

/* Page 0xb2. */
struct provisioning {
	bool unmap, write_same_unmap;
};
void decode_provisioning(const uint8_t *data, size_t len, struct provisioning *out);

/* -- READ CAPACITY(16) -- */

struct capacity {
	uint64_t blocks;
	uint32_t block_size;
	bool thin, zeroes; /* zeroes: what is not provisioned reads as zeros */
};
/* False: no size that a unit can have. */
bool decode_capacity(const uint8_t *data, size_t len, struct capacity *out);

/* -- MODE SENSE(6) -- */

struct mode {
	bool read_only, write_cache;
};
bool decode_mode(const uint8_t *data, size_t len, struct mode *out);

/* -- GET LBA STATUS -- */

struct blocks {
	uint64_t first, count;
	bool mapped;
	bool provisioned; /* space is kept for them: mapped, or anchored */
};
/* What is said about the blocks from first on, without a gap, at most max ranges; returns
 * how many. */
size_t decode_lba_status(const uint8_t *data, size_t len, uint64_t first,
			 struct blocks *out, size_t max);

/* -- sense data -- */

struct sense {
	unsigned key, code; /* code: additional sense code and qualifier, 0x2900 */
};
/* As it comes in a response, behind its two bytes of length. */
void decode_sense(const uint8_t *data, size_t len, struct sense *out);
