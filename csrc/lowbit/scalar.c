/* Panels and codes in plain C: the specification. Every tier gives the same bits. */
#include "lowbit.h"

/* out[r][0..63] = the sum over i of rows[r][i] * panel[i][0..63], as a chain of fused multiply-adds from +0 or, if
 * `add`, from what `out` holds. Only the first `columns` of them are wanted, 1 .. 64: a tier may leave others as they
 * are. Strides are in bytes. */
static void lowbit_panel_f32(const void *rows, int64_t stride, int64_t n_rows, int64_t inner, const void *panel,
                             int64_t columns, void *out, int64_t out_stride, int32_t add) {
    for (int64_t r = 0; r < n_rows; r++) {
        const char *row = (const char *)rows + r * stride;
        char *to = (char *)out + r * out_stride;
        float sums[EC_PANEL] = {0};
        if (add) memcpy(sums, to, sizeof sums);
        for (int64_t i = 0; i < inner; i++)
            for (int64_t c = 0; c < columns; c++)
                sums[c] = ec_fma_f32(ec_load_f32_at(row, i), ec_load_f32_at(panel, i * EC_PANEL + c), sums[c]);
        memcpy(to, sums, sizeof sums);
    }
}

/* Codes one row, in place: each value becomes a level, that of as many thresholds as lie below the value times
 * `factor`. Bit b of the level's pattern goes to plane b, the planes lying `width` bytes apart, the first dimension
 * being the highest bit.
 *
 *     packed  | bits 0 of all dimensions, in whole bytes | bits 1 | ...
 *
 * Returns the sum of value * level in double: products are exact, dimension d goes to partial sum d mod 16, and the
 * partial sums are added up by ec_halve_f64x16(). */
static double lowbit_code_f32(const ec_levels *to, void *values, int64_t count, float factor, uint8_t *packed,
                              int64_t width) {
    double partial[16] = {0};
    memset(packed, 0, (size_t)(to->bits * width));
    for (int64_t i = 0; i < count; i++) {
        float x = ec_load_f32_at(values, i), scaled = x * factor;
        int32_t code = 0;
        for (int32_t t = 0; t < to->n_levels - 1; t++) code += scaled > to->edges[t];
        for (int32_t b = 0; b < to->bits; b++)
            packed[b * width + i / 8] |= (uint8_t)((to->patterns[code] >> b & 1) << (7 - i % 8));
        partial[i % 16] += (double)x * to->levels[code];
        ec_store_f32_at(values, i, to->levels[code]);
    }
    return ec_halve_f64x16(partial);
}

EC_SLOTS(lowbit, scalar) {
    table->lowbit_panel_f32 = lowbit_panel_f32;
    table->lowbit_code_f32 = lowbit_code_f32;
}

EC_INSTALL(lowbit, EC_SCALAR(lowbit) EC_AVX2(lowbit) EC_AVX512(lowbit) EC_NEON(lowbit))
