/* A pool around one backend instance, without definitions, verbs or SOURCE: for volumes. */
#pragma once

#include "backends/backend.h"
#include "backends/model/pool.h"

/* Starts the fake with a control directory of its own. format: files, provisioned or given. */
struct pool *stub_pool_start(const char *format);
void stub_pool_end(struct pool *p);

/* Writes or removes a file of the control directory; text NULL removes. */
void stub_pool_control(struct pool *p, const char *file, const char *text);
/* As if stopped, and running again. */
void stub_pool_set_state(struct pool *p, enum pool_state s);
/* Permissions that the definition gives volumes. */
void stub_pool_set_permissions(struct pool *p, struct permissions perms);
/* What was told of the pool's volumes so far, "added v\n" and the like. */
const char *stub_pool_events(struct pool *p);
/* What model_options() says. */
void stub_pool_set_mountpoint(const char *path);
