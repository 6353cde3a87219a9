/*
 * The small files of /sys and /proc: a line each, whose path is printed. None of them
 * waits for a device.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/support/error.h"

#define SYS_LINE 256

/* The first line, without its newline, cut at size. -errno. */
int sys_read(char *out, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A decimal number. -EINVAL: it is none. */
int sys_number(uint64_t *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Whether there is such a file. */
bool sys_exists(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Where it really is, links followed; the caller frees it. NULL: nowhere. */
char *sys_real(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Writes the text in one write. -errno. What it starts may take its time. */
int sys_write(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
