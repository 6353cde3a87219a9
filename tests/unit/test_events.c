/* Events: lines, positions, trimming, subscribers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "backends/model/events.h"
#include "backends/model/pool.h"

/* all that events needs of a pool */
void pool_name(struct pool *p, char name[POOL_NAME_MAX])
{
	strcpy(name, (const char *)p);
}

uint64_t pool_serial(const struct pool *p)
{
	return 7;
}

static struct pool *const pool = (struct pool *)"a pool";

static void expect_line(const struct event *e, const char *expected)
{
	AUTO_BUF struct buf line = { 0 };
	uint64_t at = events_end();

	events_emit(e);
	assert_int_equal(events_read(at, 10000, &line), at);
	/* behind the time */
	assert_in_range(line.len, 25, 10000);
	assert_int_equal(line.data[23], 'Z');
	assert_string_equal(line.data + 24, expected);
}

static void test_lines(void **state)
{
	static const struct {
		struct event e;
		const char *line;
	} cases[] = {
		{ { .what = EVENT_POOL_ADDED }, " a\\x20pool pool-added\n" },
		{ { .what = EVENT_POOL_STATE, .name = "running" },
		  " a\\x20pool state running\n" },
		{ { .what = EVENT_VOLUME_ADDED, .name = "a b\n\\" },
		  " a\\x20pool volume-added a\\x20b\\x0A\\x5C\n" },
		{ { .what = EVENT_VOLUME_RENAMED, .name = "x", .other = "y" },
		  " a\\x20pool volume-renamed x y\n" },
		{ { .what = EVENT_VOLUME_CHANGED, .name = "ä\xff" },
		  " a\\x20pool volume-changed ä\xff\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct event e = cases[i].e;

		e.pool = pool;
		expect_line(&e, cases[i].line);
	}
	expect_line(&(struct event){ .what = EVENT_ERROR }, " - error\n");
}

static void test_longest_names(void **state)
{
	AUTO_BUF struct buf line = { 0 };
	char name[256];
	uint64_t at = events_end();

	memset(name, '\n', 255);
	name[255] = '\0';
	events_emit(
		&(struct event){ EVENT_VOLUME_RENAMED, (struct pool *)name, name, name });
	events_read(at, 10000, &line);
	assert_int_equal(line.len, 24 + 3 * (1 + 4 * 255) + strlen(" volume-renamed\n"));
}

static void test_storms(void **state)
{
	struct event e = { EVENT_VOLUME_CHANGED, pool, "v", NULL, true };
	AUTO_BUF struct buf lines = { 0 };
	uint64_t at = events_end();
	size_t n = 0;

	for (int i = 0; i < 1000; i++)
		events_emit(&e);
	events_read(at, 1 << 20, &lines);
	for (const char *c = lines.data; *c; c++)
		n += *c == '\n';
	assert_in_range(n, 1, 5); /* one a second */
	at = events_end();
	e.from_outside = false;
	events_emit(&e);
	events_emit(&e);
	buf_free(&lines);
	events_read(at, 1 << 20, &lines);
	assert_int_equal(lines.len, events_end() - at);
	assert_non_null(strchr(lines.data, '\n')[1] ? lines.data : NULL);
}

static void test_echoes(void **state)
{
	struct event ours = { EVENT_VOLUME_ADDED, pool, "mine", NULL, false };
	struct event seen = { EVENT_VOLUME_ADDED, pool, "mine", NULL, true };
	uint64_t at;

	events_emit(&ours);
	at = events_end();
	events_emit(&seen); /* the watch tells what we did ourselves */
	assert_int_equal(events_end(), at);
	seen.name = "other";
	events_emit(&seen);
	assert_true(events_end() > at);
}

static void test_trimming(void **state)
{
	AUTO_BUF struct buf all = { 0 };
	uint64_t end = 0;
	size_t lines = 0;
	char name[16];

	for (int i = 0; i < 25000; i++) {
		snprintf(name, sizeof(name), "v%d", i);
		events_emit(&(struct event){
			.what = EVENT_VOLUME_ADDED, .pool = pool, .name = name });
		assert_true(events_end() > end);
		end = events_end();
	}
	assert_true(events_first() > 0);
	assert_int_equal(events_read(0, SIZE_MAX, &all), events_first());
	assert_int_equal(all.len, events_end() - events_first());
	for (const char *c = all.data; *c; c++)
		lines += *c == '\n';
	assert_in_range(lines, 10000, 11000);
	assert_non_null(strstr(all.data, " volume-added v24999\n"));
	assert_int_equal(all.data[4], '-'); /* starts with a whole line */
	buf_free(&all);
	assert_int_equal(events_read(events_end(), 100, &all), events_end());
	assert_int_equal(events_read(events_end() + 50, 100, &all), events_end() + 50);
	assert_int_equal(all.len, 0);
}

static void count(void *arg, const struct event *e)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void *emit_many(void *arg)
{
	for (int i = 0; i < 500; i++)
		events_emit(&(struct event){ .what = EVENT_VOLUMES_ALL, .pool = pool });
	return NULL;
}

static void test_subscribers(void **state)
{
	pthread_t threads[4];
	atomic_int seen = 0, second = 0;

	assert_int_equal(events_subscribe(count, &seen), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, emit_many, NULL);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(events_subscribe(count, &second), 0);
		events_unsubscribe(count, &second);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	events_unsubscribe(count, &seen);
	events_emit(&(struct event){ .what = EVENT_VOLUMES_ALL, .pool = pool });
	assert_int_equal(atomic_load(&seen), 2000);
}

static int end(void **state)
{
	uint64_t at = events_end();

	events_exit();
	assert_int_equal(events_end(), at);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	    cmocka_unit_test(test_longest_names),
		cmocka_unit_test(test_storms),	    cmocka_unit_test(test_trimming),
		cmocka_unit_test(test_subscribers), cmocka_unit_test(test_echoes),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
