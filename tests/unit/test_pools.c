/* Pools from mkdir to rmdir, on a stub backend that does as it is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backends/model/metrics.h"
#include "backends/model/job.h"
#include "backends/model/own_mount.h"
#include "backends/model/pools.h"
#include "backends/model/registry.h"
#include "backends/model/store.h"
#include "backends/model/volume.h"
#include "backends/support/clock.h"
#include "backends/support/map.h"

/* -- the stub -- */

static struct {
	atomic_int failures; /* so many starts fail from now on */
	atomic_bool hangs;   /* start waits until it is cancelled or this is false */
	atomic_bool stop_fails, refresh_fails, active;
	atomic_int starts, stops, detached, refreshes;
	_Atomic(const struct host *) host;
	_Atomic uint64_t deadline; /* of the last call */
} stub;

static int stub_check(const struct pool_spec *spec, const struct host *host,
		      struct call *call, bool *active, struct error *err)
{
	*active = atomic_load(&stub.active);
	return 0;
}

static int stub_start(const struct pool_spec *spec, const struct host *host,
		      struct call *call, void **pool, struct error *err)
{
	atomic_fetch_add(&stub.starts, 1);
	while (atomic_load(&stub.hangs)) {
		if (call->cancelled && atomic_load(call->cancelled))
			return error_set(err, EINTR, "it was cancelled");
		usleep(1000);
	}
	if (atomic_load(&stub.failures) > 0) {
		atomic_fetch_sub(&stub.failures, 1);
		return error_set(err, ENODEV, "no such device");
	}
	atomic_store(&stub.host, host);
	*pool = strdup(spec->target);
	return 0;
}

static int stub_stop(void *pool, struct call *call, struct error *err)
{
	if (atomic_load(&stub.stop_fails))
		return error_set(err, EBUSY, "somebody uses it");
	atomic_fetch_add(&stub.stops, 1);
	free(pool);
	return 0;
}

static void stub_detach(void *pool)
{
	atomic_fetch_add(&stub.detached, 1);
	free(pool);
}

static int stub_build(const struct pool_spec *spec, const struct host *host,
		      enum build_mode mode, struct call *call, struct error *err)
{
	atomic_store(&stub.deadline, call->deadline_ns);
	return 0;
}

static int stub_refresh(void *pool, struct call *call, struct error *err)
{
	atomic_store(&stub.deadline, call->deadline_ns);
	atomic_fetch_add(&stub.refreshes, 1);
	return atomic_load(&stub.refresh_fails) ? error_set(err, ENODEV, "it is not there") :
						  0;
}

static int stub_create(void *pool, const char *name, const struct volume_spec *spec,
		       struct call *call, struct error *err)
{
	atomic_store(&stub.deadline, call->deadline_ns);
	return 0;
}

static int stub_stat(void *pool, struct pool_stat *out, struct call *call,
		     struct error *err)
{
	out->capacity = 1000;
	out->allocation = 400;
	out->available = 600;
	return 0;
}

static bool stub_local(void *pool)
{
	return true;
}

static const struct backend stub_backend = {
	.size = sizeof(struct backend),
	.api = BACKEND_API,
	.type = "dir",
	.parallel = true,
	.check = stub_check,
	.start = stub_start,
	.stop = stub_stop,
	.detach = stub_detach,
	.build = stub_build,
	.refresh = stub_refresh,
	.pool_stat = stub_stat,
	.vol_create = stub_create,
	.local = stub_local,
	.lost_is_asked = true,
};

/* -- a model on a directory of its own -- */

static char source[64];

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	return remove(path);
}

