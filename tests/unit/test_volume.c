/* Volumes by name, described, planned and acted upon, on the fake backend. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "backends/model/events.h"
#include "backends/model/job.h"
#include "backends/model/volume.h"
#include "backends/model/volume_verb.h"
#include "backends/model/volumes.h"
#include "backends/model/xml.h"
#include "backends/support/clock.h"
#include "tests/unit/stub_pool.h"

#define MiB (UINT64_C(1) << 20)

static struct call call = { .uid = 7, .gid = 8, .mode = 0664 };
static struct error err;

static struct pool *files, *provisioned, *given;

static int start(void **state)
{
	files = stub_pool_start("files");
	provisioned = stub_pool_start("provisioned");
	given = stub_pool_start("given");
	return 0;
}

static int end(void **state)
{
	stub_pool_end(files);
	stub_pool_end(provisioned);
	stub_pool_end(given);
	stub_pool_set_mountpoint(NULL);
	return 0;
}

/* -- helpers -- */

static int add_name(void *arg, const char *name)
{
	return buf_printf(arg, "%s ", name);
}

static void assert_list(struct pool *p, const char *names)
{
	AUTO_BUF struct buf out = { 0 };

	assert_int_equal(volume_list(p, add_name, &out, &call, &err), 0);
	assert_string_equal(buf_text(&out), names);
}

static void assert_field(struct pool *p, const char *v, const char *field,
			 const char *value)
{
	AUTO_BUF struct buf out = { 0 };

	assert_int_equal(volume_show(p, v, field, &call, &out, &err), 0);
	assert_string_equal(buf_text(&out), value);
}

static int define(struct pool *p, const char *v, const char *text)
{
	err = (struct error){ 0 };
	return volume_define(p, v, text, strlen(text), &call, &err);
}

static uint64_t size_of(struct pool *p, const char *v)
{
	struct vol_stat st = { 0 };

	assert_int_equal(volume_stat(p, v, &st, &call, &err), 0);
	return st.size;
}

static struct volume_handle *opened(struct pool *p, const char *v, int flags)
{
	struct volume_handle *h = NULL;

	assert_int_equal(volume_open(p, v, NULL, flags, false, 0, &h, &call, &err), 0);
	return h;
}

#define assert_says(words) assert_non_null(strstr(err.text, words))

/* -- tests -- */

static void names_come_and_go(void **state)
{
	struct vol_stat st = { 0 };

	assert_int_equal(volume_create(files, "a", &call, &err), 0);
	assert_int_equal(volume_create(files, "b", &call, &err), 0);
	assert_int_equal(volume_create(files, "a", &call, &err), -EEXIST);
	assert_list(files, "a b ");
	assert_int_equal(volume_stat(files, "a", &st, &call, &err), 0);
	assert_true(st.has_owner);
	assert_int_equal(st.mode, 0660); /* nothing for others */
	assert_int_equal(st.uid, 7);
	assert_int_equal(st.gid, 8);
	assert_int_equal(volume_delete(files, "a", &call, &err), 0);
	assert_int_equal(volume_delete(files, "a", &call, &err), -ENOENT);
	assert_list(files, "b ");
	assert_string_equal(stub_pool_events(files), "added a\nadded b\nremoved a\n");
}

static void a_listing_is_whole_or_fails(void **state)
{
	AUTO_BUF struct buf out = { 0 };

	assert_int_equal(volume_create(files, "a", &call, &err), 0);
	stub_pool_control(files, "list", "errno=EIO");
	assert_int_equal(volume_list(files, add_name, &out, &call, &err), -EIO);
	assert_int_equal(out.len, 0);
	stub_pool_set_state(files, POOL_INACTIVE);
	assert_int_equal(volume_list(files, add_name, &out, &call, &err), -EAGAIN);
	stub_pool_set_state(files, POOL_RUNNING);
}

