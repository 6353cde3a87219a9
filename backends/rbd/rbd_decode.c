/* Ceph's encodings of what images' metadata objects hold: little-endian throughout. */
#include "backends/rbd/rbd.h"

#include <endian.h>
#include <string.h>

static uint32_t get_u32(const char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint64_t get_u64(const char *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

char *decode_string(const char *data, size_t len)
{
	uint32_t n;

	if (len < sizeof(n))
		return NULL;
	n = get_u32(data);
	if (!n || n > len - sizeof(n) || memchr(data + sizeof(n), '\0', n))
		return NULL;
	return strndup(data + sizeof(n), n);
}

bool decode_u64(const char *data, size_t len, uint64_t *out)
{
	if (len < sizeof(*out))
		return false;
	*out = get_u64(data);
	return true;
}

bool decode_time(const char *data, size_t len, struct timespec *out)
{
	if (len < 8)
		return false;
	out->tv_sec = get_u32(data);
	out->tv_nsec = get_u32(data + 4);
	return out->tv_nsec < 1000000000;
}

/* The length of what follows (4 bytes), version, compatible version, length (4 bytes),
 * and the count. */
bool decode_map_header(const char *data, size_t len, uint64_t *objects)
{
	if (len < OBJECT_MAP_HEADER || get_u32(data) != OBJECT_MAP_HEADER - 4 ||
	    data[4] != 1)
		return false;
	*objects = get_u64(data + 10);
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
