/* One thread serves a session: tasks in order, descriptors, time, questions given up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/common/loop.h"
#include "backends/support/cleanup.h"
#include "backends/support/clock.h"

static int pipe_fds[2] = { -1, -1 };
static atomic_int got, ticks;

static size_t prepare(void *arg, struct pollfd *fds, uint64_t *until)
{
	*until = clock_now() + 5 * NS_PER_MS;
	fds[0] = (struct pollfd){ .fd = pipe_fds[0], .events = POLLIN };
	return 1;
}

static void ready(void *arg, const struct pollfd *fds, size_t n)
{
	char c;

	assert_int_equal(n, 1);
	atomic_fetch_add(&ticks, 1);
	if (fds[0].revents & POLLIN && read(pipe_fds[0], &c, 1) == 1)
		atomic_fetch_add(&got, 1);
}

static const struct loop_ops ops = { .prepare = prepare, .ready = ready };

static int setup(void **state)
{
	struct error err;
	struct loop *loop;

	atomic_store(&got, 0);
	atomic_store(&ticks, 0);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(loop_new(&ops, NULL, &loop, &err), 0);
	*state = loop;
	return 0;
}

static int teardown(void **state)
{
	loop_free(*state);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static void wait_for(atomic_int *what, int value)
{
	uint64_t until = clock_now() + 60 * NS_PER_S;

	while (atomic_load(what) < value && !deadline_passed(until))
		usleep(1000);
	assert_true(atomic_load(what) >= value);
}

static void test_descriptor_and_time(void **state)
{
	wait_for(&ticks, 3);
	assert_int_equal(write(pipe_fds[1], "ab", 2), 2);
	wait_for(&got, 2);
}

#define TASKS 1000
static struct numbered {
	struct loop_task task;
	int number;
} numbered[TASKS];
static int order[TASKS], n_order;

static void note(struct loop_task *t)
{
	order[n_order++] = container_of(t, struct numbered, task)->number;
}

static void test_order(void **state)
{
	n_order = 0;
	for (int i = 0; i < TASKS; i++) {
		numbered[i] = (struct numbered){ .task.run = note, .number = i };
		loop_submit(*state, &numbered[i].task);
	}
	teardown(state); /* runs what was submitted */
	assert_int_equal(n_order, TASKS);
	for (int i = 0; i < TASKS; i++)
		assert_int_equal(order[i], i);
	setup(state);
}

struct question {
	struct loop_call call;
	int asked, answer;
};

static atomic_int released;
static struct loop_call *kept;

static void release(struct loop_call *c)
{
	atomic_fetch_add(&released, 1);
	free(container_of(c, struct question, call));
}

static void answer(struct loop_task *t)
{
	struct question *q = container_of(t, struct question, call.task);
	struct error err;

	q->answer = 2 * q->asked;
	if (q->asked < 0)
		loop_call_done(&q->call, error_set(&err, ENOENT, "no %d", q->asked),
			       &err);
	else
		loop_call_done(&q->call, q->asked, NULL);
}

static void keep(struct loop_task *t)
{
	kept = &container_of(t, struct question, call.task)->call;
}

static struct question *question(int asked, void (*run)(struct loop_task *))
{
	struct question *q = calloc(1, sizeof(*q));

	assert_non_null(q);
	loop_call_init(&q->call, run, release);
	q->asked = asked;
	return q;
}

