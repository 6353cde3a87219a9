/*
 * The CPUs that this process was given. A thread may move to one of them for a while;
 * what it starts meanwhile inherits that, so threads that are to do real work begin with
 * cpus_use(CPUS_ALL).
 */
#pragma once

#include <stdbool.h>

#define CPUS_ALL (-1)

/* Before the first thread: takes them down. Without it the other two do nothing. */
void cpus_note(void);
unsigned cpus_count(void);
/* Whether there is a choice. */
bool cpus_many(void);
/* Moves the calling thread to that CPU, or back to all. false: it stays where it is. */
bool cpus_use(int cpu);
