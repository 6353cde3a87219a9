/* Pool type "iscsi-direct": keys and paths name the units on the network. */
#include "backends/iscsi/pool.h"

ISCSI_BACKEND("iscsi-direct", iscsi_direct_start);
