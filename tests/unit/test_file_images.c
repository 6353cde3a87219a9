/* Volumes of a directory by what is inside them: making, describing, resizing, wiping,
 * snapshots. */
#include "tests/unit/dir_pool.h"

#include <sys/mman.h>

#include "backends/common/qcow2_snapshots.h"
#include "backends/support/clock.h"

#define MIB (UINT64_C(1) << 20)

static void need_qemu_img(void)
{
	if (!run_have("qemu-img")) {
		print_message("needs qemu-img: skipped\n");
		skip();
	}
}

/* Runs qemu-img with the directory as its own. */
static int qemu(struct dir_pool *p, const char *verb, const char *a, const char *b,
		const char *c, const char *file)
{
	char path[400];
	const char *argv[] = { "qemu-img", verb, a, b, c, path, NULL };
	struct run run = { .argv = argv };

	snprintf(path, sizeof(path), "%s/%s", p->path, file);
	return run_tool(&run, &p->err);
}

static int create(struct dir_pool *p, const char *name, struct volume_spec *spec)
{
	return BE->vol_create(p->pool, name, spec, &p->call, &p->err);
}

static struct volume_spec image(char *format, uint64_t capacity)
{
	struct volume_spec spec = VOLUME_SPEC_INIT;

	spec.format = format;
	spec.has_capacity = spec.has_allocation = true;
	spec.capacity = capacity;
	return spec;
}

static struct volume_spec describe(struct dir_pool *p, const char *name)
{
	struct volume_spec out = VOLUME_SPEC_INIT;

	assert_ok(p, BE->vol_describe(p->pool, name, &out, &p->call, &p->err));
	return out;
}

static uint64_t capacity_of(struct dir_pool *p, const char *name)
{
	AUTO_VOLUME_SPEC struct volume_spec d = describe(p, name);

	return d.capacity;
}

static void check_entries(struct dir_pool *p, size_t want)
{
	assert_int_equal(count_entries(p), want);
}

static void raw_volumes_are_sparse_or_not(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image(NULL, 8 * MIB);
	struct vol_stat st;

	assert_ok(p, create(p, "sparse", &spec));
	assert_ok(p, BE->vol_stat(p->pool, "sparse", &st, &p->call, &p->err));
	assert_true(st.size == 8 * MIB && st.allocated == 0);
	spec.allocation = 2 * MIB;
	assert_ok(p, create(p, "partly", &spec));
	assert_ok(p, BE->vol_stat(p->pool, "partly", &st, &p->call, &p->err));
	assert_true(st.size == 8 * MIB && st.allocated >= 2 * MIB &&
		    st.allocated < 3 * MIB);
	spec.allocation = 100 * MIB;
	assert_ok(p, create(p, "more", &spec));
	assert_ok(p, BE->vol_stat(p->pool, "more", &st, &p->call, &p->err));
	assert_true(st.size == 8 * MIB && st.allocated >= 8 * MIB &&
		    st.allocated < 9 * MIB);
	spec.has_allocation = false;
	assert_ok(p, create(p, "all", &spec));
	assert_ok(p, BE->vol_stat(p->pool, "all", &st, &p->call, &p->err));
	assert_true(st.allocated >= 8 * MIB);
	assert_fails(p, EEXIST, "exists", create(p, "all", &spec));
	spec.has_allocation = true;
	spec.allocation = 0;
	spec.capacity = INT64_MAX;
	assert_fails(p, EFBIG, "cannot make a file", create(p, "huge", &spec));
	spec.capacity = MIB;
	spec.backing.path = "sparse";
	assert_fails(p, EINVAL, "backing", create(p, "backed", &spec));
	check_entries(p, 4);
}

static void owner_and_mode_come_from_the_nearest(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image(NULL, MIB);
	struct vol_stat st;

	if (geteuid())
		skip();
	p->call.uid = 1001;
	p->call.gid = 1002;
	assert_ok(p, create(p, "caller", &spec));
	BE->vol_stat(p->pool, "caller", &st, &p->call, &p->err);
	assert_true(st.uid == 1001 && st.gid == 1002 && st.mode == 0640);
	spec.permissions.owner = 5;
	spec.permissions.mode = 0444;
	assert_ok(p, create(p, "said", &spec));
	BE->vol_stat(p->pool, "said", &st, &p->call, &p->err);
	assert_true(st.uid == 5 && st.gid == 1002 && st.mode == 0444);

	BE->detach(p->pool);
	p->spec.permissions.owner = 107;
	p->spec.permissions.group = 108;
	assert_ok(p, BE->start(&p->spec, &p->host, &p->call, &p->pool, &p->err));
	spec = image(NULL, 0);
	assert_ok(p, create(p, "pool", &spec));
	BE->vol_stat(p->pool, "pool", &st, &p->call, &p->err);
	assert_true(st.uid == 107 && st.gid == 108);
}

