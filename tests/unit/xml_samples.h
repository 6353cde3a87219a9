/* The sample documents of tests/xml, for the tests of pool and volume descriptions. */
#pragma once

#include <glob.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backends/support/buf.h"

/* Reads a whole file; fails the test where it cannot. */
static inline void sample_read(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char block[4096];
	size_t n;

	if (!f)
		fail_msg("cannot open %s", path);
	while ((n = fread(block, 1, sizeof(block), f)))
		assert_int_equal(buf_add(out, block, n), 0);
	fclose(f);
}

/* Runs check for each tests/xml/DIRECTORY/NAME.xml that has a NAME.out.xml beside it. */
static inline void each_sample(const char *directory,
			       void (*check)(const char *name, const struct buf *in,
					     const struct buf *expected))
{
	char pattern[500];
	glob_t found;
	size_t seen = 0;

	snprintf(pattern, sizeof(pattern), "%s/tests/xml/%s/*.out.xml", SOURCE_ROOT, directory);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		AUTO_BUF struct buf in = { 0 };
		AUTO_BUF struct buf expected = { 0 };
		char path[500], name[100];
		size_t stem = strlen(found.gl_pathv[i]) - strlen(".out.xml");
		const char *base = strrchr(found.gl_pathv[i], '/') + 1;

		snprintf(path, sizeof(path), "%.*s.xml", (int)stem, found.gl_pathv[i]);
		snprintf(name, sizeof(name), "%.*s",
			 (int)(stem - (base - found.gl_pathv[i])), base);
		sample_read(path, &in);
		sample_read(found.gl_pathv[i], &expected);
		check(name, &in, &expected);
		seen++;
	}
	globfree(&found);
	assert_true(seen >= 20);
}
