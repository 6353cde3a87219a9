/* Watching directories: what is told, by whom, and that nothing is told afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/common/watch.h"
#include "backends/support/clock.h"

#define WAIT_NS (60 * NS_PER_S)

/* What a watch was told, as text: "+name -name ~name *". */
struct told {
	pthread_mutex_t lock;
	pthread_cond_t more;
	char text[65536];
};
#define TOLD_INIT                                                                   \
	{                                                                           \
		.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER \
	}

static char base[64];

static void note(void *arg, enum change what, const char *name)
{
	static const char marks[] = { [CHANGE_ADDED] = '+',
				      [CHANGE_REMOVED] = '-',
				      [CHANGE_DATA] = '~',
				      [CHANGE_ALL] = '*' };
	struct told *t = arg;

	SCOPED_LOCK(&t->lock);
	size_t len = strlen(t->text);

	assert_true(!name == (what == CHANGE_ALL));
	snprintf(t->text + len, sizeof(t->text) - len, "%c%s ", marks[what],
		 name ? name : "");
	pthread_cond_broadcast(&t->more);
}

static void await(struct told *t, const char *text)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_NS / NS_PER_S;
	SCOPED_LOCK(&t->lock);
	while (!strstr(t->text, text))
		if (pthread_cond_timedwait(&t->more, &t->lock, &end))
			fail_msg("'%s' is not in '%s'", text, t->text);
}

static bool was_told(struct told *t, const char *text)
{
	SCOPED_LOCK(&t->lock);
	return strstr(t->text, text);
}

static int open_dir(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", base, name);
	mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static void write_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_WRONLY, 0600);

	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static int add(int dir, struct told *t, struct watch **w)
{
	struct error err = { 0 };
	int r = watch_add(dir, note, t, w, &err);

	if (r < 0)
		print_message("%s\n", err.text);
	return r;
}

static void each_kind_of_change_is_told(void **state)
{
	struct told t = TOLD_INIT;
	struct watch *w;
	int dir = open_dir("kinds");

	assert_int_equal(add(dir, &t, &w), 0);
	write_file(dir, "a");
	await(&t, "+a ~a ");
	fchmodat(dir, "a", 0644, 0);
	await(&t, "~a ~a ");
	renameat(dir, "a", dir, "b");
	await(&t, "-a +b ");
	assert_int_equal(mkdirat(dir, "sub", 0700), 0);
	unlinkat(dir, "b", 0);
	await(&t, "-b ");
	assert_false(was_told(&t, "sub"));
	fchmod(dir, 0711);
	await(&t, "* ");
	watch_remove(w);
	close(dir);
}

static void two_pools_and_two_watches_of_one_directory(void **state)
{
	struct told a = TOLD_INIT, b = TOLD_INIT, c = TOLD_INIT;
	struct watch *wa, *wb, *wc;
	int one = open_dir("one"), two = open_dir("two");

	assert_int_equal(add(one, &a, &wa), 0);
	assert_int_equal(add(one, &b, &wb), 0);
	assert_int_equal(add(two, &c, &wc), 0);
	write_file(one, "x");
	await(&a, "+x ");
	await(&b, "+x ");
	watch_remove(wa);
	write_file(one, "y");
	write_file(two, "z");
	await(&b, "+y ");
	await(&c, "+z ");
	assert_false(was_told(&a, "+y"));
	assert_false(was_told(&c, "+y"));
	watch_remove(wb);
	watch_remove(wc);
	close(one);
	close(two);
}

static void a_directory_that_goes_is_told(void **state)
{
	struct told t = TOLD_INIT;
	struct watch *w;
	char path[128], to[128];
	int dir = open_dir("goes");

	assert_int_equal(add(dir, &t, &w), 0);
	/* while it is open somewhere the kernel does not say that it was removed */
	close(dir);
	snprintf(path, sizeof(path), "%s/goes", base);
	assert_int_equal(rmdir(path), 0);
	await(&t, "* ");
	watch_remove(w);

	struct told moved = TOLD_INIT;

	dir = open_dir("goes");
	assert_int_equal(add(dir, &moved, &w), 0);
	snprintf(to, sizeof(to), "%s/gone", base);
	assert_int_equal(rename(path, to), 0);
	await(&moved, "* ");
	watch_remove(w);
	close(dir);
}

