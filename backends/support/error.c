/* The error object: a code and a sentence, on the caller's stack. */
#include "backends/support/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Cuts an unfinished UTF-8 sequence that truncation left at the end. */
static void trim_utf8(char *text)
{
	size_t len = strlen(text), start = len;

	while (start > 0 && len - start < 4 &&
	       ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0 || (unsigned char)text[start - 1] < 0xc0)
		return;

	unsigned char lead = text[start - 1];
	size_t wants = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

	if (len - start < wants)
		text[start - 1] = '\0';
}

/* One line, whatever a tool or a file name put into it. */
static void make_line(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	trim_utf8(text);
}

static int set(struct error *err, int code, const char *reason, const char *fmt,
	       va_list ap)
{
	if (!err)
		return -code;
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	if (reason) {
		size_t len = strlen(err->text);

		snprintf(err->text + len, sizeof(err->text) - len, ": %s", reason);
	}
	make_line(err->text);
	return -code;
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = set(err, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int error_errno(struct error *err, const char *fmt, ...)
{
	int code = errno;
	char reason[128];
	va_list ap;

	va_start(ap, fmt);
	code = set(err, code, strerror_r(code, reason, sizeof(reason)), fmt, ap);
	va_end(ap);
	return code;
}

int error_code(struct error *err, int code, const char *fmt, ...)
{
	char reason[128];
	va_list ap;

	va_start(ap, fmt);
	code = set(err, code, strerror_r(code, reason, sizeof(reason)), fmt, ap);
	va_end(ap);
	return code;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
	char head[sizeof(err->text)], tail[sizeof(err->text)];
	va_list ap;

	if (!err)
		return -EIO; /* the caller returns its own code where nobody reads the
				text */
	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	strcpy(tail, err->text);

	size_t len = strnlen(head, sizeof(head) - 3);

	memcpy(err->text, head, len);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", tail);
	make_line(err->text);
	return -err->code;
}

int error_copy(struct error *into, const struct error *from)
{
	if (into)
		*into = *from;
	return -from->code;
}
