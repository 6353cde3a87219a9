/* Executors: limits, order, refusal, draining and closing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/model/executor.h"
#include "backends/support/clock.h"
#include "backends/support/cpus.h"

#define DRAIN_MS 60000

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: tasks wait */
static atomic_int running, most, done;
static int order[1000];

struct work {
	struct task task;
	int number;
};

static void run_work(struct task *t)
{
	struct work *w = container_of(t, struct work, task);
	int now = atomic_fetch_add(&running, 1) + 1, seen = atomic_load(&most);
	sigset_t blocked;

	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	if (!sigismember(&blocked, SIGTERM))
		abort();
	atomic_fetch_sub(&running, 1);
	order[atomic_fetch_add(&done, 1)] = w->number;
	free(w);
}

static int submit_by(int (*how)(struct executor *, struct task *), struct executor *e,
		     int number)
{
	struct work *w = calloc(1, sizeof(*w));
	int r;

	w->task.run = run_work;
	w->number = number;
	r = how(e, &w->task);
	if (r < 0)
		free(w);
	return r;
}

static int submit(struct executor *e, int number)
{
	return submit_by(executor_submit, e, number);
}

static int setup(void **state)
{
	atomic_store(&most, 0);
	atomic_store(&done, 0);
	return 0;
}

static void wait_running(int n)
{
	uint64_t until = clock_now() + 60 * NS_PER_S;

	while (atomic_load(&running) != n && !deadline_passed(until))
		usleep(1000);
	assert_int_equal(atomic_load(&running), n);
}

static void test_limit(void **state)
{
	struct executor *e = executor_new(4);

	pthread_mutex_lock(&gate);
	for (int i = 0; i < 20; i++)
		assert_int_equal(submit(e, i), 0);
	wait_running(4);
	assert_false(executors_drain(20));
	pthread_mutex_unlock(&gate);
	assert_true(executors_drain(DRAIN_MS));
	assert_int_equal(atomic_load(&most), 4);
	assert_int_equal(atomic_load(&done), 20);
	executor_close(e);
	assert_true(executors_drain(DRAIN_MS));
}

static void test_one_thread_keeps_order(void **state)
{
	struct executor *e = executor_new(1);

	for (int i = 0; i < 200; i++)
		assert_int_equal(submit(e, i), 0);
	executor_close(e); /* what is queued still runs */
	assert_true(executors_drain(DRAIN_MS));
	for (int i = 0; i < 200; i++)
		assert_int_equal(order[i], i);
}

static void test_fewer_threads(void **state)
{
	struct executor *e = executor_new(4);

	pthread_mutex_lock(&gate);
	for (int i = 0; i < 4; i++)
		submit(e, i);
	wait_running(4);
	executor_set_threads(e, 1);
	pthread_mutex_unlock(&gate);
	assert_true(executors_drain(DRAIN_MS));
	atomic_store(&most, 0);
	for (int i = 0; i < 100; i++)
		submit(e, i);
	assert_true(executors_drain(DRAIN_MS));
	assert_int_equal(atomic_load(&most), 1);
	executor_close(e);
}

static void test_full_queue(void **state)
{
	struct executor *e = executor_new(1);
	int accepted = 1;

	pthread_mutex_lock(&gate);
	assert_int_equal(submit(e, 0), 0);
	wait_running(1);
	while (!submit(e, accepted))
		accepted++;
	assert_int_equal(accepted, 1 + EXECUTOR_QUEUE);
	assert_int_equal(submit(e, 0), -EAGAIN);
	assert_int_equal(submit_by(executor_submit_close, e, 0), 0);
	pthread_mutex_unlock(&gate);
	assert_true(executors_drain(DRAIN_MS));
	assert_int_equal(atomic_load(&done), accepted + 1);

	/* held by the gate, its thread keeps the closed executor until the last look */
	pthread_mutex_lock(&gate);
	assert_int_equal(submit(e, 0), 0);
	wait_running(1);
	executor_close(e);
	assert_int_equal(submit(e, 0), -EAGAIN);
	pthread_mutex_unlock(&gate);
	assert_true(executors_drain(DRAIN_MS));
}

static void *submit_many(void *e)
{
	for (int i = 0; i < 100; i++)
		while (submit(e, i) < 0)
			sched_yield();
	return NULL;
}

static void test_many_submitters(void **state)
{
	struct executor *e = executor_new(3);
	pthread_t threads[8];

	for (size_t i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, submit_many, e);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	executor_close(e);
	assert_true(executors_drain(DRAIN_MS));
	assert_int_equal(atomic_load(&done), 800);
	assert_in_range(atomic_load(&most), 1, 3);
}

static void test_unused_is_freed(void **state)
{
	executor_close(executor_new(4));
	assert_true(executors_drain(0));
}

static atomic_int cpus_seen;

static void run_count_cpus(struct task *t)
{
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	atomic_store(&cpus_seen, CPU_COUNT(&set));
}

/* Who makes an executor's thread may have moved to one CPU; its tasks are everybody's. */
static void test_threads_use_all_cpus(void **state)
{
	struct executor *e = executor_new(1);
	struct task task = { .run = run_count_cpus };
	cpu_set_t all;

	cpus_note();
	if (!cpus_many())
		skip();
	sched_getaffinity(0, sizeof(all), &all);
	assert_true(cpus_use(sched_getcpu()));
	assert_int_equal(executor_submit(e, &task), 0);
	assert_true(executors_drain(DRAIN_MS));
	assert_int_equal(atomic_load(&cpus_seen), CPU_COUNT(&all));
	assert_false(cpus_use(CPU_SETSIZE));
	assert_true(cpus_use(CPUS_ALL));
	sched_getaffinity(0, sizeof(all), &all);
	assert_int_equal(atomic_load(&cpus_seen), CPU_COUNT(&all));
	executor_close(e);
	assert_true(executors_drain(DRAIN_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_limit, setup),
		cmocka_unit_test_setup(test_one_thread_keeps_order, setup),
		cmocka_unit_test_setup(test_fewer_threads, setup),
		cmocka_unit_test_setup(test_full_queue, setup),
		cmocka_unit_test_setup(test_many_submitters, setup),
		cmocka_unit_test_setup(test_unused_is_freed, setup),
		cmocka_unit_test_setup(test_threads_use_all_cpus, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