static void owners_are_the_pools_and_kept(void **state)
{
	struct vol_attr a = { .mask = VOL_MODE | VOL_GID, .mode = 0604, .gid = 12 };
	struct permissions perms = { .mode = 0711, .owner = 64055, .group = -1 };
	struct vol_stat st = { 0 };

	stub_pool_set_permissions(provisioned, perms);
	assert_int_equal(volume_create(provisioned, "a", &call, &err), 0);
	assert_int_equal(volume_stat(provisioned, "a", &st, &call, &err), 0);
	assert_int_equal(st.uid, 64055);
	assert_int_equal(st.gid, 8);
	assert_int_equal(st.mode, 0660);
	assert_int_equal(volume_setattr(provisioned, "a", &a, &call, &err), 0);
	assert_int_equal(volume_rename(provisioned, "a", "b", 0, &call, &err), 0);
	assert_int_equal(volume_stat(provisioned, "b", &st, &call, &err), 0);
	assert_int_equal(st.mode, 0604);
	assert_int_equal(st.gid, 12);
	assert_int_equal(volume_setattr(provisioned, "a", &a, &call, &err), -ENOENT);
	assert_int_equal(volume_delete(provisioned, "b", &call, &err), 0);
	call.mode = 0600;
	assert_int_equal(volume_create(provisioned, "b", &call, &err), 0);
	call.mode = 0664;
	assert_int_equal(volume_stat(provisioned, "b", &st, &call, &err), 0);
	assert_int_equal(st.mode, 0600);
}

static void renaming_replaces_files_only(void **state)
{
	struct pool *pools[] = { files, provisioned };

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(volume_create(pools[i], "a", &call, &err), 0);
		assert_int_equal(volume_create(pools[i], "b", &call, &err), 0);
		assert_int_equal(volume_rename(pools[i], "a", "b", RENAME_VOL_NOREPLACE,
					       &call, &err),
				 -EEXIST);
		assert_int_equal(volume_rename(pools[i], "a", "a", 0, &call, &err), 0);
		assert_int_equal(volume_rename(pools[i], "x", "y", 0, &call, &err),
				 -ENOENT);
		assert_int_equal(volume_rename(pools[i], "x", "x", 0, &call, &err),
				 -ENOENT);
	}
	assert_int_equal(volume_rename(files, "a", "b", RENAME_VOL_EXCHANGE, &call, &err),
			 0);
	assert_int_equal(volume_rename(files, "a", "b", 0, &call, &err), 0);
	assert_list(files, "b ");
	assert_int_equal(
		volume_rename(provisioned, "a", "b", RENAME_VOL_EXCHANGE, &call, &err),
		-EOPNOTSUPP);
	assert_int_equal(volume_rename(provisioned, "a", "b", 0, &call, &err), -EEXIST);
	assert_list(provisioned, "a b ");
}

static void open_volumes_are_busy_where_names_matter(void **state)
{
	struct volume_handle *h, *g;
	char who[40];

	snprintf(who, sizeof(who), "process %d (test_volume)", (int)getpid());
	assert_int_equal(volume_create(files, "a", &call, &err), 0);
	assert_int_equal(volume_create(provisioned, "a", &call, &err), 0);
	assert_int_equal(volumes_check_idle(pool_volumes(files), &err), 0);
	assert_int_equal(
		volume_open(files, "a", NULL, O_RDWR, false, getpid(), &h, &call, &err),
		0);
	assert_int_equal(volume_open(provisioned, "a", NULL, O_RDWR, false, getpid(), &g,
				     &call, &err),
			 0);
	assert_int_equal(volumes_check_idle(pool_volumes(files), &err), -EBUSY);
	assert_says("volume 'a'");
	assert_says(who);
	assert_int_equal(volumes_open_count(pool_volumes(files)), 1);

	assert_int_equal(volume_rename(provisioned, "a", "b", 0, &call, &err), -EBUSY);
	assert_int_equal(volume_delete(provisioned, "a", &call, &err), -EBUSY);
	assert_says("process");
	assert_int_equal(volume_verb(files, "a", "wipe zero", &call, &err), -EBUSY);
	assert_int_equal(volume_rename(files, "a", "b", 0, &call, &err), 0);
	assert_int_equal(volume_verb(files, "b", "wipe zero", &call, &err), -EBUSY);
	assert_int_equal(volume_delete(files, "b", &call, &err), 0);
	assert_int_equal(volume_create(files, "b", &call, &err), 0);
	assert_int_equal(volume_verb(files, "b", "wipe zero", &call, &err), 0);
	volume_close(h, &call);
	volume_close(g, &call);
	assert_int_equal(volume_delete(provisioned, "a", &call, &err), 0);
	assert_int_equal(volumes_check_idle(pool_volumes(files), NULL), 0);
}

