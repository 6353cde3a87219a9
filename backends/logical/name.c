/* The rules for names of logical volumes (lvm(8), "VALID NAMES"), and their quoting. */
#include "backends/logical/name.h"

#include <errno.h>
#include <string.h>

static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-";

static const char *const reserved_beginnings[] = { "pvmove", "snapshot", NULL };

static const char *const reserved_parts[] = {
	"_cdata", "_cmeta", "_corig",  "_cpool",   "_cvol",   "_imeta",
	"_iorig", "_mlog",  "_mimage", "_pmspare", "_rimage", "_rmeta",
	"_tdata", "_tmeta", "_vdata",  "_vorigin", "_wcorig", NULL
};

/* What LVM says of it, in words that go behind the name; NULL: it is a name. */
static const char *fault_of(const char *name)
{
	if (!*name || strspn(name, allowed) != strlen(name))
		return "consists of a-z A-Z 0-9 + _ . - only";
	if (*name == '-')
		return "does not begin with '-'";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "is neither '.' nor '..'";
	return strlen(name) < LOGICAL_NAME_MAX ? NULL : "has no more than 127 characters";
}

static const char *reserved_in(const char *name)
{
	for (const char *const *s = reserved_beginnings; *s; s++)
		if (!strncmp(name, *s, strlen(*s)))
			return "does not begin with 'snapshot' or 'pvmove'";
	for (const char *const *s = reserved_parts; *s; s++)
		if (strstr(name, *s))
			return "has none of the words in it that LVM keeps for itself "
			       "(_cdata _cmeta _corig _cpool _cvol _imeta _iorig _mlog "
			       "_mimage _pmspare _rimage _rmeta _tdata _tmeta _vdata "
			       "_vorigin _wcorig)";
	return NULL;
}

/* A hyphen counts twice: that is how device-mapper quotes it. */
static size_t quoted_length(const char *name)
{
	size_t n = 0;

	for (; *name; name++)
		n += *name == '-' ? 2 : 1;
	return n;
}

bool logical_name_valid(const char *name)
{
	return !fault_of(name);
}

int logical_name_check(const char *vg, const char *name, struct error *err)
{
	const char *fault = fault_of(name);

	if (!fault)
		fault = reserved_in(name);
	if (fault)
		return error_set(
			err, EINVAL,
			"'%s' is no name for a logical volume: LVM's rule is that it "
			"%s",
			name, fault);
	if (quoted_length(vg) + 1 + quoted_length(name) >= LOGICAL_NAME_MAX)
		return error_set(
			err, EINVAL,
			"'%s' is too long a name for a logical volume: with that of "
			"the volume group '%s' it may have no more than 126 "
			"characters",
			name, vg);
	return 0;
}

/* What is left of a map's name behind the volume group's; NULL: it is of another one. */
static const char *behind_group(const char *map, const char *vg)
{
	for (; *vg; vg++, map++) {
		if (*map != *vg)
			return NULL;
		if (*vg == '-' && *++map != '-')
			return NULL;
	}
	return map[0] == '-' && map[1] != '-' ? map + 1 : NULL;
}

bool logical_name_of_map(const char *map, const char *vg, char lv[LOGICAL_NAME_MAX])
{
	const char *from = behind_group(map, vg);
	size_t n = 0;

	for (; from && *from; from++) {
		/* a single hyphen begins the name of a layer */
		if (n == LOGICAL_NAME_MAX - 1 || (*from == '-' && *++from != '-'))
			return false;
		lv[n++] = *from;
	}
	lv[n] = '\0';
	return from && logical_name_valid(lv) && !reserved_in(lv);
}

static size_t add_quoted(const char *name, char *map, size_t n)
{
	for (; *name && n < LOGICAL_MAP_MAX - 2; name++) {
		if (*name == '-')
			map[n++] = '-';
		map[n++] = *name;
	}
	return n;
}

void logical_name_to_map(const char *vg, const char *lv, char map[LOGICAL_MAP_MAX])
{
	size_t n = add_quoted(vg, map, 0);

	if (n < LOGICAL_MAP_MAX - 2)
		map[n++] = '-';
	n = add_quoted(lv, map, n);
	map[n] = '\0';
}