static void a_description_has_what_libvirt_prints(void **state)
{
	struct dir_pool *p = *state;
	char path[128];

	put_file(p, "v", "12345");
	snprintf(path, sizeof(path), "%s/v", p->path);

	AUTO_VOLUME_SPEC struct volume_spec d = describe(p, "v");

	assert_string_equal(d.type, "file");
	assert_string_equal(d.path, path);
	assert_string_equal(d.key, path);
	assert_string_equal(d.format, "raw");
	assert_true(d.has_capacity && d.capacity == 5 && d.physical == 5 &&
		    d.has_allocation);
	assert_int_equal(d.permissions.mode, 0600);
	assert_int_equal(d.permissions.owner, geteuid());
	assert_true(d.has_times && d.mtime.tv_sec && !d.btime.tv_sec);
}

static void images_of_each_format_are_made(void **state)
{
	static char *const formats[] = { "qcow2", "qcow",      "qed", "vmdk",
					 "vdi",	  "parallels", "vpc", "vhdx" };
	struct dir_pool *p = *state;

	need_qemu_img();
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct volume_spec spec = image(formats[i], 8 * MIB);

		assert_ok(p, create(p, formats[i], &spec));

		AUTO_VOLUME_SPEC struct volume_spec d = describe(p, formats[i]);

		assert_string_equal(d.format, formats[i]);
		assert_true(d.capacity >= 8 * MIB && d.capacity < 9 * MIB);
	}
	check_entries(p, sizeof(formats) / sizeof(*formats));
	for (int i = 0; i < 3; i++) {
		static char *const bad[] = { "iso", "dmg", "nonsense" };
		struct volume_spec spec = image(bad[i], MIB);

		assert_fails(p, EOPNOTSUPP, bad[i], create(p, "bad", &spec));
	}
	for (int i = 0; i < 4; i++) {
		static char *const small[] = { "vpc", "vdi", "vhdx", "qed" };
		struct volume_spec spec = image(small[i], UINT64_C(2) << 50);

		assert_fails(p, EFBIG, "size", create(p, "large", &spec));
	}
	check_entries(p, sizeof(formats) / sizeof(*formats));
}

static void features_of_qcow2_are_those_asked_for(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", 8 * MIB);

	need_qemu_img();
	spec.compat = "0.10";
	assert_ok(p, create(p, "old", &spec));
	spec.compat = NULL;
	spec.has_features = true;
	spec.features = FEATURE_LAZY_REFCOUNTS | FEATURE_EXTENDED_L2;
	spec.cluster_size = 131072;
	assert_ok(p, create(p, "odd,name: %s", &spec));

	AUTO_VOLUME_SPEC struct volume_spec old = describe(p, "old");
	AUTO_VOLUME_SPEC struct volume_spec new = describe(p, "odd,name: %s");

	assert_null(old.compat); /* as libvirt: said of version 3 only */
	assert_string_equal(new.compat, "1.1");
	assert_int_equal(new.cluster_size, 131072);
	assert_int_equal(new.features, FEATURE_LAZY_REFCOUNTS | FEATURE_EXTENDED_L2);
	spec.compat = "0.10";
	assert_fails(p, EINVAL, "compat", create(p, "x", &spec));
	spec.compat = "2,size=1T";
	assert_fails(p, EINVAL, "compat", create(p, "x", &spec));
	spec.compat = NULL;
	spec.format = "vmdk";
	assert_fails(p, EINVAL, "qcow2", create(p, "x", &spec));
	spec.format = "qcow2";
	spec.cluster_size = 12345;
	assert_true(create(p, "x", &spec) < 0);
	check_entries(p, 2);
}