static void *close_late(void *handle)
{
	struct call own = call;

	usleep(50000);
	volume_close(handle, &own);
	return NULL;
}

/* close(2) has returned, and the kernel has not told us yet. */
static void what_is_closing_is_waited_for(void **state)
{
	struct volume_handle *h;
	pthread_t closer;

	assert_int_equal(volume_create(provisioned, "c", &call, &err), 0);
	assert_int_equal(volume_open(provisioned, "c", NULL, O_RDONLY, false, getpid(),
				     &h, &call, &err),
			 0);
	assert_true(volume_flush_ready(h));
	assert_int_equal(pthread_create(&closer, NULL, close_late, h), 0);
	assert_int_equal(volume_delete(provisioned, "c", &call, &err), 0);
	pthread_join(closer, NULL);
}

static void truncating_a_name(void **state)
{
	assert_int_equal(volume_create(files, "a", &call, &err), 0);
	assert_int_equal(volume_truncate(files, "a", 5000, &call, &err), 0);
	assert_int_equal(volume_truncate(files, "a", 100, &call, &err), 0);
	assert_int_equal(size_of(files, "a"), 100);

	assert_int_equal(volume_create(provisioned, "a", &call, &err), 0);
	assert_int_equal(size_of(provisioned, "a"), 4 * MiB);
	assert_int_equal(volume_truncate(provisioned, "a", 10 * MiB, &call, &err), 0);
	assert_int_equal(size_of(provisioned, "a"), 12 * MiB);
	assert_int_equal(volume_truncate(provisioned, "a", 10 * MiB, &call, &err), 0);
	assert_int_equal(size_of(provisioned, "a"), 12 * MiB);
	assert_int_equal(volume_truncate(provisioned, "a", 8 * MiB, &call, &err), -EPERM);
	assert_says("shrink 8388608");
	assert_int_equal(volume_truncate(provisioned, "a", 12 * MiB, &call, &err), 0);
	assert_int_equal(volume_truncate(provisioned, "a", 2000 * MiB, &call, &err),
			 -ENOSPC);
	assert_int_equal(volume_truncate(provisioned, "x", 1, &call, &err), -ENOENT);

	assert_int_equal(volume_truncate(given, "unit0", 128 * MiB, &call, &err),
			 -EOPNOTSUPP);
	assert_int_equal(volume_create(given, "unit9", &call, &err), -EOPNOTSUPP);
	assert_int_equal(volume_delete(given, "unit0", &call, &err), -EOPNOTSUPP);
}

