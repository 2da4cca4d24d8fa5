/* Numbers that several threads share, for all compilers: C11's <stdatomic.h> is an option of some. Where no order is
 * named it is the strictest, sequentially consistent; `relaxed` is for counters and limits that guard nothing else. */
#ifndef EC_POOL_ATOMIC_H
#define EC_POOL_ATOMIC_H

#include "../target.h"

typedef struct {
    volatile uint32_t value;
} ec_atomic_u32;

typedef struct {
    volatile int64_t value;
} ec_atomic_i64;

typedef struct {
    volatile uint64_t value;
} ec_atomic_u64;

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>

EC_INLINE uint32_t ec_atomic_load(ec_atomic_u32 *at) {
    return (uint32_t)_InterlockedOr((volatile long *)&at->value, 0);
}
EC_INLINE void ec_atomic_store(ec_atomic_u32 *at, uint32_t value) {
    _InterlockedExchange((volatile long *)&at->value, (long)value);
}
EC_INLINE uint32_t ec_atomic_add(ec_atomic_u32 *at, uint32_t more) { /* returns the value before */
    return (uint32_t)_InterlockedExchangeAdd((volatile long *)&at->value, (long)more);
}
EC_INLINE int ec_atomic_swap(ec_atomic_u32 *at, uint32_t from, uint32_t to) { /* whether it was `from` */
    return (uint32_t)_InterlockedCompareExchange((volatile long *)&at->value, (long)to, (long)from) == from;
}
EC_INLINE int64_t ec_atomic_load_i64(ec_atomic_i64 *at) {
    return _InterlockedCompareExchange64((volatile long long *)&at->value, 0, 0);
}
EC_INLINE void ec_atomic_store_i64(ec_atomic_i64 *at, int64_t value) {
    _InterlockedExchange64((volatile long long *)&at->value, value);
}
EC_INLINE int64_t ec_atomic_add_i64(ec_atomic_i64 *at, int64_t more) {
    return _InterlockedExchangeAdd64((volatile long long *)&at->value, more);
}
EC_INLINE uint64_t ec_atomic_relaxed_u64(ec_atomic_u64 *at) { return at->value; } /* 64 bits, aligned: one move */
EC_INLINE int ec_atomic_swap_u64(ec_atomic_u64 *at, uint64_t *from, uint64_t to) {
    uint64_t found =
        (uint64_t)_InterlockedCompareExchange64((volatile long long *)&at->value, (long long)to, (long long)*from);
    int swapped = found == *from;
    *from = found;
    return swapped;
}
#else
EC_INLINE uint32_t ec_atomic_load(ec_atomic_u32 *at) { return __atomic_load_n(&at->value, __ATOMIC_SEQ_CST); }
EC_INLINE void ec_atomic_store(ec_atomic_u32 *at, uint32_t value) {
    __atomic_store_n(&at->value, value, __ATOMIC_SEQ_CST);
}
EC_INLINE uint32_t ec_atomic_add(ec_atomic_u32 *at, uint32_t more) { /* returns the value before */
    return __atomic_fetch_add(&at->value, more, __ATOMIC_SEQ_CST);
}
EC_INLINE int ec_atomic_swap(ec_atomic_u32 *at, uint32_t from, uint32_t to) { /* whether it was `from` */
    return __atomic_compare_exchange_n(&at->value, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
EC_INLINE int64_t ec_atomic_load_i64(ec_atomic_i64 *at) { return __atomic_load_n(&at->value, __ATOMIC_RELAXED); }
EC_INLINE void ec_atomic_store_i64(ec_atomic_i64 *at, int64_t value) {
    __atomic_store_n(&at->value, value, __ATOMIC_RELAXED);
}
EC_INLINE int64_t ec_atomic_add_i64(ec_atomic_i64 *at, int64_t more) {
    return __atomic_fetch_add(&at->value, more, __ATOMIC_RELAXED);
}
EC_INLINE uint64_t ec_atomic_relaxed_u64(ec_atomic_u64 *at) { return __atomic_load_n(&at->value, __ATOMIC_RELAXED); }
EC_INLINE int ec_atomic_swap_u64(ec_atomic_u64 *at, uint64_t *from, uint64_t to) {
    return __atomic_compare_exchange_n(&at->value, from, to, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
#endif

/* Lowers a shared limit to `value`, if it is not below that already. */
EC_INLINE void ec_atomic_lower_u64(ec_atomic_u64 *at, uint64_t value) {
    uint64_t found = ec_atomic_relaxed_u64(at);
    while (value < found && !ec_atomic_swap_u64(at, &found, value)) continue;
}

/* Tells the core that this loop waits for another. */
EC_INLINE void ec_pause(void) {
#if defined(EC_X86_64)
    _mm_pause();
#elif defined(EC_AARCH64) && (defined(__GNUC__) || defined(__clang__))
    __asm__ volatile("yield");
#endif
}

#endif