static void backing_images(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", 0);
	char whole[128];

	need_qemu_img();
	put_file(p, "base", "what is below\n");
	assert_int_equal(
		truncate((snprintf(whole, sizeof(whole), "%s/base", p->path), whole),
			 MIB),
		0);
	spec.has_capacity = false;
	spec.backing.path = "base";
	assert_ok(p, create(p, "relative", &spec));
	assert_int_equal(capacity_of(p, "relative"), MIB);
	spec.backing.path = whole;
	assert_ok(p, create(p, "absolute", &spec));
	spec.backing.path = "relative";
	spec.backing.format = "qcow2";
	spec.has_capacity = true;
	spec.capacity = 4 * MIB;
	assert_ok(p, create(p, "chain", &spec));

	/* its header is believed where nobody says it, but not to name other files */
	spec.backing.format = NULL;
	assert_fails(p, EINVAL, "qcow2", create(p, "x", &spec));
	assert_ok(p, BE->vol_flatten(p->pool, "chain", &p->call, &p->err));
	spec.backing.path = "chain";
	assert_ok(p, create(p, "unsaid", &spec));

	AUTO_VOLUME_SPEC struct volume_spec unsaid = describe(p, "unsaid");

	assert_string_equal(unsaid.backing.format, "qcow2");

	AUTO_VOLUME_SPEC struct volume_spec d = describe(p, "relative");

	assert_string_equal(d.backing.path, whole);
	assert_string_equal(d.backing.format, "raw");
	assert_int_equal(d.backing.permissions.mode, 0600);

	spec.backing.path = "nowhere";
	assert_fails(p, ENOENT, "nowhere", create(p, "x", &spec));
	spec.backing.path = "/dev/null";
	assert_fails(p, EINVAL, "neither", create(p, "x", &spec));
	spec.backing.path = "/proc/self/fd/0";
	assert_int_equal(create(p, "x", &spec), -ELOOP);
	spec.backing.path = "nbd://somewhere/x";
	assert_fails(p, EOPNOTSUPP, "nbd", create(p, "x", &spec));
	spec.backing.path = "base";
	spec.backing.format = NULL;
	spec.format = "vdi";
	assert_fails(p, EINVAL, "vdi", create(p, "x", &spec));
	spec.format = "vmdk";
	spec.backing.format = "raw";
	assert_true(create(p, "x", &spec) < 0);
	check_entries(p, 5);
}

static void a_backing_image_is_opened_as_the_caller(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", MIB);

	need_qemu_img();
	if (geteuid())
		skip();
	put_file(p, "secret", "for root only");
	fchmod(p->fd, 0755);
	p->call.uid = p->call.gid = 65534;
	spec.backing.path = "secret";
	assert_fails(p, EACCES, "secret", create(p, "x", &spec));
	fchmodat(p->fd, "secret", 0644, 0);
	assert_ok(p, create(p, "x", &spec));
	fchmodat(p->fd, "secret", 0600, 0);
	assert_fails(p, EACCES, "secret",
		     BE->vol_flatten(p->pool, "x", &p->call, &p->err));
	p->call.uid = p->call.gid = 0;
	assert_ok(p, BE->vol_flatten(p->pool, "x", &p->call, &p->err));
}

static void flattening_copies_what_is_below(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", MIB);
	char text[16] = "";

	need_qemu_img();
	put_file(p, "base", "what is below\n");
	spec.backing.path = "base";
	assert_ok(p, create(p, "mid", &spec));
	spec.backing.path = "mid";
	spec.backing.format = "qcow2";
	assert_ok(p, create(p, "top", &spec));
	assert_ok(p, BE->vol_flatten(p->pool, "top", &p->call, &p->err));

	AUTO_VOLUME_SPEC struct volume_spec d = describe(p, "top");

	assert_null(d.backing.path);
	assert_ok(p, BE->vol_delete(p->pool, "mid", &p->call, &p->err));
	assert_ok(p, BE->vol_delete(p->pool, "base", &p->call, &p->err));
	assert_ok(p, qemu(p, "check", "-q", "-f", "qcow2", "top"));

	char path[128], out[128];
	const char *argv[] = { "qemu-img", "convert", "-O", "raw", path, out, NULL };
	struct run run = { .argv = argv };

	snprintf(path, sizeof(path), "%s/top", p->path);
	snprintf(out, sizeof(out), "%s/out", p->path);
	assert_ok(p, run_tool(&run, &p->err));
	int fd = openat(p->fd, "out", O_RDONLY);

	assert_int_equal(read(fd, text, 14), 14);
	assert_string_equal(text, "what is below\n");
	close(fd);
	/* nothing below: nothing to do */
	assert_ok(p, BE->vol_flatten(p->pool, "top", &p->call, &p->err));
	assert_ok(p, BE->vol_flatten(p->pool, "out", &p->call, &p->err));
}