static void a_protected_pool_loses_nothing(void **state)
{
	struct pool *pools[] = { files, provisioned };
	struct volume_handle *h;

	for (size_t i = 0; i < 2; i++) {
		struct pool *p = pools[i];

		assert_int_equal(volume_create(p, "a", &call, &err), 0);
		assert_int_equal(volume_create(p, "b", &call, &err), 0);
		assert_int_equal(volume_truncate(p, "a", 8 * MiB, &call, &err), 0);
		assert_int_equal(snapshot_create(p, "a", "s", &call, &err), 0);
		pool_set_protected(p, true, NULL);
		assert_int_equal(volume_delete(p, "a", &call, &err), -EPERM);
		assert_int_equal(volume_truncate(p, "a", 1, &call, &err), -EPERM);
		assert_int_equal(
			volume_store(p, "a", "capacity", "shrink 4M", &call, &err),
			-EPERM);
		assert_int_equal(volume_verb(p, "a", "wipe zero", &call, &err), -EPERM);
		assert_int_equal(volume_verb(p, "a", "revert s", &call, &err), -EPERM);
		assert_int_equal(snapshot_delete(p, "a", "s", &call, &err), -EPERM);
		assert_int_equal(volume_open(p, "a", NULL, O_WRONLY | O_TRUNC, false, 0,
					     &h, &call, &err),
				 -EPERM);
		h = opened(p, "a", O_RDWR);
		assert_int_equal(volume_ftruncate(h, 1, &call, &err), -EPERM);
		assert_int_equal(
			volume_allocate(h, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
					4096, &call, &err),
			-EPERM);
		assert_int_equal(
			volume_allocate(h, FALLOC_FL_ZERO_RANGE, 0, 4096, &call, &err),
			0);
		volume_close(h, &call);
		assert_int_equal(volume_truncate(p, "a", 16 * MiB, &call, &err), 0);
		assert_int_equal(volume_rename(p, "a", "c", 0, &call, &err), 0);
		assert_true(volume_rename(p, "c", "b", 0, &call, &err) < 0);
		assert_int_equal(size_of(p, "c"), 16 * MiB);
		pool_set_protected(p, false, NULL);
	}
}

static void values_are_shown_and_written(void **state)
{
	assert_int_equal(volume_create(files, "a", &call, &err), 0);
	assert_int_equal(volume_store(files, "a", "capacity", "10M\n", &call, &err), 0);
	assert_field(files, "a", "capacity", "10485760\n");
	assert_field(files, "a", "physical", "10485760\n");
	assert_field(files, "a", "allocation", "0\n");
	assert_field(files, "a", "format", "raw\n");
	assert_field(files, "a", "backing", "");
	assert_field(files, "a", "type", "file\n");
	assert_field(files, "a", "path", "/fake/a\n");
	assert_field(files, "a", "key", "/fake/a\n");
	assert_int_equal(volume_store(files, "a", "capacity", "1M", &call, &err),
			 -EINVAL);
	assert_says("write 'shrink 1M'");
	assert_int_equal(volume_store(files, "a", "capacity", "shrink 20M", &call, &err),
			 -EINVAL);
	assert_int_equal(volume_store(files, "a", "capacity", "shrink 1M", &call, &err),
			 0);
	assert_int_equal(size_of(files, "a"), MiB);
	assert_int_equal(volume_store(files, "a", "capacity", "10X", &call, &err),
			 -EINVAL);
	assert_int_equal(volume_store(files, "a", "capacity", "shrink", &call, &err),
			 -EINVAL);
	assert_int_equal(volume_store(files, "a", "format", "qcow2", &call, &err),
			 -EPERM);
	assert_int_equal(volume_store(files, "a", "allocation", "0", &call, &err),
			 -EPERM);
	assert_int_equal(volume_store(files, "x", "capacity", "1M", &call, &err),
			 -ENOENT);

	assert_int_equal(volume_create(provisioned, "a", &call, &err), 0);
	assert_int_equal(volume_store(provisioned, "a", "capacity", "10M", &call, &err),
			 0);
	assert_field(provisioned, "a", "capacity", "12582912\n");
	assert_int_equal(
		volume_store(provisioned, "a", "capacity", "shrink 8M", &call, &err), 0);
	assert_int_equal(size_of(provisioned, "a"), 8 * MiB);
}

