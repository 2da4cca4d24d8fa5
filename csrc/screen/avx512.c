/* Rounds rows of floats to int8 codes for screening, 64 elements a step. A row is read twice: for its largest
 * magnitude, while the row before it is rounded, and for its codes. */
#include "avx512_round.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                        int8_t *codes, float *steps, float *errors, float *lengths, const void *ahead,
                        int64_t ahead_bytes) {
    ec_drip drip = ec_drip_of(ahead, ahead_bytes, n_rows * ((width + 63) / 64));
    __m512i most_u32x16 = n_rows ? largest_of(rows, width) : _mm512_setzero_si512();
    for (int64_t r = 0; r < n_rows; r += AT_ONCE, codes += AT_ONCE * width)
        round_rows((const uint8_t *)rows + r * stride_bytes, stride_bytes, n_rows - r, width, levels, 0,
                   (uint8_t *)codes, width, steps + r, errors + r, lengths + r, &drip, &most_u32x16);
}

EC_TARGET_END

EC_SLOTS(screen_few, avx512);

EC_SLOTS(screen, avx512) {
    ec_slots_screen_few_avx512(table);
    table->screens = 6;
    table->screen_rows = screen_rows;
}
#endif