static void a_chain_that_loops_ends(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", MIB);

	need_qemu_img();
	assert_ok(p, create(p, "a", &spec));
	assert_ok(p, qemu(p, "rebase", "-u", "-ba", "-Fqcow2", "a"));
	assert_fails(p, ELOOP, "loop", BE->vol_flatten(p->pool, "a", &p->call, &p->err));

	AUTO_VOLUME_SPEC struct volume_spec d = describe(p, "a");

	assert_non_null(d.backing.path);
	assert_fails(
		p, ELOOP, "loop",
		BE->vol_resize(p->pool, "a", 2 * MIB, RESIZE_VIRTUAL, &p->call, &p->err));
}

static void luks_and_its_secret(void **state)
{
	struct secret_ref ref = { .type = "passphrase", .usage = "the-key" };
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", 8 * MIB);

	need_qemu_img();
	spec.encryption = (struct volume_encryption){ .format = "luks", .secrets = &ref };
	assert_fails(p, EINVAL, "exactly one", create(p, "x", &spec));
	spec.encryption.n_secrets = 1;
	assert_fails(p, ENOENT, "secret", create(p, "x", &spec));
	p->secret = "open sesame";
	spec.encryption.cipher = (struct volume_cipher){
		.name = "aes", .mode = "xts", .hash = "sha256", .size = 256
	};
	spec.encryption.ivgen_name = "plain64";
	assert_ok(p, create(p, "qcow2", &spec));
	assert_string_equal(p->asked, "the-key");
	spec.format = "raw";
	assert_ok(p, create(p, "raw", &spec));
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "qcow2" : "raw";
		AUTO_VOLUME_SPEC struct volume_spec d = describe(p, name);

		assert_int_equal(d.capacity, 8 * MIB);
		assert_non_null(d.encryption.format);
	}
	/* each use of a key takes seconds: one of each image */
	assert_ok(p, BE->vol_resize(p->pool, "raw", 9 * MIB, RESIZE_VIRTUAL, &p->call,
				    &p->err));
	assert_int_equal(capacity_of(p, "raw"), 9 * MIB);
	assert_non_null(strstr(p->asked, "/raw"));
	assert_ok(p, BE->snap_create(p->pool, "qcow2", "s", &p->call, &p->err));
	p->secret = NULL;
	assert_fails(p, ENOENT, "secrets/",
		     BE->snap_create(p->pool, "qcow2", "t", &p->call, &p->err));
	spec.format = "vmdk";
	assert_fails(p, EOPNOTSUPP, "vmdk", create(p, "x", &spec));
	spec.format = "qcow2";
	spec.encryption.format = "aes";
	assert_fails(p, EOPNOTSUPP, "aes", create(p, "x", &spec));
	check_entries(p, 2);
}

static void resizing_the_file_and_the_disk_inside(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", 8 * MIB);
	struct vol_stat st;

	put_file(p, "raw", "text");
	assert_ok(p,
		  BE->vol_resize(p->pool, "raw", MIB, RESIZE_VIRTUAL, &p->call, &p->err));
	BE->vol_stat(p->pool, "raw", &st, &p->call, &p->err);
	assert_int_equal(st.size, MIB);
	assert_ok(p, BE->vol_resize(p->pool, "raw", 2, 0, &p->call, &p->err));
	BE->vol_stat(p->pool, "raw", &st, &p->call, &p->err);
	assert_int_equal(st.size, 2);
	assert_fails(p, EFBIG, "raw",
		     BE->vol_resize(p->pool, "raw", INT64_MAX, 0, &p->call, &p->err));
	need_qemu_img();
	assert_ok(p, create(p, "image", &spec));
	assert_ok(p, BE->vol_resize(p->pool, "image", 32 * MIB, RESIZE_VIRTUAL, &p->call,
				    &p->err));
	assert_int_equal(capacity_of(p, "image"), 32 * MIB);
	assert_true(BE->vol_resize(p->pool, "image", MIB, RESIZE_VIRTUAL, &p->call,
				   &p->err) < 0);
	assert_ok(p, BE->vol_resize(p->pool, "image", MIB, RESIZE_VIRTUAL | RESIZE_SHRINK,
				    &p->call, &p->err));
	assert_int_equal(capacity_of(p, "image"), MIB);
	spec.format = "vpc";
	assert_ok(p, create(p, "vpc", &spec));
	assert_fails(p, EOPNOTSUPP, "vpc",
		     BE->vol_resize(p->pool, "vpc", 64 * MIB, RESIZE_VIRTUAL, &p->call,
				    &p->err));
}

