/* Shared by the tiers of quantize: the scalar kernels, which also finish the others' tails. */
#ifndef EC_QUANTIZE_H
#define EC_QUANTIZE_H

#include "../bits/bits.h"

/* The ranges of some dimensions, float32 each. reciprocal is NULL where kernels must divide: see
 * contract/quantize.h. */
struct ec_steps {
    const char *low, *step, *reciprocal;
};

int ec_quantize_affine_f32_scalar(const void *values, int64_t count, float factor, float addend, float low, float high,
                                  uint8_t flip, uint8_t *codes);
/* Codes the dimensions begin .. end of one row. */
int ec_quantize_ranges_row_f32_scalar(const void *values, int64_t begin, int64_t end, const ec_steps *steps,
                                      uint8_t flip, uint8_t *codes);
uint32_t ec_max_abs_bits_f32_scalar(const void *values, int64_t count);
void ec_dequantize_scaled_f32_scalar(const uint8_t *codes, int64_t count, uint8_t flip, float scale, void *values);
void ec_dequantize_unit_f32_scalar(const uint8_t *codes, int64_t count, int32_t is_signed, void *values);
void ec_dequantize_ranges_f32_scalar(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                     const void *step, void *values);

#endif
