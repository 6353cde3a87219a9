/* Pool descriptions: what is taken is printed, and the print taken again gives the same
 * print. */
#include <errno.h>
#include <stdio.h>

#include "backends/model/pool_types.h"
#include "backends/model/pool_xml.h"
#include "backends/model/xml.h"
#include "backends/support/cleanup.h"
#include "tests/fuzz/fuzz.h"

static void check_print(const struct pool_spec *spec)
{
	AUTO_POOL_SPEC struct pool_spec again = POOL_SPEC_INIT, copy = POOL_SPEC_INIT;
	AUTO_BUF struct buf first = { 0 }, second = { 0 }, third = { 0 };
	struct error err = { 0 };
	char words[256];

	HOLDS(pool_xml_print(spec, NULL, &first, &err) == 0);
	if (pool_xml_parse(first.data, first.len, NULL, &again, &err) < 0)
		fprintf(stderr, "%s\n%s\n", err.text, first.data);
	HOLDS(err.code == 0);
	HOLDS(pool_xml_print(&again, NULL, &second, &err) == 0);
	HOLDS(strcmp(first.data, second.data) == 0);
	HOLDS(pool_spec_copy(spec, &copy) == 0);
	HOLDS(pool_xml_print(&copy, NULL, &third, &err) == 0);
	HOLDS(strcmp(first.data, third.data) == 0);
	pool_specs_conflict(spec, &copy, words, sizeof(words));
}

static void check_pool(const char *text, size_t size)
{
	AUTO_POOL_SPEC struct pool_spec spec = POOL_SPEC_INIT;
	struct error err = { 0 };
	int ret = pool_xml_parse(text, size, "default", &spec, &err);

	HOLDS(ret == 0 || (ret == -err.code && err.text[0]));
	if (ret == 0)
		check_print(&spec);
}

static void check_source(const char *text, size_t size)
{
	AUTO_POOL_SOURCE struct pool_source source = { 0 };
	AUTO_BUF struct buf out = { 0 };
	struct error err = { 0 };
	int ret = source_xml_parse(text, size, &source, &err);

	HOLDS(ret == 0 || (ret == -err.code && err.text[0]));
	for (size_t i = 0; ret == 0 && pool_type_at(i); i++)
		HOLDS(sources_xml_print(pool_type_at(i)->name, &source, 1, &out, &err) ==
		      0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = fuzz_text(data, size);

	check_pool(text, size);
	check_source(text, size);
	return 0;
}
