/*
 * Every single allocation of ours fails once while pools, plans, attributes and secrets come and
 * go: nothing crashes or leaks, and what SOURCE has is what the daemon says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/model/attributes.h"
#include "backends/model/plan.h"
#include "backends/model/pools.h"
#include "backends/model/secrets.h"
#include "backends/model/store.h"
#include "backends/model/volume.h"
#include "backends/model/volumes.h"
#include "tests/unit/failing_memory.h"

static char source[64];
static struct call call = { .uid = 1, .gid = 2 };

/* -- SOURCE and the model, anew for each run -- */

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	return remove(path);
}

static void begin(void)
{
	const struct model_options o = { .source = source, .no_autostart = true };

	memory_is_there(true);
	nftw(source, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(model_open(&o, NULL), 0);
	memory_is_there(false);
}

static int end(int r)
{
	char stuck[256];

	memory_is_there(true);
	assert_true(model_settle(5000, stuck, sizeof(stuck)));
	model_close(5000);
	memory_is_there(false);
	return r;
}

static bool exists(const char *fmt, const char *name)
{
	char path[POOL_NAME_MAX + 16];
	struct stat st;

	snprintf(path, sizeof(path), fmt, name);
	return !store_stat(path, &st);
}

/* -- pools -- */

static const char text[] = "<pool type='dir'><target><path>/a/b</path></target></pool>";

static void check_pool(struct pool *p)
{
	char name[POOL_NAME_MAX];
	const char *other;

	pool_name(p, name);
	other = strcmp(name, "a") ? "a" : "b";
	assert_int_equal(exists("%s.xml", name), pool_type(p) != NULL);
	assert_false(exists("%s.xml", other));
	assert_int_equal(exists("autostart/%s.xml", name), pool_autostart(p));
	assert_false(exists("autostart/%s.xml", other));
	if (pool_protected(p))
		assert_true(exists("attributes/%s", name));
}

static int change_pool(struct pool *p, struct error *err)
{
	AUTO_BUF struct buf shown = { 0 };
	int r = pool_define(p, text, sizeof(text) - 1, &call, err);

	if (r == 0)
		r = pool_set_autostart(p, true, err);
	if (r == 0)
		r = pool_set_protected(p, true, err);
	if (r == 0)
		r = pools_rename(p, "b", err);
	if (r == 0)
		r = pool_show_xml(p, &call, &shown, err);
	if (r == 0)
		r = pool_set_protected(p, false, err);
	return r;
}

static int pools_come_and_go(struct error *err)
{
	struct pool *p = NULL;
	int r;

	begin();
	r = pending_store("a", text, sizeof(text) - 1, err);
	if (r == 0)
		r = pools_make("a", &call, &p, err);
	if (p) {
		r = change_pool(p, err);
		memory_is_there(true);
		check_pool(p);
		memory_is_there(false);
		if (r == 0)
			r = pools_remove(p, err);
		pool_unref(p);
	}
	return end(r);
}

/* -- what SOURCE keeps -- */

static const char kept[] = "protected 1\nvolume old mode=0640 uid=7 gid=8\nvolume new unsized=512\n";

static void check_attributes(void)
{
	struct attributes *a;
	struct volume_attributes v;

	memory_is_there(true);
	a = attributes_load("p");
	assert_int_equal(attributes_protected(a), CHOICE_YES);
	attributes_volume(a, "old", &v);
	assert_true(v.mode == 0640 && v.uid == 7 && v.gid == 8);
	attributes_volume(a, "new", &v);
	assert_true(v.unsized);
	attributes_free(a);
	memory_is_there(false);
}

static int attributes_are_kept(struct error *err)
{
	struct volume_attributes v = { .mode = 0600, .uid = 1, .gid = 2 };
	struct attributes *a;
	int r = -ENOMEM;

	begin();
	memory_is_there(true);
	assert_int_equal(store_file("attributes/p", kept, sizeof(kept) - 1, 0600, NULL), 0);
	memory_is_there(false);
	a = attributes_load("p");
	if (a) {
		assert_int_equal(attributes_protected(a), CHOICE_YES);
		r = attributes_set_volume(a, "another", &v, err);
		attributes_free(a);
	}
	check_attributes();
	return end(r);
}

static int secrets_are_whole(struct error *err)
{
	struct secret_ref ref = { .usage = "a/b" };
	WIPED_BUF struct buf value = { 0 };
	int r;

	begin();
	r = secret_store("a%2Fb", "something secret\n", 17, err);
	if (r == 0)
		r = secret_get(&ref, &value, err);
	if (r == 0)
		assert_string_equal(buf_text(&value), "something secret");
	return end(r);
}

/* -- volumes -- */

/* Who has one alone has it alone. */
static int claims_hold(struct error *err)
{
	struct volume_use alone = { 0 }, another = { 0 };
	struct volumes *vs = volumes_new();
	int r = vs ? volumes_claim(vs, "v", "removed", &alone, err) : -ENOMEM;

	if (r == 0)
		assert_int_equal(volumes_enter(vs, "v", 1, &another, NULL), -EBUSY);
	if (r == 0)
		volumes_leave(vs, &alone);
	volumes_free(vs);
	return r;
}

/* -- plans -- */

static int plan_something(struct pool *p, struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec spec = VOLUME_SPEC_INIT;
	int r = plan_make(p, "v", err);

	if (r == 0)
		r = plan_store(p, "v", "format", "qcow2", err);
	if (r == 0)
		r = plan_store(p, "v", "backing", "/below", err);
	if (r == 0)
		r = plan_store(p, "v", "capacity", "10G", err);
	if (r == 0)
		r = plan_get(p, "v", &spec, err);
	if (r == 0)
		assert_string_equal(spec.backing.path, "/below");
	return r;
}

static int plans_are_whole(struct error *err)
{
	struct pool *p = NULL;
	int r;

	begin();
	memory_is_there(true);
	assert_int_equal(pools_make("p", &call, &p, NULL), 0);
	assert_int_equal(pool_define(p, text, sizeof(text) - 1, &call, NULL), 0);
	memory_is_there(false);
	r = plan_something(p, err);
	pool_unref(p);
	return end(r);
}

/* -- a mount -- */

static int open_source(struct error *err)
{
	const struct model_options o = { .source = source, .no_autostart = true };
	struct pool *p;
	int r;

	begin();
	memory_is_there(true);
	assert_int_equal(pools_make("a", &call, &p, NULL), 0);
	assert_int_equal(pool_define(p, text, sizeof(text) - 1, &call, NULL), 0);
	assert_int_equal(pool_set_autostart(p, true, NULL), 0);
	pool_unref(p);
	end(0);
	r = model_open(&o, err);
	if (r < 0)
		return r;
	p = pools_find("a");
	assert_non_null(p);
	/* which reads it: where that fails there is an error, and it can be read next time */
	if (!pool_type(p))
		r = -ENOMEM;
	pool_unref(p);
	return end(r);
}

static void test_pools(void **state)
{
	with_each_failing(pools_come_and_go, true);
}

static void test_attributes(void **state)
{
	with_each_failing(attributes_are_kept, true);
}

static void test_secrets(void **state)
{
	with_each_failing(secrets_are_whole, false);
}

static void test_claims(void **state)
{
	with_each_failing(claims_hold, false);
}

static void test_plans(void **state)
{
	with_each_failing(plans_are_whole, false);
}

static void test_mount(void **state)
{
	with_each_failing(open_source, true);
}

static int make_source(void **state)
{
	strcpy(source, "/tmp/test-no-memory-XXXXXX");
	return mkdtemp(source) ? 0 : -1;
}

static int remove_source(void **state)
{
	return nftw(source, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),	cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_secrets), cmocka_unit_test(test_plans),
		cmocka_unit_test(test_claims),	cmocka_unit_test(test_mount),
	};

	return cmocka_run_group_tests(tests, make_source, remove_source);
}
