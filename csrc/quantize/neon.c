/* float32 to 8-bit codes and back with NEON, 16 at a time. A maximum that prefers numbers clamps a NaN as the scalar
 * code does, and since clamping comes first, narrowing just takes the low bytes, for int8 and uint8 alike. */
#include "../bits/neon.h"
#include "quantize.h"

#if defined(EC_AARCH64)

EC_INLINE float32x4_t clamp(float32x4_t x, float32x4_t low_f32x4, float32x4_t high_f32x4) {
    return vminnmq_f32(vmaxnmq_f32(x, low_f32x4), high_f32x4);
}

EC_INLINE void store_codes(uint8_t *codes, const int32x4_t codes_i32x4[4], uint8x16_t flip_u8x16) {
    uint8x16_t codes_u8x16 = ec_low_bytes(vreinterpretq_u32_s32(codes_i32x4[0]), vreinterpretq_u32_s32(codes_i32x4[1]),
                                          vreinterpretq_u32_s32(codes_i32x4[2]), vreinterpretq_u32_s32(codes_i32x4[3]));
    vst1q_u8(codes, veorq_u8(codes_u8x16, flip_u8x16));
}

static int quantize_affine_f32_neon(const void *values, int64_t count, float factor, float addend, float low,
                                    float high, uint8_t flip, uint8_t *codes) {
    const float32x4_t factor_f32x4 = vdupq_n_f32(factor), addend_f32x4 = vdupq_n_f32(addend);
    const float32x4_t low_f32x4 = vdupq_n_f32(low), high_f32x4 = vdupq_n_f32(high);
    const uint8x16_t flip_u8x16 = vdupq_n_u8(flip);
    uint32x4_t largest_u32x4 = vdupq_n_u32(0);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        int32x4_t codes_i32x4[4];
        for (int j = 0; j < 4; j++) {
            float32x4_t x = ec_load_f32x4(values, i + 4 * j);
            largest_u32x4 = ec_larger_magnitude(largest_u32x4, x);
            float32x4_t code = vaddq_f32(vmulq_f32(x, factor_f32x4), addend_f32x4);
            codes_i32x4[j] = vcvtnq_s32_f32(clamp(code, low_f32x4, high_f32x4));
        }
        store_codes(codes + i, codes_i32x4, flip_u8x16);
    }
    return ec_quantize_affine_f32_scalar((const char *)values + 4 * i, count - i, factor, addend, low, high, flip,
                                         codes + i) &&
           ec_below_infinity(largest_u32x4);
}

#define ABOVE_CODES 1024.0f /* a quotient at which the correction, too, stays above 255 */

/* As in avx512.c: the rounded quotient itself wherever the floor depends on it. The product is kept from Infinity,
 * which would have no remainder. */
EC_INLINE float32x4_t quotient_4(float32x4_t a, float32x4_t step_f32x4, float32x4_t reciprocal_f32x4) {
    float32x4_t quotient = vminnmq_f32(vmulq_f32(a, reciprocal_f32x4), vdupq_n_f32(ABOVE_CODES));
    return vfmaq_f32(quotient, vfmsq_f32(a, quotient, step_f32x4), reciprocal_f32x4);
}

EC_INLINE int ranges_row(const void *values, int64_t count, const ec_steps *steps, int divide, uint8_t flip,
                         uint8_t *codes) {
    const float32x4_t least_f32x4 = vdupq_n_f32(0.0f), most_f32x4 = vdupq_n_f32(255.0f);
    const uint8x16_t flip_u8x16 = vdupq_n_u8(flip);
    uint32x4_t largest_u32x4 = vdupq_n_u32(0);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        int32x4_t codes_i32x4[4];
        for (int j = 0; j < 4; j++) {
            int64_t at = i + 4 * j;
            float32x4_t x = ec_load_f32x4(values, at), step_f32x4 = ec_load_f32x4(steps->step, at);
            largest_u32x4 = ec_larger_magnitude(largest_u32x4, x);
            float32x4_t above_f32x4 = vsubq_f32(x, ec_load_f32x4(steps->low, at));
            float32x4_t code = divide ? vdivq_f32(above_f32x4, step_f32x4)
                                      : quotient_4(above_f32x4, step_f32x4, ec_load_f32x4(steps->reciprocal, at));
            codes_i32x4[j] = vcvtq_s32_f32(clamp(code, least_f32x4, most_f32x4)); /* rounds down: none < 0 */
        }
        store_codes(codes + i, codes_i32x4, flip_u8x16);
    }
    return ec_quantize_ranges_row_f32_scalar(values, i, count, steps, flip, codes) && ec_below_infinity(largest_u32x4);
}

static int quantize_ranges_f32_neon(const void *values, int64_t stride, int64_t rows, int64_t count,
                                    const ec_steps *steps, uint8_t flip, uint8_t *codes) {
    int finite = 1;
    for (int64_t row = 0; row < rows; row++) {
        const char *from = (const char *)values + 4 * row * stride;
        finite &= steps->reciprocal ? ranges_row(from, count, steps, 0, flip, codes + row * stride)
                                    : ranges_row(from, count, steps, 1, flip, codes + row * stride);
    }
    return finite;
}

