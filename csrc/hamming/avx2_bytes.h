/* Bytes of rows side by side, for the panels of hamming/ and dot_u1/ where a lane is a row. */
#ifndef EC_HAMMING_AVX2_BYTES_H
#define EC_HAMMING_AVX2_BYTES_H

#include "hamming.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum { EC_COLUMNS = 16 /* bytes of a row that are transposed at once */ };

/* The 16 x 16 transpose of bytes in either half, in place. A round interleaves vectors i and i + 8, which rotates the
 * eight bits of a byte's address (row, column) by one; four rounds exchange row and column. */
EC_INLINE void ec_transpose_u8x16(__m256i v[EC_COLUMNS]) {
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
        __m256i mixed[EC_COLUMNS];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            mixed[2 * i] = _mm256_unpacklo_epi8(v[i], v[i + 8]);
            mixed[2 * i + 1] = _mm256_unpackhi_epi8(v[i], v[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < EC_COLUMNS; i++) v[i] = mixed[i];
    }
}

/* Sets vector i to byte i of 32 rows, of which there are n_rows, which may be negative; rows behind them are
 * `spare`. */
EC_INLINE void ec_bytes_of_32(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, const uint8_t *spare,
                              __m256i v_u8x32[EC_COLUMNS]) {
#pragma GCC unroll 16
    for (int i = 0; i < EC_COLUMNS; i++) {
        const uint8_t *low = i < n_rows ? rows + i * stride_bytes : spare;
        const uint8_t *high = i + EC_COLUMNS < n_rows ? rows + (i + EC_COLUMNS) * stride_bytes : spare;
        const __m128i low_u8x16 = _mm_loadu_si128((const __m128i *)low);
        v_u8x32[i] =
            _mm256_inserti128_si256(_mm256_castsi128_si256(low_u8x16), _mm_loadu_si128((const __m128i *)high), 1);
    }
    ec_transpose_u8x16(v_u8x32);
}

EC_TARGET_END
#endif
#endif
