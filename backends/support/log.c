/* The daemon's log: stderr or syslog. */
#include "backends/support/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static enum log_target to = LOG_TO_STDERR;
static bool debugging;

void log_open(enum log_target target, bool debug)
{
	to = target;
	debugging = debug;
	if (to == LOG_TO_SYSLOG)
		openlog("storagefs", LOG_PID, LOG_DAEMON);
}

static void put(int priority, const char *fmt, va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
	if (to == LOG_TO_SYSLOG)
		syslog(priority, "%s", text);
	else
		fprintf(stderr, "<%d>storagefs: %s\n", priority, text);
}

#define LOG_FUNCTION(name, priority, condition)                                          \
	void name(const char *fmt, ...)                                                  \
	{                                                                                \
		va_list ap;                                                              \
                                                                                         \
		if (!(condition))                                                        \
			return;                                                          \
		va_start(ap, fmt);                                                       \
		put(priority, fmt, ap);                                                  \
		va_end(ap);                                                              \
	}

LOG_FUNCTION(log_error, LOG_ERR, true)
LOG_FUNCTION(log_warning, LOG_WARNING, true)
LOG_FUNCTION(log_info, LOG_INFO, true)
LOG_FUNCTION(log_debug, LOG_DEBUG, debugging)
