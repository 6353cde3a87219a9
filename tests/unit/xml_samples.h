/* The sample documents of tests/xml, for the tests of pool and volume descriptions. */
#pragma once

#include <glob.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backends/support/buf.h"

#ifndef SOURCE_ROOT /* meson defines it */
#define SOURCE_ROOT "."
#endif

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

/* Runs check for each tests/xml/PATTERN; expected is what NAME.out.xml beside it has, or
 * NULL. */
static inline void each_sample(const char *pattern, size_t at_least,
			       void (*check)(const char *name, const struct buf *in,
					     const struct buf *expected))
{
	char path[500];
	glob_t found;
	size_t seen = 0;

	snprintf(path, sizeof(path), "%s/tests/xml/%s", SOURCE_ROOT, pattern);
	assert_int_equal(glob(path, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		AUTO_BUF struct buf in = { 0 };
		AUTO_BUF struct buf expected = { 0 };
		const char *file = found.gl_pathv[i];
		const char *base = strrchr(file, '/') + 1;
		size_t stem = strlen(base) - strlen(".xml");
		char name[100];

		snprintf(name, sizeof(name), "%.*s", (int)stem, base);
		if (strstr(name, ".out"))
			continue;
		sample_read(file, &in);
		snprintf(path, sizeof(path), "%.*s%s.out.xml", (int)(base - file), file,
			 name);
		if (!access(path, R_OK))
			sample_read(path, &expected);
		check(name, &in, expected.data ? &expected : NULL);
		seen++;
	}
	globfree(&found);
	assert_true(seen >= at_least);
}
