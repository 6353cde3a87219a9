/* Tells the host of maps that come and go, and of their paths. */
#pragma once

#include "backends/backend.h"

struct news;

int news_start(const struct host *host, struct news **out, struct error *err);

/* The host is not told any more. NULL is allowed. */
void news_end(struct news *n);
