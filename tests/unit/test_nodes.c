/* The tree without FUSE: nodes over a real model with a directory pool. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backends/model/pools.h"
#include "backends/model/registry.h"
#include "backends/model/secrets.h"
#include "backends/model/xml.h"
#include "nodes/node.h"

extern const struct backend storagefs_backend; /* dir.c, linked in */

static char top[] = "/tmp/storagefs-nodes.XXXXXX";
static char source[64], target[64];

static struct call the_call(void)
{
	return (struct call){ .mode = 0644, .uid = getuid(), .gid = getgid() };
}

/* The node at a path of existing names; its code in *code. */
static struct node walk(const char *path, int *code)
{
	struct node at;
	char copy[512], *save = NULL;
	struct call call = the_call();

	node_root(&at);
	snprintf(copy, sizeof(copy), "%s", path);
	*code = 0;
	for (char *p = strtok_r(copy, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		struct node next = { 0 };
		struct error err = { 0 };
		struct stat st;

		*code = node_lookup(&at, p, &next, &st, &call, &err);
		node_clear(&at);
		if (*code < 0)
			return (struct node){ 0 };
		at = next;
	}
	return at;
}

static struct node must_walk(const char *path)
{
	int code;
	struct node n = walk(path, &code);

	if (code < 0)
		fail_msg("lookup of %s: %s", path, strerror(-code));
	return n;
}

static int lookup_code(const char *path)
{
	int code;
	struct node n = walk(path, &code);

	if (code == 0)
		node_clear(&n);
	return code;
}

static int make(const char *dir, const char *name, mode_t type)
{
	struct node d = must_walk(dir), out = { 0 };
	struct call call = the_call();
	struct stat st;
	int r = node_make(&d, name, type, &out, &st, &call, NULL);

	node_clear(&d);
	if (r == 0)
		node_clear(&out);
	return r;
}

static int remove_(const char *dir, const char *name, bool directory)
{
	struct node d = must_walk(dir);
	struct call call = the_call();
	int r = node_remove(&d, name, directory, &call, NULL);

	node_clear(&d);
	return r;
}

static int move(const char *dir, const char *from, const char *to)
{
	struct node d = must_walk(dir), moved;
	struct call call = the_call();
	int r = node_rename(&d, from, &d, to, 0, &moved, &call, NULL);

	node_clear(&d);
	node_clear(&moved);
	return r;
}

/* Opens, writes in pieces of so many bytes, flushes and closes, as a tool does. */
static int put(const char *path, const char *text, size_t piece)
{
	struct node n = must_walk(path);
	struct call call = the_call();
	struct handle *h;
	size_t len = strlen(text), off = 0;
	int r = node_open(&n, O_WRONLY | O_TRUNC, false, getpid(), &h, &call, NULL);

	node_clear(&n);
	if (r < 0)
		return r;
	while (r >= 0 && off < len) {
		size_t now = len - off < piece ? len - off : piece;

		r = handle_write(h, text + off, now, off, &call, NULL);
		off += now;
	}
	if (r >= 0)
		r = handle_flush(h, getpid(), &call, NULL);
	handle_close(h, &call);
	return r < 0 ? r : 0;
}

static char *get(const char *path)
{
	struct node n = must_walk(path);
	struct call call = the_call();
	struct buf text = { 0 };
	struct handle *h;
	struct stat st;

	assert_int_equal(node_stat(&n, &st, &call, NULL), 0);
	assert_int_equal(node_open(&n, O_RDONLY, false, getpid(), &h, &call, NULL), 0);
	assert_int_equal(handle_read(h, 0, 1 << 20, &text, NULL), 0);
	if (strcmp(path, "events") && strcmp(path, "metrics"))
		assert_int_equal(st.st_size, text.len);
	handle_close(h, &call);
	node_clear(&n);
	return buf_take(&text);
}

static void check_text(const char *path, const char *expected)
{
	char *text = get(path);

	assert_string_equal(text, expected);
	free(text);
}

static bool listed(const char *dir, const char *wanted)
{
	struct node d = must_walk(dir);
	struct call call = the_call();
	struct listing l;
	const char *name;
	unsigned char type;
	bool found = false;

	assert_int_equal(node_list(&d, &l, &call, NULL), 0);
	for (size_t at = 0; (at = listing_at(&l, at, &name, &type));)
		found = found || !strcmp(name, wanted);
	listing_free(&l);
	node_clear(&d);
	return found;
}

static const char *definition(const char *target_path)
{
	static char text[512];

	snprintf(text, sizeof(text),
		 "<pool type='dir'><name>other</name><target><path>%s</path></target></pool>\n",
		 target_path);
	return text;
}

static int setup(void **state)
{
	struct nodes_options options = { .uid = getuid(), .gid = getgid(), .mode = 0755 };
	struct error err = { 0 };

	(void)state;
	strcpy(top + strlen(top) - 6, "XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(source, sizeof(source), "%s/etc", top);
	snprintf(target, sizeof(target), "%s/images", top);
	mkdir(target, 0755);
	xml_init();
	if (registry_add(&storagefs_backend) < 0)
		return -1;

	struct model_options mo = { .source = source, .timeout_s = 10 };

	return model_open(&mo, &err) < 0 || nodes_open(&options, &err) < 0 ? -1 : 0;
}

static int drop(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	char stuck[256];

	(void)state;
	nodes_close();
	model_settle(60000, stuck, sizeof(stuck));
	model_close(60000);
	executors_drain(60000);
	return nftw(top, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static void the_root_has_what_the_manual_names(void **state)
{
	static const char *const names[] = { "README",  "error",   "events",  "jobs", "metrics",
					     "backends", "secrets", "sources", "pools" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_true(listed("", names[i]));
	assert_int_equal(lookup_code("nothing"), -ENOENT);
	assert_int_equal(lookup_code("backends/dir"), 0);
	assert_int_equal(lookup_code("backends/zfs"), -ENOENT);
	assert_int_equal(make("", "x", S_IFDIR), -EPERM);
	assert_int_equal(remove_("", "README", false), -EPERM);
}

static void a_pool_is_made_defined_and_removed(void **state)
{
	(void)state;
	assert_int_equal(make("pools", "x", S_IFDIR), 0);
	check_text("pools/x/state", "undefined\n");
	check_text("pools/x/xml", "");
	assert_int_equal(put("pools/x/xml", "<pool type='dir'>", 100), -EINVAL);
	check_text("pools/x/state", "undefined\n");
	for (size_t piece = 1; piece < 200; piece = piece * 3 + 1) {
		assert_int_equal(put("pools/x/xml", definition(target), piece), 0);
		check_text("pools/x/state", "running\n");
	}
	check_text("pools/x/type", "dir\n");
	assert_int_equal(remove_("pools", "x", true), -EBUSY);
	assert_int_equal(put("pools/x/ctl", "nonsense\n", 100), -EINVAL);
	assert_int_equal(put("pools/x/ctl", "stop\nstart\n", 100), -EINVAL);
	assert_int_equal(put("pools/x/ctl", "stop\n", 100), 0);
	check_text("pools/x/state", "inactive\n");
	assert_int_equal(remove_("pools", "x", true), 0);
	assert_int_equal(lookup_code("pools/x"), -ENOENT);
}

static void a_definition_may_come_first(void **state)
{
	(void)state;
	assert_int_equal(make("pools", "y.xml", S_IFREG), 0);
	assert_int_equal(put("pools/y.xml", definition(target), 1000), 0);
	assert_true(listed("pools", "y.xml"));
	assert_int_equal(make("pools", "y", S_IFDIR), 0);
	assert_false(listed("pools", "y.xml"));
	check_text("pools/y/state", "running\n");
	assert_int_equal(make("pools", "z.xml", S_IFDIR), -EINVAL);
	assert_int_equal(put("pools/y/ctl", "stop\n", 100), 0);
	assert_int_equal(remove_("pools", "y", true), 0);
}

static void volumes_come_and_go(void **state)
{
	struct node n;
	struct call call = the_call();
	struct node_attr attr = { .attr.mask = NODE_SIZE, .size = 1 << 20 };
	struct stat st;

	(void)state;
	assert_int_equal(make("pools", "v", S_IFDIR), 0);
	assert_int_equal(put("pools/v/xml", definition(target), 1000), 0);
	assert_int_equal(make("pools/v/volumes", "a", S_IFREG), 0);
	assert_int_equal(make("pools/v/volumes", "a", S_IFREG), -EEXIST);
	assert_int_equal(make("pools/v/volumes", "d", S_IFDIR), -EPERM);
	n = must_walk("pools/v/volumes/a");
	assert_int_equal(node_setattr(&n, &attr, &call, NULL), 0);
	assert_int_equal(node_stat(&n, &st, &call, NULL), 0);
	assert_int_equal(st.st_size, 1 << 20);
	node_clear(&n);
	check_text("pools/v/info/a/capacity", "1048576\n");
	check_text("pools/v/info/a/format", "raw\n");
	assert_int_equal(put("pools/v/info/a/capacity", "2M\n", 100), 0);
	check_text("pools/v/info/a/capacity", "2097152\n");
	assert_int_equal(put("pools/v/info/a/capacity", "1M\n", 100), -EINVAL);
	assert_int_equal(put("pools/v/info/a/capacity", "shrink 1M\n", 100), 0);
	assert_int_equal(move("pools/v/volumes", "a", "b"), 0);
	assert_int_equal(lookup_code("pools/v/info/a"), -ENOENT);
	assert_int_equal(lookup_code("pools/v/info/b/xml"), 0);
	assert_int_equal(remove_("pools/v/info", "b", true), -EPERM);
	assert_int_equal(make("pools/v/info", "p", S_IFDIR), 0);
	assert_false(listed("pools/v/volumes", "p"));
	assert_true(listed("pools/v/info", "p"));
	assert_int_equal(put("pools/v/info/p/capacity", "3M\n", 100), 0);
	assert_int_equal(make("pools/v/volumes", "p", S_IFREG), 0);
	check_text("pools/v/info/p/capacity", "3145728\n");
	assert_int_equal(remove_("pools/v/volumes", "p", false), 0);
	assert_int_equal(remove_("pools/v/volumes", "b", false), 0);
	assert_int_equal(put("pools/v/ctl", "stop\n", 100), 0);

	struct node d = must_walk("pools/v/volumes");
	struct listing l;

	assert_int_equal(node_list(&d, &l, &call, NULL), -EAGAIN);
	node_clear(&d);
	assert_int_equal(remove_("pools", "v", true), 0);
}

static void editors_find_what_they_expect(void **state)
{
	(void)state;
	assert_int_equal(make("pools", "e", S_IFDIR), 0);
	assert_int_equal(put("pools/e/xml", definition(target), 1000), 0);
	/* vim: rename away, make anew, remove the backup */
	assert_int_equal(move("pools/e", "xml", "xml~"), 0);
	assert_int_equal(lookup_code("pools/e/xml"), -ENOENT);
	assert_int_equal(lookup_code("pools/e/xml~"), 0);
	assert_int_equal(make("pools/e", "xml", S_IFREG), 0);
	assert_int_equal(put("pools/e/xml", definition(target), 1000), 0);
	assert_int_equal(remove_("pools/e", "xml~", false), 0);
	/* sed -i: a new file takes the name */
	assert_int_equal(make("pools/e", "sedAbC", S_IFREG), 0);
	assert_int_equal(put("pools/e/sedAbC", definition(target), 7), 0);
	assert_int_equal(move("pools/e", "sedAbC", "xml"), 0);
	assert_int_equal(lookup_code("pools/e/sedAbC"), -ENOENT);
	assert_int_equal(make("pools/e", "sedDeF", S_IFREG), 0);
	assert_int_equal(put("pools/e/sedDeF", "no xml", 7), 0);
	assert_int_equal(move("pools/e", "sedDeF", "xml"), -EBADMSG);
	check_text("pools/e/type", "dir\n");
	/* attributes stay */
	assert_int_equal(remove_("pools/e", "state", false), -EPERM);
	assert_int_equal(move("pools/e", "state", "status"), -EPERM);
	assert_int_equal(make("pools/e", "sub", S_IFDIR), -EPERM);
	assert_int_equal(put("pools/e/ctl", "stop\n", 100), 0);
	assert_int_equal(remove_("pools", "e", true), 0);
}

static void secrets_are_never_read_back(void **state)
{
	struct node n;
	struct call call = the_call();
	struct handle *h;

	(void)state;
	assert_int_equal(make("secrets", "s", S_IFREG), 0);
	n = (struct node){ 0 };

	struct node d = must_walk("secrets");
	struct stat st;

	assert_int_equal(node_make(&d, "t", S_IFREG, &n, &st, &call, NULL), 0);
	assert_int_equal(st.st_mode & 0777, 0200);
	assert_int_equal(node_open(&n, O_WRONLY, true, getpid(), &h, &call, NULL), 0);
	assert_int_equal(handle_write(h, "hush\n", 5, 0, &call, NULL), 5);
	handle_close(h, &call);
	assert_int_equal(node_open(&n, O_RDONLY, false, getpid(), &h, &call, NULL), -EACCES);
	assert_true(listed("secrets", "t"));

	/* one that turns out too long leaves the one before */
	static char much[60000];
	struct secret_ref ref = { .usage = "t" };
	struct buf value = { 0 };

	memset(much, 'x', sizeof(much));
	assert_int_equal(node_open(&n, O_WRONLY, false, getpid(), &h, &call, NULL), 0);
	assert_int_equal(handle_write(h, much, sizeof(much), 0, &call, NULL),
			 sizeof(much));
	assert_int_equal(handle_write(h, much, sizeof(much), sizeof(much), &call, NULL),
			 -EFBIG);
	handle_close(h, &call);
	assert_int_equal(secret_get(&ref, &value, NULL), 0);
	assert_string_equal(buf_text(&value), "hush");
	buf_wipe(&value);
	node_clear(&n);
	node_clear(&d);
	assert_int_equal(remove_("secrets", "t", false), 0);
	assert_int_equal(lookup_code("secrets/t"), -ENOENT);
}

static void inode_numbers_are_stable_and_agree(void **state)
{
	struct call call = the_call();
	struct node d = must_walk(""), n = must_walk("pools");
	struct stat st;

	(void)state;
	assert_int_equal(node_stat(&n, &st, &call, NULL), 0);
	assert_int_equal(st.st_ino, node_child_ino(&d, "pools"));
	assert_int_not_equal(st.st_ino, 0);
	node_clear(&d);
	node_clear(&n);
}

static char *stat_and_open(const char *path, const char *between)
{
	struct node n = must_walk(path);
	struct call call = the_call();
	struct buf text = { 0 };
	struct handle *h;
	struct stat st;

	call.pid = getpid();
	assert_int_equal(node_stat(&n, &st, &call, NULL), 0);
	if (between)
		assert_int_equal(put(path, between, 100), 0);
	assert_int_equal(node_open(&n, O_RDONLY, false, getpid(), &h, &call, NULL), 0);
	assert_int_equal(handle_read(h, 0, 1 << 20, &text, NULL), 0);
	if (!between)
		assert_int_equal(text.len, st.st_size);
	handle_close(h, &call);
	node_clear(&n);
	return text.data;
}

/* The text that a size was told of is used by the open that follows, but not for longer. */
static void a_kept_text_is_not_stale(void **state)
{
	assert_int_equal(make("pools", "kept", S_IFDIR), 0);
	assert_int_equal(put("pools/kept/xml", definition(target), 1000), 0);
	for (int i = 0; i < 20; i++) {
		char *text = stat_and_open("pools/kept/protected", NULL);

		assert_string_equal(text, "0\n");
		free(text);
		text = stat_and_open("pools/kept/protected", "1\n");
		assert_string_equal(text, "1\n");
		free(text);
		text = stat_and_open("pools/kept/protected", "0\n");
		assert_string_equal(text, "0\n");
		free(text);
	}
	assert_int_equal(put("pools/kept/ctl", "stop\n", 100), 0);
	assert_int_equal(remove_("pools", "kept", true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_has_what_the_manual_names),
		cmocka_unit_test(a_pool_is_made_defined_and_removed),
		cmocka_unit_test(a_definition_may_come_first),
		cmocka_unit_test(volumes_come_and_go),
		cmocka_unit_test(editors_find_what_they_expect),
		cmocka_unit_test(secrets_are_never_read_back),
		cmocka_unit_test(inode_numbers_are_stable_and_agree),
		cmocka_unit_test(a_kept_text_is_not_stale),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
