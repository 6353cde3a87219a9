/*
 * Sizes with units, by the rules of libvirt's virScaleInteger(): a decimal integer,
 * leading blanks and '+' allowed; units in any case: bytes (default), K..E and KiB..EiB
 * powers of 1024, KB..EB powers of 1000. The product must fit 63 bits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backends/support/error.h"

/* An element's text and its unit attribute (NULL or "": bytes). what names the element:
 * "capacity". */
int size_parse(const char *number, const char *unit, const char *what, uint64_t *bytes,
	       struct error *err);

/* Both in one word as a person types it: "10G", "10 GiB", "1048576". White space around
 * is ignored. */
int size_parse_text(const char *text, uint64_t *bytes, struct error *err);