static void test_question(void **state)
{
	struct error err = { 0 };
	struct question *q = question(21, answer);

	atomic_store(&released, 0);
	assert_int_equal(loop_call_wait(*state, &q->call, NULL, &err), 21);
	assert_int_equal(q->answer, 42);
	loop_call_put(&q->call);

	q = question(-1, answer);
	assert_int_equal(loop_call_wait(*state, &q->call, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "no -1");
	loop_call_put(&q->call);
	wait_for(&released, 2);
}

static void answer_kept(struct loop_task *t)
{
	assert_true(loop_call_abandoned(kept));
	loop_call_done(kept, 1, NULL);
	free(t);
}

static void give_up(void **state, struct call *call, int code)
{
	struct question *q = question(1, keep);
	struct loop_task *late = calloc(1, sizeof(*late));
	struct error err = { 0 };

	atomic_store(&released, 0);
	assert_int_equal(loop_call_wait(*state, &q->call, call, &err), code);
	assert_string_not_equal(err.text, "");
	loop_call_put(&q->call);
	assert_int_equal(atomic_load(&released), 0);
	late->run = answer_kept;
	loop_submit(*state, late);
	wait_for(&released, 1);
}

static void test_given_up(void **state)
{
	atomic_bool cancelled = true;
	struct call late = { .deadline_ns = clock_now() + 20 * NS_PER_MS };
	struct call interrupted = { .cancelled = &cancelled };

	give_up(state, &late, -ETIMEDOUT);
	give_up(state, &interrupted, -EINTR);
}

static void *ask_many(void *loop)
{
	for (int i = 0; i < 200; i++) {
		struct question *q = question(i, answer);

		if (loop_call_wait(loop, &q->call, NULL, NULL) != i || q->answer != 2 * i)
			abort();
		loop_call_put(&q->call);
	}
	return NULL;
}

static void test_many(void **state)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_many, *state), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* -- a shared one: whoever brings a task may run it, but never two at once -- */

#define RUNNERS 4
#define RUNS	2000
static int entered, runs; /* not atomic: this is what the loop has to guard */
static atomic_int in_caller;
static __thread bool bringing;

static void step(void)
{
	assert_int_equal(++entered, 1);
	runs++;
	entered--;
}

/* Also shows that ready knows when it is not the thread that waited. */
static void ready_shared(void *arg, const struct pollfd *fds, size_t n)
{
	char c;

	step();
	runs--;
	if (fds && fds[0].revents & POLLIN && read(pipe_fds[0], &c, 1) == 1)
		atomic_fetch_add(&got, 1);
}

static const struct loop_ops shared_ops = {
	.prepare = prepare,
	.ready = ready_shared,
	.shared = true,
};

static void run_one(struct loop_task *t)
{
	step();
	if (bringing)
		atomic_fetch_add(&in_caller, 1);
	free(t);
}

static void bring(struct loop *loop, void (*how)(struct loop *, struct loop_task *))
{
	struct loop_task *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->run = run_one;
	bringing = true;
	how(loop, t);
	bringing = false;
}

static void *bring_many(void *loop)
{
	for (int i = 0; i < RUNS; i++)
		bring(loop, i % 3 ? loop_run : loop_submit);
	return NULL;
}

static int setup_shared(void **state)
{
	struct error err;
	struct loop *loop;

	runs = entered = 0;
	atomic_store(&got, 0);
	atomic_store(&in_caller, 0);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(loop_new(&shared_ops, NULL, &loop, &err), 0);
	*state = loop;
	return 0;
}

static void test_shared(void **state)
{
	uint64_t until = clock_now() + 60 * NS_PER_S;
	pthread_t threads[RUNNERS];
	int more = 0;

	for (int i = 0; i < RUNNERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, bring_many, *state),
				 0);
	assert_int_equal(write(pipe_fds[1], "ab", 2), 2);
	wait_for(&got, 2);
	for (int i = 0; i < RUNNERS; i++)
		pthread_join(threads[i], NULL);
	/* once it sleeps there is a turn to take */
	for (; !atomic_load(&in_caller) && !deadline_passed(until); more++) {
		usleep(1000);
		bring(*state, loop_run);
	}
	assert_true(atomic_load(&in_caller) > 0);
	teardown(state); /* runs what is left */
	assert_int_equal(runs, RUNNERS * RUNS + more);
	setup_shared(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_descriptor_and_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_question, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared, setup_shared, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
