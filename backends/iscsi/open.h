/* Open units. Fixed but for the transfers under way. */
#pragma once

#include <pthread.h>

#include "backends/iscsi/lun.h"

struct open_lun {
	struct iscsi_pool *pool;
	struct lun *lun; /* a reference */
	uint32_t block_size;
	uint32_t piece;	     /* bytes that one command moves at most */
	uint64_t timeout_ns; /* of a transfer */
	pthread_mutex_t lock;
	struct list transfers; /* guarded by lock: for who cancels them */
};
