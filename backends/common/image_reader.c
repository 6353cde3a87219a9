/* Reading an image's headers: bounded, inside the file, and only where it has data. */
#include "backends/common/image_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/support/cleanup.h"

static bool in_hole(const struct image_reader *r, uint64_t off, size_t len)
{
	if (off + len <= r->first_data)
		return true;
	if (off <= r->first_data)
		return false;

	off_t data = lseek(r->fd, off, SEEK_DATA);

	return data < 0 ? errno == ENXIO : (uint64_t)data >= off + len;
}

/* What the file no longer has, because it was cut meanwhile, reads as zeros. */
static int read_file(int fd, uint64_t off, uint8_t *to, size_t len, struct error *err)
{
	while (len > 0) {
		ssize_t n = pread(fd, to, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_errno(err, "cannot read the header at byte %llu",
				    (unsigned long long)off);
			if (err)
				err->code = EIO;
			return -EIO;
		}
		if (n == 0)
			break;
		to += n;
		off += n;
		len -= n;
	}
	memset(to, 0, len);
	return 0;
}

static void read_memory(const struct image_reader *r, uint64_t off, uint8_t *to,
			size_t len)
{
	size_t have = off < r->memory_len ? r->memory_len - off : 0;

	if (have > len)
		have = len;
	if (have)
		memcpy(to, r->memory + off, have);
	memset(to + have, 0, len - have);
}

static int fetch(struct image_reader *r, uint64_t off, void *to, size_t len,
		 struct error *err)
{
	if (r->fd < 0) {
		read_memory(r, off, to, len);
		return 0;
	}
	if (in_hole(r, off, len)) {
		memset(to, 0, len);
		return 0;
	}
	return read_file(r->fd, off, to, len, err);
}

static int read_head(struct image_reader *r, uint64_t size, struct error *err)
{
	size_t len = size < IMAGE_HEAD ? size : IMAGE_HEAD;

	r->size = size;
	r->budget = IMAGE_BUDGET - IMAGE_HEAD;
	r->has_tail = false;
	memset(r->head + len, 0, IMAGE_HEAD - len);
	return fetch(r, 0, r->head, len, err);
}

int image_reader_open(struct image_reader *r, int fd, uint64_t size, struct error *err)
{
	off_t data = lseek(fd, 0, SEEK_DATA);

	/* a filesystem that knows no holes says EINVAL: then all is data */
	r->first_data = data >= 0 ? (uint64_t)data : errno == ENXIO ? UINT64_MAX : 0;
	r->fd = fd;
	return read_head(r, size, err);
}

int image_reader_open_bytes(struct image_reader *r, const void *data, size_t len,
			    uint64_t size, struct error *err)
{
	r->fd = -1;
	r->first_data = 0;
	r->memory = data;
	r->memory_len = len;
	return read_head(r, size, err);
}

int image_read(struct image_reader *r, uint64_t off, void *to, size_t len,
	       struct error *err)
{
	if (off > r->size || len > r->size - off)
		return error_set(
			err, EINVAL,
			"it refers to %zu bytes at byte %llu, but the file ends at %llu",
			len, (unsigned long long)off, (unsigned long long)r->size);
	if (off + len <= IMAGE_HEAD) {
		memcpy(to, r->head + off, len);
		return 0;
	}
	if (len > r->budget)
		return error_set(err, EINVAL, "it is larger than %d bytes", IMAGE_BUDGET);
	r->budget -= len;
	return fetch(r, off, to, len, err);
}

int image_read_text(struct image_reader *r, uint64_t off, size_t len, char **text,
		    struct error *err)
{
	AUTO_FREE char *copy = malloc(len + 1);

	free(*text);
	*text = NULL;
	if (!copy)
		return error_code(err, ENOMEM, "cannot read the header");

	int ret = image_read(r, off, copy, len, err);

	if (ret < 0)
		return ret;
	copy[len] = '\0';
	if (*copy)
		*text = take(copy);
	return 0;
}

int image_read_tail(struct image_reader *r, struct error *err)
{
	if (r->has_tail)
		return 0;
	if (r->size < IMAGE_TAIL)
		return error_set(err, EINVAL, "the file is too short");

	int ret = image_read(r, r->size - IMAGE_TAIL, r->tail, IMAGE_TAIL, err);

	r->has_tail = ret == 0;
	return ret;
}
