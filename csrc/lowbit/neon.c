/* Panels with NEON in tiles of six rows by 16 sums; codes, 16 dimensions a step, by counting the thresholds below a
 * value. */
#include "../bits/neon.h"
#include "lowbit.h"

#if defined(EC_AARCH64)

enum { TILE_SUMS = 16 }; /* 24 registers of sums, 4 of the panel, 1 of a value: 29 of 32 */

/* Named members rather than an array: only so do compilers keep them in registers. */
typedef struct {
    float32x4_t a, b, c, d;
} vectors;

EC_INLINE vectors load(const char *values) {
    const vectors x = {ec_load_f32x4(values, 0), ec_load_f32x4(values, 4), ec_load_f32x4(values, 8),
                       ec_load_f32x4(values, 12)};
    return x;
}

EC_INLINE void store(char *values, vectors x) {
    ec_store_f32x4(values, 0, x.a);
    ec_store_f32x4(values, 4, x.b);
    ec_store_f32x4(values, 8, x.c);
    ec_store_f32x4(values, 12, x.d);
}

EC_INLINE vectors add_products(vectors sums, const char *value, vectors weights) {
    const float x = ec_load_f32_at(value, 0);
    const vectors added = {vfmaq_n_f32(sums.a, weights.a, x), vfmaq_n_f32(sums.b, weights.b, x),
                           vfmaq_n_f32(sums.c, weights.c, x), vfmaq_n_f32(sums.d, weights.d, x)};
    return added;
}

EC_INLINE vectors zeros(void) {
    const float32x4_t zero = vdupq_n_f32(0);
    const vectors x = {zero, zero, zero, zero};
    return x;
}

#include "panel.h"

/* The number of thresholds below each of four values. A comparison gives -1 where it holds. */
EC_INLINE uint32x4_t count_below(const int bits, const ec_levels *to, float32x4_t scaled) {
    uint32x4_t found = vdupq_n_u32(0);
    for (int t = 0; t < (1 << bits) - 1; t++) found = vsubq_u32(found, vcgtq_f32(scaled, vdupq_n_f32(to->edges[t])));
    return found;
}

/* The levels at four places: bytes 4 * place .. 4 * place + 3 of the table. */
EC_INLINE float32x4_t levels_at(uint8x16x4_t levels, uint32x4_t places) {
    const uint32x4_t bytes = vaddq_u32(vmulq_n_u32(places, 0x04040404), vdupq_n_u32(0x03020100));
    return vreinterpretq_f32_u8(vqtbl4q_u8(levels, vreinterpretq_u8_u32(bytes)));
}

EC_INLINE void add_dots(float64x2_t sums[2], float32x4_t x, float32x4_t level) { /* the products are exact */
    sums[0] = vfmaq_f64(sums[0], vcvt_f64_f32(vget_low_f32(x)), vcvt_f64_f32(vget_low_f32(level)));
    sums[1] = vfmaq_f64(sums[1], vcvt_high_f64_f32(x), vcvt_high_f64_f32(level));
}

/* Codes sixteen values in place. The two bytes of plane b, with bit b of each pattern, the first dimension highest, go
 * to bytes[b]. */
EC_INLINE void code_16(const int bits, const ec_levels *to, uint8x16x4_t levels, uint8x16_t patterns, char *values,
                       float32x4_t factor, float64x2_t sums[8], uint16_t bytes[4]) {
    uint32x4_t found[4];
    for (int i = 0; i < 4; i++) {
        const float32x4_t x = ec_load_f32x4(values, 4 * i);
        found[i] = count_below(bits, to, vmulq_f32(x, factor));
        const float32x4_t level = levels_at(levels, found[i]);
        add_dots(sums + 2 * i, x, level);
        ec_store_f32x4(values, 4 * i, level);
    }
    const uint8x16_t pattern = vqtbl1q_u8(patterns, ec_low_bytes(found[0], found[1], found[2], found[3]));
    const uint8x16_t place = vreinterpretq_u8_u64(vdupq_n_u64(0x0102040810204080)); /* 80 40 .. 01 80 40 .. */
    for (int b = 0; b < bits; b++) {
        const uint8x16_t set = vandq_u8(vtstq_u8(pattern, vdupq_n_u8((uint8_t)(1 << b))), place);
        bytes[b] = (uint16_t)(vaddv_u8(vget_low_u8(set)) | vaddv_u8(vget_high_u8(set)) << 8);
    }
}

EC_INLINE double code(const int bits, const ec_levels *to, char *values, int64_t count, float factor, uint8_t *packed,
                      int64_t width) {
    const float32x4_t factor_f32x4 = vdupq_n_f32(factor);
    const uint8_t *table = (const uint8_t *)to->levels;
    const uint8x16x4_t levels = {{vld1q_u8(table), vld1q_u8(table + 16), vld1q_u8(table + 32), vld1q_u8(table + 48)}};
    const uint8x16_t patterns = vld1q_u8(to->patterns);
    float64x2_t sums[8];
    for (int s = 0; s < 8; s++) sums[s] = vdupq_n_f64(0);
    uint16_t bytes[4];
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        code_16(bits, to, levels, patterns, values + 4 * i, factor_f32x4, sums, bytes);
        for (int b = 0; b < bits; b++) memcpy(packed + b * width + i / 8, bytes + b, 2);
    }
    if (i < count) { /* the last values, filled up with zeros */
        const int64_t used = count - i;
        char last[64] = {0};
        memcpy(last, values + 4 * i, (size_t)used * 4);
        code_16(bits, to, levels, patterns, last, factor_f32x4, sums, bytes);
        memcpy(values + 4 * i, last, (size_t)used * 4);
        for (int b = 0; b < bits; b++) {
            const uint8_t ends[2] = {(uint8_t)(bytes[b] & 0xff00 >> ec_min_i64(used, 8)),
                                     (uint8_t)(bytes[b] >> 8 & 0xff0000 >> used)};
            memcpy(packed + b * width + i / 8, ends, used > 8 ? 2 : 1);
        }
    }
    double partial[16];
    for (int s = 0; s < 8; s++) vst1q_f64(partial + 2 * s, sums[s]);
    return ec_halve_f64x16(partial);
}

#include "code.h"

EC_SLOTS(lowbit, neon) {
    table->lowbit_panel_f32 = lowbit_panel_f32;
    table->lowbit_code_f32 = lowbit_code_f32;
}

#endif