static void plans_are_consumed(void **state)
{
	AUTO_BUF struct buf out = { 0 }, names = { 0 };

	assert_int_equal(plan_make(files, "v", &err), 0);
	assert_int_equal(plan_make(files, "v", &err), -EEXIST);
	assert_true(plan_exists(files, "v"));
	assert_list(files, "");
	assert_field(files, "v", "capacity", "");
	assert_int_equal(volume_store(files, "v", "format", "floppy", &call, &err),
			 -EINVAL);
	assert_int_equal(volume_store(files, "v", "format", "qcow2\n", &call, &err), 0);
	assert_int_equal(volume_create(files, "v", &call, &err), -EINVAL);
	assert_says("capacity");
	assert_int_equal(volume_store(files, "v", "capacity", "20G", &call, &err), 0);
	assert_int_equal(volume_store(files, "v", "path", "/x", &call, &err), -EPERM);
	assert_field(files, "v", "capacity", "21474836480\n");
	assert_field(files, "v", "allocation", "0\n");
	assert_int_equal(volume_show_xml(files, "v", &call, &out, &err), 0);
	assert_non_null(
		strstr(buf_text(&out), "<capacity unit='bytes'>21474836480</capacity>"));
	assert_int_equal(plan_each(files, add_name, &names), 0);
	assert_string_equal(buf_text(&names), "v ");
	assert_int_equal(volume_create(files, "v", &call, &err), 0);
	assert_false(plan_exists(files, "v"));
	assert_field(files, "v", "format", "qcow2\n");
	assert_field(files, "v", "capacity", "21474836480\n");
	assert_int_equal(plan_remove(files, "v", &err), -ENOENT);

	stub_pool_set_mountpoint("/storage");
	assert_int_equal(plan_make(files, "w", &err), 0);
	assert_int_equal(
		volume_store(files, "w", "backing", "/storage/pools/a", &call, &err),
		-EINVAL);
	assert_int_equal(volume_store(files, "w", "backing", "/a/b", &call, &err), 0);
	assert_field(files, "w", "backing", "/a/b\n");
	assert_int_equal(volume_store(files, "w", "backing", "", &call, &err), 0);
	assert_field(files, "w", "backing", "");
	assert_int_equal(plan_remove(files, "w", &err), 0);
}

#define VOLUME(body) "<volume><name>x</name>" body "</volume>"

static void a_description_makes_a_volume(void **state)
{
	struct vol_stat st = { 0 };

	assert_int_equal(define(provisioned, "v",
				VOLUME("<capacity unit='M'>5</capacity>"
				       "<target><permissions><mode>0604</mode><owner>3</"
				       "owner></permissions>"
				       "</target>")),
			 0);
	assert_int_equal(volume_stat(provisioned, "v", &st, &call, &err), 0);
	assert_int_equal(st.size, 8 * MiB);
	assert_int_equal(st.mode, 0604);
	assert_int_equal(st.uid, 3);
	assert_int_equal(st.gid, 8);
	assert_int_equal(define(provisioned, "w", "<volume><capac"), -EINVAL);
	assert_int_equal(define(provisioned, "w",
				VOLUME("<capacity>1</capacity><backingStore>"
				       "<path>a@none</path></backingStore>")),
			 -ENOENT);
	assert_list(provisioned, "v ");
}

static void a_description_is_applied_or_changes_nothing(void **state)
{
	static const struct {
		const char *xml;
		int result;
		const char *says;
	} cases[] = {
		{ VOLUME("<capacity unit='M'>16</capacity>"), 0, NULL },
		{ VOLUME("<capacity unit='M'>16</capacity><allocation>7</allocation>"
			 "<key>other</key><target><path>/other</path>"
			 "<format type='qcow2'/></target>"),
		  0, NULL },
		{ VOLUME("<capacity unit='M'>15</capacity>"), -EINVAL, "<capacity>" },
		{ VOLUME("<capacity unit='M'>32</capacity><target><format "
			 "type='vmdk'/></target>"),
		  -EINVAL, "<format>" },
		{ VOLUME("<capacity unit='M'>32</capacity><target><format "
			 "type='qcow2'/></target>"
			 "<backingStore><path>/b</path></backingStore>"),
		  -EINVAL, "<backingStore>" },
		{ VOLUME("<capacity unit='M'>32</capacity>"), -EINVAL, "<format>" },
		{ VOLUME("<capacity unit='M'>32</capacity><target><format type='qcow2'/>"
			 "<clusterSize unit='K'>64</clusterSize></target>"),
		  -EINVAL, "<clusterSize>" },
	};
	struct vol_stat st = { 0 };
	AUTO_BUF struct buf out = { 0 };

	assert_int_equal(define(files, "v",
				VOLUME("<capacity unit='M'>16</capacity>"
				       "<target><format type='qcow2'/></target>")),
			 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *xml = cases[i].xml;

		if (!strstr(xml, "<format") && !cases[i].result)
			xml = VOLUME("<capacity unit='M'>16</capacity><target>"
				     "<format type='qcow2'/></target>");
		assert_int_equal(define(files, "v", xml), cases[i].result);
		if (cases[i].says)
			assert_says(cases[i].says);
		assert_field(files, "v", "capacity", "16777216\n");
	}
	assert_int_equal(volume_show_xml(files, "v", &call, &out, &err), 0);
	assert_int_equal(define(files, "v", buf_text(&out)), 0);
	assert_int_equal(
		define(files, "v",
		       VOLUME("<capacity unit='M'>32</capacity><target>"
			      "<format "
			      "type='qcow2'/><permissions><mode>0644</mode></permissions>"
			      "</target>")),
		0);
	assert_field(files, "v", "capacity", "33554432\n");
	assert_int_equal(volume_stat(files, "v", &st, &call, &err), 0);
	assert_int_equal(st.mode, 0644);
}

