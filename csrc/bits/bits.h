/* Verbs over the bits of float32, shared by the kernels of bits, quantize, lowbit and fold. */
#ifndef EC_BITS_H
#define EC_BITS_H

#include "../kernels.h"

#define EC_INFINITY_BITS 0x7f800000u /* magnitudes from here on are Infinity and NaN */

EC_INLINE float ec_load_f32_at(const void *values, int64_t i) {
    float x;
    memcpy(&x, (const char *)values + 4 * i, 4);
    return x;
}

EC_INLINE void ec_store_f32_at(void *values, int64_t i, float x) { memcpy((char *)values + 4 * i, &x, 4); }

/* Whether `count` elements are a * b * c or more, without overflow for numbers of any size. */
EC_INLINE int32_t ec_holds(int64_t count, int64_t a, int64_t b, int64_t c) {
    if (count < 0 || a < 0 || b < 0 || c < 0) return 0;
    if (a == 0 || b == 0 || c == 0) return 1;
    return a <= count / b / c;
}

/* The bits of element i without its sign. They are ordered as magnitudes are, NaN above Infinity above all others. */
EC_INLINE uint32_t ec_magnitude_at(const void *values, int64_t i) {
    return ec_load_u32((const char *)values + 4 * i) & 0x7fffffffu;
}

/* Reverses the bits of a byte.
 *
 *     7 6 5 4 3 2 1 0 -> 0 1 2 3 4 5 6 7 */
EC_INLINE uint8_t ec_reverse_bits_u8(uint8_t x) {
    x = (uint8_t)((x & 0xf0) >> 4 | (x & 0x0f) << 4);
    x = (uint8_t)((x & 0xcc) >> 2 | (x & 0x33) << 2);
    return (uint8_t)((x & 0xaa) >> 1 | (x & 0x55) << 1);
}

#if defined(EC_X86_64)
/* Prefetches 8 KB ahead of the next `bytes` of values: hardware prefetching stops at the end of a page. */
EC_INLINE void ec_ask_ahead(const char *values, int bytes) {
    enum { AHEAD = 8192 };
    for (int i = 0; i < bytes; i += 64)
        _mm_prefetch((const char *)((uintptr_t)values + AHEAD + (uintptr_t)i), _MM_HINT_T0);
}
#endif

/* The scalar kernels, which also finish the tails of the others. */
int ec_pack_bits_f32_scalar(const void *values, int64_t count, float threshold, uint32_t flags, uint8_t *packed);
void ec_unpack_bits_u8_scalar(const uint8_t *packed, int64_t count, uint32_t flags, uint8_t *values);
void ec_unpack_bits_f32_scalar(const uint8_t *packed, int64_t count, uint32_t flags, void *values);

#endif
