/* Chains with NEON: the states of a row in four registers. */
#include "chain.h"

#if defined(EC_AARCH64)

/* Named members rather than an array: only so do compilers keep them in registers. */
typedef struct {
    float32x4_t a, b, c, d;
} states;

EC_INLINE states load(const float *values) {
    const states x = {vld1q_f32(values), vld1q_f32(values + 4), vld1q_f32(values + 8), vld1q_f32(values + 12)};
    return x;
}

EC_INLINE void store(float *values, states x) {
    vst1q_f32(values, x.a);
    vst1q_f32(values + 4, x.b);
    vst1q_f32(values + 8, x.c);
    vst1q_f32(values + 12, x.d);
}

EC_INLINE states splat(float value) {
    const float32x4_t all = vdupq_n_f32(value);
    const states x = {all, all, all, all};
    return x;
}

EC_INLINE states add(states x, states y) {
    const states z = {vaddq_f32(x.a, y.a), vaddq_f32(x.b, y.b), vaddq_f32(x.c, y.c), vaddq_f32(x.d, y.d)};
    return z;
}

EC_INLINE states subtract(states x, states y) {
    const states z = {vsubq_f32(x.a, y.a), vsubq_f32(x.b, y.b), vsubq_f32(x.c, y.c), vsubq_f32(x.d, y.d)};
    return z;
}

EC_INLINE states multiply(states x, states y) {
    const states z = {vmulq_f32(x.a, y.a), vmulq_f32(x.b, y.b), vmulq_f32(x.c, y.c), vmulq_f32(x.d, y.d)};
    return z;
}

EC_INLINE states magnitude(states x) {
    const states z = {vabsq_f32(x.a), vabsq_f32(x.b), vabsq_f32(x.c), vabsq_f32(x.d)};
    return z;
}

EC_INLINE states least(states x, states y) {
    const states z = {vminq_f32(x.a, y.a), vminq_f32(x.b, y.b), vminq_f32(x.c, y.c), vminq_f32(x.d, y.d)};
    return z;
}

EC_INLINE states positive(states x) {
    const float32x4_t zero = vdupq_n_f32(0);
    const states z = {vmaxq_f32(x.a, zero), vmaxq_f32(x.b, zero), vmaxq_f32(x.c, zero), vmaxq_f32(x.d, zero)};
    return z;
}

/* The states from which the words 16 c + 0 .. 15 lead: words >> coarse. */
EC_INLINE states spread(const int coarse, int c, const float *values) {
    if (coarse == 4) return splat(values[c]);
    states x;
    if (coarse == 3) {
        x.a = x.b = vdupq_n_f32(values[2 * c]);
        x.c = x.d = vdupq_n_f32(values[2 * c + 1]);
    } else if (coarse == 2) {
        const float32x4_t four = vld1q_f32(values + 4 * c);
        x.a = vdupq_laneq_f32(four, 0);
        x.b = vdupq_laneq_f32(four, 1);
        x.c = vdupq_laneq_f32(four, 2);
        x.d = vdupq_laneq_f32(four, 3);
    } else {
        const float32x4_t low = vld1q_f32(values + 8 * c), high = vld1q_f32(values + 8 * c + 4);
        x.a = vzip1q_f32(low, low);
        x.b = vzip2q_f32(low, low);
        x.c = vzip1q_f32(high, high);
        x.d = vzip2q_f32(high, high);
    }
    return x;
}

/* The numbers of lanes whose cost is the lowest, and 16 for others. */
EC_INLINE uint32x4_t where_f32x4(float32x4_t costs, float32x4_t lowest, uint32_t first) {
    const uint32_t four[4] = {first, first + 1, first + 2, first + 3};
    return vbslq_u32(vceqq_f32(costs, lowest), vld1q_u32(four), vdupq_n_u32(EC_CHAIN_STATES));
}

/* The first of the states that cost least. */
EC_INLINE int first_least(states x) {
    const float32x4_t lowest = vdupq_n_f32(vminvq_f32(vminq_f32(vminq_f32(x.a, x.b), vminq_f32(x.c, x.d))));
    const uint32x4_t low = vminq_u32(where_f32x4(x.a, lowest, 0), where_f32x4(x.b, lowest, 4));
    const uint32x4_t high = vminq_u32(where_f32x4(x.c, lowest, 8), where_f32x4(x.d, lowest, 12));
    return (int)vminvq_u32(vminq_u32(low, high));
}

#include "rows.h"

EC_SLOTS(chain, neon) { table->chain_code_f32 = chain_code_f32; }

#endif
