/* Numbers that threads share, with what they order told to helgrind, which does not see it by itself. Included before all
 * else. A read that sees an old value orders nothing, but does here: the sanitizer of threads may find what this lets by. */
#ifndef EC_TESTS_ANNOTATED_H
#define EC_TESTS_ANNOTATED_H

#include "pool/atomic.h"

#include <valgrind/helgrind.h>

EC_INLINE uint32_t told_load(ec_atomic_u32 *at) {
    VALGRIND_HG_DISABLE_CHECKING(at, sizeof *at);
    const uint32_t value = ec_atomic_load(at);
    ANNOTATE_HAPPENS_AFTER(at);
    return value;
}

EC_INLINE void told_store(ec_atomic_u32 *at, uint32_t value) {
    VALGRIND_HG_DISABLE_CHECKING(at, sizeof *at);
    ANNOTATE_HAPPENS_BEFORE(at);
    ec_atomic_store(at, value);
}

EC_INLINE uint32_t told_add(ec_atomic_u32 *at, uint32_t more) {
    VALGRIND_HG_DISABLE_CHECKING(at, sizeof *at);
    ANNOTATE_HAPPENS_BEFORE(at);
    const uint32_t value = ec_atomic_add(at, more);
    ANNOTATE_HAPPENS_AFTER(at);
    return value;
}

EC_INLINE int told_swap(ec_atomic_u32 *at, uint32_t from, uint32_t to) {
    VALGRIND_HG_DISABLE_CHECKING(at, sizeof *at);
    ANNOTATE_HAPPENS_BEFORE(at);
    const int swapped = ec_atomic_swap(at, from, to);
    ANNOTATE_HAPPENS_AFTER(at);
    return swapped;
}

EC_INLINE int64_t told_add_i64(ec_atomic_i64 *at, int64_t more) { /* relaxed, which orders nothing */
    VALGRIND_HG_DISABLE_CHECKING(at, sizeof *at);
    return ec_atomic_add_i64(at, more);
}

#define ec_atomic_load told_load
#define ec_atomic_store told_store
#define ec_atomic_add told_add
#define ec_atomic_swap told_swap
#define ec_atomic_add_i64 told_add_i64

#endif
