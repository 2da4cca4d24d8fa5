/* Floats to 8-bit codes and back, at one of three scales: a fixed one for vectors of unit length, one a vector, or one
 * a dimension. */
#ifndef EC_CONTRACT_QUANTIZE_H
#define EC_CONTRACT_QUANTIZE_H

#include "results.h"

/* Matrices have rows * dimension elements, row-major; `type` is that of the codes, EC_INT8 or EC_UINT8. All arithmetic
 * is float32 with every operation rounded, in the order written; round() is to the nearest, ties to even. NaN and
 * Infinity are refused: EC_NOT_FINITE, `consumed` the offset of the element in the matrix. `threads`: see pool.h. */

/* The fixed scale. int8: clamp(round(127 x), -127, 127), and q / 127; uint8: clamp(round(127.5 x + 127.5), 0, 255), and
 * q / 127.5 - 1. When quantizing, `produced` is no number of codes: among at least 8 of the rows, or one row in 32, it
 * counts those that may lose much, because values lie beyond -1 .. 1 or the row is very short. */
ec_result ec_quantize_unit_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, void *codes,
                               int32_t threads);
ec_result ec_dequantize_unit_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, void *values,
                                 int32_t threads);

/* A scale a vector. int8: clamp(round(x * (1 / scale)), -127, 127), and q * scale; uint8 the same plus 128. With
 * `measure` the scales are found and written: max |x| / 127, rounded up where that is subnormal; 1 / 127 for a zero
 * row. Where the scale is subnormal, x and the scale are multiplied by 2^64 first, since 1 / scale would overflow. */
ec_result ec_quantize_per_vector_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, int32_t measure,
                                     void *scales, void *codes, int32_t threads);
ec_result ec_dequantize_per_vector_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type,
                                       const void *scales, void *values, int32_t threads);

/* A range a dimension. c = clamp(floor((x - low) / step), 0, 255), for int8 c - 128; and c * step + first. low, step
 * and first have a value a dimension. reciprocal is 1 / step, rounded, or NULL where a step is not within 2^-100 ..
 * 2^100, so that kernels must divide. When quantizing, `produced` is no number of codes: among at most 16 rows it
 * counts those that may lose much with these ranges. */
ec_result ec_quantize_ranges_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, const void *low,
                                 const void *step, const void *reciprocal, void *codes, int32_t threads);
ec_result ec_dequantize_ranges_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, const void *first,
                                   const void *step, void *values, int32_t threads);

/* Keep the first `dimension`, 1 .. EC_DOT_MAX_DIMENSION, values of rows that lie `stride` values apart, and bring them
 * to unit length: sum, root and product in float64, rounded once. A zero row stays zero. On EC_NOT_FINITE `consumed`
 * counts kept values. */
ec_result ec_truncate_f32(const void *values, int64_t stride, int64_t rows, int64_t dimension, void *kept);

#endif
