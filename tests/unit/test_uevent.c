/* Listeners to the kernel's events: who is told while watches come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/common/uevent.h"
#include "device_events.h"

#define THREADS 4
#define ROUNDS	200

static void tell(void *arg, const struct uevent *e)
{
	struct heard *h = arg;
	const char *name = e ? uevent_get(e, "DEVNAME") : NULL;

	h->host.changed(h, name ? CHANGE_ADDED : CHANGE_ALL, name);
}

static void each_watch_is_told_until_it_is_removed(void **state)
{
	struct heard a, b;
	struct uevent_watch *wa = NULL, *wb = NULL;

	heard_init(&a);
	heard_init(&b);
	assert_int_equal(uevent_add(tell, &a, &wa, NULL), 0);
	assert_int_equal(uevent_add(tell, &b, &wb, NULL), 0);
	EVENT("ACTION=add", "DEVPATH=/devices/x", "DEVNAME=x");
	heard_next(&a, "added x");
	heard_next(&b, "added x");
	uevent_remove(wa);
	EVENT("ACTION=add", "DEVPATH=/devices/y", "DEVNAME=y");
	heard_next(&b, "added y");
	uevent_remove(wb);
	assert_true(heard_all(&a) && heard_all(&b));

	/* the next watch has a listener of its own */
	assert_int_equal(uevent_add(tell, &a, &wa, NULL), 0);
	EVENT("ACTION=add", "DEVPATH=/devices/z", "DEVNAME=z");
	heard_next(&a, "added z");
	uevent_remove(wa);
	uevent_remove(NULL);
}

/* The watch's own number: it is freed right after uevent_remove(). */
static void count(void *arg, const struct uevent *e)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static void *come_and_go(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct uevent_watch *w = NULL;
		atomic_uint *own = calloc(1, sizeof(*own));

		assert_int_equal(uevent_add(count, own, &w, NULL), 0);
		if (i % 4 == 0)
			usleep(100);
		uevent_remove(w);
		free(own);
	}
	return NULL;
}

static void watches_come_and_go_while_events_do(void **state)
{
	pthread_t threads[THREADS];
	struct uevent_watch *stays = NULL;
	atomic_uint seen = 0;

	assert_int_equal(uevent_add(count, &seen, &stays, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (int i = 0; i < ROUNDS; i++)
		EVENT("ACTION=change", "DEVPATH=/devices/x", "DEVNAME=x");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	while (atomic_load(&seen) < ROUNDS)
		usleep(1000);
	uevent_remove(stays);
	assert_int_equal(atomic_load(&seen), ROUNDS);

	/* and the listener's thread with the last of them */
	come_and_go(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_watch_is_told_until_it_is_removed),
		cmocka_unit_test(watches_come_and_go_while_events_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
