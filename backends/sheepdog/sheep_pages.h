/*
 * Large memory that is needed for a moment only: it goes back to the kernel when it is
 * freed, while an allocator would keep it for the next time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#include "backends/support/cleanup.h"

struct pages {
	void *at; /* NULL: none */
	size_t len;
};

/* False: there is no memory. */
static inline bool pages_get(struct pages *p, size_t len)
{
	void *at = mmap(NULL, len ? len : 1, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*p = (struct pages){ at == MAP_FAILED ? NULL : at, len ? len : 1 };
	return p->at;
}

static inline void pages_put(struct pages *p)
{
	if (p->at)
		munmap(p->at, p->len);
	p->at = NULL;
}

#define AUTO_PAGES CLEANUP(pages_put)
