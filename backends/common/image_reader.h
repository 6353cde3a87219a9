/*
 * The bytes of an image that is being probed: its first 4 KiB at hand, the rest where a
 * header says so. Holes are not read. No more than 1 MiB is read of any file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/support/bytes.h"
#include "backends/support/error.h"

#define IMAGE_HEAD   4096
#define IMAGE_TAIL   512
#define IMAGE_SECTOR 512
#define IMAGE_BUDGET (1 << 20)

struct image_reader {
	int fd;                /* -1: the bytes are in memory */
	const uint8_t *memory; /* memory_len of them; a hole follows */
	size_t memory_len;
	uint64_t size;       /* of the file */
	uint64_t first_data; /* nothing but holes before it; UINT64_MAX: nothing at all */
	size_t budget;
	bool has_tail;
	uint8_t head[IMAGE_HEAD]; /* zeros behind the end of the file */
	uint8_t tail[IMAGE_TAIL];
};

/* Reads the head. The file's offset moves. 0 or -EIO. */
int image_reader_open(struct image_reader *r, int fd, uint64_t size, struct error *err);
int image_reader_open_bytes(struct image_reader *r, const void *data, size_t len,
			    uint64_t size, struct error *err);

/* len bytes at off. -EINVAL: not inside the file, or more than may be read; -EIO. */
int image_read(struct image_reader *r, uint64_t off, void *to, size_t len,
	       struct error *err);

/* The same as a string from malloc that ends at the first NUL; an empty one is NULL. The
 * caller bounds len; what *text held is released. Also -ENOMEM. */
int image_read_text(struct image_reader *r, uint64_t off, size_t len, char **text,
		    struct error *err);

/* The last 512 bytes are in r->tail when this returns 0. -EINVAL: the file is shorter;
 * -EIO. */
int image_read_tail(struct image_reader *r, struct error *err);

/* Saturates: what does not fit is UINT64_MAX, which no capacity may be. */
static inline uint64_t image_sectors(uint64_t n)
{
	return n > UINT64_MAX / IMAGE_SECTOR ? UINT64_MAX : n * IMAGE_SECTOR;
}
