/*
 * LUKS containers, versions 1 and 2. The disk is what follows the header.
 * Layouts: LUKS1 On-Disk Format Specification 1.2.3; LUKS2 On-Disk Format
 * Specification 1.1.0.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/image_families.h"
#include "backends/support/cleanup.h"

static int set_capacity(struct image_reader *r, uint64_t offset, struct image_info *out,
			struct error *err)
{
	if (offset > r->size)
		return error_set(err, EINVAL,
				 "its data start at byte %llu, but the file has only "
				 "%llu bytes",
				 (unsigned long long)offset, (unsigned long long)r->size);
	out->capacity = r->size - offset;
	return 0;
}

/* -- version 1 -- */

static int luks1_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	const uint8_t *h = r->head;
	uint32_t key_bytes = be32(h + 108);

	if (key_bytes == 0 || key_bytes > 4096)
		return error_set(err, EINVAL, "a key of %u bytes", key_bytes);
	out->encryption = "luks";
	out->key_bits = key_bytes * 8;
	snprintf(out->cipher, sizeof(out->cipher), "%.31s-%.31s", h + 8, h + 40);
	return set_capacity(r, image_sectors(be32(h + 104)), out, err);
}

/* -- version 2: a binary header, then JSON -- */

enum { LUKS2_BINARY = 4096, LUKS2_JSON_MAX = 256 << 10, LUKS2_WORD = 32 };

/* What matters of the JSON: the members of the objects in "segments". */
struct luks2_scan {
	int depth;
	bool in_segments, has_offset, dynamic;
	char key[LUKS2_WORD];
	uint64_t start, sum; /* where the data start; their size, unless dynamic */
};

/* The string behind the quote before *p, cut to a word; *p goes behind it. False: no end.
 */
static bool luks2_string(const char **p, char out[LUKS2_WORD])
{
	size_t len = 0;
	const char *c = *p;

	for (; *c && *c != '"'; c++) {
		if (*c == '\\' && c[1])
			c++;
		if (len + 1 < LUKS2_WORD)
			out[len++] = *c;
	}
	out[len] = '\0';
	*p = *c ? c + 1 : c;
	return *c == '"';
}

static void luks2_value(struct luks2_scan *s, const char *value)
{
	uint64_t number = strtoull(value, NULL, 10);

	if (!s->in_segments || s->depth != 3)
		return;
	if (strcmp(s->key, "offset") == 0) {
		if (!s->has_offset || number < s->start)
			s->start = number;
		s->has_offset = true;
	} else if (strcmp(s->key, "size") == 0) {
		s->dynamic |= strcmp(value, "dynamic") == 0;
		if (__builtin_add_overflow(s->sum, number, &s->sum))
			s->sum = UINT64_MAX;
	}
}

static void luks2_scan(struct luks2_scan *s, const char *json)
{
	const char *p = json;
	char word[LUKS2_WORD];

	while (*p) {
		char c = *p++;

		if (c == '{' || c == '[') {
			if (++s->depth == 2)
				s->in_segments = strcmp(s->key, "segments") == 0;
		} else if (c == '}' || c == ']') {
			if (--s->depth <= 0)
				return;
		} else if (c == '"') {
			if (!luks2_string(&p, word))
				return;
			p += strspn(p, " \t\r\n");
			if (*p == ':')
				memcpy(s->key, word, sizeof(word));
			else
				luks2_value(s, word);
		}
	}
}

static int luks2_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	AUTO_FREE char *json = NULL;
	struct luks2_scan s = { 0 };
	uint64_t header = be64(r->head + 8), len;

	if (header <= LUKS2_BINARY || header > r->size)
		return error_set(err, EINVAL, "a header of %llu bytes",
				 (unsigned long long)header);
	len = header - LUKS2_BINARY;
	if (len > LUKS2_JSON_MAX)
		len = LUKS2_JSON_MAX;

	int ret = image_read_text(r, LUKS2_BINARY, len, &json, err);

	if (ret < 0)
		return ret;
	out->encryption = "luks2";
	luks2_scan(&s, json ? json : "");
	if (!s.has_offset)
		return error_set(err, EINVAL, "it has no data segment");
	if (s.dynamic)
		return set_capacity(r, s.start, out, err);
	out->capacity = s.sum;
	return 0;
}

static int luks_probe(struct image_reader *r, struct image_info *out, struct error *err)
{
	uint16_t version = be16(r->head + 6);

	out->encrypted = true;
	switch (version) {
	case 1:
		return luks1_probe(r, out, err);
	case 2:
		return luks2_probe(r, out, err);
	default:
		return IMAGE_OTHER;
	}
}

const struct image_format image_luks = {
	.name = "luks",
	IMAGE_MAGIC(0, "LUKS\xba\xbe"),
	.min_size = 592,
	.probe = luks_probe,
};
