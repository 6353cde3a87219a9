/* In the place of the C library's allocators, in our code alone: the linker's --wrap. */
#include "tests/unit/failing_memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t most);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t most);

static _Thread_local long left = -1; /* allocations until one fails; -1: none does */
static _Thread_local bool failed, there;

static bool fails(void)
{
	if (there || left < 0 || left-- > 0)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, n, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t most)
{
	return fails() ? NULL : __real_strndup(text, most);
}

void with_each_failing(int (*run)(struct error *err), bool may_do_without)
{
	for (long n = 0;; n++) {
		struct error err = { 0 };
		int r;

		left = n;
		failed = false;
		r = run(&err);
		left = -1;
		if (!failed) {
			assert_int_equal(r, 0);
			assert_true(n > 0); /* else this tests nothing */
			return;
		}
		if (r == 0 && may_do_without)
			continue;
		if (r != -ENOMEM || (err.code && err.code != ENOMEM))
			fail_msg("allocation %ld: %d, %d '%s'", n, r, err.code, err.text);
	}
}

void memory_is_there(bool is_there)
{
	there = is_there;
}
