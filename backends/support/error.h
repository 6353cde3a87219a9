/*
 * An error is a code and a sentence that an administrator can act on.
 *
 * It lives on the caller's stack and cannot itself fail. Every function takes it as its
 * last parameter; NULL is allowed where nobody reads the sentence. All of them return the
 * negative errno, so that `return error_set(…)` is how a function fails.
 */
#pragma once

#include <stdarg.h>

struct error {
	int code;       /* a positive errno; 0: no error */
	char text[500]; /* what was tried, on what, why it failed, what to do; no final
			   newline */
};

/* Sets code and text. Returns -code. */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As error_set with the code of errno, and ": strerror" behind the text. Returns -errno.
 */
int error_errno(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* As error_errno for a code that is not in errno. Returns -code. */
int error_code(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts what was tried before what is already there: "tried: text". Returns -err->code. */
int error_prefix(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Copies from to into, where into is not NULL. Returns -from->code. */
int error_copy(struct error *into, const struct error *from);
