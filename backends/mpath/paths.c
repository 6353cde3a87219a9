/* Reads the status line of dm-multipath, word by word. */
#include "backends/mpath/paths.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The next word's length; false: there is none. *at is its begin. */
static bool word(const char **at, size_t *len)
{
	*at += strspn(*at, " ");
	*len = strcspn(*at, " ");
	return *len;
}

static bool skip(const char **at, unsigned long words)
{
	size_t len;

	for (; words; words--) {
		if (!word(at, &len))
			return false;
		*at += len;
	}
	return true;
}

static bool number(const char **at, unsigned long *out)
{
	size_t len;
	char *end;

	if (!word(at, &len) || !isdigit((unsigned char)**at))
		return false;
	*out = strtoul(*at, &end, 10);
	if (end != *at + len)
		return false;
	*at = end;
	return true;
}

/* A count, and as many words. */
static bool skip_arguments(const char **at)
{
	unsigned long n;

	return number(at, &n) && skip(at, n);
}

/* "8:16 A 0 …": device, active or failed, failures, and what the selector tells. */
static bool read_path(const char **at, unsigned long arguments, struct paths *out)
{
	size_t len;

	if (!skip(at, 1) || !word(at, &len) || len != 1)
		return false;
	if (**at != 'A' && **at != 'F')
		return false;
	out->up += **at == 'A';
	out->total++;
	return skip(at, 2 + arguments);
}

/* "A 0 2 0 …": state of the group, what the selector tells, how many paths. */
static bool read_group(const char **at, struct paths *out)
{
	unsigned long paths, arguments;

	if (!skip(at, 1) || !skip_arguments(at) || !number(at, &paths) ||
	    !number(at, &arguments))
		return false;
	for (; paths; paths--)
		if (!read_path(at, arguments, out))
			return false;
	return true;
}

bool paths_parse(const char *status, struct paths *out)
{
	unsigned long groups;

	*out = (struct paths){ 0 };
	/* features, hardware handler, groups, and which of them is in use */
	if (!skip_arguments(&status) || !skip_arguments(&status) ||
	    !number(&status, &groups) || !skip(&status, 1))
		return false;
	for (; groups; groups--)
		if (!read_group(&status, out))
			return false;
	return true;
}
