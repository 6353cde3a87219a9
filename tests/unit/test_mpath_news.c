/* What the host of an mpath pool is told of maps and their paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/mpath/maps.h"
#include "backends/mpath/news.h"
#include "device_events.h"

/* The kernel's list: one map, "old", which is dm-3. */
int __wrap_maps_list(struct map **out, struct error *err);

int __wrap_maps_list(struct map **out, struct error *err)
{
	*out = calloc(1, sizeof(**out));
	assert_non_null(*out);
	(*out)->device = makedev(253, 3);
	strcpy((*out)->name, "old");
	return 1;
}

/* What /sys has of a device: a directory of ours, by a path that leads out of it. */
static char sys[] = "/tmp/test-mpath-news.XXXXXX";
static char devpath[64];

static void write_file(const char *name, const char *text)
{
	char path[128], before[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/dm/%s", sys, name);
	snprintf(before, sizeof(before), "%s/new", sys);
	f = fopen(before, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
	assert_int_equal(rename(before, path), 0);
}

static void change(const char *minor, const char *name, const char *uuid)
{
	char node[32];

	write_file("name", name);
	write_file("uuid", uuid);
	snprintf(node, sizeof(node), "DEVNAME=dm-%s", minor);
	EVENT("ACTION=change", devpath, "SUBSYSTEM=block", node);
}

static void maps_come_and_go(void **state)
{
	struct heard h;
	struct news *n = NULL;

	heard_init(&h);
	assert_int_equal(news_start(&h.host, &n, NULL), 0);
	change("7", "new", "mpath-1");
	heard_next(&h, "added new");
	change("7", "new", "mpath-1");
	heard_next(&h, "data new");
	change("7", "renamed", "mpath-1");
	heard_next(&h, "removed new");
	heard_next(&h, "added renamed");
	/* another type's, and one that was made by hand */
	change("8", "vg-lv", "LVM-1");
	EVENT("ACTION=remove", devpath, "SUBSYSTEM=block", "DEVNAME=dm-8");
	EVENT("ACTION=remove", devpath, "SUBSYSTEM=block", "DEVNAME=dm-7");
	heard_next(&h, "removed renamed");
	change("9", "bare", "");
	heard_next(&h, "all");
	EVENT("ACTION=remove", devpath, "SUBSYSTEM=block", "DEVNAME=dm-3");
	heard_next(&h, "removed old");
	news_end(n);
	assert_true(heard_all(&h));
}

static void the_last_path_that_fails_is_told(void **state)
{
	struct heard h;
	struct news *n = NULL;

	heard_init(&h);
	assert_int_equal(news_start(&h.host, &n, NULL), 0);
	write_file("name", "old");
	write_file("uuid", "mpath-0");
	EVENT("ACTION=change", devpath, "SUBSYSTEM=block", "DEVNAME=dm-3",
	      "DM_ACTION=PATH_FAILED", "DM_NR_VALID_PATHS=1", "DM_PATH=8:16");
	heard_next(&h, "data old");
	EVENT("ACTION=change", devpath, "SUBSYSTEM=block", "DEVNAME=dm-3",
	      "DM_ACTION=PATH_FAILED", "DM_NR_VALID_PATHS=0", "DM_PATH=8:32");
	heard_next(&h, "data old");
	heard_next(&h, "failed old: the last path of map 'old' has failed, device 8:32");
	EVENT("ACTION=change", devpath, "SUBSYSTEM=block", "DEVNAME=dm-3",
	      "DM_ACTION=PATH_REINSTATED", "DM_NR_VALID_PATHS=1", "DM_PATH=8:32");
	heard_next(&h, "data old");
	news_end(n);
	assert_true(heard_all(&h));
}

static void *start_and_end(void *arg)
{
	for (int i = 0; i < 100; i++) {
		struct heard *h = malloc(sizeof(*h));
		struct news *n = NULL;

		assert_non_null(h);
		heard_init(h);
		assert_int_equal(news_start(&h->host, &n, NULL), 0);
		news_end(n);
		free(h);
	}
	return NULL;
}

static void pools_start_and_stop_while_maps_change(void **state)
{
	struct heard h;
	struct news *n = NULL;
	pthread_t threads[2];

	heard_init(&h);
	assert_int_equal(news_start(&h.host, &n, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, start_and_end, NULL),
				 0);
	for (int i = 0; i < 100; i++)
		change("7", i % 2 ? "a" : "b", "mpath-1");
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	heard_next(&h, "added ");
	news_end(n);
}

static int make_sys(void **state)
{
	char path[64];

	if (!mkdtemp(sys))
		return -1;
	snprintf(path, sizeof(path), "%s/dm", sys);
	snprintf(devpath, sizeof(devpath), "DEVPATH=/..%s", sys);
	return mkdir(path, 0700);
}

static int remove_sys(void **state)
{
	static const char *const files[] = { "dm/name", "dm/uuid" };
	char path[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", sys, files[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/dm", sys);
	rmdir(path);
	return rmdir(sys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_come_and_go),
		cmocka_unit_test(the_last_path_that_fails_is_told),
		cmocka_unit_test(pools_start_and_stop_while_maps_change),
	};

	return cmocka_run_group_tests(tests, make_sys, remove_sys);
}
