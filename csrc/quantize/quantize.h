/* What the kernels of the family share: the scalar ones, which also finish the others' tails. */
#ifndef EC_QUANTIZE_H
#define EC_QUANTIZE_H

#include "../bits/bits.h"

/* What ranges code a strip of dimensions with: 24 KB, which stay in L1 while rows pass by, laid out in the order of use. */
enum { EC_STRIP = 2048 };
typedef struct {
    _Alignas(64) float low[16];
    _Alignas(64) float step[16];
    _Alignas(64) float reciprocal[16]; /* 1 / step */
} ec_steps_16;
struct ec_steps {
    ec_steps_16 of[EC_STRIP / 16];
    int moderate; /* whether the reciprocals do for division: no product of theirs can leave the normal numbers */
};

int ec_quantize_affine_f32_scalar(const void *values, int64_t count, float factor, float addend, float low, float high,
                                  uint8_t flip, uint8_t *codes);
/* Dimensions begin .. end of one row. */
int ec_quantize_ranges_row_f32_scalar(const void *values, int64_t begin, int64_t end, const ec_steps *steps,
                                      uint8_t flip, uint8_t *codes);
uint32_t ec_max_abs_bits_f32_scalar(const void *values, int64_t count);
void ec_dequantize_scaled_f32_scalar(const uint8_t *codes, int64_t count, uint8_t flip, float scale, void *values);
void ec_dequantize_unit_f32_scalar(const uint8_t *codes, int64_t count, int32_t is_signed, void *values);
void ec_dequantize_ranges_f32_scalar(const uint8_t *codes, int64_t count, uint8_t flip, const void *first,
                                     const void *step, void *values);

#endif
