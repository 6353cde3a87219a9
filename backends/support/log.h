/*
 * The daemon's log: stderr with <N> prefixes (sd-daemon(3)) in the foreground, syslog
 * when detached. Messages are sentences without a final newline. Secrets are never passed
 * here.
 */
#pragma once

#include <stdbool.h>

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* Call before the first thread. Until then messages go to stderr. */
void log_open(enum log_target target, bool debug);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