static unsigned told;

static void note_progress(struct call *call, uint64_t done, uint64_t total)
{
	told++;
	assert_true(done <= total);
}

static void wiping_keeps_holes(void **state)
{
	struct dir_pool *p = *state;
	atomic_bool cancelled = true;
	struct vol_stat before, after;
	char text[16];
	int fd = openat(p->fd, "v", O_CREAT | O_RDWR, 0600);

	assert_int_equal(ftruncate(fd, 64 * MIB + 7), 0);
	assert_int_equal(pwrite(fd, "data", 4, 0), 4);
	assert_int_equal(pwrite(fd, "data", 4, 32 * MIB), 4);
	assert_int_equal(pwrite(fd, "end", 3, 64 * MIB + 4), 3);
	fsync(fd);
	BE->vol_stat(p->pool, "v", &before, &p->call, &p->err);
	p->call.progress = note_progress;
	assert_ok(p, BE->vol_wipe(p->pool, "v", "zero", &p->call, &p->err));
	assert_true(told >= 3);
	BE->vol_stat(p->pool, "v", &after, &p->call, &p->err);
	assert_int_equal(after.size, before.size);
	assert_int_equal(after.allocated, before.allocated);
	assert_int_equal(pread(fd, text, 4, 32 * MIB), 4);
	assert_memory_equal(text, "\0\0\0\0", 4);
	assert_int_equal(pread(fd, text, 8, 64 * MIB + 4), 3);
	assert_memory_equal(text, "\0\0\0", 3);
	assert_int_equal(pwrite(fd, "data", 4, 0), 4);
	p->call.cancelled = &cancelled;
	assert_fails(p, EINTR, "cancelled",
		     BE->vol_wipe(p->pool, "v", "zero", &p->call, &p->err));
	p->call.cancelled = NULL;
	assert_fails(p, EINVAL, "gutmann",
		     BE->vol_wipe(p->pool, "v", "ones", &p->call, &p->err));
	assert_fails(p, EINVAL, "gutmann",
		     BE->vol_wipe(p->pool, "v", "", &p->call, &p->err));
	assert_fails(p, EOPNOTSUPP, "trim",
		     BE->vol_wipe(p->pool, "v", "trim", &p->call, &p->err));
	close(fd);
}

static void wiping_with_scrub_keeps_the_size(void **state)
{
	static const char *const algorithms[] = { "nnsa",	"dod",	    "bsi",
						  "gutmann",	"schneier", "pfitzner7",
						  "pfitzner33", "random" };
	struct dir_pool *p = *state;
	struct vol_stat st;

	if (!run_have("scrub"))
		skip();
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
		char text[16] = "";
		int fd;

		put_file(p, "v", "confidential");
		assert_ok(p,
			  BE->vol_wipe(p->pool, "v", algorithms[i], &p->call, &p->err));
		BE->vol_stat(p->pool, "v", &st, &p->call, &p->err);
		assert_int_equal(st.size, 12);
		fd = openat(p->fd, "v", O_RDONLY);
		assert_int_equal(read(fd, text, 15), 12);
		assert_true(memcmp(text, "confidential", 12) != 0);
		close(fd);
	}
}

static void an_image_in_use_is_busy(void **state)
{
	struct flock l = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 2
	};
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", MIB);
	int fd;

	need_qemu_img();
	assert_ok(p, create(p, "v", &spec));
	/* as QEMU holds "consistent read" and "write", and shares neither */
	fd = openat(p->fd, "v", O_RDWR);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	l.l_start = 200;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	assert_fails(p, EBUSY, "lock",
		     BE->snap_create(p->pool, "v", "s", &p->call, &p->err));
	assert_fails(
		p, EBUSY, "lock",
		BE->vol_resize(p->pool, "v", 2 * MIB, RESIZE_VIRTUAL, &p->call, &p->err));
	assert_fails(p, EBUSY, "in use",
		     BE->vol_wipe(p->pool, "v", "zero", &p->call, &p->err));
	close(fd);
	assert_ok(p, BE->snap_create(p->pool, "v", "s", &p->call, &p->err));
}

