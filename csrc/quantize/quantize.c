/* The public functions of the family: the three scales, told to the kernels as factors, clamps and flips. */
#include "quantize.h"

#include <float.h>

static ec_result done(int64_t count) {
    ec_result r = {count, count, EC_OK};
    return r;
}

static ec_result not_finite(const void *values, int64_t before, int64_t count) {
    ec_result r = ec_check_finite_f32((const char *)values + 4 * before, count);
    r.consumed += before;
    return r;
}

ec_result ec_quantize_unit_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, void *codes) {
    int64_t count = rows * dimension;
    int finite = type == EC_INT8
                     ? ec_active.quantize_affine_f32(values, count, 127.0f, 0.0f, -127.0f, 127.0f, 0, codes)
                     : ec_active.quantize_affine_f32(values, count, 127.5f, 127.5f, 0.0f, 255.0f, 0, codes);
    return finite ? done(count) : not_finite(values, 0, count);
}

ec_result ec_dequantize_unit_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, void *values) {
    ec_active.dequantize_unit_f32(codes, rows * dimension, type == EC_INT8, values);
    return done(rows * dimension);
}

/* The least normal number keeps 1 / scale finite. */
static float at_least_normal(float scale) { return scale > FLT_MIN ? scale : FLT_MIN; }

/* A zero row has no scale of its own: it takes the unit scale's. */
static float scale_of(float max_abs) { return max_abs > 0.0f ? at_least_normal(max_abs / 127.0f) : 1.0f / 127.0f; }

ec_result ec_quantize_per_vector_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, int32_t measure,
                                     void *scales, void *codes) {
    uint8_t flip = type == EC_UINT8 ? 0x80 : 0;
    for (int64_t row = 0; row < rows; row++) {
        const char *from = (const char *)values + 4 * row * dimension;
        if (measure) {
            uint32_t bits = ec_active.max_abs_bits_f32(from, dimension);
            if (bits >= EC_INFINITY_BITS) return not_finite(values, row * dimension, dimension);
            float max_abs;
            memcpy(&max_abs, &bits, 4);
            ec_store_f32_at(scales, row, scale_of(max_abs));
        }
        float factor = 1.0f / at_least_normal(ec_load_f32_at(scales, row));
        uint8_t *to = (uint8_t *)codes + row * dimension;
        if (!ec_active.quantize_affine_f32(from, dimension, factor, 0.0f, -127.0f, 127.0f, flip, to))
            return not_finite(values, row * dimension, dimension);
    }
    return done(rows * dimension);
}

ec_result ec_dequantize_per_vector_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type,
                                       const void *scales, void *values) {
    uint8_t flip = type == EC_UINT8 ? 0x80 : 0;
    for (int64_t row = 0; row < rows; row++)
        ec_active.dequantize_scaled_f32((const uint8_t *)codes + row * dimension, dimension, flip,
                                        ec_load_f32_at(scales, row), (char *)values + 4 * row * dimension);
    return done(rows * dimension);
}

ec_result ec_quantize_ranges_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, const void *low,
                                 const void *step, void *codes) {
    uint8_t flip = type == EC_INT8 ? 0x80 : 0;
    for (int64_t row = 0; row < rows; row++) {
        const char *from = (const char *)values + 4 * row * dimension;
        uint8_t *to = (uint8_t *)codes + row * dimension;
        if (!ec_active.quantize_ranges_f32(from, dimension, low, step, flip, to))
            return not_finite(values, row * dimension, dimension);
    }
    return done(rows * dimension);
}

ec_result ec_dequantize_ranges_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, const void *first,
                                   const void *step, void *values) {
    uint8_t flip = type == EC_INT8 ? 0x80 : 0;
    for (int64_t row = 0; row < rows; row++)
        ec_active.dequantize_ranges_f32((const uint8_t *)codes + row * dimension, dimension, flip, first, step,
                                        (char *)values + 4 * row * dimension);
    return done(rows * dimension);
}
