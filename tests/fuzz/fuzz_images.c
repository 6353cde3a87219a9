/*
 * Image headers: whatever the bytes are, a probe ends with a known format and a size
 * below 2^63, the same for a file as for memory.
 */
#include <errno.h>
#include <unistd.h>

#include "backends/common/image_format.h"
#include "backends/support/cleanup.h"
#include "tests/fuzz/fuzz.h"

static void check(int ret, const struct image_info *info, const struct error *err)
{
	AUTO_VOLUME_SPEC struct volume_spec spec = VOLUME_SPEC_INIT;
	size_t i = 0;

	HOLDS(ret == 0 || (ret == -EINVAL && err->code == EINVAL && err->text[0]));
	while (image_formats[i] && strcmp(image_formats[i], info->format) != 0)
		i++;
	HOLDS(image_formats[i]);
	HOLDS(ret < 0 || strcmp(info->format, "raw") == 0 || info->capacity <= INT64_MAX);
	HOLDS(!info->backing || (info->backing[0] && strlen(info->backing) < 512 << 10));
	HOLDS(image_describe(info, &spec) == 0);
}

static void probe(const uint8_t *data, size_t len, uint64_t size)
{
	struct image_info info = { 0 };
	struct error err = { 0 };
	int ret = image_probe_bytes(data, len, size, &info, &err);

	check(ret, &info, &err);
	image_info_clear(&info);
}

/*
 * Puts the bytes where formats look, so that a short input reaches them all: the head,
 * the ISO descriptor, vhdx' region table and metadata, the footer.
 */
static void probe_spread(const uint8_t *data, size_t size)
{
	static const struct {
		size_t at, len;
	} places[] = {
		{ 0, 4096 }, { 32768, 16 }, { 192 << 10, 256 }, { 256 << 10, 256 }
	};
	size_t whole = 384 << 10;
	AUTO_FREE uint8_t *bytes = calloc(1, whole);

	HOLDS(bytes);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && size > 0; i++) {
		size_t n = size < places[i].len ? size : places[i].len;

		memcpy(bytes + places[i].at, data, n);
		data += n;
		size -= n;
	}
	if (size > 512)
		size = 512;
	if (size > 0)
		memcpy(bytes + whole - 512, data, size);
	probe(bytes, whole, whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	probe(data, size, size);
	probe(data, size, size + (UINT64_C(1) << 40));
	probe(data, size, UINT64_MAX);
	if (size > 4096)
		probe_spread(data, size);
	return 0;
}
