#include "avx2_nibbles.h"

#include "avx2_bytes.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum { STEP = EC_COLUMNS };

/* Makes the nibbles of STEP bytes of 32 rows, of which there are n_rows; rows behind them are `spare`. */
EC_INLINE void pack_step(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, const uint8_t *spare,
                         uint8_t *panel) {
    const __m256i nibble_u8x32 = _mm256_set1_epi8(15);
    __m256i v_u8x32[STEP];
    ec_bytes_of_32(rows, stride_bytes, n_rows, spare, v_u8x32);
#pragma GCC unroll 16
    for (int i = 0; i < STEP; i++) {
        const __m256i high_u8x32 = _mm256_and_si256(_mm256_srli_epi16(v_u8x32[i], 4), nibble_u8x32);
        _mm256_store_si256((__m256i *)(panel + i * EC_NIBBLE_BYTES), high_u8x32);
        _mm256_store_si256((__m256i *)(panel + i * EC_NIBBLE_BYTES + EC_NIBBLE_ROWS),
                           _mm256_and_si256(v_u8x32[i], nibble_u8x32));
    }
}

/* Like pack_step(), for rows of less than STEP bytes. */
static void pack_short(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, const uint8_t *spare, int64_t width,
                       uint8_t *panel) {
    uint8_t copies[EC_NIBBLE_ROWS][STEP] = {{0}}, wide[STEP * EC_NIBBLE_BYTES + EC_NIBBLE_ROWS];
    uint8_t *aligned = wide + (-(uintptr_t)wide & (EC_NIBBLE_ROWS - 1));
    for (int64_t i = 0; i < EC_NIBBLE_ROWS; i++)
        memcpy(copies[i], i < n_rows ? rows + i * stride_bytes : spare, (size_t)width);
    pack_step(copies[0], STEP, EC_NIBBLE_ROWS, copies[0], aligned);
    memcpy(panel, aligned, (size_t)(width * EC_NIBBLE_BYTES));
}

/* The last step of a row begins where it ends with the row: some of its bytes are packed a second time. */
void ec_pack_32_nibbles_avx2(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, const uint8_t *spare,
                             int64_t width, uint8_t *panel) {
    if (width < STEP) {
        pack_short(rows, stride_bytes, n_rows, spare, width, panel);
        return;
    }
    for (int64_t i = 0; i < width; i += STEP) {
        const int64_t at = ec_min_i64(i, width - STEP);
        if (n_rows >= EC_NIBBLE_ROWS)
            pack_step(rows + at, stride_bytes, EC_NIBBLE_ROWS, spare + at, panel + at * EC_NIBBLE_BYTES);
        else
            pack_step(rows + at, stride_bytes, n_rows, spare + at, panel + at * EC_NIBBLE_BYTES);
    }
}

void ec_pack_nibbles_avx2(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    for (int64_t r = 0; r < ec_round_up(n_rows, EC_NEAR_ROWS); r += EC_NIBBLE_ROWS)
        ec_pack_32_nibbles_avx2((const uint8_t *)rows + r * stride_bytes, stride_bytes, n_rows - r,
                                (const uint8_t *)rows + r / EC_NEAR_ROWS * EC_NEAR_ROWS * stride_bytes, width,
                                (uint8_t *)panel + 2 * r * width);
}

EC_TARGET_END
#endif