static void snapshots_of_qcow2(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", 8 * MIB);
	struct names names = { 0 };
	struct vol_stat st;

	need_qemu_img();
	assert_ok(p, create(p, "v", &spec));
	assert_ok(p, BE->snap_create(p->pool, "v", "first", &p->call, &p->err));
	assert_ok(p, BE->snap_create(p->pool, "v", "1", &p->call, &p->err));
	assert_ok(p, BE->snap_create(p->pool, "v", "-x ü %s", &p->call, &p->err));
	assert_fails(p, EEXIST, "first",
		     BE->snap_create(p->pool, "v", "first", &p->call, &p->err));
	assert_fails(p, EINVAL, "a/b",
		     BE->snap_create(p->pool, "v", "a/b", &p->call, &p->err));
	assert_ok(p, BE->snap_list(p->pool, "v", note_name, &names, &p->call, &p->err));
	assert_string_equal(names.all, "first|1|-x ü %s|");
	assert_ok(p, BE->snap_stat(p->pool, "v", "1", &st, &p->call, &p->err));
	assert_int_equal(st.size, 8 * MIB);
	assert_true(st.has_times && st.mtime.tv_sec > 1600000000);
	assert_fails(p, ENOENT, "none",
		     BE->snap_stat(p->pool, "v", "none", &st, &p->call, &p->err));
	assert_ok(p, BE->snap_revert(p->pool, "v", "1", &p->call, &p->err));
	assert_fails(p, ENOENT, "2",
		     BE->snap_revert(p->pool, "v", "2", &p->call, &p->err));
	assert_fails(p, ENOENT, "2",
		     BE->snap_delete(p->pool, "v", "2", &p->call, &p->err));
	assert_ok(p, BE->snap_delete(p->pool, "v", "1", &p->call, &p->err));
	assert_ok(p, BE->snap_delete(p->pool, "v", "-x ü %s", &p->call, &p->err));
	names = (struct names){ 0 };
	assert_ok(p, BE->snap_list(p->pool, "v", note_name, &names, &p->call, &p->err));
	assert_string_equal(names.all, "first|");
	/* two of one name: each is shown once, and only the right one is deleted */
	assert_ok(p, qemu(p, "snapshot", "-q", "-c", "first", "v"));
	names = (struct names){ 0 };
	assert_ok(p, BE->snap_list(p->pool, "v", note_name, &names, &p->call, &p->err));
	assert_int_equal(names.n, 2);
	assert_fails(p, EOPNOTSUPP, "first",
		     BE->snap_delete(p->pool, "v", names.all + 6, &p->call, &p->err) ==
				     -ENOENT
			     ? BE->snap_delete(p->pool, "v", "2", &p->call, &p->err)
			     : -EOPNOTSUPP);
	put_file(p, "raw", "bytes");
	names = (struct names){ 0 };
	assert_ok(p, BE->snap_list(p->pool, "raw", note_name, &names, &p->call, &p->err));
	assert_int_equal(names.n, 0);
	assert_fails(p, EOPNOTSUPP, "qcow2",
		     BE->snap_create(p->pool, "raw", "s", &p->call, &p->err));
}

/* A header, then a table of one entry at 4096; each case changes one place of it. */
static const struct {
	size_t at, len;
	uint64_t value;
	int result; /* 0: it lists whole */
} hostile[] = {
	{ 0, 0, 0, 0 },
	{ 0, 4, 0x12345678, -EOPNOTSUPP }, /* magic */
	{ 60, 4, 2, -EINVAL },		   /* more than the file holds */
	{ 60, 4, 0xffffffff, -EINVAL },	   /* and many more */
	{ 60, 4, 65537, -EINVAL },
	{ 64, 8, UINT64_MAX, -EINVAL }, /* where the table is */
	{ 64, 8, INT64_MAX, -EINVAL },
	{ 64, 8, 8192, -EINVAL },
	{ 64, 8, 4096 + 60, -EINVAL },
	{ 4096 + 12, 2, 0xffff, -EINVAL },     /* size of the id */
	{ 4096 + 14, 2, 0xffff, -EINVAL },     /* size of the name */
	{ 4096 + 36, 4, 0xffffffff, -EINVAL }, /* size of the extra data */
	{ 4096 + 36, 4, 1025, -EINVAL },
	{ 4096 + 40, 4, 0x2f2f2f2f, 0 }, /* in the id */
	{ 4096 + 41, 4, 0x2f2f2f2f, 0 }, /* in id and name */
	{ 4096 + 16, 8, UINT64_MAX, 0 }, /* time */
	{ 24, 8, UINT64_MAX, 0 },	 /* size of the disk */
};

