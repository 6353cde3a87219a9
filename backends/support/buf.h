/* A growing byte buffer. Its content is always followed by a NUL that does not count. */
#pragma once

#include <stddef.h>

#include "backends/support/cleanup.h"

struct buf {
	char *data; /* NULL while nothing was added */
	size_t len, cap;
};

/* All of these return 0 or -ENOMEM; a buffer keeps what it had when they fail. */
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *text);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The content as a string that the caller frees; the buffer is empty afterwards. "" if
 * empty. */
char *buf_take(struct buf *b);

/* The content as a string that the buffer owns; never NULL. */
const char *buf_text(const struct buf *b);

/* Releases the memory. buf_wipe overwrites it first: for secrets. */
void buf_free(struct buf *b);
void buf_wipe(struct buf *b);

#define AUTO_BUF  CLEANUP(buf_free)
#define WIPED_BUF CLEANUP(buf_wipe)
