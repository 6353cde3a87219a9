/* Deep copies of descriptions. */
#include "backends/model/spec_copy.h"

#include <stdlib.h>
#include <string.h>

bool own_string(char **s)
{
	if (!*s)
		return true;
	*s = strdup(*s);
	return *s;
}

bool own_strings(char **const *strings, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		ok &= own_string(strings[i]);
	return ok;
}

bool own_array(void *array, size_t *n, size_t size)
{
	void *copy = *n ? calloc(*n, size) : NULL;
	bool ok = copy || !*n;

	if (copy)
		memcpy(copy, *(void **)array, *n * size);
	else
		*n = 0;
	*(void **)array = copy;
	return ok;
}

bool own_secret(struct secret_ref *s)
{
	return OWN_STRINGS(&s->type, &s->uuid, &s->usage);
}
