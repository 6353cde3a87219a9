/* What /proc says of other processes. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define PROCESS_NAME_MAX 32

/* The id of the process that a thread is of; the thread's own where that is not known. */
pid_t process_of(pid_t tid);

/* Its name, without what it was started with. false: it has ended, and the name is "". */
bool process_name(pid_t pid, char name[PROCESS_NAME_MAX]);

/* It was killed or has exited, although threads of it may still be in the kernel, with
 * all that it had open. false: it lives, or nothing is left of it. */
bool process_is_dead(pid_t pid);
