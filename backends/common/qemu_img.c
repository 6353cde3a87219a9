/* Running qemu-img. */
#include "backends/common/qemu_img.h"

#include <errno.h>
#include <string.h>

#include "backends/support/run.h"

static const char *const drivers[] = {
	"raw", "bochs", "cloop", "dmg",	 "parallels", "qcow", "qcow2",
	"qed", "vdi",	"vhdx",	 "vmdk", "vpc",	      "luks",
};

/* What qemu-img says, and what it means. */
static const struct {
	const char *said;
	int code;
} meanings[] = {
	{ "Failed to lock", EBUSY },
	{ "Failed to get \"", EBUSY },
	{ "Is another process using the image", EBUSY },
	{ "No space left on device", ENOSPC },
	{ "Disk quota exceeded", EDQUOT },
	{ "Read-only file system", EROFS },
	{ "Permission denied", EACCES },
	{ "Operation not supported", EOPNOTSUPP },
	{ "not supported", EOPNOTSUPP },
	{ "does not support", EOPNOTSUPP },
	{ "too large", EFBIG },
	{ "Unsupported VDI image size", EFBIG },
	{ "QED image size must be", EFBIG },
	{ "Invalid", EINVAL },
};

const char *qemu_driver(const char *format)
{
	if (!strcmp(format, "iso") || !strcmp(format, "fat"))
		return "raw";
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(format, drivers[i]))
			return drivers[i];
	return NULL;
}

static int understand(struct error *err)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++) {
		if (strstr(err->text, meanings[i].said)) {
			err->code = meanings[i].code;
			break;
		}
	}
	return -err->code;
}

int qemu_img(const char *const *argv, const int *fds, const struct buf *secret,
	     struct call *call, struct error *err)
{
	struct error said = { 0 };
	struct run run = {
		.argv = argv,
		.fds = fds,
		.input = secret ? buf_text(secret) : NULL,
		.input_len = secret ? secret->len : 0,
		.deadline_ns = call ? call->deadline_ns : 0,
		.cancelled = call ? call->cancelled : NULL,
	};
	int r = run_tool(&run, &said);

	if (r == 0)
		return 0;
	if (r == -EOPNOTSUPP)
		return error_set(err, EOPNOTSUPP,
				 "this needs the program qemu-img: install the package "
				 "qemu-utils");
	if (r == -EIO)
		understand(&said);
	return error_copy(err, &said);
}

int qemu_option(struct buf *options, const char *key, const char *value)
{
	int r = buf_printf(options, "%s%s=", options->len ? "," : "", key);

	for (; r == 0 && *value; value++) {
		r = buf_putc(options, *value);
		if (r == 0 && *value == ',')
			r = buf_putc(options, ',');
	}
	return r;
}
