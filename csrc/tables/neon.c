/* The tables of a float query with NEON. The sixteen sums of a nibble are in four vectors, one for each pair of signs
 * of its first two dimensions. */
#include "tables.h"

#if defined(EC_AARCH64)

EC_INLINE float32x4_t load_f32x4(const uint8_t *floats) { return vreinterpretq_f32_u8(vld1q_u8(floats)); }

/* The bits of the four sums of four magnitudes of sixteen floats. */
EC_INLINE uint32x4_t magnitude_bits(const uint8_t *floats) {
    const float32x4_t a = vabsq_f32(load_f32x4(floats)), b = vabsq_f32(load_f32x4(floats + 16));
    const float32x4_t c = vabsq_f32(load_f32x4(floats + 32)), d = vabsq_f32(load_f32x4(floats + 48));
    const float32x4_t sums_f32x4 = vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d));
    return vreinterpretq_u32_f32(vabsq_f32(sums_f32x4)); /* removes the sign of a NaN */
}

/* Four sums in units of the scale, rounded to the nearest integers. */
EC_INLINE int32x4_t rounded_of(float first, float32x4_t second_f32x4, float inverse) {
    return vcvtnq_s32_f32(vmulq_n_f32(vaddq_f32(vdupq_n_f32(first), second_f32x4), inverse));
}

/* The sixteen entries of the nibble whose four dimensions are at `floats`. */
EC_INLINE uint8x16_t table_of(const uint8_t *floats, uint32x4_t flip_2, uint32x4_t flip_3, float inverse) {
    float v[4];
    memcpy(v, floats, 16);
    const float32x4_t s2 = vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(vdupq_n_f32(v[2])), flip_2));
    const float32x4_t s3 = vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(vdupq_n_f32(v[3])), flip_3));
    const float32x4_t second_f32x4 = vaddq_f32(s2, s3);
    const int16x8_t low_i16x8 = vcombine_s16(vqmovn_s32(rounded_of(-v[0] - v[1], second_f32x4, inverse)),
                                             vqmovn_s32(rounded_of(-v[0] + v[1], second_f32x4, inverse)));
    const int16x8_t high_i16x8 = vcombine_s16(vqmovn_s32(rounded_of(v[0] - v[1], second_f32x4, inverse)),
                                              vqmovn_s32(rounded_of(v[0] + v[1], second_f32x4, inverse)));
    const int8x16_t bytes_i8x16 =
        vmaxq_s8(vcombine_s8(vqmovn_s16(low_i16x8), vqmovn_s16(high_i16x8)), vdupq_n_s8(-127));
    return veorq_u8(vreinterpretq_u8_s8(bytes_i8x16), vdupq_n_u8(128)); /* + 128 */
}

static int32_t dot_u1_tables(const void *query, int64_t width, void *tables, float *scale) {
    /* lane n flips the signs of dimensions 2 and 3 where bits 1 and 0 of n are clear */
    static const uint32_t FLIPS[8] = {1u << 31, 1u << 31, 0, 0, 1u << 31, 0, 1u << 31, 0};
    const uint32x4_t flip_2 = vld1q_u32(FLIPS), flip_3 = vld1q_u32(FLIPS + 4);
    const uint8_t *floats = query;
    uint8_t *out = tables;
    uint32x4_t most_u32x4 = vdupq_n_u32(0);
    int64_t i = 0;
    for (; i + 2 <= width; i += 2) most_u32x4 = vmaxq_u32(most_u32x4, magnitude_bits(floats + 32 * i));
    if (i < width) { /* the eight floats of the last byte, and zeros */
        uint8_t last[64] = {0};
        memcpy(last, floats + 32 * i, 32);
        most_u32x4 = vmaxq_u32(most_u32x4, magnitude_bits(last));
    }
    float inverse;
    if (!ec_table_scale(vmaxvq_u32(most_u32x4), scale, &inverse)) return 0;
    for (int64_t p = 0; p < 2 * width; p++) vst1q_u8(out + 16 * p, table_of(floats + 16 * p, flip_2, flip_3, inverse));
    ec_tables_tail(width, tables);
    return 1;
}

EC_SLOTS(tables, neon) { table->dot_u1_tables = dot_u1_tables; }
#endif
