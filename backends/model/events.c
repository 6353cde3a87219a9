/*
 * Changes as they happen: the subscribers, and the log behind the file `events`.
 *
 * `subscribers_lock` is held for reading while subscribers are called, so that
 * unsubscribing waits for calls under way; `log_lock` guards the log and is never held
 * across a call.
 */
#include "backends/model/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backends/model/pool.h"
#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/map.h"

#define KEPT_LINES	10000
#define TRIM_LINES	11000
#define MAX_SUBSCRIBERS 8
#define LINE_SIZE	3328 /* three names of 255 bytes, all of it \xHH, and the rest */

static pthread_rwlock_t subscribers_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct subscriber {
	void (*fn)(void *arg, const struct event *);
	void *arg;
} subscribers[MAX_SUBSCRIBERS];

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf text; /* whole lines */
static uint64_t first;	/* position of text's first byte */
static unsigned lines;
/* hash of the last line without its time, where it may repeat */
static uint64_t last_change;
static time_t last_change_s;

static const char *const verbs[] = {
	[EVENT_POOL_ADDED] = "pool-added",
	[EVENT_POOL_REMOVED] = "pool-removed",
	[EVENT_POOL_RENAMED] = "pool-renamed-from",
	[EVENT_POOL_DEFINED] = "pool-defined",
	[EVENT_POOL_STATE] = "state",
	[EVENT_VOLUME_ADDED] = "volume-added",
	[EVENT_VOLUME_REMOVED] = "volume-removed",
	[EVENT_VOLUME_RENAMED] = "volume-renamed",
	[EVENT_VOLUME_CHANGED] = "volume-changed",
	[EVENT_VOLUMES_ALL] = "volumes-changed",
	[EVENT_SNAPSHOTS] = "snapshots-changed",
	[EVENT_ERROR] = "error",
};

int events_subscribe(void (*fn)(void *arg, const struct event *), void *arg)
{
	int r = -ENOSPC;

	pthread_rwlock_wrlock(&subscribers_lock);
	for (size_t i = 0; r < 0 && i < MAX_SUBSCRIBERS; i++) {
		if (!subscribers[i].fn) {
			subscribers[i] = (struct subscriber){ fn, arg };
			r = 0;
		}
	}
	pthread_rwlock_unlock(&subscribers_lock);
	return r;
}

void events_unsubscribe(void (*fn)(void *arg, const struct event *), void *arg)
{
	pthread_rwlock_wrlock(&subscribers_lock);
	for (size_t i = 0; i < MAX_SUBSCRIBERS; i++)
		if (subscribers[i].fn == fn && subscribers[i].arg == arg)
			subscribers[i].fn = NULL;
	pthread_rwlock_unlock(&subscribers_lock);
}

/* Adds a blank and the name, with what would break the line into words escaped. */
static char *add_name(char *at, const char *end, const char *name)
{
	if (end - at < 2)
		return at;
	*at++ = ' ';
	for (const unsigned char *c = (const unsigned char *)name; *c && end - at > 4;
	     c++) {
		if (*c <= ' ' || *c == 0x7f || *c == '\\')
			at += sprintf(at, "\\x%02X", *c);
		else
			*at++ = *c;
	}
	return at;
}

/* The line behind its time, with its newline. Returns its length. */
static size_t format_change(const struct event *e, char *line, size_t size)
{
	char pool[POOL_NAME_MAX] = "-", *at = line, *end = line + size - 1;

	if (e->pool)
		pool_name(e->pool, pool);
	at = add_name(at, end, pool);
	at = add_name(at, end, verbs[e->what]);
	if (e->name)
		at = add_name(at, end, e->name);
	if (e->other)
		at = add_name(at, end, e->other);
	*at++ = '\n';
	return at - line;
}

static void trim(void)
{
	const char *at = text.data;

	for (; lines > KEPT_LINES; lines--)
		at = memchr(at, '\n', text.data + text.len - at) + 1;

	size_t gone = at - text.data;

	memmove(text.data, at, text.len - gone + 1);
	text.len -= gone;
	first += gone;
}

/*
 * What a watch sees of our own requests is no second change. An echo comes within
 * moments; a change from outside that is taken for one is lacking in the log alone, never
 * in the caches.
 */
#define ECHO_NS (500 * NS_PER_MS)
static struct {
	uint64_t volume, at_ns;
} own[64];

static bool is_echo(const struct event *e, const char *name)
{
	uint64_t volume = e->pool && name ? hash_string(name, pool_serial(e->pool)) : 0;
	size_t slot = volume % (sizeof(own) / sizeof(*own));
	uint64_t now = clock_now();

	if (e->from_outside)
		return volume && own[slot].volume == volume &&
		       now - own[slot].at_ns < ECHO_NS;
	own[slot].volume = volume;
	own[slot].at_ns = now;
	return false;
}

/* A storm of equal changes from outside is one line a second. */
static bool repeats(const struct event *e, const char *line, size_t len, time_t now)
{
	bool may_repeat = e->from_outside && (e->what == EVENT_VOLUME_CHANGED ||
					      e->what == EVENT_VOLUMES_ALL);
	uint64_t hash = may_repeat ? hash_bytes(line, len, 0) : 0;
	bool same = may_repeat && hash == last_change && now == last_change_s;

	last_change = hash;
	last_change_s = now;
	return same;
}

static void record(const struct event *e)
{
	char line[LINE_SIZE];
	size_t len = format_change(e, line, sizeof(line));
	struct timespec now;
	struct tm tm;
	char stamp[32];

	SCOPED_LOCK(&log_lock);
	clock_gettime(CLOCK_REALTIME, &now); /* under the lock: times never go back */
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%FT%T", &tm);
	if (e->other)
		is_echo(e, e->other);
	if (is_echo(e, e->name) || repeats(e, line, len, now.tv_sec) ||
	    buf_reserve(&text, len + sizeof(stamp)) < 0)
		return;
	buf_printf(&text, "%s.%03ldZ", stamp, now.tv_nsec / 1000000);
	buf_add(&text, line, len);
	if (++lines > TRIM_LINES)
		trim();
}

void events_emit(const struct event *e)
{
	record(e);
	pthread_rwlock_rdlock(&subscribers_lock);
	for (size_t i = 0; i < MAX_SUBSCRIBERS; i++)
		if (subscribers[i].fn)
			subscribers[i].fn(subscribers[i].arg, e);
	pthread_rwlock_unlock(&subscribers_lock);
}

uint64_t events_first(void)
{
	SCOPED_LOCK(&log_lock);
	return first;
}

uint64_t events_end(void)
{
	SCOPED_LOCK(&log_lock);
	return first + text.len;
}

uint64_t events_read(uint64_t position, size_t size, struct buf *out)
{
	SCOPED_LOCK(&log_lock);

	if (position < first)
		position = first;

	uint64_t skip = position - first;

	if (skip >= text.len)
		return position;
	if (size > text.len - skip)
		size = text.len - skip;
	buf_add(out, text.data + skip, size);
	return position;
}

void events_exit(void)
{
	SCOPED_LOCK(&log_lock);

	first += text.len; /* positions never go back */
	lines = 0;
	last_change = 0;
	buf_free(&text);
}