static void open_model(bool read_only)
{
	struct model_options o = { .source = source,
				   .read_only = read_only,
				   .timeout_s = 5,
				   .mountpoint = "/nonexistent-mount" };
	struct error err = { 0 };

	if (model_open(&o, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_model(void)
{
	char stuck[POOL_NAME_MAX];

	if (!model_settle(60000, stuck, sizeof(stuck)))
		fail_msg("stuck in '%s'", stuck);
	model_close(60000);
}

static int setup(void **state)
{
	memset(&stub, 0, sizeof(stub));
	strcpy(source, "/tmp/test-pools-XXXXXX");
	if (!mkdtemp(source))
		return -1;
	open_model(false);
	return 0;
}

static int teardown(void **state)
{
	char marks[128];

	close_model();
	/* of pools that ran at the end of the test, as at the end of a daemon */
	snprintf(marks, sizeof(marks), "/run/storagefs/%016llx",
		 (unsigned long long)hash_string(source, 0));
	nftw(marks, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return nftw(source, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static struct call nobody; /* no deadline, not cancelled */

static struct pool *make(const char *name)
{
	struct error err = { 0 };
	struct pool *p;

	if (pools_make(name, &nobody, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static int define_as(struct pool *p, const char *target, const char *uuid,
		     struct error *err)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "<pool type='dir'>%s%s%s<target><path>%s</path></target></pool>",
		 uuid ? "<uuid>" : "", uuid ? uuid : "", uuid ? "</uuid>" : "", target);
	return pool_define(p, text, strlen(text), &nobody, err);
}

static struct pool *make_defined(const char *name, const char *target)
{
	struct pool *p = make(name);
	struct error err = { 0 };

	if (define_as(p, target, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static bool in_source(const char *fmt, const char *name)
{
	char path[512], file[256];
	struct stat st;

	snprintf(file, sizeof(file), fmt, name);
	snprintf(path, sizeof(path), "%s/%s", source, file);
	return !lstat(path, &st);
}

static void expect_state(struct pool *p, enum pool_state s)
{
	assert_string_equal(pool_state_name(pool_state(p)), pool_state_name(s));
}

static void wait_state(struct pool *p, enum pool_state s)
{
	uint64_t until = clock_now() + 60 * NS_PER_S;

	while (pool_state(p) != s && !deadline_passed(until))
		usleep(1000);
	expect_state(p, s);
}

static void expect_error(int code, const char *words, int r, struct error *err)
{
	if (r != -code || err->code != code || !strstr(err->text, words))
		fail_msg("%d %d '%s', not %d '%s'", r, err->code, err->text, code, words);
	*err = (struct error){ 0 };
}

#define EXPECT_ERROR(code, words, call)                  \
	do {                                             \
		struct error err = { 0 };                \
		int result = (call);                     \
		expect_error(code, words, result, &err); \
	} while (0)

static void expect_ok(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("%d '%s'", r, err->text);
}

#define EXPECT_OK(call)                   \
	do {                              \
		struct error err = { 0 }; \
		int result = (call);      \
		expect_ok(result, &err);  \
	} while (0)

/* -- tests -- */

static void test_first_definition_starts(void **state)
{
	AUTO_POOL struct pool *p = make("a");
	AUTO_BUF struct buf xml = { 0 };

	expect_state(p, POOL_UNDEFINED);
	assert_false(in_source("%s.xml", "a"));
	EXPECT_ERROR(EINVAL, "no definition yet", pool_verb(p, "start", &nobody, &err));
	EXPECT_OK(define_as(p, "/x", NULL, &err));
	expect_state(p, POOL_RUNNING);
	assert_true(in_source("%s.xml", "a"));
	assert_true(pool_runs_inline(p));
	EXPECT_OK(pool_show_xml(p, &nobody, &xml, &err));
	assert_non_null(strstr(xml.data, "<name>a</name>"));
	assert_non_null(strstr(xml.data, "<capacity unit='bytes'>1000</capacity>"));
	EXPECT_OK(pool_verb(p, "start", &nobody, &err));
	assert_int_equal(atomic_load(&stub.starts), 1);
	EXPECT_ERROR(EBUSY, "stop it first", pools_remove(p, &err));
	EXPECT_ERROR(EBUSY, "stop it first", pools_rename(p, "b", &err));
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	EXPECT_ERROR(EAGAIN, "not running", pool_verb(p, "stop", &nobody, &err));
	EXPECT_OK(pools_remove(p, &err));
	assert_false(in_source("%s.xml", "a"));
	assert_true(in_source("%s.xml~", "a"));
	EXPECT_ERROR(ENOENT, "removed", define_as(p, "/x", NULL, &err));
	assert_null(pools_find("a"));
}

static void test_redefinition(void **state)
{
	AUTO_POOL struct pool *p = make_defined("a", "/x");
	AUTO_BUF struct buf uuid = { 0 };
	AUTO_BUF struct buf same = { 0 };
	AUTO_BUF struct buf live = { 0 };
	AUTO_BUF struct buf saved = { 0 };

	pool_show_uuid(p, &uuid);
	EXPECT_OK(define_as(p, "/y", NULL, &err));
	EXPECT_OK(pool_show_xml(p, &nobody, &live, &err));
	EXPECT_OK(pool_show_saved(p, &saved, &err));
	assert_non_null(strstr(live.data, "<path>/x</path>"));
	assert_non_null(strstr(saved.data, "<path>/y</path>"));
	EXPECT_ERROR(EBUSY, "another UUID",
		     define_as(p, "/y", "11111111-2222-3333-4444-555555555555", &err));
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	buf_free(&live);
	EXPECT_OK(pool_show_xml(p, &nobody, &live, &err));
	assert_non_null(strstr(live.data, "<path>/y</path>"));
	pool_show_uuid(p, &same);
	assert_string_equal(uuid.data, same.data);
	EXPECT_ERROR(EINVAL, "cannot define pool 'a'",
		     pool_define(p, "<pool type='dir'/>", 18, &nobody, &err));
	EXPECT_OK(define_as(p, "/y", "11111111-2222-3333-4444-555555555555", &err));
	expect_state(p, POOL_INACTIVE);
}

static void test_conflicts(void **state)
{
	AUTO_POOL struct pool *a = make_defined("a", "/x");
	AUTO_POOL struct pool *b = make("b");
	AUTO_BUF struct buf uuid = { 0 };

	pool_show_uuid(a, &uuid);
	uuid.data[UUID_TEXT - 1] = '\0';
	EXPECT_ERROR(EEXIST, "pool 'a'", define_as(b, "/x", NULL, &err));
	EXPECT_ERROR(EEXIST, "UUID", define_as(b, "/y", uuid.data, &err));
	expect_state(b, POOL_UNDEFINED);
	EXPECT_OK(define_as(a, "/z", NULL, &err)); /* at its next start */
	EXPECT_ERROR(EEXIST, "pool 'a'", define_as(b, "/z", NULL, &err));
	EXPECT_ERROR(EINVAL, "inside this mount",
		     define_as(b, "/nonexistent-mount/pools", NULL, &err));
	EXPECT_ERROR(EEXIST, "'a'", pools_make("a", &nobody, &b, &err));
}

static void test_rename(void **state)
{
	AUTO_POOL struct pool *a = make_defined("a", "/x");
	AUTO_POOL struct pool *found = NULL;
	AUTO_BUF struct buf xml = { 0 };
	uint64_t hash = pool_hash(a);

	pool_unref(make_defined("b", "/y"));
	EXPECT_OK(pool_set_autostart(a, true, &err));
	EXPECT_OK(pool_set_protected(a, true, &err));
	EXPECT_OK(pool_verb(a, "stop", &nobody, &err));
	EXPECT_ERROR(EEXIST, "'b'", pools_rename(a, "b", &err));
	EXPECT_ERROR(EINVAL, ".xml", pools_rename(a, "b.xml", &err));
	EXPECT_OK(pools_rename(a, "c", &err));
	found = pools_find("c");
	assert_ptr_equal(found, a);
	assert_null(pools_find("a"));
	assert_false(in_source("%s.xml", "a"));
	assert_false(in_source("autostart/%s.xml", "a"));
	assert_true(in_source("%s.xml", "c"));
	assert_true(in_source("autostart/%s.xml", "c"));
	EXPECT_OK(pool_show_saved(a, &xml, &err));
	assert_non_null(strstr(xml.data, "<name>c</name>"));
	close_model();
	open_model(false);
	pool_unref(found);
	found = pools_find("c");
	assert_non_null(found);
	assert_true(pool_autostart(found));
	assert_true(pool_protected(found));
	assert_true(pool_hash(found) == hash);
	expect_state(found, POOL_INACTIVE);
	EXPECT_ERROR(EPERM, "protected", pools_remove(found, &err));
	EXPECT_ERROR(EPERM, "protected",
		     pool_verb(found, "build overwrite", &nobody, &err));
	EXPECT_OK(pool_set_protected(found, false, &err));
	EXPECT_OK(pools_remove(found, &err));
	assert_false(in_source("attributes/%s", "c"));
}

/* A name that cannot be had for the attributes leaves the pool as it was. */
static void test_rename_keeps_attributes(void **state)
{
	AUTO_POOL struct pool *a = make_defined("a", "/x");
	char path[128];

	EXPECT_OK(pool_set_protected(a, true, &err));
	EXPECT_OK(pool_verb(a, "stop", &nobody, &err));
	snprintf(path, sizeof(path), "%s/attributes/b", source);
	assert_int_equal(mkdir(path, 0700), 0);
	EXPECT_ERROR(EISDIR, "attributes/b", pools_rename(a, "b", &err));
	assert_true(in_source("%s.xml", "a"));
	assert_false(in_source("%s.xml", "b"));
	assert_true(in_source("attributes/%s", "a"));
	assert_int_equal(rmdir(path), 0);
	EXPECT_OK(pools_rename(a, "b", &err));
	assert_true(in_source("attributes/%s", "b"));
	assert_true(pool_protected(a));
	EXPECT_OK(pool_set_protected(a, false, &err));
}

/* What a crash has left of a pool is not the next one's of its name. */
static void test_leftovers(void **state)
{
	AUTO_POOL struct pool *a = make_defined("a", "/x");
	AUTO_POOL struct pool *b = NULL;

	EXPECT_OK(store_file("attributes/b", "protected 1\n", 12, 0600, &err));
	EXPECT_OK(store_link("autostart/b.xml", "../b.xml", &err));
	b = make_defined("b", "/y");
	assert_false(pool_protected(b));
	assert_false(in_source("autostart/%s.xml", "b"));
	EXPECT_OK(store_file("attributes/c", "protected 1\n", 12, 0600, &err));
	EXPECT_OK(store_link("autostart/c.xml", "../c.xml", &err));
	EXPECT_OK(pool_verb(a, "stop", &nobody, &err));
	EXPECT_OK(pools_rename(a, "c", &err));
	assert_false(in_source("attributes/%s", "c"));
	assert_false(in_source("autostart/%s.xml", "c"));
}

static void test_pending(void **state)
{
	static const char text[] =
		"<pool type='dir'><target><path>/x</path></target></pool>";
	AUTO_POOL struct pool *p = NULL;
	AUTO_BUF struct buf shown = { 0 };

	EXPECT_ERROR(EINVAL, "", pending_store("a", "<pool/>", 7, &err));
	EXPECT_OK(pending_store("a", text, strlen(text), &err));
	EXPECT_OK(pending_store("b", text, strlen(text), &err));
	assert_int_equal(pending_show("a", &shown), 0);
	assert_string_equal(shown.data, text);
	p = make("a");
	expect_state(p, POOL_RUNNING);
	assert_int_equal(pending_show("a", &shown), -ENOENT);
	pool_unref(take(p));
	EXPECT_ERROR(EEXIST, "target", pools_make("b", &nobody, &p, &err));
	assert_null(pools_find("b"));
	assert_int_equal(pending_show("b", &shown), 0);
	EXPECT_ERROR(EEXIST, "exists", pending_store("a", text, strlen(text), &err));
	assert_int_equal(pending_remove("b"), 0);
	assert_int_equal(pending_remove("b"), -ENOENT);
}

static void test_failing_start(void **state)
{
	AUTO_POOL struct pool *p = NULL;
	AUTO_BUF struct buf error = { 0 };

	atomic_store(&stub.failures, 2);
	p = make_defined("a", "/x");
	expect_state(p, POOL_INACTIVE);
	pool_show_error(p, NULL, &error);
	assert_string_equal(error.data, "cannot start pool 'a': no such device\n");
	EXPECT_ERROR(ENODEV, "cannot start", pool_verb(p, "start", &nobody, &err));
	EXPECT_OK(pool_verb(p, "build", &nobody, &err));
	expect_state(p, POOL_INACTIVE);
	EXPECT_OK(pool_verb(p, "start", &nobody, &err));
	buf_free(&error);
	pool_show_error(p, NULL, &error);
	assert_int_equal(error.len, 0);
}

/* A filesystem may take longer to make than any answer of a server: who asks is answered
 * when it is done, and it does not end half way. */
static void test_what_has_no_deadline(void **state)
{
	AUTO_POOL struct pool *p = make_defined("a", "/x");
	struct call call = { .deadline_ns = clock_now() + NS_PER_S };

	EXPECT_OK(pool_verb(p, "refresh", &call, &err));
	assert_int_equal(atomic_load(&stub.deadline), call.deadline_ns);
	EXPECT_OK(volume_create(p, "v", &call, &err));
	assert_int_equal(atomic_load(&stub.deadline), 0);
	EXPECT_OK(pool_verb(p, "stop", &call, &err));
	atomic_store(&stub.deadline, 1);
	EXPECT_OK(pool_verb(p, "build", &call, &err));
	assert_int_equal(atomic_load(&stub.deadline), 0);
}

static void test_retries(void **state)
{
	AUTO_POOL struct pool *p = make_defined("a", "/x");

	EXPECT_OK(pool_set_autostart(p, true, &err));
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	atomic_store(&stub.failures, 2);
	model_autostart();
	wait_state(p, POOL_RUNNING); /* after one and two seconds */
	assert_int_equal(atomic_load(&stub.failures), 0);
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	atomic_store(&stub.failures, 1000);
	EXPECT_ERROR(ENODEV, "", pool_verb(p, "start", &nobody, &err));
	expect_state(p, POOL_FAILED);
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	expect_state(p, POOL_INACTIVE);

	int starts = atomic_load(&stub.starts);

	usleep(1200000);
	assert_int_equal(atomic_load(&stub.starts), starts);
}

static void test_missing_module(void **state)
{
	static const char text[] =
		"<pool type='rbd'><source><host name='h'/><name>p</name>"
		"</source></pool>";
	AUTO_POOL struct pool *p = make("a");

	EXPECT_OK(pool_define(p, text, strlen(text), &nobody, &err));
	expect_state(p, POOL_INACTIVE);
	EXPECT_ERROR(EOPNOTSUPP, "built with librados and librbd",
		     pool_verb(p, "start", &nobody, &err));
}

static void test_stop_refused(void **state)
{
	AUTO_POOL struct pool *p = make_defined("a", "/x");
	struct use u;

	atomic_store(&stub.stop_fails, true);
	EXPECT_ERROR(EBUSY, "somebody uses it", pool_verb(p, "stop", &nobody, &err));
	expect_state(p, POOL_RUNNING);
	atomic_store(&stub.stop_fails, false);
	EXPECT_OK(pool_begin(p, &u, &err));

	struct call soon = { .deadline_ns = clock_now() + 50 * NS_PER_MS };

	EXPECT_ERROR(EBUSY, "have not ended", pool_verb(p, "stop", &soon, &err));
	expect_state(p, POOL_RUNNING);
	pool_end(&u);
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	EXPECT_ERROR(EAGAIN, "write 'start'", pool_begin(p, &u, &err));
}

static void lose(const struct error *err)
{
	const struct host *h = atomic_load(&stub.host);

	h->lost(h->ctx, err);
}

static void test_lost_source(void **state)
{
	AUTO_POOL struct pool *p = make_defined("a", "/x");
	struct error gone = { ETIMEDOUT, "the server is silent" };
	struct pool_stat st;
	struct use u;

	atomic_store(&stub.refresh_fails, true);
	lose(&gone);
	expect_state(p, POOL_AWAY);
	EXPECT_ERROR(ETIMEDOUT, "silent", pool_begin(p, &u, &err));
	pool_remember(p, NULL, &(struct error){ ETIMEDOUT, "something else" });
	EXPECT_ERROR(ETIMEDOUT, "pool 'a' is away: the server is silent",
		     pool_begin(p, &u, &err));
	EXPECT_OK(pool_stat(p, &nobody, &st, &err));
	assert_int_equal(st.capacity, 0);
	lose(NULL);
	expect_state(p, POOL_RUNNING);
	lose(&gone);
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
}

/* Nobody tells that it is back: it is asked, and no more once it is. */
static void test_lost_source_is_asked(void **state)
{
	AUTO_POOL struct pool *p = make_defined("a", "/x");
	struct error gone = { ENODEV, "it went" };
	uint64_t end = clock_now() + 60 * NS_PER_S;

	atomic_store(&stub.refresh_fails, true);
	lose(&gone);
	while (!atomic_load(&stub.refreshes) && clock_now() < end)
		usleep(1000);
	expect_state(p, POOL_AWAY);
	atomic_store(&stub.refresh_fails, false);
	while (pool_state(p) != POOL_RUNNING && clock_now() < end)
		usleep(1000);
	expect_state(p, POOL_RUNNING);
	lose(&gone);
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	expect_state(p, POOL_INACTIVE);
}

static void *start_in_thread(void *arg)
{
	struct error err = { 0 };

	return (void *)(intptr_t)pool_verb(arg, "start", &nobody, &err);
}

static void test_one_verb_at_a_time(void **state)
{
	AUTO_POOL struct pool *p = make_defined("a", "/x");
	AUTO_BUF struct buf jobs = { 0 };
	AUTO_BUF struct buf verbs = { 0 };
	pthread_t thread;
	void *ended;
	unsigned id;
	char cancel[32];

	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	atomic_store(&stub.hangs, true);
	pthread_create(&thread, NULL, start_in_thread, p);
	wait_state(p, POOL_STARTING);
	EXPECT_ERROR(EBUSY, "'start' is under way", pool_verb(p, "stop", &nobody, &err));
	EXPECT_ERROR(EBUSY, "under way", pools_remove(p, &err));
	pool_show_verbs(p, &verbs);
	assert_string_equal(verbs.data, "verbs:\n");
	/* the job of that start is made a moment after the state */
	while (!jobs.len) {
		usleep(1000);
		jobs_show(&jobs);
	}
	assert_int_equal(sscanf(jobs.data, "%u\tstart pool 'a'", &id), 1);
	snprintf(cancel, sizeof(cancel), "cancel %u", id);
	EXPECT_OK(jobs_write(cancel, &err));
	pthread_join(thread, &ended);
	assert_int_equal((intptr_t)ended, -EINTR);
	expect_state(p, POOL_INACTIVE);
	EXPECT_ERROR(ENOENT, "no job", jobs_write(cancel, &err));
	EXPECT_ERROR(EINVAL, "cancel ID", jobs_write("stop", &err));
	nobody.cancelled = NULL;
}

static void put_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", source, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_loading(void **state)
{
	AUTO_POOL struct pool *bad = NULL, *good = NULL;
	AUTO_BUF struct buf error = { 0 };
	struct stat st;
	char path[128];

	put_file("bad.xml", "<pool type='dir'");
	put_file("good.xml",
		 "<pool type='dir'><name>other</name><target><path>/g</path></target>"
		 "</pool>");
	put_file("note.txt", "not a pool");
	close_model();
	open_model(false);
	assert_int_equal(pools_count(), 2);
	bad = pools_find("bad");
	good = pools_find("good");
	assert_non_null(bad);
	assert_non_null(good);
	expect_state(bad, POOL_UNDEFINED);
	expect_state(good, POOL_INACTIVE);
	pool_show_error(bad, NULL, &error);
	assert_non_null(strstr(error.data, "bad.xml' cannot be used"));
	snprintf(path, sizeof(path), "%s/bad.xml", source);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 16);
	EXPECT_OK(pools_rename(bad, "worse", &err));
	assert_true(in_source("%s.xml", "worse"));
	EXPECT_OK(define_as(bad, "/b", NULL, &err));
	expect_state(bad, POOL_RUNNING);
}

static void test_copied_definition(void **state)
{
	static const char text[] =
		"<pool type='dir'><uuid>11111111-2222-3333-4444-555555555555"
		"</uuid><target><path>/%s</path></target></pool>";
	AUTO_POOL struct pool *a = NULL, *b = NULL;
	AUTO_BUF struct buf error = { 0 };
	uint64_t until = clock_now() + 60 * NS_PER_S;

	put_file("a.xml", text);
	put_file("b.xml", text);
	close_model();
	open_model(false);
	model_autostart();
	a = pools_find("a");
	b = pools_find("b");
	while (pool_state(a) == pool_state(b) && !deadline_passed(until))
		usleep(1000);
	pool_show_error(pool_state(a) == POOL_UNDEFINED ? a : b, NULL, &error);
	assert_non_null(strstr(buf_text(&error), "has the same UUID"));
	assert_true(in_source("%s.xml", "a") && in_source("%s.xml", "b"));
}

static void test_adoption(void **state)
{
	AUTO_POOL struct pool *a = make_defined("a", "/x"), *b = make_defined("b", "/y");

	EXPECT_OK(pool_verb(b, "stop", &nobody, &err));
	pool_unref(take(a));
	pool_unref(take(b));
	close_model();
	assert_int_equal(atomic_load(&stub.detached), 1);
	atomic_store(&stub.active, true);
	open_model(false);
	model_autostart();
	a = pools_find("a");
	b = pools_find("b");
	wait_state(a, POOL_RUNNING);
	expect_state(b, POOL_INACTIVE);
	pool_unref(take(a));
	pool_unref(take(b));
	close_model();

	/* read-only: all that is active; and nothing can be changed */
	open_model(true);
	model_autostart();
	a = pools_find("a");
	b = pools_find("b");
	wait_state(a, POOL_RUNNING);
	wait_state(b, POOL_RUNNING);
	EXPECT_ERROR(EROFS, "read-only", define_as(b, "/z", NULL, &err));
	EXPECT_ERROR(EROFS, "read-only", pool_set_autostart(b, true, &err));
	EXPECT_ERROR(EROFS, "read-only", pools_make("c", &nobody, &a, &err));
	EXPECT_OK(pool_verb(b, "stop", &nobody, &err));
	EXPECT_ERROR(EROFS, "read-only", pools_remove(b, &err));
	EXPECT_OK(model_reconfigure(false, 7, &err));
	assert_int_equal(model_options()->timeout_s, 7);
	EXPECT_OK(pools_remove(b, &err));
	EXPECT_OK(pool_verb(a, "stop", &nobody, &err));
	pool_unref(b);
	b = make_defined("d", "/d"); /* writable now: it starts */
	expect_state(b, POOL_RUNNING);
}

static void test_source_is_locked(void **state)
{
	struct model_options o = { .source = source, .timeout_s = 5 };
	struct error err = { 0 };
	char pid[24];
	int status;
	pid_t child = fork();

	if (!child) {
		snprintf(pid, sizeof(pid), "(pid %d)", (int)getppid());
		_exit(model_open(&o, &err) == -EBUSY && strstr(err.text, pid) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

static void test_verb_lines(void **state)
{
	static const char *const bad[] = { "",
					   " start",
					   "start ",
					   "START",
					   "build  overwrite",
					   "start\nstop",
					   "verbs: stop refresh",
					   "build x" };
	enum pool_verb_id id;

	assert_int_equal(pool_verb_parse("build no-overwrite", &id, NULL), 0);
	assert_int_equal(id, POOL_VERB_BUILD_NO_OVERWRITE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_ERROR(EINVAL, "no verb", pool_verb_parse(bad[i], &id, &err));
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int code;
	} cases[] = {
		{ "a b", 0 },	    { "ä", 0 },		 { ".hidden", 0 },
		{ "x.xmlx", 0 },    { "", EINVAL },	 { ".", EINVAL },
		{ "..", EINVAL },   { "a.xml", EINVAL }, { ".xml", EINVAL },
		{ "a\nb", EINVAL }, { "\xff", EINVAL },	 { "a\x01", EINVAL },
	};
	char longest[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(pool_name_check(cases[i].name, NULL), -cases[i].code);
	memset(longest, 'a', sizeof(longest));
	longest[250] = '\0';
	AUTO_POOL struct pool *p = make_defined(longest, "/x");
	EXPECT_OK(pool_verb(p, "stop", &nobody, &err));
	EXPECT_OK(pools_remove(p, &err));
	longest[250] = 'a';
	longest[251] = '\0';
	assert_int_equal(pool_name_check(longest, NULL), -ENAMETOOLONG);
}

static void test_own_mount(void **state)
{
	static const struct {
		const char *path;
		bool inside;
	} cases[] = {
		{ "/mnt/own", true },	     { "/mnt/own/pools/a", true },
		{ "/mnt/owner", false },     { "/mnt//own/./x", true },
		{ "/mnt/own/../x", true }, /* goes through it */
		{ "/usr/../mnt/own", true }, { "/", false },
		{ "relative", false },
	};
	char link[128], below[160];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(own_mount_has("/mnt/own", cases[i].path),
				 cases[i].inside);
	snprintf(link, sizeof(link), "%s/link", source);
	snprintf(below, sizeof(below), "%s/link/x", source);
	assert_int_equal(symlink("../../../../mnt/own/pools", link), 0);
	assert_true(own_mount_has("/mnt/own", below));
	unlink(link);
	assert_int_equal(symlink("link", link), 0); /* to itself */
	assert_false(own_mount_has("/mnt/own", below));
}

static void test_metrics(void **state)
{
	AUTO_BUF struct buf text = { 0 };

	pool_unref(make_defined("a", "/x"));
	metrics_request(METRIC_READ, clock_now(), 0);
	metrics_request(METRIC_READ, clock_now() - 2 * NS_PER_S, EIO);
	assert_int_equal(metrics_show(&text), 0);
	assert_non_null(strstr(text.data, "storagefs_pools{state=\"running\"} 1\n"));
	assert_non_null(strstr(text.data, "_count{op=\"read\",result=\"ok\"} 1\n"));
	assert_non_null(strstr(text.data, "_count{op=\"read\",result=\"error\"} 1\n"));
	assert_string_equal(text.data + text.len - 6, "# EOF\n");
}

/* -- races -- */

#define RACERS 8
#define ROUNDS 125

static void *race(void *arg)
{
	unsigned seed = (uintptr_t)arg;
	struct error err;
	char name[16], to[16], target[32];

	for (int i = 0; i < ROUNDS; i++) {
		AUTO_POOL struct pool *p = NULL;

		snprintf(name, sizeof(name), "p%d", rand_r(&seed) % 4);
		snprintf(to, sizeof(to), "p%d", rand_r(&seed) % 4);
		snprintf(target, sizeof(target), "/t%d", rand_r(&seed) % 4);
		if (pools_make(name, &nobody, &p, &err) < 0)
			p = pools_find(name);
		if (!p)
			continue;
		define_as(p, target, NULL, &err);
		pool_verb(p, rand_r(&seed) % 2 ? "stop" : "start", &nobody, &err);
		if (rand_r(&seed) % 2)
			pools_rename(p, to, &err);
		if (rand_r(&seed) % 2) {
			pool_verb(p, "stop", &nobody, &err);
			pools_remove(p, &err);
		}
	}
	return NULL;
}

static int check_target_once(void *arg, struct pool *p)
{
	unsigned *seen = arg;
	AUTO_BUF struct buf xml = { 0 };
	const char *path;

	pool_show_saved(p, &xml, NULL);
	path = xml.data ? strstr(xml.data, "<path>/t") : NULL;
	if (path) {
		unsigned bit = 1u << (path[8] - '0');

		assert_false(*seen & bit);
		*seen |= bit;
	}
	return 0;
}

static void test_races(void **state)
{
	pthread_t threads[RACERS];
	unsigned seen = 0, again = 0;
	size_t count;

	for (uintptr_t i = 0; i < RACERS; i++)
		pthread_create(&threads[i], NULL, race, (void *)(i + 1));
	for (size_t i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	pools_each(check_target_once, &seen);
	count = pools_count();
	close_model();
	open_model(false);
	pools_each(check_target_once, &again);
	assert_int_equal(seen, again);
	assert_true(pools_count() <= count); /* undefined ones are not kept */
}

static int load_backend(void **state)
{
	return registry_add(&stub_backend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(test_first_definition_starts),
		TEST(test_redefinition),
		TEST(test_conflicts),
		TEST(test_rename),
		TEST(test_rename_keeps_attributes),
		TEST(test_leftovers),
		TEST(test_pending),
		TEST(test_failing_start),
		TEST(test_what_has_no_deadline),
		TEST(test_retries),
		TEST(test_missing_module),
		TEST(test_stop_refused),
		TEST(test_lost_source),
		TEST(test_lost_source_is_asked),
		TEST(test_one_verb_at_a_time),
		TEST(test_loading),
		TEST(test_copied_definition),
		TEST(test_adoption),
		TEST(test_source_is_locked),
		TEST(test_verb_lines),
		TEST(test_names),
		TEST(test_own_mount),
		TEST(test_metrics),
		TEST(test_races),
	};

	return cmocka_run_group_tests(tests, load_backend, NULL);
}
