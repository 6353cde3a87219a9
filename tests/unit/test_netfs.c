/* Names of shares, as mount takes them and the kernel lists them; and the end of a pulse. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backends/netfs/netfs.h"
#include "backends/netfs/pulse.h"
#include "backends/support/clock.h"

static void sources(void **state)
{
	static const struct {
		const char *format, *host, *dir, *source;
	} cases[] = {
		{ "nfs", "filer", "/export", "filer:/export" },
		{ "auto", "10.0.0.1", "/", "10.0.0.1:/" },
		{ NULL, "filer", "/a b", "filer:/a b" },
		{ "nfs", "fe80::1%eth0", "/x", "[fe80::1%eth0]:/x" },
		{ "nfs", "[::1]", "/x", "[::1]:/x" },
		{ "cifs", "filer", "share", "//filer/share" },
		{ "cifs", "filer", "//share/sub", "//filer/share/sub" },
		{ "glusterfs", "filer", "/vol", "filer:/vol" },
		{ "nfs", "-oexec", "/x", NULL },
		{ "nfs", "a/b", "/x", NULL },
		{ "nfs", "", "/x", NULL },
		{ "nfs", "filer", "", NULL },
		{ "zfs", "filer", "/x", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pool_host host = { .name = (char *)cases[i].host };
		struct pool_spec spec = {
			.source = { .hosts = &host, .n_hosts = 1,
				    .dir = (char *)cases[i].dir,
				    .format = (char *)cases[i].format },
		};
		AUTO_SHARE struct share s = { 0 };
		struct error err = { 0 };
		int r = share_of(&spec, &s, &err);

		if (!cases[i].source) {
			assert_int_equal(r, -EINVAL);
			assert_string_not_equal(err.text, "");
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(s.source, cases[i].source);
	}
}

static void mounts(void **state)
{
	static const struct {
		enum netfs_kind kind;
		const char *source, *type, *mounted;
		bool same;
	} cases[] = {
		{ NETFS_NFS, "h:/x", "nfs4", "h:/x", true },
		{ NETFS_NFS, "h:/x/", "nfs", "h:/x", true },
		{ NETFS_NFS, "h:/", "nfs4", "h:/", true },
		{ NETFS_NFS, "h:/x", "nfs4", "h:/xy", false },
		{ NETFS_NFS, "h:/x", "ext4", "h:/x", false },
		{ NETFS_CIFS, "//h/s", "cifs", "//h/s", true },
		{ NETFS_CIFS, "//h/s", "smb3", "//h/s/", true },
		{ NETFS_CIFS, "//h/s", "nfs", "//h/s", false },
		{ NETFS_GLUSTERFS, "h:/v", "fuse.glusterfs", "h:/v", true },
		{ NETFS_GLUSTERFS, "h:/v", "fuse.other", "h:/v", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct share s = { cases[i].kind, (char *)cases[i].source };
		struct mounted m = { .source = (char *)cases[i].mounted,
				     .type = (char *)cases[i].type };

		assert_int_equal(share_is(&s, &m), cases[i].same);
	}
}

/* The thread and the pool end in either order, and nobody waits for the next question. */
static void a_pulse_ends_at_once(void **state)
{
	const struct host host = { 0 };

	assert_true(pulse_end(NULL, 0));
	for (int i = 0; i < 100; i++) {
		uint64_t begun = clock_now();
		struct pulse *p = pulse_start("/", &host);

		assert_non_null(p);
		assert_true(pulse_end(p, clock_now() + NS_PER_S));
		assert_true(clock_now() - begun < 4 * NS_PER_S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources),
		cmocka_unit_test(mounts),
		cmocka_unit_test(a_pulse_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
