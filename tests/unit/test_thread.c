/* Threads of the daemon: what they begin with, and waiting by the daemon's clock. */
#include "backends/support/thread.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/support/clock.h"

struct seen {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool over;
	char name[16];
	size_t stack;
	sigset_t blocked;
};

static void *look(void *arg)
{
	struct seen *s = arg;
	pthread_attr_t attr;

	pthread_mutex_lock(&s->lock);
	pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
	pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &s->stack);
	pthread_attr_destroy(&attr);
	s->over = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return s;
}

static const struct seen nothing_seen = { .lock = PTHREAD_MUTEX_INITIALIZER,
					  .changed = PTHREAD_COND_INITIALIZER };

static void test_begins(void **state)
{
	struct seen s = nothing_seen;
	pthread_t thread;
	sigset_t mine;
	void *result;

	assert_int_equal(thread_start(&thread, "fifteen-letters", look, &s), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, &s);
	assert_string_equal(s.name, "fifteen-letters");
	/* ThreadSanitizer adds to it */
	assert_in_range(s.stack, 256 << 10, 1 << 20);
	assert_true(sigismember(&s.blocked, SIGTERM) && sigismember(&s.blocked, SIGUSR1));
	pthread_sigmask(SIG_BLOCK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
}

static void test_detached(void **state)
{
	struct seen s = nothing_seen;

	pthread_mutex_lock(&s.lock);
	assert_int_equal(thread_start(NULL, "alone", look, &s), 0);
	while (!s.over)
		assert_int_equal(
			thread_wait(&s.changed, &s.lock, clock_now() + 60 * NS_PER_S), 0);
	pthread_mutex_unlock(&s.lock);
	assert_string_equal(s.name, "alone");
}

static void test_wait(void **state)
{
	struct seen s = nothing_seen;
	uint64_t until = clock_now() + 20 * NS_PER_MS;
	pthread_t thread;
	int r = 0;

	pthread_mutex_lock(&s.lock);
	assert_int_equal(thread_wait(&s.changed, &s.lock, 1), -ETIMEDOUT);
	while (r == 0)
		r = thread_wait(&s.changed, &s.lock, until);
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(clock_now() >= until);

	assert_int_equal(thread_start(&thread, "waker", look, &s), 0);
	while (!s.over)
		assert_int_equal(thread_wait(&s.changed, &s.lock, 0), 0);
	pthread_mutex_unlock(&s.lock);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins),
		cmocka_unit_test(test_detached),
		cmocka_unit_test(test_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
