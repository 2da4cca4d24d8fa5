/* Floats to 8-bit codes and back. */
#ifndef EC_CONTRACT_QUANTIZE_H
#define EC_CONTRACT_QUANTIZE_H

#include "results.h"

/* Matrices of rows * dimension elements, row-major; `type` of the codes is EC_INT8 or EC_UINT8. Arithmetic is float32
 * with every operation rounded, in the order written; round is to the nearest, ties to even. NaN and Infinity are
 * refused (EC_NOT_FINITE, `consumed` the element's offset in the matrix). */

/* int8: clamp(round(127 x), -127, 127) and q / 127; uint8: clamp(round(127.5 x + 127.5), 0, 255) and q / 127.5 - 1.
 * Quantizing, `produced` is no count of codes: of at least 8 rows, or one in 32, how many may lose much at this scale, for
 * values beyond it or a length too short. */
ec_result ec_quantize_unit_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, void *codes);
ec_result ec_dequantize_unit_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, void *values);

/* int8: clamp(round(x * (1 / scale)), -127, 127) and q * scale; uint8 the same plus 128. With `measure` the scales are
 * found and written: max |x| / 127, rounded up where that is subnormal; 1 / 127 for a zero row. At a subnormal scale x and
 * the scale are multiplied by 2^64 first. */
ec_result ec_quantize_per_vector_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, int32_t measure,
                                     void *scales, void *codes);
ec_result ec_dequantize_per_vector_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type,
                                       const void *scales, void *values);

/* c = clamp(floor((x - low) / step), 0, 255), int8: c - 128; and c * step + first; low, step, first a dimension each;
 * reciprocal: 1 / step, rounded, or NULL where a step is not within 2^-100 .. 2^100, so that kernels had better divide.
 * Quantizing, `produced` is no count of codes: of at most 16 rows, how many may lose much by these ranges. */
ec_result ec_quantize_ranges_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, const void *low,
                                 const void *step, const void *reciprocal, void *codes);
ec_result ec_dequantize_ranges_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, const void *first,
                                   const void *step, void *values);

/* The first `dimension`, 1 .. EC_DOT_MAX_DIMENSION, of rows that lie `stride` values apart, brought to unit length: sum,
 * root and product in float64, rounded once. A zero row stays zero. On EC_NOT_FINITE `consumed` counts kept values. */
ec_result ec_truncate_f32(const void *values, int64_t stride, int64_t rows, int64_t dimension, void *kept);

#endif