static const struct {
	const char *line;
	int result;
	enum volume_verb_what what;
} lines[] = {
	{ "wipe zero", 0, VERB_WIPE },
	{ "wipe gutmann", 0, VERB_WIPE },
	{ "revert my snap", 0, VERB_REVERT },
	{ "flatten", 0, VERB_FLATTEN },
	{ "flatten ", 0, VERB_FLATTEN },
	{ "flatten x", -EINVAL, 0 },
	{ "wipe", -EINVAL, 0 },
	{ "wipe ", -EINVAL, 0 },
	{ "wipe everything", -EINVAL, 0 },
	{ "revert", -EINVAL, 0 },
	{ "verbs: wipe", -EINVAL, 0 },
	{ "wip zero", -EINVAL, 0 },
	{ "wipezero", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
	{ " ", -EINVAL, 0 },
};

static void verbs_are_parsed(void **state)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct volume_verb verb;

		assert_int_equal(volume_verb_parse(lines[i].line, &verb, &err),
				 lines[i].result);
		if (!lines[i].result)
			assert_int_equal(verb.what, lines[i].what);
	}
}

static void verbs_and_snapshots(void **state)
{
	AUTO_BUF struct buf out = { 0 };
	struct vol_stat st = { 0 };
	struct volume_handle *h;

	assert_int_equal(volume_create(files, "v", &call, &err), 0);
	assert_int_equal(volume_show_verbs(files, "v", &call, &out, &err), 0);
	assert_string_equal(buf_text(&out), "verbs: wipe revert flatten\n");
	assert_int_equal(volume_verb(files, buf_text(&out), "v", &call, &err), -EINVAL);
	assert_int_equal(volume_truncate(files, "v", 3000, &call, &err), 0);
	assert_int_equal(snapshot_create(files, "v", "", &call, &err), -EINVAL);
	assert_int_equal(snapshot_create(files, "v", "s", &call, &err), 0);
	assert_int_equal(snapshot_create(files, "v", "s", &call, &err), -EEXIST);
	assert_int_equal(volume_truncate(files, "v", 10, &call, &err), 0);
	assert_int_equal(snapshot_stat(files, "v", "s", &st, &call, &err), 0);
	assert_int_equal(st.size, 3000);
	assert_int_equal(volume_open(files, "v", "s", O_RDWR, false, 0, &h, &call, &err),
			 -EROFS);
	assert_int_equal(
		volume_open(files, "v", "s", O_RDONLY, false, 0, &h, &call, &err), 0);
	assert_int_equal(volume_size(h), 3000);
	assert_int_equal(volume_verb(files, "v", "revert s", &call, &err), -EBUSY);
	volume_close(h, &call);
	assert_int_equal(volume_verb(files, "v", "revert none", &call, &err), -ENOENT);
	assert_int_equal(volume_verb(files, "v", "revert s", &call, &err), 0);
	assert_int_equal(size_of(files, "v"), 3000);

	assert_int_equal(define(files, "c",
				VOLUME("<backingStore><path>v@s</path>"
				       "</backingStore>")),
			 0);
	assert_int_equal(size_of(files, "c"), 3000);
	assert_int_equal(snapshot_delete(files, "v", "s", &call, &err), -EBUSY);
	assert_int_equal(volume_verb(files, "c", "flatten", &call, &err), 0);
	assert_int_equal(snapshot_delete(files, "v", "s", &call, &err), 0);
	assert_int_equal(jobs_count(), 0);
}

