/* Lists behind -o, as the daemon and the mount helper read them. */
#include <errno.h>

#include "backends/support/cleanup.h"
#include "fs/options.h"
#include "mount-helper/options.h"
#include "tests/fuzz/fuzz.h"

static void check_daemon(const char *list)
{
	struct error err = { 0 };
	struct options o;

	options_init(&o);

	int ret = options_parse_list(&o, list, &err);

	HOLDS(ret == 0 || (ret == -err.code && err.text[0]));
	HOLDS(o.mode <= 07777);
	options_free(&o);
}

/* What the helper hands to the daemon, the daemon takes. */
static void check_helper(const char *list, bool sloppy)
{
	struct mount_options m = { 0 };
	struct error err = { 0 };
	struct options o;
	int ret = mount_options_add(&m, list, sloppy, &err);

	HOLDS(ret == 0 || (ret == -err.code && err.text[0]));
	options_init(&o);
	HOLDS(ret < 0 || options_parse_list(&o, buf_text(&m.daemon), &err) == 0);
	options_free(&o);
	mount_options_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *list = fuzz_text(data, size);

	check_daemon(list);
	check_helper(list, false);
	check_helper(list, true);
	return 0;
}
