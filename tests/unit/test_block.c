/* Block devices as volumes, on loop devices: as root, where the kernel gives some. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "backends/common/block_volumes.h"
#include "backends/common/device.h"
#include "backends/common/mounting.h"
#include "backends/support/clock.h"

#define MiB  (UINT64_C(1) << 20)
#define SIZE (8 * MiB)

static struct error err;
static char path[32]; /* of the loop device */

/* -- a loop device over a memory file -- */

static int attach_once(unsigned flags)
{
	AUTO_FD int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	AUTO_FD int file = memfd_create("disk", MFD_CLOEXEC);
	struct loop_config config = { .fd = file, .info.lo_flags = flags };
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

	if (number < 0 || ftruncate(file, SIZE) < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/loop%d", number);

	AUTO_FD int loop =
		open(path, (flags & LO_FLAGS_READ_ONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	return loop < 0 ? -1 : ioctl(loop, LOOP_CONFIGURE, &config);
}

/* Another test may take the free one first. */
static int attach(unsigned flags)
{
	int r, tries = 20;

	do
		r = attach_once(flags);
	while (r < 0 && errno == EBUSY && --tries);
	return r;
}

static int start(void **state)
{
	err = (struct error){ 0 };
	*path = '\0';
	if (geteuid() || attach(0) < 0)
		*path = '\0';
	return 0;
}

static int start_read_only(void **state)
{
	err = (struct error){ 0 };
	if (geteuid() || attach(LO_FLAGS_READ_ONLY) < 0)
		*path = '\0';
	return 0;
}

static int end(void **state)
{
	AUTO_FD int loop = *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	return loop >= 0 ? ioctl(loop, LOOP_CLR_FD) : 0;
}

#define NEED_LOOP()             \
	do {                    \
		if (!*path)     \
			skip(); \
	} while (0)

static dev_t device_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_rdev;
}

static void fill(char byte, uint64_t off, size_t len)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	char *data = malloc(len);

	memset(data, byte, len);
	assert_int_equal(pwrite(fd, data, len, off), len);
	assert_int_equal(fsync(fd), 0);
	free(data);
}

static bool all_zero(void)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *data = malloc(SIZE);
	bool zero;

	assert_int_equal(pread(fd, data, SIZE, 0), SIZE);
	zero = !data[0] && !memcmp(data, data + 1, SIZE - 1);
	free(data);
	return zero;
}

/* -- looking -- */

static void a_device_is_measured_without_being_opened(void **state)
{
	struct volume_spec spec = VOLUME_SPEC_INIT;
	struct vol_stat by_path = { 0 }, by_fd = { 0 };
	struct vol_file f = { .fd = -1 };
	uint64_t bytes = 0;

	NEED_LOOP();
	assert_int_equal(block_stat(path, &by_path, &err), 0);
	assert_int_equal(by_path.size, SIZE);
	assert_int_equal(by_path.allocated, SIZE);
	assert_true(by_path.has_owner && by_path.ident);
	assert_int_equal(block_open(path, O_RDWR, &f, &err), 0);
	assert_true(f.fd >= 0 && !f.regular);
	assert_int_equal(block_fstat(&f, &by_fd, &err), 0);
	assert_int_equal(by_fd.size, SIZE);
	assert_int_equal(by_fd.ident, by_path.ident);
	block_close(&f);
	assert_int_equal(block_size(device_of(path), &bytes, &err), 0);
	assert_int_equal(bytes, SIZE);
	assert_int_equal(block_describe(path, &spec, &err), 0);
	assert_int_equal(spec.capacity, SIZE);
	assert_int_equal(spec.allocation, SIZE);
	assert_int_equal(spec.physical, SIZE);
	assert_string_equal(spec.path, path);
	volume_spec_clear(&spec);
}

static void what_is_no_device_is_refused(void **state)
{
	struct vol_file f = { .fd = -1 };
	struct vol_stat st;

	assert_int_equal(block_open("/dev/nothing-here", O_RDONLY, &f, &err), -ENODEV);
	assert_int_equal(block_open("/dev/null", O_RDONLY, &f, &err), -ENODEV);
	assert_non_null(strstr(err.text, "not a block device"));
	assert_int_equal(block_stat("/", &st, &err), -ENODEV);
	assert_int_equal(f.fd, -1);
	assert_int_equal(block_check_unused("/dev/null", &err), -ENODEV);
	assert_false(block_is_local("/dev/null"));
}

