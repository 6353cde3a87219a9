/* Threads of the daemon, and waiting by its clock. */
#pragma once

#include <pthread.h>
#include <stdint.h>

/*
 * Starts a thread that runs run(arg), with all signals blocked (they are the main
 * thread's affair), a stack of 256 KiB, and a name of at most 15 bytes, which `ps -L`
 * shows. *thread is for pthread_join; with NULL nobody joins it. Returns 0 or -errno.
 */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg);

/*
 * As pthread_cond_timedwait, until a deadline by clock_now() (0: none), whatever clock
 * the condition was made with. Returns 0, maybe for nothing, or -ETIMEDOUT.
 */
int thread_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns);
