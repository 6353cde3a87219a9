/*
 * Counters of requests, and their printing as OpenMetrics text together with the model's
 * gauges.
 *
 * Counters are atomics that nobody orders: a reader sees each of them at some moment.
 */
#include "backends/model/metrics.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include "backends/model/job.h"
#include "backends/model/pools.h"
#include "backends/model/volumes.h"
#include "backends/support/clock.h"

/* Upper bounds in nanoseconds; the last bucket has none. */
static const struct {
	uint64_t ns;
	const char *le;
} buckets[] = {
	{ 10000, "1e-05" },	 { 100000, "0.0001" },	 { 1000000, "0.001" },
	{ 10000000, "0.01" },	 { 100000000, "0.1" },	 { 1000000000, "1.0" },
	{ 10000000000, "10.0" }, { UINT64_MAX, "+Inf" },
};
#define BUCKETS (sizeof(buckets) / sizeof(*buckets))

static const char *const op_names[METRIC_OPS] = {
	[METRIC_LOOKUP] = "lookup", [METRIC_ATTR] = "attr",
	[METRIC_OPEN] = "open",	    [METRIC_READ] = "read",
	[METRIC_WRITE] = "write",   [METRIC_LIST] = "list",
	[METRIC_CREATE] = "create", [METRIC_REMOVE] = "remove",
	[METRIC_RENAME] = "rename", [METRIC_RESIZE] = "resize",
	[METRIC_SYNC] = "sync",	    [METRIC_OTHER] = "other",
};

/* [1]: those that were answered with an error. Counters would end in _total, which
 * promtool's check and OpenMetrics describe under different names; a histogram's count
 * has no such trouble. */
static struct {
	_Atomic uint64_t counts[BUCKETS], sum_ns;
} ops[METRIC_OPS][2];
static const char *const results[] = { "ok", "error" };

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t get(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_request(enum metric_op op, uint64_t started_ns, int code)
{
	uint64_t took = clock_now() - started_ns;
	size_t i = 0;

	while (took > buckets[i].ns)
		i++;
	add(&ops[op][code != 0].counts[i], 1);
	add(&ops[op][code != 0].sum_ns, took);
}

/* -- printing -- */

#define DESCRIBE(out, name, type, help)                                            \
	buf_puts(out, "# HELP storagefs_" name " " help "\n# TYPE storagefs_" name \
		      " " type "\n")

static int add_histogram(struct buf *out, size_t op, size_t result)
{
	static const char name[] = "storagefs_request_duration_seconds";
	unsigned long long n = 0;
	char labels[64];
	int r = 0;

	snprintf(labels, sizeof(labels), "op=\"%s\",result=\"%s\"", op_names[op],
		 results[result]);
	for (size_t i = 0; i < BUCKETS && !r; i++) {
		n += get(&ops[op][result].counts[i]);
		r = buf_printf(out, "%s_bucket{%s,le=\"%s\"} %llu\n", name, labels,
			       buckets[i].le, n);
	}
	if (r < 0)
		return r;
	return buf_printf(out, "%s_sum{%s} %.9f\n%s_count{%s} %llu\n", name, labels,
			  get(&ops[op][result].sum_ns) / (double)NS_PER_S, name, labels,
			  n);
}

static int add_durations(struct buf *out)
{
	int r = DESCRIBE(out, "request_duration_seconds", "histogram",
			 "How long requests took, by kind and result.");

	if (!r)
		r = buf_puts(out, "# UNIT storagefs_request_duration_seconds seconds\n");
	for (size_t op = 0; op < METRIC_OPS; op++)
		for (size_t result = 0; result < 2 && !r; result++)
			r = add_histogram(out, op, result);
	return r;
}

#define STATES (POOL_FAILED + 1)

struct totals {
	size_t states[STATES], open;
};

static int count_pool(void *arg, struct pool *p)
{
	struct totals *t = arg;

	t->states[pool_state(p)]++;
	t->open += volumes_open_count(pool_volumes(p));
	return 0;
}

static int add_gauges(struct buf *out)
{
	struct totals t = { 0 };
	int r = pools_each(count_pool, &t);

	if (!r)
		r = DESCRIBE(out, "pools", "gauge", "Pools by state.");
	for (size_t i = 0; i < STATES && !r; i++)
		r = buf_printf(out, "storagefs_pools{state=\"%s\"} %zu\n",
			       pool_state_name(i), t.states[i]);
	if (!r)
		r = DESCRIBE(out, "open_volumes", "gauge", "Volumes that are open.");
	if (!r)
		r = buf_printf(out, "storagefs_open_volumes %zu\n", t.open);
	if (!r)
		r = DESCRIBE(out, "jobs", "gauge",
			     "Verbs and long operations under way.");
	if (!r)
		r = buf_printf(out, "storagefs_jobs %zu\n", jobs_count());
	return r;
}

int metrics_show(struct buf *out)
{
	int r = add_gauges(out);

	if (!r)
		r = add_durations(out);
	return r ? r : buf_puts(out, "# EOF\n");
}