static void what_is_read_only_says_so(void **state)
{
	struct vol_file f = { .fd = -1 };
	struct call call = { 0 };

	NEED_LOOP();
	assert_int_equal(block_open(path, O_RDWR, &f, &err), -EROFS);
	assert_int_equal(block_open(path, O_RDONLY, &f, &err), 0);
	block_close(&f);
	assert_int_equal(block_wipe(path, "zero", &call, &err), -EROFS);
	assert_non_null(strstr(err.text, "can only be read"));
}

/* -- names -- */

static void links_are_found_by_name(void **state)
{
	char dir[] = "/dev/storagefs-test-XXXXXX", a[64], b[64];
	AUTO_FREE char *stable = NULL;
	AUTO_FREE char *plain = NULL;
	AUTO_FREE char *elsewhere = NULL;

	NEED_LOOP();
	assert_non_null(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	assert_int_equal(symlink(path, b) | symlink("../null", a), 0);
	assert_int_equal(block_stable_path(dir, device_of(path), &stable, &err), 0);
	assert_string_equal(stable, b);
	assert_int_equal(block_stable_path("/dev/", device_of(path), &plain, &err), 0);
	assert_string_equal(plain, path);
	assert_int_equal(block_stable_path("/tmp", device_of(path), &elsewhere, &err), 0);
	assert_string_equal(elsewhere, path);
	unlink(a);
	unlink(b);
	rmdir(dir);
}

/* -- use -- */

/* A child has it open, alone or not. */
static pid_t open_elsewhere(int flags)
{
	int ready[2];
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);

	pid_t child = fork();

	if (!child) {
		int fd = open(path, flags);

		if (write(ready[1], fd < 0 ? "n" : "y", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void who_uses_it_is_named(void **state)
{
	struct call call = { 0 };
	pid_t child;

	NEED_LOOP();
	assert_int_equal(block_check_unused(path, &err), 0);
	fill('x', 0, MiB);
	child = open_elsewhere(O_RDONLY);
	assert_int_equal(block_check_unused(path, &err), -EBUSY);
	assert_non_null(strstr(err.text, "has open"));
	assert_int_equal(block_wipe(path, "zero", &call, &err), -EBUSY);
	end_child(child);
	assert_false(all_zero());
	assert_int_equal(block_check_unused(path, &err), 0);
}

static void note_progress(struct call *call, uint64_t done, uint64_t total)
{
	assert_int_equal(total, SIZE);
	*(uint64_t *)call->owner = done;
}

static void it_is_wiped_and_tells_how_far(void **state)
{
	uint64_t told = 0;
	atomic_bool cancelled = false;
	struct call call = { .cancelled = &cancelled,
			     .owner = &told,
			     .progress = note_progress };

	NEED_LOOP();
	fill('x', 0, SIZE);
	assert_int_equal(block_wipe(path, "clean", &call, &err), -EINVAL);
	cancelled = true;
	assert_int_equal(block_wipe(path, "zero", &call, &err), -EINTR);
	assert_false(all_zero());
	cancelled = false;
	assert_int_equal(block_wipe(path, "zero", &call, &err), 0);
	assert_int_equal(told, SIZE);
	assert_true(all_zero());
	fill('x', 0, SIZE);
	assert_int_equal(block_wipe(path, "trim", &call, &err), 0);
}

/* Over a file in memory nothing can hang. */
static void a_loop_device_is_as_local_as_its_file(void **state)
{
	char file[] = "/dev/shm/storagefs-test-XXXXXX";
	int fd, loop;

	NEED_LOOP();
	fd = mkstemp(file);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	loop = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	loop = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(loop, LOOP_CONFIGURE, &(struct loop_config){ .fd = fd }),
			 0);
	close(loop);
	assert_true(block_is_local(path));
	close(fd);
	unlink(file);
}

/* A loop device's file is local where the filesystem of / is. */
static void the_root_is_a_mount(void **state)
{
	AUTO_MOUNTED struct mounted m = { 0 };

	assert_int_equal(mounting_find("/", &m, NULL), 1);
	assert_string_equal(m.target, "/");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		TEST(a_device_is_measured_without_being_opened),
		cmocka_unit_test(what_is_no_device_is_refused),
		cmocka_unit_test_setup_teardown(what_is_read_only_says_so,
						start_read_only, end),
		TEST(links_are_found_by_name),
		TEST(who_uses_it_is_named),
		TEST(it_is_wiped_and_tells_how_far),
		TEST(a_loop_device_is_as_local_as_its_file),
		cmocka_unit_test(the_root_is_a_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