static void put(unsigned char *image, size_t at, size_t len, uint64_t value)
{
	for (size_t i = 0; i < len; i++)
		image[at + i] = value >> (8 * (len - 1 - i));
}

static void make_table(unsigned char *image, const char *id, const char *name)
{
	memset(image, 0, 4200);
	put(image, 0, 4, 0x514649fb);
	put(image, 4, 4, 3);
	put(image, 20, 4, 16);
	put(image, 24, 8, MIB);
	put(image, 60, 4, 1);
	put(image, 64, 8, 4096);
	put(image, 4096 + 12, 2, strlen(id));
	put(image, 4096 + 14, 2, strlen(name));
	memcpy(image + 4096 + 40, id, strlen(id));
	memcpy(image + 4096 + 40 + strlen(id), name, strlen(name));
}

static int read_snapshots(const unsigned char *image, size_t len)
{
	struct qcow2_snapshots s = { 0 };
	struct error err = { 0 };
	int fd = memfd_create("hostile", 0), r;

	assert_int_equal(write(fd, image, len), len);
	r = qcow2_snapshots_read(fd, len, &s, &err);
	assert_int_equal(r, -err.code);
	qcow2_snapshots_clear(&s);
	close(fd);
	return r;
}

static void hostile_snapshot_tables(void **state)
{
	unsigned char table[4200];

	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		make_table(table, "1", "name");
		put(table, hostile[i].at, hostile[i].len, hostile[i].value);
		assert_int_equal(read_snapshots(table, 4096 + 45), hostile[i].result);
	}
	make_table(table, "1", "name");
	for (size_t len = 0; len < 4096 + 45; len++)
		assert_true(read_snapshots(table, len) < 0);
}

static void names_that_cannot_be_shown(void **state)
{
	static const struct {
		const char *id, *name, *shown; /* NULL: the list fails */
	} cases[] = {
		{ "1", "plain", "plain|" },
		{ "1", "", "1|" },
		{ "7", "a/b", "7|" },
		{ "1", "..", "1|" },
		{ "..", "/", NULL },
		{ "", "", NULL },
		{ "1", "\xff\xfe", "\xff\xfe|" },
	};
	struct dir_pool *p = *state;
	unsigned char table[4200];
	int fd;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct names names = { 0 };

		make_table(table, cases[i].id, cases[i].name);
		fd = openat(p->fd, "hostile", O_CREAT | O_TRUNC | O_WRONLY, 0600);
		assert_int_equal(write(fd, table, sizeof(table)), sizeof(table));
		close(fd);
		if (!cases[i].shown) {
			assert_fails(p, EIO, "neither",
				     BE->snap_list(p->pool, "hostile", note_name, &names,
						   &p->call, &p->err));
			continue;
		}
		assert_ok(p, BE->snap_list(p->pool, "hostile", note_name, &names,
					   &p->call, &p->err));
		assert_string_equal(names.all, cases[i].shown);
	}
}

/* A guest may write any header: no other file is touched for it. */
static void a_header_that_names_other_files(void **state)
{
	struct dir_pool *p = *state;
	char path[128], option[200];
	const char *argv[] = { "qemu-img", "create", "-q", "-fqcow2", "-o",
			       option,	   path,     "1M", NULL };
	struct run run = { .argv = argv };

	need_qemu_img();
	snprintf(path, sizeof(path), "%s/v", p->path);
	snprintf(option, sizeof(option), "data_file=%s/victim,data_file_raw=on", p->path);
	assert_ok(p, run_tool(&run, &p->err));
	assert_fails(
		p, EOPNOTSUPP, "victim",
		BE->vol_resize(p->pool, "v", 2 * MIB, RESIZE_VIRTUAL, &p->call, &p->err));
	assert_fails(p, EOPNOTSUPP, "victim",
		     BE->snap_create(p->pool, "v", "s", &p->call, &p->err));
	assert_fails(p, EOPNOTSUPP, "victim",
		     BE->vol_flatten(p->pool, "v", &p->call, &p->err));
	/* a backing file that is gone or anywhere hinders neither a description nor a
	 * snapshot */
	struct volume_spec spec = image("qcow2", MIB);

	assert_ok(p, create(p, "w", &spec));
	assert_ok(p, qemu(p, "rebase", "-u", "-b/nowhere/at/all", "-Fraw", "w"));
	assert_int_equal(capacity_of(p, "w"), MIB);
	assert_ok(p, BE->snap_create(p->pool, "w", "s", &p->call, &p->err));
	assert_ok(p, BE->snap_revert(p->pool, "w", "s", &p->call, &p->err));

	AUTO_VOLUME_SPEC struct volume_spec d = describe(p, "w");

	assert_string_equal(d.backing.path, "/nowhere/at/all");
	assert_fails(
		p, ENOENT, "nowhere",
		BE->vol_resize(p->pool, "w", 2 * MIB, RESIZE_VIRTUAL, &p->call, &p->err));
}

