/* The threads of the core: see pool/pool.h. Functions that take `threads` run on the caller's thread and at most so
 * many less one of these, on no more than there are cores, and give the same whatever the number. All of them have ended
 * when the function returns. */
#ifndef EC_CONTRACT_POOL_H
#define EC_CONTRACT_POOL_H

#include "results.h"

/* Give nothing to do to threads - 1 helpers, wait until all have it, and return how many nanoseconds that took, 1 to
 * 256 threads. */
int64_t ec_pool_hand_over(int32_t threads);

#endif
