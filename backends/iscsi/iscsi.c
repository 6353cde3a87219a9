/* Pool type "iscsi": keys and paths are those of the devices that a kernel would have. */
#include "backends/iscsi/pool.h"

ISCSI_BACKEND("iscsi", iscsi_start);
