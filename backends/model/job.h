/*
 * Jobs: the records behind `jobs`, one per verb or long operation under way. A job is not
 * a thread. Thread safe.
 */
#pragma once

#include <stdatomic.h>

#include "backends/backend.h"
#include "backends/support/buf.h"
#include "backends/support/error.h"

struct job;

/* what: "start pool 'x'"; shown with an id, percent and ETA until job_end. The job's call
 * has the caller's deadline, ids and mode, and shares its cancelled flag (when it has
 * one), which thus must stay valid until job_end. NULL: no memory. */
struct job *job_begin_for(const char *what, const struct call *caller);
void job_end(struct job *j);

/* The call that a backend gets: progress goes to the job, cancelled comes from it. */
struct call *job_call(struct job *j);

/* `cancel ID` written to `jobs`. -EINVAL: no such verb; -ENOENT: no such job. */
int jobs_write(const char *line, struct error *err);
/* Its parser alone: the ID of "cancel ID". -EINVAL. */
int jobs_parse(const char *line, uint64_t *id, struct error *err);
size_t jobs_count(void);
int jobs_show(struct buf *out);
void jobs_cancel_all(void);