static void what_cannot_be_watched_is_an_error(void **state)
{
	struct told t = TOLD_INIT;
	struct watch *w;
	int file = open("/dev/null", O_RDONLY);

	assert_int_equal(add(file, &t, &w), -ENOTDIR);
	assert_int_equal(add(-1, &t, &w), -ENOENT);
	watch_remove(NULL);
	close(file);
}

/* The thread must not outlive the last watch, nor a callback its watch. */
static void nothing_is_told_after_removal(void **state)
{
	int dir = open_dir("busy");

	for (int i = 0; i < 200; i++) {
		struct told *t = calloc(1, sizeof(*t));
		struct watch *w;

		pthread_mutex_init(&t->lock, NULL);
		pthread_cond_init(&t->more, NULL);
		assert_int_equal(add(dir, t, &w), 0);
		for (int n = 0; n < 5; n++)
			write_file(dir, n % 2 ? "p" : "q");
		unlinkat(dir, "p", 0);
		watch_remove(w);
		pthread_cond_destroy(&t->more);
		pthread_mutex_destroy(&t->lock);
		free(t);
	}
	close(dir);
}

static void *add_and_remove(void *arg)
{
	int dir = *(int *)arg;

	for (int i = 0; i < 100; i++) {
		struct told t = TOLD_INIT;
		struct watch *w;

		assert_int_equal(add(dir, &t, &w), 0);
		write_file(dir, "t");
		watch_remove(w);
	}
	return NULL;
}

static void threads_add_and_remove_at_once(void **state)
{
	pthread_t threads[4];
	int dirs[4];

	for (int i = 0; i < 4; i++) {
		dirs[i] = open_dir(i % 2 ? "odd" : "even");
		pthread_create(&threads[i], NULL, add_and_remove, &dirs[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		close(dirs[i]);
	}
}

/* More events than the kernel queues while the callback is held up. */
static void an_overflow_is_told_as_everything(void **state)
{
	struct told t = TOLD_INIT;
	struct watch *w;
	unsigned limit = 16384;
	int dir = open_dir("flood");
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");

	if (f) {
		assert_int_equal(fscanf(f, "%u", &limit), 1);
		fclose(f);
	}
	if (limit > 100000)
		skip();
	assert_int_equal(add(dir, &t, &w), 0);
	pthread_mutex_lock(&t.lock);
	for (unsigned i = 0; i < limit + 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i % 2);
		if (i < 2)
			write_file(dir, name);
		fchmodat(dir, name, 0600 | (i & 2), 0);
	}
	pthread_mutex_unlock(&t.lock);
	/* the text is full of names by then: the watch starts it again */
	for (int i = 0; i < 6000; i++) {
		pthread_mutex_lock(&t.lock);
		if (strstr(t.text, "* ")) {
			pthread_mutex_unlock(&t.lock);
			break;
		}
		memset(t.text, 0, sizeof(t.text));
		pthread_mutex_unlock(&t.lock);
		usleep(10000);
	}
	assert_true(was_told(&t, "* "));
	watch_remove(w);
	close(dir);
}

static int make_base(void **state)
{
	strcpy(base, "/tmp/storagefs-watch-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_change_is_told),
		cmocka_unit_test(two_pools_and_two_watches_of_one_directory),
		cmocka_unit_test(a_directory_that_goes_is_told),
		cmocka_unit_test(what_cannot_be_watched_is_an_error),
		cmocka_unit_test(nothing_is_told_after_removal),
		cmocka_unit_test(threads_add_and_remove_at_once),
		cmocka_unit_test(an_overflow_is_told_as_everything),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
