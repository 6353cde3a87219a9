/* Who of the serving threads reads: one more than is busy, and one alone while it can. */
#include "fs/crew.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/support/cleanup.h"
#include "backends/support/clock.h"
#include "backends/support/thread.h"

/* Requests come through a pipe, as from /dev/fuse: one reader gets each. */
enum request {
	QUICK = 'q',
	SLOW = 's',
	WAITS = 'w', /* said to be quick, and found not to be */
	STUCK = 'x', /* the same, and nobody finds out */
};

static int requests[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t served = PTHREAD_COND_INITIALIZER;
static unsigned n_served, n_held, by[CREW_MAX];
static bool let_go;
static pthread_t threads[CREW_MAX];

static void serve_one(char what, unsigned i)
{
	crew_begin(what != SLOW);
	if (what == WAITS)
		crew_waits();
	pthread_mutex_lock(&lock);
	if (what != QUICK) {
		n_held++;
		pthread_cond_broadcast(&served);
		while (!let_go)
			thread_wait(&served, &lock, 0);
		n_held--;
	}
	by[i]++;
	n_served++;
	pthread_cond_broadcast(&served);
	pthread_mutex_unlock(&lock);
	crew_done();
}

static void *serve(void *arg)
{
	unsigned i = (uintptr_t)arg;
	char what;

	while (read(requests[0], &what, 1) == 1)
		serve_one(what, i);
	return NULL;
}

static int start(unsigned i)
{
	return -thread_start(&threads[i], "serve", serve, (void *)(uintptr_t)i);
}

static bool more_wait(void)
{
	struct pollfd p = { .fd = requests[0], .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Waits until so many have been served and are held; a minute is for ever. */
static void settle(unsigned all, unsigned held)
{
	uint64_t until = clock_now() + 60 * NS_PER_S;

	SCOPED_LOCK(&lock);
	while (n_served < all || n_held < held)
		assert_int_equal(thread_wait(&served, &lock, until), 0);
}

static void ask(enum request what)
{
	char byte = what;

	assert_int_equal(write(requests[1], &byte, 1), 1);
}

static unsigned ask_quick(unsigned n, unsigned all)
{
	for (unsigned i = 0; i < n; i++) {
		ask(QUICK);
		settle(++all, 0);
	}
	return all;
}

static void release(unsigned all)
{
	pthread_mutex_lock(&lock);
	let_go = true;
	pthread_cond_broadcast(&served);
	pthread_mutex_unlock(&lock);
	settle(all, 0);
	let_go = false;
}

/* Whoever is busy, the next request is read. */
static void busy_threads_are_replaced(void **state)
{
	for (unsigned i = 1; i <= 5; i++) {
		ask(SLOW);
		settle(0, i);
	}
	settle(ask_quick(3, 0), 5);
	release(8);
}

/* Of many quick ones in a row the last are read by one thread: the others rest. */
static void quick_ones_are_served_by_one(void **state)
{
	unsigned before[CREW_MAX], readers = 0, tries = 0, all = n_served;

	/* the threads that were blocked in a read when it began each serve one first */
	do {
		all = ask_quick(200, all);
		for (unsigned i = 0; i < CREW_MAX; i++)
			before[i] = by[i];
		all = ask_quick(20, all);
		readers = 0;
		for (unsigned i = 0; i < CREW_MAX; i++)
			readers += by[i] != before[i];
		/* on a busy machine one that looks on has helped: until all is quiet it stays */
		if (readers != 1)
			poll(NULL, 0, 50);
	} while (readers != 1 && ++tries < 100);
	assert_int_equal(readers, 1);
}

/* One that is not quick wakes another before it is served. */
static void a_slow_one_wakes_another(void **state)
{
	unsigned all = ask_quick(200, n_served);

	ask(SLOW);
	settle(all, 1);
	all = ask_quick(20, all);
	ask(SLOW);
	settle(all, 2);
	all = ask_quick(1, all);
	release(all + 2);
}

/* Where many wait those that look on help; so many at most. */
static void what_waits_gets_more_readers(void **state)
{
	unsigned before[CREW_MAX], readers = 0, tries = 0, all = n_served;

	do {
		for (unsigned i = 0; i < 2000; i++)
			ask(QUICK);
		pthread_mutex_lock(&lock);
		memcpy(before, by, sizeof(by));
		pthread_mutex_unlock(&lock);
		for (unsigned i = 0; i < 60000; i++)
			ask(QUICK);
		settle(all += 62000, 0);
		readers = 0;
		for (unsigned i = 0; i < CREW_MAX; i++)
			readers += by[i] > before[i] + 1000;
	} while ((readers < 2 || readers > 3) && ++tries < 100);
	assert_in_range(readers, 2, 3);
}

/* One that waits after all has another wake, who serves alone in its place. */
static void who_waits_is_replaced(void **state)
{
	unsigned all = n_served;

	for (unsigned i = 1; i <= 5; i++) {
		all = ask_quick(200, all);
		ask(WAITS);
		settle(all, i);
	}
	all = ask_quick(20, all);
	release(all + 5);
}

/* What is said to be quick and gets stuck holds nobody up for long. */
static void who_gets_stuck_is_noticed(void **state)
{
	unsigned all = ask_quick(200, n_served);

	ask(STUCK);
	settle(all, 1);
	all = ask_quick(5, all);
	release(all + 1);
}

static void all_end(void **state)
{
	unsigned n;

	ask_quick(200, n_served);
	close(requests[1]);
	n = crew_close();
	assert_in_range(n, 6, CREW_MAX);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	close(requests[0]);
}

static int begin(void **state)
{
	return pipe(requests) < 0 || crew_open(start, more_wait, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busy_threads_are_replaced),
		cmocka_unit_test(quick_ones_are_served_by_one),
		cmocka_unit_test(a_slow_one_wakes_another),
		cmocka_unit_test(what_waits_gets_more_readers),
		cmocka_unit_test(who_waits_is_replaced),
		cmocka_unit_test(who_gets_stuck_is_noticed),
		cmocka_unit_test(all_end),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