static void errors_are_kept_by_name(void **state)
{
	struct volumes *vs = pool_volumes(files);
	AUTO_BUF struct buf out = { 0 };

	error_set(&err, EIO, "it burns");
	volumes_remember(vs, "a", &err);
	volumes_moved(vs, "a", "b", false);
	assert_int_equal(volumes_show_error(vs, "a", &out), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(volumes_show_error(vs, "b", &out), 0);
	assert_string_equal(buf_text(&out), "it burns\n");
	for (int i = 0; i < 5000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "v%d", i);
		volumes_remember(vs, name, &err);
	}
	out.len = 0;
	volumes_show_error(vs, "b", &out);
	assert_int_equal(out.len, 0);
	volumes_moved(vs, "v3976", "renamed", false); /* the oldest of those that are kept */
	volumes_show_error(vs, "v3977", &out);
	volumes_show_error(vs, "renamed", &out);
	assert_string_equal(buf_text(&out), "it burns\nit burns\n");
	out.len = 0;
	volumes_reset(vs);
	volumes_show_error(vs, "v4999", &out);
	assert_int_equal(out.len, 0);
}

/* Each operation that may fail does so with its errno, and leaves what was there. */
static int operate(const char *operation)
{
	AUTO_BUF struct buf out = { 0 };
	struct vol_stat st = { 0 };

	switch (operation[4]) {
	case 's':
		return volume_stat(provisioned, "a", &st, &call, &err);
	case 'c':
		return volume_create(provisioned, "b", &call, &err);
	case 'w':
		return volume_verb(provisioned, "a", "wipe zero", &call, &err);
	default:
		break;
	}
	if (!strcmp(operation, "vol_delete"))
		return volume_delete(provisioned, "a", &call, &err);
	if (!strcmp(operation, "vol_rename"))
		return volume_rename(provisioned, "a", "b", 0, &call, &err);
	if (!strcmp(operation, "vol_resize"))
		return volume_store(provisioned, "a", "capacity", "1G", &call, &err);
	return volume_show_xml(provisioned, "a", &call, &out, &err);
}

static void faults_come_through(void **state)
{
	static const char *const operations[] = { "vol_stat",	"vol_create",
						  "vol_delete", "vol_rename",
						  "vol_resize", "vol_describe",
						  "vol_wipe" };

	assert_int_equal(volume_create(provisioned, "a", &call, &err), 0);
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		stub_pool_control(provisioned, operations[i], "errno=EACCES");
		assert_int_equal(operate(operations[i]), -EACCES);
		stub_pool_control(provisioned, operations[i], NULL);
		assert_list(provisioned, "a ");
		assert_int_equal(size_of(provisioned, "a"), 4 * MiB);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(names_come_and_go),
		TEST(a_listing_is_whole_or_fails),
		TEST(owners_are_the_pools_and_kept),
		TEST(renaming_replaces_files_only),
		TEST(open_volumes_are_busy_where_names_matter),
		TEST(what_is_closing_is_waited_for),
		TEST(truncating_a_name),
		TEST(a_protected_pool_loses_nothing),
		TEST(values_are_shown_and_written),
		TEST(plans_are_consumed),
		TEST(a_description_makes_a_volume),
		TEST(a_description_is_applied_or_changes_nothing),
		TEST(verbs_are_parsed),
		TEST(verbs_and_snapshots),
		TEST(errors_are_kept_by_name),
		TEST(faults_come_through),
	};
	xml_init();
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	events_exit();
	return r;
}
