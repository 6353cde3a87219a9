/* Hosts of a pool's source become numeric addresses, or a sentence. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/common/address.h"
#include "backends/support/cleanup.h"

static const struct {
	const char *host;
	unsigned port;
	const char *text;
} good[] = {
	{ "127.0.0.1", 0, "127.0.0.1:3260" },
	{ "127.0.0.1", 65535, "127.0.0.1:65535" },
	{ "::1", 0, "[::1]:3260" },
	{ "[::1]", 7000, "[::1]:7000" },
	{ "2001:DB8:0:0::1", 1, "[2001:db8::1]:1" },
};

static void test_good(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct address *list AUTO_FREE = NULL;
		struct error err = { 0 };
		int n = address_resolve(good[i].host, good[i].port, 3260, &list, &err);

		if (n < 1)
			fail_msg("%s: %s", good[i].host, err.text);
		assert_string_equal(list[0].text, good[i].text);
		assert_int_equal(list[0].port, good[i].port ? good[i].port : 3260);
		assert_true(list[0].sa_len > 0);
	}
}

static void test_bad(void **state)
{
	char longest[2000];
	const struct {
		const char *host;
		unsigned port;
		int code;
	} bad[] = {
		{ "", 1, -EINVAL },
		{ "[]", 1, -ENODEV },
		{ longest, 1, -EINVAL },
		{ "127.0.0.1", 65536, -EINVAL },
		{ "no such host", 1, -ENODEV },
		{ "256.1.1.1.", 1, 0 },
	};

	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct address *list AUTO_FREE = NULL;
		struct error err = { 0 };
		int r = address_resolve(bad[i].host, bad[i].port, 3260, &list, &err);

		/* a resolver that is away says so of a name that it cannot know */
		if (bad[i].code && !(bad[i].code == -ENODEV && r == -EAGAIN))
			assert_int_equal(r, bad[i].code);
		assert_true(r < 0);
		assert_null(list);
		assert_string_not_equal(err.text, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
