/* Numbers that threads share, each change of which is now and then followed by a pause, as if the system had taken the
 * thread's core away just there: what happens once in a million searches on a busy machine happens in a second. Included
 * before all else. */
#ifndef EC_TESTS_DELAYED_H
#define EC_TESTS_DELAYED_H

#include "pool/atomic.h"

#include <unistd.h>

static _Thread_local uint32_t pauses;

static inline void pause_at_times(void) {
    if (pauses == 0) pauses = (uint32_t)(uintptr_t)&pauses | 1;
    pauses = pauses * 1664525u + 1013904223u;
    if (pauses >> 28 == 0) usleep(pauses >> 18 & 511);
}

EC_INLINE uint32_t delayed_add(ec_atomic_u32 *at, uint32_t more) {
    const uint32_t value = ec_atomic_add(at, more);
    pause_at_times();
    return value;
}

EC_INLINE void delayed_store(ec_atomic_u32 *at, uint32_t value) {
    ec_atomic_store(at, value);
    pause_at_times();
}

EC_INLINE int delayed_swap(ec_atomic_u32 *at, uint32_t from, uint32_t to) {
    const int swapped = ec_atomic_swap(at, from, to);
    pause_at_times();
    return swapped;
}

#define ec_atomic_add delayed_add
#define ec_atomic_store delayed_store
#define ec_atomic_swap delayed_swap

#endif
