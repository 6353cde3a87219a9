/* Ceph's encodings of what images' metadata objects hold: little-endian throughout.
 * Source: Ceph's src/include/encoding.h and src/cls/rbd. */
#include "backends/rbd/rbd.h"

#include <string.h>

#include "backends/support/bytes.h"

char *decode_string(const char *data, size_t len)
{
	uint32_t n;

	if (len < sizeof(n))
		return NULL;
	n = le32(data);
	if (!n || n > len - sizeof(n) || memchr(data + sizeof(n), '\0', n))
		return NULL;
	return strndup(data + sizeof(n), n);
}

bool decode_u64(const char *data, size_t len, uint64_t *out)
{
	if (len < sizeof(*out))
		return false;
	*out = le64(data);
	return true;
}

bool decode_time(const char *data, size_t len, struct timespec *out)
{
	if (len < 8)
		return false;
	out->tv_sec = le32(data);
	out->tv_nsec = le32(data + 4);
	return out->tv_nsec < 1000000000;
}

/* The length of what follows (4 bytes), version, compatible version, length (4 bytes),
 * and the count. */
bool decode_map_header(const char *data, size_t len, uint64_t *objects)
{
	if (len < OBJECT_MAP_HEADER || le32(data) != OBJECT_MAP_HEADER - 4 ||
	    data[4] != 1)
		return false;
	*objects = le64(data + 10);
	return true;
}

/* Two bits each, the first of a byte in its highest: 0 does not exist, 1 exists, 2 is
 * being removed, 3 exists and is the last snapshot's. What exists has its lower bit set.
 */
uint64_t decode_map_count(const unsigned char *bits, uint64_t n, bool *last)
{
	uint64_t whole = n / 4, count = 0;

	for (uint64_t i = 0; i < whole; i++)
		count += __builtin_popcount(bits[i] & 0x55);
	for (uint64_t i = whole * 4; i < n; i++)
		count += bits[i / 4] >> (6 - 2 * (i % 4)) & 1;
	if (last)
		*last = n && (bits[(n - 1) / 4] >> (6 - 2 * ((n - 1) % 4)) & 1);
	return count;
}

static unsigned state_of(const unsigned char *bits, uint64_t i)
{
	return bits[i / 4] >> (6 - 2 * (i % 4)) & 3;
}

uint64_t decode_map_find(const unsigned char *bits, uint64_t from, uint64_t n, bool data)
{
	for (uint64_t i = from; i < n; i++) {
		if (data && i % 4 == 0 && !bits[i / 4])
			i += 3;
		else if (!!state_of(bits, i) == data)
			return i;
	}
	return n;
}
