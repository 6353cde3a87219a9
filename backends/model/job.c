/*
 * The table of verbs and long operations under way.
 *
 * `lock` guards the table; progress and cancellation are atomics, so that a backend's
 * callback never waits.
 */
#include "backends/model/job.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/list.h"

struct job {
	struct list link;
	uint64_t id, started_ns;
	char *what;
	_Atomic uint64_t done, total;
	atomic_bool own_flag, *cancelled; /* own_flag, or the caller's */
	struct call call;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list jobs = LIST_INIT(jobs);
static uint64_t last_id;

static void job_progress(struct call *call, uint64_t done, uint64_t total)
{
	struct job *j = container_of(call, struct job, call);

	atomic_store_explicit(&j->done, done, memory_order_relaxed);
	atomic_store_explicit(&j->total, total, memory_order_relaxed);
}

struct job *job_begin_for(const char *what, const struct call *caller)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j)
		j->what = strdup(what);
	if (!j || !j->what) {
		free(j);
		return NULL;
	}
	j->call = *caller;
	j->call.progress = job_progress;
	j->call.owner = NULL;
	/* the flag is const for who is called, not for the caller whose call this is */
	j->cancelled =
		caller->cancelled ? (atomic_bool *)caller->cancelled : &j->own_flag;
	j->call.cancelled = j->cancelled;
	j->started_ns = clock_now();

	SCOPED_LOCK(&lock);
	j->id = ++last_id;
	list_append(&jobs, &j->link);
	return j;
}

void job_end(struct job *j)
{
	pthread_mutex_lock(&lock);
	list_remove(&j->link);
	pthread_mutex_unlock(&lock);
	free(j->what);
	free(j);
}

struct call *job_call(struct job *j)
{
	return &j->call;
}

/* Asks every holder of its call to stop. */
static void job_cancel(struct job *j)
{
	atomic_store(j->cancelled, true);
}

void jobs_cancel_all(void)
{
	SCOPED_LOCK(&lock);

	list_for_each(l, &jobs)
		job_cancel(container_of(l, struct job, link));
}

int jobs_parse(const char *line, uint64_t *id, struct error *err)
{
	static const char verb[] = "cancel ";
	const char *number = line + sizeof(verb) - 1;
	char *end;

	if (strncmp(line, verb, sizeof(verb) - 1) || !isdigit((unsigned char)*number))
		return error_set(err, EINVAL, "jobs takes the line 'cancel ID', not '%s'",
				 line);
	errno = 0;
	*id = strtoull(number, &end, 10);
	if (*end || errno)
		return error_set(err, EINVAL, "'%s' is not the number of a job", number);
	return 0;
}

int jobs_write(const char *line, struct error *err)
{
	uint64_t id;
	int r = jobs_parse(line, &id, err);

	if (r < 0)
		return r;

	SCOPED_LOCK(&lock);
	list_for_each(l, &jobs) {
		struct job *j = container_of(l, struct job, link);

		if (j->id == id) {
			job_cancel(j);
			return 0;
		}
	}
	return error_set(err, ENOENT, "there is no job %llu: it has ended, or never was",
			 (unsigned long long)id);
}

/* "3 refresh pool 'x' 40% ETA 12s": what is not known is left out. */
static int show_job(struct job *j, struct buf *out)
{
	uint64_t done = atomic_load_explicit(&j->done, memory_order_relaxed);
	uint64_t total = atomic_load_explicit(&j->total, memory_order_relaxed);
	const char *ending = atomic_load(j->cancelled) ? " (cancelled)" : "";
	double part = total && done <= total ? (double)done / total : 0;
	int r = buf_printf(out, "%llu %s", (unsigned long long)j->id, j->what);

	if (!r && part > 0)
		r = buf_printf(out, " %d%% ETA %.0fs", (int)(part * 100),
			       (double)(clock_now() - j->started_ns) * (1 - part) / part /
				       NS_PER_S);
	return r ? r : buf_printf(out, "%s\n", ending);
}

int jobs_show(struct buf *out)
{
	SCOPED_LOCK(&lock);

	list_for_each(l, &jobs) {
		int r = show_job(container_of(l, struct job, link), out);

		if (r < 0)
			return r;
	}
	return 0;
}

size_t jobs_count(void)
{
	size_t n = 0;

	SCOPED_LOCK(&lock);
	list_for_each(l, &jobs)
		n++;
	return n;
}
