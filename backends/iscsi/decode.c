/* Decoding of what a target sends. Layouts: SPC-4, SBC-3; LUNs: SAM-5 4.7. */
#include "backends/iscsi/decode.h"

#include <string.h>
#include <sys/param.h>

#include "backends/support/bytes.h"

#define BLOCK_SIZE_MAX (UINT32_C(1) << 20)

/* -- REPORT LUNS -- */

#define LUN_BYTES 8

size_t decode_luns_size(const uint8_t *data, size_t len)
{
	return len < LUN_BYTES ? 0 : LUN_BYTES + (size_t)be32(data);
}

/* Whether two bytes say all of it: peripheral, flat space or logical unit addressing. */
static bool is_addressable(const uint8_t lun[LUN_BYTES])
{
	static const uint8_t none[LUN_BYTES - 2];

	return lun[0] >> 6 != 3 && !memcmp(lun + 2, none, sizeof(none));
}

size_t decode_luns(const uint8_t *data, size_t len, uint16_t *luns, size_t max)
{
	size_t end = MIN(len, decode_luns_size(data, len)), n = 0;

	for (size_t at = LUN_BYTES; at + LUN_BYTES <= end && n < max; at += LUN_BYTES)
		if (is_addressable(data + at))
			luns[n++] = be16(data + at);
	return n;
}

/* -- INQUIRY and its pages -- */

bool decode_inquiry(const uint8_t *data, size_t len, struct inquiry *out)
{
	*out = (struct inquiry){ 0 };
	if (len < 1)
		return false;
	out->qualifier = data[0] >> 5;
	out->type = data[0] & 0x1f;
	if (len >= 16)
		scsi_text(out->vendor, data + 8, 8);
	if (len >= 32)
		scsi_text(out->product, data + 16, 16);
	return true;
}

bool decode_serial(const uint8_t *data, size_t len, char out[WWID_TEXT])
{
	return scsi_serial(data, len, out);
}

bool decode_wwid(const uint8_t *data, size_t len, const struct inquiry *inquiry,
		 char out[WWID_TEXT])
{
	return scsi_name(data, len, inquiry->vendor, inquiry->product, out);
}

void decode_serial_wwid(const char *serial, const struct inquiry *inquiry,
			char out[WWID_TEXT])
{
	scsi_name_by_serial(serial, inquiry->vendor, inquiry->product, out);
}

static uint32_t get32_within(const uint8_t *data, size_t len, size_t at)
{
	return at + 4 <= len ? be32(data + at) : 0;
}

void decode_block_limits(const uint8_t *data, size_t len, struct block_limits *out)
{
	uint32_t alignment;

	*out = (struct block_limits){ 0 };
	len = MIN(len, scsi_page_length(data, len, 0xb0) + 4);
	out->transfer = get32_within(data, len, 8);
	out->unmap = get32_within(data, len, 20);
	out->unmap_ranges = get32_within(data, len, 24);
	out->unmap_granularity = get32_within(data, len, 28);
	alignment = get32_within(data, len, 32);
	if (alignment & UINT32_C(0x80000000))
		out->unmap_alignment = alignment & UINT32_C(0x7fffffff);
	if (len >= 44)
		out->write_same = be64(data + 36);
}

void decode_provisioning(const uint8_t *data, size_t len, struct provisioning *out)
{
	bool told = scsi_page_length(data, len, 0xb2) >= 2;

	out->unmap = told && data[5] & 0x80;
	out->write_same_unmap = told && data[5] & 0x40;
}

/* -- READ CAPACITY(16) -- */

bool decode_capacity(const uint8_t *data, size_t len, struct capacity *out)
{
	uint64_t last, bytes;

	*out = (struct capacity){ 0 };
	if (len < 12)
		return false;
	last = be64(data);
	out->block_size = be32(data + 8);
	if (out->block_size < 512 || out->block_size > BLOCK_SIZE_MAX ||
	    out->block_size & (out->block_size - 1))
		return false;
	if (last == UINT64_MAX ||
	    __builtin_mul_overflow(last + 1, out->block_size, &bytes) ||
	    bytes > INT64_MAX)
		return false;
	out->blocks = last + 1;
	out->thin = len >= 15 && data[14] & 0x80;
	out->zeroes = len >= 15 && data[14] & 0x40;
	return true;
}

/* -- MODE SENSE(6) -- */

/* Walks the pages for the caching page. */
static bool has_write_cache(const uint8_t *data, size_t len)
{
	size_t at = 4 + (size_t)data[3];

	while (at + 4 <= len) {
		bool subpage = data[at] & 0x40;

		if ((data[at] & 0x3f) == 0x08 && !subpage)
			return data[at + 2] & 0x04;
		at += subpage ? 4 + (size_t)be16(data + at + 2)
			      : 2 + (size_t)data[at + 1];
	}
	return false;
}

bool decode_mode(const uint8_t *data, size_t len, struct mode *out)
{
	*out = (struct mode){ 0 };
	if (len < 4)
		return false;
	out->read_only = data[2] & 0x80;
	out->write_cache = has_write_cache(data, MIN(len, (size_t)data[0] + 1));
	return true;
}

/* -- GET LBA STATUS -- */

#define DESCRIPTOR_BYTES 16

size_t decode_lba_status(const uint8_t *data, size_t len, uint64_t first,
			 struct blocks *out, size_t max)
{
	size_t end = len < 8 ? 0 : MIN(len, (size_t)be32(data) + 4), n = 0;

	for (size_t at = 8; at + DESCRIPTOR_BYTES <= end && n < max;
	     at += DESCRIPTOR_BYTES) {
		uint64_t from = be64(data + at), to;
		uint32_t count = be32(data + at + 8);
		unsigned state = data[at + 12] & 0x0f;

		if (__builtin_add_overflow(from, count, &to) || from > first ||
		    to <= first || (n && from != first))
			break;
		out[n++] = (struct blocks){ .first = first,
					    .count = to - first,
					    .mapped = state != 1 && state != 2,
					    .provisioned = state != 1 };
		first = to;
	}
	return n;
}

/* -- sense data -- */

void decode_sense(const uint8_t *data, size_t len, struct sense *out)
{
	*out = (struct sense){ 0 };
	if (len < 3)
		return;
	len = MIN(len - 2, be16(data));
	if (!len)
		return;

	const uint8_t *p = data + 2;
	bool descriptors = (p[0] & 0x7f) == 0x72 || (p[0] & 0x7f) == 0x73;

	if (descriptors && len >= 4) {
		out->key = p[1] & 0x0f;
		out->code = be16(p + 2);
	} else if (!descriptors) {
		out->key = len >= 3 ? p[2] & 0x0f : 0;
		out->code = len >= 14 ? be16(p + 12) : 0;
	}
}
