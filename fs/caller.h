/* What the process behind a request has been told meanwhile. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether a thread that was interrupted is asked to end: by a signal that kills it, or
 * by one of those that users and supervisors send to end a program (INT, TERM, HUP,
 * QUIT), though it handles them itself. Timers, children, I/O and the like are no reason
 * to fail an open(2) or a read(2): programs do not expect EINTR of files. True where
 * nothing is known of it.
 */
bool caller_asked_to_end(pid_t tid);
