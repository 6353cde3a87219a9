/* Sizes with units. */
#include "backends/support/size.h"

#include <errno.h>
#include <stddef.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* The factor of a unit of len bytes; 0: no such unit. */
static uint64_t factor(const char *unit, size_t len)
{
	static const char *const bytes[] = { "", "b", "byte", "bytes" };
	static const char prefixes[] = "kmgtpe";

	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++)
		if (strlen(bytes[i]) == len && !strncasecmp(unit, bytes[i], len))
			return 1;

	const char *p = strchr(prefixes, *unit | 0x20);
	uint64_t base = 0, f = 1;

	if (!p || !*p)
		return 0;
	if (len == 1 || (len == 3 && !strncasecmp(unit + 1, "ib", 2)))
		base = 1024;
	else if (len == 2 && (unit[1] | 0x20) == 'b')
		base = 1000;
	for (const char *q = prefixes; q <= p; q++)
		f *= base;
	return f;
}

/* Digits from *at on; moves *at behind them. Leading blanks and one '+' are allowed. */
static bool digits(const char **at, uint64_t *value)
{
	const char *s = *at + strspn(*at, " \t\n\v\f\r");

	s += *s == '+';
	if (*s < '0' || *s > '9')
		return false;
	for (*value = 0; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *s - '0', value))
			return false;
	*at = s;
	return true;
}

static int scale(uint64_t value, const char *unit, size_t len, uint64_t *bytes,
		 struct error *err)
{
	uint64_t f = factor(unit, len);

	if (!f)
		return error_set(err, EINVAL,
				 "unknown unit '%.*s': use bytes, K to E, KiB to EiB or KB to EB",
				 (int)(len < 40 ? len : 40), unit);
	if (__builtin_mul_overflow(value, f, &value) || value > INT64_MAX)
		return error_set(err, EINVAL,
				 "the size is too large: at most %" PRId64 " bytes",
				 INT64_MAX);
	*bytes = value;
	return 0;
}

int size_parse(const char *number, const char *unit, const char *what, uint64_t *bytes,
	       struct error *err)
{
	const char *at = number;
	uint64_t value;

	if (!digits(&at, &value) || *at)
		return error_set(err, EINVAL,
				 "malformed %s '%.40s': a decimal number is wanted", what,
				 number);
	return scale(value, unit ? unit : "", unit ? strlen(unit) : 0, bytes, err);
}

int size_parse_text(const char *text, uint64_t *bytes, struct error *err)
{
	const char *at = text;
	uint64_t value;

	if (text[strspn(text, " \t")] == '+')
		return error_set(err, EINVAL,
				 "'%.40s' is not a size: nothing is added to what there "
				 "is; write the size that is wanted",
				 text);
	if (!digits(&at, &value))
		return error_set(err, EINVAL,
				 "'%.40s' is not a size: write a number of bytes, or one with a "
				 "unit such as 10G, 10GiB or 10GB",
				 text);
	at += strspn(at, " \t");

	size_t len = strcspn(at, " \t\r\n");

	if (at[len + strspn(at + len, " \t\r\n")])
		return error_set(err, EINVAL,
				 "'%.40s' is not a size: there is text behind it", text);
	return scale(value, at, len, bytes, err);
}