static void a_description_is_fast(void **state)
{
	struct dir_pool *p = *state;
	struct volume_spec spec = image("qcow2", 8 * MIB);
	uint64_t start;

	need_qemu_img();
	assert_ok(p, create(p, "v", &spec));
	start = clock_now();
	for (int i = 0; i < 1000; i++) {
		AUTO_VOLUME_SPEC struct volume_spec d = describe(p, "v");

		assert_int_equal(d.capacity, 8 * MIB);
	}
	print_message("%llu ns a description\n",
		      (unsigned long long)(clock_now() - start) / 1000);
}

static void building_and_removing(void **state)
{
	struct dir_pool *p = *state;
	struct pool_spec spec = POOL_SPEC_INIT;
	char path[128];
	struct stat st;
	bool active = true;
	void *pool;

	snprintf(path, sizeof(path), "%s/some/where/else", p->path);
	spec.target = path;
	assert_ok(p, BE->check(&spec, &p->host, &p->call, &active, &p->err));
	assert_false(active);
	assert_fails(p, ENOENT, "echo build",
		     BE->start(&spec, &p->host, &p->call, &pool, &p->err));
	assert_fails(p, EOPNOTSUPP, "overwrite",
		     BE->build(&spec, &p->host, BUILD_OVERWRITE, &p->call, &p->err));
	assert_ok(p, BE->build(&spec, &p->host, BUILD, &p->call, &p->err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_ok(p, BE->check(&spec, &p->host, &p->call, &active, &p->err));
	assert_true(active);
	spec.permissions.mode = 0750;
	put_file(p, "some/where/else/v", "");
	assert_ok(p, BE->build(&spec, &p->host, BUILD, &p->call, &p->err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_fails(p, EBUSY, "not empty",
		     BE->remove(&spec, &p->host, &p->call, &p->err));
	unlinkat(p->fd, "some/where/else/v", 0);
	assert_ok(p, BE->remove(&spec, &p->host, &p->call, &p->err));
	assert_fails(p, ENOENT, "remove", BE->remove(&spec, &p->host, &p->call, &p->err));
	put_file(p, "some/where/else", "a file");
	assert_fails(p, ENOTDIR, "else",
		     BE->build(&spec, &p->host, BUILD, &p->call, &p->err));
	spec.target = "relative";
	assert_fails(p, EINVAL, "absolute",
		     BE->build(&spec, &p->host, BUILD, &p->call, &p->err));
	assert_fails(p, EINVAL, "absolute",
		     BE->start(&spec, &p->host, &p->call, &pool, &p->err));
	spec.target = p->path;
	spec.cow = CHOICE_NO;
	assert_int_equal(
		BE->build(&spec, &p->host, BUILD, &p->call, &p->err) & ~-EOPNOTSUPP, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_pool_setup, dir_pool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(raw_volumes_are_sparse_or_not),
		TEST(owner_and_mode_come_from_the_nearest),
		TEST(a_description_has_what_libvirt_prints),
		TEST(images_of_each_format_are_made),
		TEST(features_of_qcow2_are_those_asked_for),
		TEST(backing_images),
		TEST(a_backing_image_is_opened_as_the_caller),
		TEST(flattening_copies_what_is_below),
		TEST(a_chain_that_loops_ends),
		TEST(luks_and_its_secret),
		TEST(resizing_the_file_and_the_disk_inside),
		TEST(wiping_keeps_holes),
		TEST(wiping_with_scrub_keeps_the_size),
		TEST(an_image_in_use_is_busy),
		TEST(snapshots_of_qcow2),
		cmocka_unit_test(hostile_snapshot_tables),
		TEST(names_that_cannot_be_shown),
		TEST(a_header_that_names_other_files),
		TEST(a_description_is_fast),
		TEST(building_and_removing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
