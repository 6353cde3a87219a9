/* What SOURCE keeps: replaced whole or not at all, through kill -9, a full disk and
 * read-only mounts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/model/attributes.h"
#include "backends/model/definitions.h"
#include "backends/model/secrets.h"
#include "backends/model/store.h"

#define KILLS 40

static char source[64];

/* In place of the C library's: notes that SOURCE itself was written to disk, and fails
 * for directories when told to. */
static unsigned syncs_of_source;
static bool directories_fail;

int fsync(int fd)
{
	struct stat st, of_source;

	if (!fstat(fd, &st) && !stat(source, &of_source) && st.st_ino == of_source.st_ino)
		syncs_of_source++;
	if (directories_fail && !fstat(fd, &st) && S_ISDIR(st.st_mode)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_fsync, fd);
}

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	strcpy(source, "/tmp/test-definitions-XXXXXX");
	if (!mkdtemp(source))
		return -1;
	strcat(source, "/s");
	return store_open(source, false, NULL);
}

static int teardown(void **state)
{
	store_close();
	*strrchr(source, '/') = '\0';
	return nftw(source, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect_file(const char *name, const char *content)
{
	AUTO_BUF struct buf text = { 0 };

	assert_int_equal(store_read(name, 1 << 20, &text, NULL), 0);
	assert_string_equal(buf_text(&text), content);
}

static bool exists(const char *name)
{
	struct stat st;

	return !store_stat(name, &st);
}

static int store_text(const char *name, const char *content, struct error *err)
{
	struct buf text = { .data = (char *)content, .len = strlen(content) };

	return definition_store(name, &text, err);
}

static int collect(void *arg, const char *name)
{
	buf_printf(arg, "%s ", name);
	return 0;
}

static void test_layout(void **state)
{
	AUTO_BUF struct buf names = { 0 };
	struct buf moved = { .data = "moved", .len = 5 };
	struct stat st;

	assert_int_equal(store_text("a", "one", NULL), 0);
	assert_int_equal(store_text("a", "two", NULL), 0);
	expect_file("a.xml", "two");
	store_stat("a.xml", &st);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(autostart_link_set("a", true, NULL), 0);
	assert_int_equal(autostart_link_set("a", true, NULL), 0);
	expect_file("autostart/a.xml", "two"); /* through the link */
	assert_int_equal(definition_rename("a", "b", &moved, NULL), 0);
	expect_file("b.xml", "moved");
	expect_file("autostart/b.xml", "moved");
	assert_false(exists("a.xml") || exists("autostart/a.xml"));
	assert_int_equal(store_text("a", "again", NULL), 0);
	assert_int_equal(definition_rename("a", "b", &moved, NULL), -EEXIST);
	expect_file("a.xml", "again");
	definitions_each(collect, &names, NULL);
	assert_int_equal(names.len, 4);
	assert_int_equal(definition_remove("b", NULL), 0);
	expect_file("b.xml~", "moved");
	assert_false(exists("b.xml") || exists("autostart/b.xml"));
	assert_int_equal(definition_remove("never", NULL), 0);
}

/* What cannot be removed stays as it was, and starts by itself as before. */
static void test_remove_fails(void **state)
{
	char kept[128];

	snprintf(kept, sizeof(kept), "%s/a.xml~", source);
	assert_int_equal(mkdir(kept, 0700), 0);
	assert_int_equal(store_text("a", "text", NULL), 0);
	assert_int_equal(autostart_link_set("a", true, NULL), 0);
	assert_int_equal(definition_remove("a", NULL), -EISDIR);
	expect_file("autostart/a.xml", "text");
}

/* What cannot be said to be on disk did not happen. */
static void test_directory_fails(void **state)
{
	struct buf text = { .data = "new", .len = 3 };
	struct error err = { 0 };

	assert_int_equal(store_text("a", "old", NULL), 0);
	assert_int_equal(autostart_link_set("a", true, NULL), 0);
	directories_fail = true;
	assert_int_equal(store_text("a", "new", &err), -EIO);
	assert_non_null(strstr(err.text, "cannot write the directory of"));
	assert_int_equal(store_text("b", "new", NULL), -EIO);
	assert_int_equal(definition_rename("a", "b", &text, NULL), -EIO);
	assert_int_equal(definition_remove("a", NULL), -EIO);
	assert_int_equal(autostart_link_set("a", true, NULL), -EIO);
	directories_fail = false;
	expect_file("a.xml", "old");
	expect_file("autostart/a.xml", "old");
	assert_false(exists("b.xml") || exists("autostart/b.xml") || exists("a.xml~"));
}

/* What a killed daemon was writing goes when SOURCE is taken, and nothing else. */
static void test_sweep(void **state)
{
	static const char *const left[] = {
		".new-0123456789abcdef",
		"secrets/.new-0123456789abcdef",
		"attributes/.new-fedcba9876543210",
	};
	static const char *const theirs[] = { ".new-", ".new-0123456789abcdeg",
					      "secrets/x" };

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(store_file(left[i], "x", 1, 0600, NULL), 0);
		assert_int_equal(store_file(theirs[i], "x", 1, 0600, NULL), 0);
	}
	assert_int_equal(store_set_read_only(true, NULL), 0);
	assert_true(exists(left[0]));
	assert_int_equal(store_set_read_only(false, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_false(exists(left[i]));
		assert_true(exists(theirs[i]));
	}
}

/* SOURCE does not go at a power cut when it was made for what is stored in it. */
static void test_new_source_is_synced(void **state)
{
	char deep[128];

	snprintf(deep, sizeof(deep), "%s/b/c", source);
	store_close();
	syncs_of_source = 0;
	assert_int_equal(store_open(deep, false, NULL), 0);
	assert_int_equal(syncs_of_source, 1);
	store_close();
	assert_int_equal(store_open(source, false, NULL), 0);
}

/* A child that writes without end; it is killed at any moment. */
static void write_until_killed(void)
{
	static char text[20000];

	for (char c = 'a';; c = c == 'z' ? 'a' : c + 1) {
		memset(text, c, sizeof(text) - 1);
		if (store_text("victim", text, NULL) < 0)
			_exit(1);
	}
}

static void test_kill_9(void **state)
{
	for (int i = 0; i < KILLS; i++) {
		AUTO_BUF struct buf text = { 0 };
		pid_t child = fork();

		if (!child)
			write_until_killed();
		while (!exists("victim.xml"))
			usleep(100);
		usleep(random() % 3000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		assert_int_equal(store_read("victim.xml", 1 << 20, &text, NULL), 0);
		assert_int_equal(text.len, 19999);
		for (size_t j = 1; j < text.len; j++)
			assert_int_equal(text.data[j], text.data[0]);
	}
	/* what the dead ones left is overwritten and no definition */
	AUTO_BUF struct buf names = { 0 };

	assert_int_equal(store_text("victim", "whole", NULL), 0);
	definitions_each(collect, &names, NULL);
	assert_string_equal(names.data, "victim ");
}

/* What is stored in a new subdirectory does not go with it at a power cut. */
static void test_subdirectory_is_synced(void **state)
{
	syncs_of_source = 0;
	assert_int_equal(secret_store("x", "v", 1, NULL), 0);
	assert_int_equal(syncs_of_source, 1);
	assert_int_equal(secret_store("y", "v", 1, NULL), 0);
	assert_int_equal(syncs_of_source, 1);
}

static void test_full_disk(void **state)
{
	static char big[256 * 1024];
	struct error err = { 0 };

	store_close();
	if (mount("tmpfs", source, "tmpfs", 0, "size=64k") < 0) {
		assert_int_equal(store_open(source, false, NULL), 0);
		skip();
	}
	assert_int_equal(store_open(source, false, NULL), 0);
	assert_int_equal(store_text("a", "old", NULL), 0);
	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(store_text("a", big, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "/a.xml': No space left"));
	expect_file("a.xml", "old");
	assert_int_equal(store_text("b", "room again", NULL), 0);
	store_close();
	umount2(source, MNT_DETACH);
	assert_int_equal(store_open(source, false, NULL), 0);
}

static void test_read_only(void **state)
{
	struct buf text = { .data = "x", .len = 1 };
	struct error err = { 0 };

	assert_int_equal(store_text("a", "old", NULL), 0);
	assert_int_equal(store_set_read_only(true, &err), 0);
	assert_int_equal(store_text("a", "new", &err), -EROFS);
	assert_int_equal(definition_rename("a", "b", &text, &err), -EROFS);
	assert_int_equal(definition_remove("a", &err), -EROFS);
	assert_int_equal(autostart_link_set("a", true, &err), -EROFS);
	assert_int_equal(secret_store("s", "v", 1, &err), -EROFS);
	expect_file("a.xml", "old");
	assert_int_equal(store_set_read_only(false, &err), 0);
	assert_int_equal(store_text("a", "new", &err), 0);
}

static void test_odd_entries(void **state)
{
	AUTO_BUF struct buf text = { 0 };
	char path[128];
	struct error err = { 0 };

	snprintf(path, sizeof(path), "%s/fifo.xml", source);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(definition_read("fifo", &text, &err), -EINVAL);
	snprintf(path, sizeof(path), "%s/huge.xml", source);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(truncate(path, 1L << 40), 0);
	assert_int_equal(definition_read("huge", &text, &err), -EFBIG);
	snprintf(path, sizeof(path), "%s/empty.xml", source);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(definition_read("empty", &text, &err), 0);
	assert_int_equal(definition_read("none", &text, &err), -ENOENT);
	assert_int_equal(text.len, 0);
}

static void test_secrets(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".x", "a/b" };
	struct secret_ref usage = { .usage = "iscsi/host" };
	struct secret_ref uuid = { .uuid = "AABBCCDD-1111-2222-3333-444455556666" };
	WIPED_BUF struct buf value = { 0 };
	AUTO_BUF struct buf names = { 0 };
	struct error err = { 0 };
	char longer[400] = "";
	struct stat st;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(secret_store(bad[i], "v", 1, NULL), -EINVAL);
	assert_int_equal(secret_store("x", "", 0, NULL), -EINVAL);
	assert_int_equal(secret_store("x", "\n", 1, NULL), -EINVAL);
	assert_int_equal(secret_get(&usage, &value, &err), -ENOENT);
	assert_non_null(strstr(err.text, "write its value to secrets/iscsi%2Fhost"));
	assert_int_equal(secret_store("iscsi%2Fhost", "a\n\n", 3, NULL), 0);
	assert_int_equal(secret_get(&usage, &value, NULL), 0);
	assert_string_equal(value.data, "a\n");
	store_stat("secrets/iscsi%2Fhost", &st);
	assert_int_equal(st.st_mode & 07777, 0600);
	store_stat("secrets", &st);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(
		secret_store("aabbccdd-1111-2222-3333-444455556666", "b", 1, NULL), 0);
	value.len = 0;
	assert_int_equal(secret_get(&uuid, &value, NULL), 0);
	assert_string_equal(value.data, "b");
	assert_true(secret_exists("iscsi%2Fhost", NULL));
	assert_int_equal(secret_remove("iscsi%2Fhost", NULL), 0);
	assert_int_equal(secret_remove("iscsi%2Fhost", NULL), -ENOENT);
	memset(longer, 'l', sizeof(longer) - 1);
	longer[250] = '\0';
	assert_int_equal(secret_store(longer, "c", 1, NULL), 0);
	longer[250] = 'l'; /* not that one's secret */
	assert_int_equal(
		secret_get(&(struct secret_ref){ .usage = longer }, &value, &err),
		-ENAMETOOLONG);
	longer[250] = '\0';
	assert_int_equal(
		secret_get(&(struct secret_ref){ .usage = longer }, &value, &err), 0);
	assert_int_equal(secret_remove(longer, NULL), 0);
	secrets_list(collect, &names, NULL);
	assert_string_equal(names.data, "aabbccdd-1111-2222-3333-444455556666 ");
}

static void expect_volume(struct attributes *a, const char *name, int mode, int64_t uid,
			  bool unsized)
{
	struct volume_attributes v;

	attributes_volume(a, name, &v);
	assert_int_equal(v.mode, mode);
	assert_int_equal(v.uid, uid);
	assert_int_equal(v.unsized, unsized);
	assert_int_equal(v.made, unsized ? 4096 : 0);
}

static void test_attributes(void **state)
{
	struct attributes *a = attributes_load("p");
	struct volume_attributes one = { .mode = 0640, .uid = 5, .gid = 6 };
	struct volume_attributes two = {
		.mode = -1, .uid = -1, .gid = -1, .unsized = true, .made = 4096
	};
	struct volume_attributes forget = VOLUME_ATTRIBUTES_INIT;

	assert_int_equal(attributes_protected(a), CHOICE_UNSET);
	assert_false(exists("attributes/p"));
	assert_int_equal(attributes_set_protected(a, true, NULL), 0);
	assert_int_equal(attributes_set_volume(a, "odd \\x20\n name", &one, NULL), 0);
	assert_int_equal(attributes_set_volume(a, "new", &two, NULL), 0);
	attributes_free(a);
	a = attributes_load("p");
	assert_int_equal(attributes_protected(a), CHOICE_YES);
	expect_volume(a, "odd \\x20\n name", 0640, 5, false);
	expect_volume(a, "new", -1, -1, true);
	assert_int_equal(attributes_rename_volume(a, "new", "odd \\x20\n name", NULL), 0);
	expect_volume(a, "odd \\x20\n name", -1, -1, true);
	expect_volume(a, "new", -1, -1, false);
	assert_int_equal(attributes_set_volume(a, "odd \\x20\n name", &forget, NULL), 0);
	assert_int_equal(attributes_rename_begin(a, "q", NULL), 0);
	expect_file("attributes/p", "protected 1\n");
	expect_file("attributes/q", "protected 1\n");
	attributes_rename_end(a, false);
	assert_false(exists("attributes/q"));
	assert_int_equal(attributes_rename_begin(a, "q", NULL), 0);
	attributes_rename_end(a, true);
	expect_file("attributes/q", "protected 1\n");
	assert_false(exists("attributes/p"));
	assert_int_equal(attributes_remove(a, NULL), 0);
	assert_false(exists("attributes/q"));
	attributes_free(a);
}

static void test_damaged_attributes(void **state)
{
	static const char text[] =
		"protected\nvolume\nvolume  \nvolume x mode= uid=y\nnonsense\n"
		"volume \\x00\nvolume y mode=0600 uid=7 gid=8 what=ever\nprot";
	struct attributes *a = attributes_load("p");

	assert_int_equal(store_file("attributes/p", text, sizeof(text) - 1, 0600, NULL),
			 0);
	expect_volume(a, "y", 0600, 7, false);
	attributes_free(a);
}

/* What cannot be read may protect the pool, and is not written over. */
static void test_unreadable_attributes(void **state)
{
	struct attributes *a = attributes_load("p");
	struct volume_attributes v = { .mode = 0640, .uid = 5, .gid = 6 };
	struct error err = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "%s/attributes", source);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/attributes/p", source);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(attributes_protected(a), CHOICE_YES);
	assert_int_equal(attributes_set_volume(a, "x", &v, &err), -EIO);
	assert_non_null(strstr(err.text, "attributes/p' cannot be read"));
	assert_int_equal(attributes_set_protected(a, false, &err), -EIO);
	expect_volume(a, "x", -1, -1, false);
	assert_true(exists("attributes/p"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
		store_file("attributes/p", "volume x unsized=4096\n", 22, 0600, NULL), 0);
	expect_volume(a, "x", -1, -1, true);
	assert_int_equal(attributes_protected(a), CHOICE_UNSET);
	assert_int_equal(attributes_set_protected(a, false, &err), 0);
	attributes_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(test_layout),
		TEST(test_remove_fails),
		TEST(test_directory_fails),
		TEST(test_sweep),
		TEST(test_new_source_is_synced),
		TEST(test_kill_9),
		TEST(test_subdirectory_is_synced),
		TEST(test_full_disk),
		TEST(test_read_only),
		TEST(test_odd_entries),
		TEST(test_secrets),
		TEST(test_attributes),
		TEST(test_damaged_attributes),
		TEST(test_unreadable_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
