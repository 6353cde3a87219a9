/* What mount.storagefs makes of -o: the daemon's part, the kernel's flags, what it refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "mount-helper/options.h"

static const struct {
	const char *list;
	bool sloppy;
	const char *daemon; /* NULL: refused, with error in the sentence */
	const char *error;
	unsigned long set, clear;
	unsigned timeout_s;
	bool remount;
} cases[] = {
	{ .list = "", .daemon = "" },
	{ .list = "ro", .daemon = "ro", .set = MS_RDONLY },
	{ .list = "ro,,rw", .daemon = "ro,rw", .clear = MS_RDONLY },
	{ .list = "rw,ro,nosuid", .daemon = "rw,ro,nosuid", .set = MS_RDONLY | MS_NOSUID },
	{ .list = "remount,rw,timeout=7", .daemon = "rw,timeout=7", .clear = MS_RDONLY,
	  .timeout_s = 7, .remount = true },
	{ .list = "defaults,nofail,_netdev,x-systemd.automount,user",
	  .daemon = "defaults,nofail,_netdev,x-systemd.automount,user" },
	{ .list = "uid=0,gid=0,mode=0775,no-autostart,protected,no-passthrough,xattr,debug",
	  .daemon = "uid=0,gid=0,mode=0775,no-autostart,protected,no-passthrough,xattr,debug" },
	{ .list = "ro,sparkling", .error = "sparkling" },
	{ .list = "ro,sparkling,extra=1", .sloppy = true, .daemon = "ro", .set = MS_RDONLY },
	{ .list = "timeout=soon", .sloppy = true, .error = "soon" },
	{ .list = "timeout=0", .error = "timeout" },
	{ .list = "mode=999", .error = "mode" },
	{ .list = "protected=1", .error = "no value" },
};

static void sorts_options(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mount_options o = { 0 };
		struct error err = { 0 };
		int r = mount_options_add(&o, cases[i].list, cases[i].sloppy, &err);

		if (cases[i].daemon) {
			assert_int_equal(r, 0);
			assert_string_equal(buf_text(&o.daemon), cases[i].daemon);
			assert_int_equal(o.set, cases[i].set);
			assert_int_equal(o.clear & ~(unsigned long)MS_STRICTATIME, cases[i].clear);
			assert_int_equal(o.timeout_s, cases[i].timeout_s);
			assert_int_equal(o.remount, cases[i].remount);
		} else {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(err.text, cases[i].error));
		}
		mount_options_free(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(sorts_options) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
