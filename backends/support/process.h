/* What /proc says of other processes. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define PROCESS_NAME_MAX 32

/* The id of the process that a thread is of; the thread's own where that is not known. */
pid_t process_of(pid_t tid);

/* Its name, without what it was started with. false: it has ended, and the name is "". */
bool process_name(pid_t pid, char name[PROCESS_NAME_MAX]);
