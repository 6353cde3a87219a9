/* Sizes with units: what is taken fits 63 bits, and is taken again as a number of bytes.
 */
#include <errno.h>
#include <stdio.h>

#include "backends/support/cleanup.h"
#include "backends/support/size.h"
#include "tests/fuzz/fuzz.h"

static void check(int ret, uint64_t bytes, const struct error *err)
{
	char text[32];
	uint64_t again;

	if (ret < 0) {
		HOLDS(ret == -EINVAL && err->code == EINVAL && err->text[0]);
		return;
	}
	HOLDS(bytes <= INT64_MAX);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	HOLDS(size_parse_text(text, &again, NULL) == 0 && again == bytes);
}

/* A line is a whole text; two lines are a number and its unit. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = fuzz_text(data, size);
	struct error err = { 0 };
	uint64_t bytes = 0;
	char *unit = strchr(text, '\n');

	check(size_parse_text(text, &bytes, &err), bytes, &err);
	if (unit)
		*unit++ = '\0';
	check(size_parse(text, unit, "capacity", &bytes, &err), bytes, &err);
	return 0;
}
