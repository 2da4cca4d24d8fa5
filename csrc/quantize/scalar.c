/* float32 to 8-bit codes and back in plain C: the specification. Each operation rounds to float32, and clamping comes
 * before the conversion to an integer. */
#include "quantize.h"

#include <math.h>

/* Infinity, which may be a product too large for float32, is clamped. A NaN becomes any number: its row is refused. */
EC_INLINE float clamp(float x, float low, float high) {
    x = x > low ? x : low;
    return x < high ? x : high;
}

int ec_quantize_affine_f32_scalar(const void *values, int64_t count, float factor, float addend, float low, float high,
                                  uint8_t flip, uint8_t *codes) {
    uint32_t largest = 0;
    for (int64_t i = 0; i < count; i++) {
        float product = ec_load_f32_at(values, i) * factor;
        float code = rintf(clamp(product + addend, low, high));
        uint32_t magnitude = ec_magnitude_at(values, i);
        largest = magnitude > largest ? magnitude : largest;
        codes[i] = (uint8_t)((uint8_t)(int32_t)code ^ flip);
    }
    return largest < EC_INFINITY_BITS;
}

int ec_quantize_ranges_row_f32_scalar(const void *values, int64_t begin, int64_t end, const ec_steps *steps,
                                      uint8_t flip, uint8_t *codes) {
    uint32_t largest = 0;
    for (int64_t i = begin; i < end; i++) {
        float above = ec_load_f32_at(values, i) - ec_load_f32_at(steps->low, i);
        float code = clamp(above / ec_load_f32_at(steps->step, i), 0.0f, 255.0f);
        uint32_t magnitude = ec_magnitude_at(values, i);
        largest = magnitude > largest ? magnitude : largest;
        codes[i] = (uint8_t)((uint8_t)(int32_t)code ^ flip); /* the cast rounds down, since nothing is below zero */
    }
    return largest < EC_INFINITY_BITS;
}

static int quantize_ranges_f32_scalar(const void *values, int64_t stride, int64_t rows, int64_t count,
                                      const ec_steps *steps, uint8_t flip, uint8_t *codes) {
    int finite = 1;
    for (int64_t row = 0; row < rows; row++)
        finite &= ec_quantize_ranges_row_f32_scalar((const char *)values + 4 * row * stride, 0, count, steps, flip,
                                                    codes + row * stride);
    return finite;
}

uint32_t ec_max_abs_bits_f32_scalar(const void *values, int64_t count) {
    uint32_t largest = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t magnitude = ec_magnitude_at(values, i);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

static uint32_t quantize_scaled_f32_scalar(const void *values, int64_t count, float factor, uint8_t flip,
                                           uint8_t *codes, const void *next) {
    ec_quantize_affine_f32_scalar(values, count, factor, 0.0f, -127.0f, 127.0f, flip, codes);
    return ec_max_abs_bits_f32_scalar(next, count);
}

void ec_dequantize_scaled_f32_scalar(const uint8_t *codes, int64_t count, uint8_t flip, float scale, void *values) {
    for (int64_t i = 0; i < count; i++) ec_store_f32_at(values, i, (float)(int8_t)(codes[i] ^ flip) * scale);
}

void ec_dequantize_unit_f32_scalar(const uint8_t *codes, int64_t count, int32_t is_signed, void *values) {
    for (int64_t i = 0; i < count; i++) {
        float value = is_signed ? (float)(int8_t)codes[i] / 127.0f : (float)codes[i] / 127.5f - 1.0f;
        ec_store_f32_at(values, i, value);
    }
}

void ec_dequantize_ranges_f32_scalar(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                     const void *step, void *values) {
    for (int64_t i = 0; i < count; i++) {
        float product = (float)(codes[i] ^ flip) * ec_load_f32_at(step, i);
        ec_store_f32_at(values, i, product + ec_load_f32_at(first, i));
    }
}

EC_SLOTS(quantize, scalar) {
    table->quantize_affine_f32 = ec_quantize_affine_f32_scalar;
    table->quantize_scaled_f32 = quantize_scaled_f32_scalar;
    table->quantize_ranges_f32 = quantize_ranges_f32_scalar;
    table->max_abs_bits_f32 = ec_max_abs_bits_f32_scalar;
    table->dequantize_scaled_f32 = ec_dequantize_scaled_f32_scalar;
    table->dequantize_unit_f32 = ec_dequantize_unit_f32_scalar;
    table->dequantize_ranges_f32 = ec_dequantize_ranges_f32_scalar;
}

EC_INSTALL(quantize, EC_SCALAR(quantize) EC_AVX2(quantize) EC_AVX512(quantize) EC_NEON(quantize))