static uint32_t max_abs_bits_f32_neon(const void *values, int64_t count) {
    uint32x4_t largest_u32x4[4] = {vdupq_n_u32(0), vdupq_n_u32(0), vdupq_n_u32(0), vdupq_n_u32(0)};
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (int j = 0; j < 4; j++)
            largest_u32x4[j] = ec_larger_magnitude(largest_u32x4[j], ec_load_f32x4(values, i + 4 * j));
    uint32_t vector = vmaxvq_u32(
        vmaxq_u32(vmaxq_u32(largest_u32x4[0], largest_u32x4[1]), vmaxq_u32(largest_u32x4[2], largest_u32x4[3])));
    uint32_t rest = ec_max_abs_bits_f32_scalar((const char *)values + 4 * i, count - i);
    return vector > rest ? vector : rest;
}

static uint32_t quantize_scaled_f32_neon(const void *values, int64_t count, float factor, uint8_t flip, uint8_t *codes,
                                         const void *next) {
    quantize_affine_f32_neon(values, count, factor, 0.0f, -127.0f, 127.0f, flip, codes);
    return max_abs_bits_f32_neon(next, count);
}

/* The first four of eight codes as float32, and below, the last four. */
EC_INLINE float32x4_t low_floats_s8(uint8x8_t codes) {
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(codes)))));
}

EC_INLINE float32x4_t high_floats_s8(uint8x8_t codes) {
    return vcvtq_f32_s32(vmovl_high_s16(vmovl_s8(vreinterpret_s8_u8(codes))));
}

EC_INLINE float32x4_t low_floats_u8(uint8x8_t codes) { return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(codes)))); }

EC_INLINE float32x4_t high_floats_u8(uint8x8_t codes) { return vcvtq_f32_u32(vmovl_high_u16(vmovl_u8(codes))); }

static void dequantize_scaled_f32_neon(const uint8_t *codes, int64_t count, uint8_t flip, float scale, void *values) {
    const uint8x8_t flip_u8x8 = vdup_n_u8(flip);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        uint8x8_t codes_u8x8 = veor_u8(vld1_u8(codes + i), flip_u8x8);
        ec_store_f32x4(values, i, vmulq_n_f32(low_floats_s8(codes_u8x8), scale));
        ec_store_f32x4(values, i + 4, vmulq_n_f32(high_floats_s8(codes_u8x8), scale));
    }
    ec_dequantize_scaled_f32_scalar(codes + i, count - i, flip, scale, (char *)values + 4 * i);
}

/* The remainder, exact in one fused operation, corrects the quotient to the rounded one: see avx512.c. */
EC_INLINE float32x4_t divide(float32x4_t code, float32x4_t divisor_f32x4, float32x4_t reciprocal_f32x4) {
    float32x4_t quotient = vmulq_f32(code, reciprocal_f32x4);
    return vfmaq_f32(quotient, vfmsq_f32(code, quotient, divisor_f32x4), reciprocal_f32x4);
}

static void dequantize_unit_f32_neon(const uint8_t *codes, int64_t count, int32_t is_signed, void *values) {
    const float32x4_t divisor_f32x4 = vdupq_n_f32(is_signed ? 127.0f : 127.5f);
    const float32x4_t reciprocal_f32x4 = vdupq_n_f32(is_signed ? 1.0f / 127.0f : 1.0f / 127.5f);
    const float32x4_t less_f32x4 = vdupq_n_f32(is_signed ? 0.0f : 1.0f);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        uint8x8_t codes_u8x8 = vld1_u8(codes + i);
        float32x4_t low = is_signed ? low_floats_s8(codes_u8x8) : low_floats_u8(codes_u8x8);
        float32x4_t high = is_signed ? high_floats_s8(codes_u8x8) : high_floats_u8(codes_u8x8);
        ec_store_f32x4(values, i, vsubq_f32(divide(low, divisor_f32x4, reciprocal_f32x4), less_f32x4));
        ec_store_f32x4(values, i + 4, vsubq_f32(divide(high, divisor_f32x4, reciprocal_f32x4), less_f32x4));
    }
    ec_dequantize_unit_f32_scalar(codes + i, count - i, is_signed, (char *)values + 4 * i);
}

static void dequantize_ranges_f32_neon(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                       const void *step, void *values) {
    const uint8x8_t flip_u8x8 = vdup_n_u8(flip);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        uint8x8_t codes_u8x8 = veor_u8(vld1_u8(codes + i), flip_u8x8);
        float32x4_t low = vmulq_f32(low_floats_u8(codes_u8x8), ec_load_f32x4(step, i));
        float32x4_t high = vmulq_f32(high_floats_u8(codes_u8x8), ec_load_f32x4(step, i + 4));
        ec_store_f32x4(values, i, vaddq_f32(low, ec_load_f32x4(first, i)));
        ec_store_f32x4(values, i + 4, vaddq_f32(high, ec_load_f32x4(first, i + 4)));
    }
    ec_dequantize_ranges_f32_scalar(codes + i, count - i, flip, (const char *)first + 4 * i, (const char *)step + 4 * i,
                                    (char *)values + 4 * i);
}

EC_SLOTS(quantize, neon) {
    table->quantize_affine_f32 = quantize_affine_f32_neon;
    table->quantize_scaled_f32 = quantize_scaled_f32_neon;
    table->quantize_ranges_f32 = quantize_ranges_f32_neon;
    table->max_abs_bits_f32 = max_abs_bits_f32_neon;
    table->dequantize_scaled_f32 = dequantize_scaled_f32_neon;
    table->dequantize_unit_f32 = dequantize_unit_f32_neon;
    table->dequantize_ranges_f32 = dequantize_ranges_f32_neon;
}

#endif
