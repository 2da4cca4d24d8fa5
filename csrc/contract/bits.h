/* Floats to packed bits and back, and whether floats are finite. */
#ifndef EC_CONTRACT_BITS_H
#define EC_CONTRACT_BITS_H

#include "results.h"

/* The layout of packed bits: one bit a dimension, eight to a byte; each row has ceil(dimension / 8) whole bytes, whose
 * unused bits are zero. */
enum ec_bits {
    EC_BITS_LSB = 1,       /* the first dimension is bit 0 of its byte; else bit 7 */
    EC_BITS_INCLUSIVE = 2, /* a bit is set for x >= threshold; else for x > threshold */
    EC_BITS_OFFSET = 4,    /* bytes are stored as int8(byte - 128), that is byte ^ 0x80 */
    EC_BITS_FINITE = 8,    /* NaN and Infinity are refused; else a NaN gives 0 */
};

/* Pack rows to bits, x > threshold, and unpack them to 0 and 1 or to -1 and +1. `capacity` counts elements of the
 * output. On EC_NOT_FINITE `consumed` is the offset of the element in the matrix. `threads`: see pool.h. */
ec_result ec_pack_bits_f32(const void *values, int64_t rows, int64_t dimension, float threshold, uint32_t flags,
                           void *packed, int64_t capacity, int32_t threads);
ec_result ec_unpack_bits_u8(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                            int64_t capacity, int32_t threads); /* 0 and 1 */
ec_result ec_unpack_bits_f32(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                             int64_t capacity, int32_t threads); /* -1 and +1 */

/* Find the first NaN or Infinity: EC_NOT_FINITE with `consumed` its offset, or EC_OK where there is none. */
ec_result ec_check_finite_f32(const void *values, int64_t count);

#endif
