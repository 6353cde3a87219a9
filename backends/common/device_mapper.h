/* What modules that use libdevmapper share: the library has one state for the process. */
#pragma once

#include <pthread.h>

/* Held around each call of the library, never during I/O. */
extern pthread_mutex_t device_mapper_lock;
