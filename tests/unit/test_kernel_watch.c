/* A watched session of the kernel's initiator: its state, its units, and its end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/iscsi/kernel_login.h"
#include "backends/iscsi/kernel_watch.h"
#include "backends/support/clock.h"
#include "device_events.h"

#define SESSION "DEVPATH=/devices/platform/host2/session7/target2:0:0/2:0:0:4"

static _Atomic(const char *) state_ = "LOGGED_IN";
static atomic_int rescans, running;
static atomic_bool dead;

bool __wrap_kernel_session_is(unsigned sid, const char *target);
void __wrap_kernel_session_state(unsigned sid, char out[SESSION_TEXT]);
int __wrap_kernel_rescan(unsigned sid, struct call *call, struct error *err);

bool __wrap_kernel_session_is(unsigned sid, const char *target)
{
	return sid == 7 && !strcmp(target, "iqn.x") && *atomic_load(&state_);
}

void __wrap_kernel_session_state(unsigned sid, char out[SESSION_TEXT])
{
	snprintf(out, SESSION_TEXT, "%s", atomic_load(&state_));
}

/* As a tool's that waits for the target: until it is cancelled, or too late. */
int __wrap_kernel_rescan(unsigned sid, struct call *call, struct error *err)
{
	atomic_fetch_add(&rescans, 1);
	atomic_fetch_add(&running, 1);
	while (atomic_load(&dead) && !atomic_load(call->cancelled) &&
	       clock_now() < call->deadline_ns)
		usleep(1000);
	atomic_fetch_sub(&running, 1);
	return atomic_load(&dead) ? error_set(err, EINTR, "it was cancelled") : 0;
}

static void await(atomic_int *what, int least)
{
	uint64_t end = clock_now() + 60 * NS_PER_S;

	while (atomic_load(what) < least && clock_now() < end)
		usleep(1000);
	assert_true(atomic_load(what) >= least);
}

static struct kernel_watch *watch(struct heard *h)
{
	struct kernel_watch *w = NULL;

	heard_init(h);
	atomic_store(&state_, "LOGGED_IN");
	atomic_store(&dead, false);
	atomic_store(&rescans, 0);
	assert_int_equal(kernel_watch_start(7, "iqn.x", &h->host, &w, NULL), 0);
	return w;
}

static void units_of_the_session_alone_are_told(void **state)
{
	struct heard h;
	struct kernel_watch *w = watch(&h);

	EVENT("ACTION=add", SESSION "/block/sdx", "SUBSYSTEM=block");
	heard_next(&h, "added unit:0:0:4");
	EVENT("ACTION=add", SESSION "/block/sdx/sdx1", "SUBSYSTEM=block");
	EVENT("ACTION=add",
	      "DEVPATH=/devices/host2/session17/target2:0:0/2:0:0:5/block/sdy",
	      "SUBSYSTEM=block");
	EVENT("ACTION=change", SESSION "/block/sdx", "SUBSYSTEM=block");
	heard_next(&h, "data unit:0:0:4");
	EVENT("ACTION=remove", SESSION "/block/sdx", "SUBSYSTEM=block");
	heard_next(&h, "removed unit:0:0:4");
	kernel_watch_end(w);
	assert_true(heard_all(&h));
}

static void what_the_target_tells_is_looked_at(void **state)
{
	struct heard h;
	struct kernel_watch *w = watch(&h);

	EVENT("ACTION=change", SESSION, "SUBSYSTEM=scsi",
	      "SDEV_UA=INQUIRY_DATA_HAS_CHANGED");
	EVENT("ACTION=change", SESSION, "SUBSYSTEM=scsi",
	      "SDEV_UA=REPORTED_LUNS_DATA_CHANGED");
	await(&rescans, 1);
	EVENT("ACTION=change", SESSION, "SUBSYSTEM=scsi",
	      "SDEV_UA=CAPACITY_DATA_HAS_CHANGED");
	await(&rescans, 2);
	kernel_watch_end(w);
}

static void a_pool_is_away_while_its_target_is(void **state)
{
	struct heard h;
	struct kernel_watch *w = watch(&h);

	atomic_store(&state_, "FAILED");
	heard_next(&h, "lost target 'iqn.x' does not answer");
	atomic_store(&state_, "LOGGED_IN");
	heard_next(&h, "back");
	await(&rescans, 1);
	atomic_store(&state_, "");
	heard_next(&h, "lost somebody has logged out of target 'iqn.x'");
	kernel_watch_end(w);
	assert_true(heard_all(&h));
}

/* Nor does it keep from anybody that it is dead. */
static void a_rescan_that_waits_hides_nothing(void **state)
{
	struct heard h;
	struct kernel_watch *w = watch(&h);

	atomic_store(&dead, true);
	EVENT("ACTION=change", SESSION, "SUBSYSTEM=scsi",
	      "SDEV_UA=CAPACITY_DATA_HAS_CHANGED");
	await(&running, 1);
	atomic_store(&state_, "FAILED");
	heard_next(&h, "lost target 'iqn.x' does not answer");
	assert_int_equal(atomic_load(&running), 1);
	atomic_store(&dead, false);
	atomic_store(&state_, "LOGGED_IN");
	heard_next(&h, "back");
	await(&rescans, 2);
	kernel_watch_end(w);
	assert_true(heard_all(&h));
	while (atomic_load(&running))
		usleep(1000);
}

/* The end waits for no target. */
static void a_dead_target_holds_nobody(void **state)
{
	for (int i = 0; i < 5; i++) {
		struct heard h;
		struct kernel_watch *w = watch(&h);
		uint64_t begun;

		atomic_store(&dead, true);
		EVENT("ACTION=change", SESSION, "SUBSYSTEM=scsi",
		      "SDEV_UA=CAPACITY_DATA_HAS_CHANGED");
		await(&running, 1);
		begun = clock_now();
		kernel_watch_end(w);
		assert_true(clock_now() - begun < 30 * NS_PER_S);
		/* the thread frees what it shares; the leak checker sees to that */
		while (atomic_load(&running))
			usleep(1000);
	}
	kernel_watch_end(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_of_the_session_alone_are_told),
		cmocka_unit_test(what_the_target_tells_is_looked_at),
		cmocka_unit_test(a_pool_is_away_while_its_target_is),
		cmocka_unit_test(a_rescan_that_waits_hides_nothing),
		cmocka_unit_test(a_dead_target_holds_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
