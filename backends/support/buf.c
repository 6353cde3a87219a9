/* A growing byte buffer. */
#include "backends/support/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int buf_reserve(struct buf *b, size_t more)
{
	size_t want = b->len + more + 1, cap = b->cap ? b->cap : 64;

	if (want < more)
		return -ENOMEM;
	if (want <= b->cap)
		return 0;
	while (cap < want)
		cap = cap > (size_t)-1 / 2 ? want : cap * 2;

	char *data = realloc(b->data, cap);

	if (!data)
		return -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	if (buf_reserve(b, len) < 0)
		return -ENOMEM;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_puts(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int buf_putc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

static int add_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);

	int len = vsnprintf(NULL, 0, fmt, again);

	va_end(again);
	if (len < 0 || buf_reserve(b, len) < 0)
		return -ENOMEM;
	vsnprintf(b->data + b->len, len + 1, fmt, ap);
	b->len += len;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);

	int r = add_vprintf(b, fmt, ap);

	va_end(ap);
	return r;
}

char *buf_take(struct buf *b)
{
	if (!b->data)
		return strdup("");

	char *data = b->data;

	*b = (struct buf){ 0 };
	return data;
}

const char *buf_text(const struct buf *b)
{
	return b->data ? b->data : "";
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void buf_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}
