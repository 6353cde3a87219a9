/* Volume descriptions, for each type of pool: what is taken is printed, and the print
 * taken again gives the same print. */
#include <errno.h>
#include <stdio.h>

#include "backends/model/volume_xml.h"
#include "backends/support/cleanup.h"
#include "tests/fuzz/fuzz.h"

static void check_print(const struct volume_spec *spec, const struct pool_type *type)
{
	AUTO_VOLUME_SPEC struct volume_spec again = VOLUME_SPEC_INIT;
	AUTO_BUF struct buf first = { 0 }, second = { 0 };
	struct error err = { 0 };

	HOLDS(volume_xml_print(spec, type, &first, &err) == 0);
	if (volume_xml_parse(first.data, first.len, type, "v", &again, &err) < 0)
		fprintf(stderr, "%s\n%s\n", err.text, first.data);
	HOLDS(err.code == 0);
	HOLDS(volume_xml_print(&again, type, &second, &err) == 0);
	HOLDS(second.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = fuzz_text(data, size);

	for (size_t i = 0; pool_type_at(i); i++) {
		AUTO_VOLUME_SPEC struct volume_spec spec = VOLUME_SPEC_INIT;
		struct error err = { 0 };
		int ret = volume_xml_parse(text, size, pool_type_at(i), "v", &spec, &err);

		HOLDS(ret == 0 || (ret == -err.code && err.text[0]));
		if (ret == 0)
			check_print(&spec, pool_type_at(i));
	}
	return 0;
}
