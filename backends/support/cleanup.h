/* Scoped cleanup: what a variable holds is released when it goes out of scope. */
#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Defines fn(type *) that releases what a non-NULL variable of the type holds. */
#define DEFINE_CLEANUP(fn, type, release)                                                \
	static inline void fn(type *p)                                                   \
	{                                                                                \
		if (*p)                                                                  \
			release(*p);                                                     \
	}

/* Hands the value on and empties the variable, so that its cleanup does nothing. */
#define take(p)                                                                          \
	({                                                                               \
		__typeof__(p) taken_ = (p);                                              \
		(p) = NULL;                                                              \
		taken_;                                                                  \
	})

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Hands a descriptor on: its AUTO_FD no longer closes it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void cleanup_unlock(pthread_mutex_t **m)
{
	if (*m)
		pthread_mutex_unlock(*m);
}

static inline pthread_mutex_t *scoped_lock(pthread_mutex_t *m)
{
	pthread_mutex_lock(m);
	return m;
}

#define AUTO_FREE CLEANUP(cleanup_free)
#define AUTO_FD   CLEANUP(cleanup_fd) /* starts at -1 */

#define UNIQUE_NAME_2(base, n) base##n
#define UNIQUE_NAME_1(base, n) UNIQUE_NAME_2(base, n)
#define UNIQUE_NAME(base)      UNIQUE_NAME_1(base, __COUNTER__)

/* Holds the mutex until the end of the scope. */
#define SCOPED_LOCK(mutex)                                                               \
	pthread_mutex_t *UNIQUE_NAME(lock_) CLEANUP(cleanup_unlock)                      \
		__attribute__((unused)) = scoped_lock(mutex)
