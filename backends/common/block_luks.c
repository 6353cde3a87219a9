/*
 * LUKS containers on new volumes that are block devices. The volume is larger than the
 * capacity by the container's header, so that what is in it has all of that.
 */
#include "backends/common/block_luks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "backends/common/file_pool.h"
#include "backends/common/luks.h"
#include "backends/common/qemu_img.h"

int block_luks_plan(const struct host *host, const struct volume_spec *spec,
		    struct block_luks *out, struct error *err)
{
	if (!spec->encryption.format)
		return 0;
	if (spec->backing.path)
		return error_set(err, EINVAL,
				 "a volume with a backing store is encrypted as that is");
	out->size = spec->has_capacity ? spec->capacity : 0;
	return luks_plan(host, &spec->encryption, "", &out->options, &out->secret, err);
}

void block_luks_clear(struct block_luks *luks)
{
	buf_free(&luks->options);
	buf_wipe(&luks->secret);
}

int block_luks_room(const struct block_luks *luks, uint64_t capacity, uint64_t *out,
		    struct error *err)
{
	uint64_t header = luks->options.len ? BLOCK_LUKS_HEADER : 0;

	if (__builtin_add_overflow(capacity, header, out))
		return error_set(err, EFBIG, "no volume is as large as that");
	return 0;
}

/* The device is held alone until qemu-img has ended: nobody begins to use it. */
int block_luks_make(const struct block_luks *luks, const char *path, struct call *call,
		    struct error *err)
{
	char device[FD_PATH_MAX], size[24];
	AUTO_FD int fd = -1;
	int r;

	if (!luks->options.len)
		return 0;
	fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "cannot have '%s' alone, to encrypt it", path);
	snprintf(size, sizeof(size), "%" PRIu64, luks->size);

	const char *const argv[] = { "qemu-img",
				     "create",
				     "-q",
				     "-f",
				     "luks",
				     "--object",
				     QEMU_SECRET_OBJECT,
				     "-o",
				     luks->options.data,
				     fd_path(fd, device),
				     size,
				     NULL };
	const int fds[] = { fd, -1 };

	r = luks_qemu_img(argv, fds, &luks->secret, call, err);
	return r < 0 ? error_prefix(err, "cannot encrypt '%s'", path) : 0;
}
