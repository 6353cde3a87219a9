/* The lock of libdevmapper's state. */
#include "backends/common/device_mapper.h"

pthread_mutex_t device_mapper_lock = PTHREAD_MUTEX_INITIALIZER;
