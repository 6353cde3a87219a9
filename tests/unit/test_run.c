/* Tools: what they say is whole or refused, and none outlives its deadline. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Who is traced stays a zombie after SIGKILL until its tracer lets go: the nearest to the
 * D state that a test can make. NULL: nobody may trace here. */
static pid_t trace(pid_t who)
{
	int ready[2];
	pid_t tracer;
	char c = 0;

	assert_int_equal(pipe(ready), 0);
	tracer = fork();
	if (!tracer) {
		c = ptrace(PTRACE_SEIZE, who, NULL, NULL) == 0;
		_exit(write(ready[1], &c, 1) != 1 || !c || pause());
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return c ? tracer : 0;
}

static void *trace_tool(void *arg)
{
	char path[64], pid[16] = "";
	pid_t *tracer = arg;
	FILE *f = NULL;

	snprintf(path, sizeof(path), "/tmp/test_run.%d", (int)getpid());
	while (!f || !fgets(pid, sizeof(pid), f)) {
		if (f)
			fclose(f);
		usleep(1000);
		f = fopen(path, "r");
	}
	fclose(f);
	unlink(path);
	*tracer = trace(atoi(pid));
	return NULL;
}

/* It is given up at the deadline, named, and taken away when it has died after all. */
static void test_unkillable(void **state)
{
	uint64_t start = clock_now();
	struct run r = { .deadline_ns = start + 300 * NS_PER_MS };
	char script[128], says[64];
	pid_t tracer = 0, pid = 0;
	pthread_t thread;
	struct error err;

	snprintf(script, sizeof(script),
		 "echo $$ > /tmp/test_run.%d.new; "
		 "mv /tmp/test_run.%d.new /tmp/test_run.%d; sleep 1000",
		 (int)getpid(), (int)getpid(), (int)getpid());
	r.argv = SHELL(script);
	pthread_create(&thread, NULL, trace_tool, &tracer);
	assert_int_equal(run(&r, &err), -ETIMEDOUT);
	pthread_join(thread, NULL);
	if (!tracer)
		skip();
	assert_true(clock_now() - start < 30 * NS_PER_S);
	assert_int_equal(r.status, -1);
	assert_non_null(strstr(err.text, "cannot be stopped"));
	assert_int_equal(sscanf(strstr(err.text, "(process "), "(process %d", &pid), 1);
	snprintf(says, sizeof(says), "/proc/%d", (int)pid);
	assert_int_equal(access(says, F_OK), 0);
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	r = (struct run){ .argv = SHELL("true") };
	for (int i = 0; i < 1000 && access(says, F_OK) == 0; i++)
		assert_int_equal(run(&r, &err), 0);
	assert_int_not_equal(access(says, F_OK), 0);
}

/* Who started us may have had SIGCHLD ignored, and then no end is told of. */
static void test_ends_unknown(void **state)
{
	struct run r = { .argv = SHELL("echo a word >&2") };
	struct error err;

	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(run(&r, &err), -EIO);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(r.status, -1);
	assert_non_null(strstr(err.text, "nobody can tell how"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input_and_output),
		cmocka_unit_test(test_output_is_whole),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_unkillable),
		cmocka_unit_test(test_ends_unknown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
