/*
 * Counters of requests, and their printing as OpenMetrics text together with the model's gauges.
 *
 * Counters are atomics that nobody orders: a reader sees each of them at some moment.
 */
#include "backends/model/metrics.h"

#include <stdatomic.h>
#include <stddef.h>

#include "backends/model/events.h"
#include "backends/model/job.h"
#include "backends/model/pools.h"
#include "backends/model/volumes.h"
#include "backends/support/clock.h"

/* Upper bounds in nanoseconds; the last bucket has none. */
static const struct {
	uint64_t ns;
	const char *le;
} buckets[] = {
	{ 10000, "1e-05" },	 { 100000, "0.0001" },	{ 1000000, "0.001" },
	{ 10000000, "0.01" },	 { 100000000, "0.1" },	{ 1000000000, "1.0" },
	{ 10000000000, "10.0" }, { UINT64_MAX, "+Inf" },
};
#define BUCKETS (sizeof(buckets) / sizeof(*buckets))

static const char *const op_names[METRIC_OPS] = {
	[METRIC_LOOKUP] = "lookup", [METRIC_ATTR] = "attr",	[METRIC_OPEN] = "open",
	[METRIC_READ] = "read",	    [METRIC_WRITE] = "write",	[METRIC_LIST] = "list",
	[METRIC_CREATE] = "create", [METRIC_REMOVE] = "remove", [METRIC_RENAME] = "rename",
	[METRIC_RESIZE] = "resize", [METRIC_SYNC] = "sync",	[METRIC_OTHER] = "other",
};

static struct {
	_Atomic uint64_t counts[BUCKETS], sum_ns, errors;
} ops[METRIC_OPS];

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
	add(&ops[op].counts[i], 1);
	add(&ops[op].sum_ns, took);
	if (code)
		add(&ops[op].errors, 1);
}

/* -- printing -- */

#define DESCRIBE(out, name, type, help)                                                  \
	buf_puts(out, "# HELP storagefs_" name " " help "\n# TYPE storagefs_" name " " type "\n")

static int add_durations(struct buf *out)
{
	int r = DESCRIBE(out, "request_duration_seconds", "histogram",
			 "How long requests took, by kind.");

	if (!r)
		r = buf_puts(out, "# UNIT storagefs_request_duration_seconds seconds\n");
	for (size_t op = 0; op < METRIC_OPS && !r; op++) {
		unsigned long long n = 0;

		for (size_t i = 0; i < BUCKETS && !r; i++) {
			n += get(&ops[op].counts[i]);
			r = buf_printf(out,
				       "storagefs_request_duration_seconds_bucket{op=\"%s\","
				       "le=\"%s\"} %llu\n", op_names[op], buckets[i].le, n);
		}
		if (!r)
			r = buf_printf(out,
				       "storagefs_request_duration_seconds_sum{op=\"%s\"} %.9f\n"
				       "storagefs_request_duration_seconds_count{op=\"%s\"} %llu\n",
				       op_names[op], get(&ops[op].sum_ns) / (double)NS_PER_S,
				       op_names[op], n);
	}
	return r;
}

static int add_errors(struct buf *out)
{
	int r = DESCRIBE(out, "request_errors", "counter",
			 "Requests that were answered with an error, by kind.");

	for (size_t op = 0; op < METRIC_OPS && !r; op++)
		r = buf_printf(out, "storagefs_request_errors_total{op=\"%s\"} %llu\n",
			       op_names[op], (unsigned long long)get(&ops[op].errors));
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
		r = buf_printf(out, "storagefs_pools{state=\"%s\"} %zu\n", pool_state_name(i),
			       t.states[i]);
	if (!r)
		r = DESCRIBE(out, "open_volumes", "gauge", "Volumes that are open.");
	if (!r)
		r = buf_printf(out, "storagefs_open_volumes %zu\n", t.open);
	if (!r)
		r = DESCRIBE(out, "jobs", "gauge", "Verbs and long operations under way.");
	if (!r)
		r = buf_printf(out, "storagefs_jobs %zu\n", jobs_count());
	return r;
}

static int add_changes(struct buf *out)
{
	int r = DESCRIBE(out, "event_bytes", "counter",
			 "Bytes of the file events since the start.");

	if (!r)
		r = buf_puts(out, "# UNIT storagefs_event_bytes bytes\n");
	return r ? r : buf_printf(out, "storagefs_event_bytes_total %llu\n",
				  (unsigned long long)events_end());
}

int metrics_show(struct buf *out)
{
	int r = add_gauges(out);

	if (!r)
		r = add_durations(out);
	if (!r)
		r = add_errors(out);
	if (!r)
		r = add_changes(out);
	return r ? r : buf_puts(out, "# EOF\n");
}
