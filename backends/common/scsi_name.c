/* Decoding of the pages that name a unit. */
#include "backends/common/scsi_name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#include "backends/support/bytes.h"

void scsi_text(char *to, const uint8_t *from, size_t len)
{
	size_t end = 0;

	for (size_t i = 0; i < len && from[i]; i++) {
		to[i] = isprint(from[i]) ? from[i] : '?';
		if (from[i] != ' ')
			end = i + 1;
	}
	to[end] = '\0';
}

size_t scsi_page_length(const uint8_t *data, size_t len, uint8_t page)
{
	if (len < 4 || data[1] != page)
		return 0;
	return MIN(len - 4, be16(data + 2));
}

bool scsi_serial(const uint8_t *data, size_t len, char out[SCSI_NAME])
{
	size_t n = MIN(scsi_page_length(data, len, 0x80), SCSI_NAME - 1), skip = 0;

	while (skip < n && data[4 + skip] == ' ')
		skip++;
	scsi_text(out, data + 4 + skip, n - skip);
	return *out;
}

struct designator {
	unsigned type;
	bool text;
	const uint8_t *name;
	size_t len;
};

/* How good a name a designator is, as scsi_id ranks them; 0: none. */
static unsigned rank(const struct designator *d)
{
	bool extended = d->len && d->name[0] >> 4 == 6;

	switch (d->type) {
	case 3:
		return d->text || !d->len ? 0 : extended ? 5 : 4;
	case 2:
		return d->text || !d->len ? 0 : 3;
	case 1:
		return d->len ? 2 : 0;
	case 0:
		return d->len ? 1 : 0;
	default:
		return 0;
	}
}

static bool next_designator(const uint8_t **at, const uint8_t *end, struct designator *d)
{
	const uint8_t *p = *at;

	if (end - p < 4 || end - p - 4 < p[3])
		return false;
	*d = (struct designator){ .type = p[1] & 0x0f,
				  .text = (p[0] & 0x0f) != 1,
				  .name = p + 4,
				  .len = p[3] };
	if (p[1] & 0x30)
		d->type = 0x0f; /* of a port or of the target, not of the unit */
	*at = p + 4 + p[3];
	return true;
}

/* Blanks and what is not to be printed as underscores, runs of them as one. */
static void tidy(char *text)
{
	char *to = text;
	size_t len = strlen(text);

	while (len && text[len - 1] == ' ')
		text[--len] = '\0';
	for (char *from = text; *from; from++) {
		bool blank = isspace((unsigned char)*from);

		if (!blank || (to > text && to[-1] != '_'))
			*to++ = blank ? '_' : *from;
	}
	*to = '\0';
}

static void print_designator(const struct designator *d, const char *vendor,
			     const char *product, char out[SCSI_NAME])
{
	size_t at = snprintf(out, SCSI_NAME, "%u", d->type);

	if (d->type == 0)
		at += snprintf(out + at, SCSI_NAME - at, "%-8s%-16s", vendor, product);
	if (d->text) {
		scsi_text(out + at, d->name, MIN(d->len, SCSI_NAME - 1 - at));
	} else {
		for (size_t i = 0; i < d->len && at + 3 <= SCSI_NAME; i++)
			at += snprintf(out + at, SCSI_NAME - at, "%02x", d->name[i]);
	}
	tidy(out);
}

bool scsi_name(const uint8_t *data, size_t len, const char *vendor, const char *product,
	       char out[SCSI_NAME])
{
	struct designator d, best = { .type = 0x0f };
	size_t page = scsi_page_length(data, len, 0x83);

	*out = '\0';
	if (!page)
		return false;

	const uint8_t *at = data + 4, *end = at + page;

	while (next_designator(&at, end, &d))
		if (rank(&d) > rank(&best))
			best = d;
	if (rank(&best))
		print_designator(&best, vendor, product, out);
	return *out;
}

void scsi_name_by_serial(const char *serial, const char *vendor, const char *product,
			 char out[SCSI_NAME])
{
	snprintf(out, SCSI_NAME, "S%-8s%-16s%s", vendor, product, serial);
	tidy(out);
}
