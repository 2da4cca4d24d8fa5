/* The threads of the C core. They are kept, for starting a thread takes longer than a small search; they are woken
 * without the interpreter; and one that has nothing to do sleeps. Several callers may run work at once: each has helpers
 * of its own while it does, and gives them back. A forked child begins with none.
 *
 * A call makes at most one thread of each number less than `threads`, the caller's being 0, and returns when all have
 * ended that have begun: what they wrote is then seen by the caller. A helper that has not begun when the caller has
 * ended is not waited for. So work must be such that any number of threads, one at least, does all of it: they take
 * blocks of it in turn, from a counter. There are no more threads than cores, and fewer where the system gives no more. */
#ifndef EC_POOL_H
#define EC_POOL_H

#include "../contract/results.h"
#include "atomic.h"

enum {
    EC_POOL_MOST = 256, /* threads of a call, and helpers of the process: more than any memory can feed */
    EC_POOL_LINE = 128  /* bytes that two cores do not share: two lines, of which the second is fetched ahead */
};

/* What each thread runs once. */
typedef void ec_pool_work(void *context, int32_t thread);

void ec_pool_each(int32_t threads, ec_pool_work *work, void *context);

/* The same for work that takes one thread about so many nanoseconds. Where that is less than what waking costs, only
 * helpers that are awake take part, as they are while such calls follow each other closely; where it is next to nothing,
 * none does. */
void ec_pool_each_for(int32_t threads, int64_t nanoseconds, ec_pool_work *work, void *context);

/* Runs block(context, b) for each b in 0 .. n_blocks - 1, once, on at most `threads` threads. */
typedef void ec_pool_block(void *context, int64_t block);

void ec_pool_run(int32_t threads, int64_t n_blocks, ec_pool_block *block, void *context);

/* Runs work(context, first, n) for ranges that make up 0 .. rows - 1, in one range or on at most `threads` threads in
 * several. Returns a result that says EC_OK, or that of the first range that failed, for which the work is done twice. */
typedef ec_result ec_pool_rows_work(const void *context, int64_t first, int64_t n);

ec_result ec_pool_rows(int32_t threads, int64_t rows, int64_t row_bytes, ec_pool_rows_work *work, const void *context);

/* The same by ranges of `step` rows, whatever the threads, each of which has its number: for what has scratch. */
typedef ec_result ec_pool_steps_work(const void *context, int32_t thread, int64_t first, int64_t n);

ec_result ec_pool_steps(int32_t threads, int64_t rows, int64_t step, ec_pool_steps_work *work, const void *context);

#endif
