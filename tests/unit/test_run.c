/* Tools: what they say is whole or refused, and none outlives its deadline. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backends/support/clock.h"
#include "backends/support/run.h"

#define MiB (UINT64_C(1) << 20)

/* argv of a shell that runs the script. */
#define SHELL(script) \
	(const char *const[]) { "sh", "-c", script, NULL }

static int run(struct run *r, struct error *err)
{
	*err = (struct error){ 0 };
	return run_tool(r, err);
}

static void test_input_and_output(void **state)
{
	AUTO_BUF struct buf out = { 0 };
	struct run r = { .argv = SHELL("cat; echo more"), .input = "text", .input_len = 4,
			 .output = &out };
	struct error err;

	assert_int_equal(run(&r, &err), 0);
	assert_string_equal(buf_text(&out), "textmore\n");
}

/* Half a list would be taken for all there is. */
static void test_output_is_whole(void **state)
{
	AUTO_BUF struct buf large = { 0 }, larger = { 0 };
	struct run r = { .argv = SHELL("head -c 60000000 /dev/zero"), .output = &large };
	struct error err;

	assert_int_equal(run(&r, &err), 0);
	assert_int_equal(large.len, 60000000);
	r = (struct run){ .argv = SHELL("head -c 70000000 /dev/zero"), .output = &larger };
	assert_int_equal(run(&r, &err), -EIO);
	assert_non_null(strstr(err.text, "'sh' said more than could be kept"));
}

static void test_failures(void **state)
{
	struct run r = { .argv = SHELL("echo a word >&2; exit 3") };
	struct error err;

	assert_int_equal(run(&r, &err), -EIO);
	assert_int_equal(r.status, 3);
	assert_string_equal(err.text, "'sh' failed (exit status 3): a word");
	r.argv = SHELL("kill -9 $$");
	assert_int_equal(run(&r, &err), -EIO);
	assert_int_equal(r.status, 128 + SIGKILL);
	r.argv = (const char *const[]){ "no-such-tool", NULL };
	assert_int_equal(run(&r, &err), -EOPNOTSUPP);
}

/* Who talks without end is stopped, too, with all that it has started. */
static void test_deadline(void **state)
{
	AUTO_BUF struct buf out = { 0 };
	atomic_bool cancelled = true;
	struct run r = { .argv = SHELL("sleep 1000 & yes"), .output = &out,
			 .deadline_ns = clock_now() + 200 * NS_PER_MS };
	struct error err;

	assert_int_equal(run(&r, &err), -ETIMEDOUT);
	r = (struct run){ .argv = SHELL("sleep 1000"), .cancelled = &cancelled };
	assert_int_equal(run(&r, &err), -EINTR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input_and_output),
		cmocka_unit_test(test_output_is_whole),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_deadline),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
