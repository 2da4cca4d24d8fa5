/* Rows of a matrix in ranges, of which the first that fails counts. */
#include "pool.h"

enum {
    LEAST_BYTES = 1 << 18, /* of a range: less is not worth taking */
    RANGES = 4,            /* for each thread, so that all end at about the same time */
};

typedef struct {
    ec_pool_rows_work *work;
    const void *context;
    int64_t rows, step;
    ec_atomic_u64 failed; /* the first row of the first range that has */
} ranges;

static ec_result work_at(const ranges *these, int64_t first) {
    const int64_t left = these->rows - first;
    return these->work(these->context, first, left < these->step ? left : these->step);
}

/* Ranges are taken in their order: those before one that failed have been taken by then, and those after it are not
 * wanted any more. */
static void take_range(void *of, int64_t number) {
    ranges *these = of;
    const int64_t first = number * these->step;
    if ((uint64_t)first > ec_atomic_relaxed_u64(&these->failed)) return;
    if (work_at(these, first).status != EC_OK) ec_atomic_lower_u64(&these->failed, (uint64_t)first);
}

ec_result ec_pool_rows(int32_t threads, int64_t rows, int64_t row_bytes, ec_pool_rows_work *work, const void *context) {
    const ec_result fine = {0, 0, EC_OK};
    const int64_t least = LEAST_BYTES / (row_bytes > 0 ? row_bytes : 1) + 1;
    if (threads < 2 || rows <= least) return work(context, 0, rows);
    ranges these = {work, context, rows, rows / ((int64_t)threads * RANGES) + 1, {UINT64_MAX}};
    if (these.step < least) these.step = least;
    ec_pool_run(threads, (rows + these.step - 1) / these.step, take_range, &these);
    const uint64_t failed = ec_atomic_relaxed_u64(&these.failed);
    return failed == UINT64_MAX ? fine : work_at(&these, (int64_t)failed);
}

typedef struct {
    ec_pool_steps_work *work;
    const void *context;
    int64_t rows, step;
    ec_atomic_i64 next;
    ec_atomic_u64 failed; /* as of ranges */
} steps;

static ec_result step_at(const steps *these, int32_t thread, int64_t first) {
    const int64_t left = these->rows - first;
    return these->work(these->context, thread, first, left < these->step ? left : these->step);
}

static void take_steps(void *of, int32_t thread) {
    steps *these = of;
    for (;;) {
        const int64_t first = ec_atomic_add_i64(&these->next, 1) * these->step;
        if (first >= these->rows || (uint64_t)first > ec_atomic_relaxed_u64(&these->failed)) return;
        if (step_at(these, thread, first).status != EC_OK) ec_atomic_lower_u64(&these->failed, (uint64_t)first);
    }
}

ec_result ec_pool_steps(int32_t threads, int64_t rows, int64_t step, ec_pool_steps_work *work, const void *context) {
    const ec_result fine = {0, 0, EC_OK};
    steps these = {work, context, rows, step, {0}, {UINT64_MAX}};
    const int64_t count = (rows + step - 1) / step;
    ec_pool_each(count < threads ? (int32_t)count : threads, take_steps, &these);
    const uint64_t failed = ec_atomic_relaxed_u64(&these.failed);
    return failed == UINT64_MAX ? fine : step_at(&these, 0, (int64_t)failed);
}
