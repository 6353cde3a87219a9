/* The lines that info/V/ctl takes. */
#pragma once

#include "backends/support/error.h"

enum volume_verb_what { VERB_WIPE, VERB_REVERT, VERB_FLATTEN };

struct volume_verb {
	enum volume_verb_what what;
	/* the algorithm or snapshot, inside the line; NULL: flatten */
	const char *argument;
};

/* One line without its newline. -EINVAL with what may be written. */
int volume_verb_parse(const char *line, struct volume_verb *out, struct error *err);
