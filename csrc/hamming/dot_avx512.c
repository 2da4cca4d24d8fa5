/* Tables against bits by vpermb: 64 look-ups an instruction, a lane of four bytes a row.
 *
 *     two bytes of sixteen rows                 indices, 4 bytes a row: a nibble each, and which of 4 tables
 *     r0: abcdefgh ijklmnop             ->      00abcd 01efgh 10ijkl 11mnop | r1 ...
 *     the 64 bytes of tables of these four nibbles are one vector: vpermb looks all of them up, vpdpbusd adds each
 *     row's four bytes to its sum.                                                                               */
#include "hamming.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* 16 x 16 dwords: out[c] = dword c of the sixteen rows. */
EC_INLINE void transpose_u32x16(const __m512i *rows, __m512i *out) {
    __m512i a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (int g = 0; g < 16; g += 4) { /* b[g + c], lane l: dword 4 l + c of rows g .. g + 3 */
        b[g] = _mm512_unpacklo_epi64(a[g], a[g + 2]);
        b[g + 1] = _mm512_unpackhi_epi64(a[g], a[g + 2]);
        b[g + 2] = _mm512_unpacklo_epi64(a[g + 1], a[g + 3]);
        b[g + 3] = _mm512_unpackhi_epi64(a[g + 1], a[g + 3]);
    }
    for (int c = 0; c < 4; c++) {
        __m512i x = _mm512_shuffle_i64x2(b[c], b[c + 4], 0x88), y = _mm512_shuffle_i64x2(b[c + 8], b[c + 12], 0x88);
        __m512i z = _mm512_shuffle_i64x2(b[c], b[c + 4], 0xdd), w = _mm512_shuffle_i64x2(b[c + 8], b[c + 12], 0xdd);
        out[c] = _mm512_shuffle_i64x2(x, y, 0x88);
        out[c + 8] = _mm512_shuffle_i64x2(x, y, 0xdd);
        out[c + 4] = _mm512_shuffle_i64x2(z, w, 0x88);
        out[c + 12] = _mm512_shuffle_i64x2(z, w, 0xdd);
    }
}

/* Indices of bytes 0 and 1 (half 0) or 2 and 3 (half 1) of every row's dword. */
EC_INLINE __m512i indices_of(__m512i bytes_u8x64, int half) {
    /* per 64 bits, two rows: for each index the bit at which its nibble begins */
    const __m512i low = _mm512_set1_epi64(0x282c2024080c0004), high = _mm512_set1_epi64(0x383c3034181c1014);
    const __m512i nibble = _mm512_set1_epi32(0x0f0f0f0f), table = _mm512_set1_epi32(0x30201000);
    __m512i shifted = _mm512_multishift_epi64_epi8(half ? high : low, bytes_u8x64);
    return _mm512_ternarylogic_epi32(shifted, nibble, table, 0xea); /* (shifted & nibble) | table */
}

/* The sixteen rows from r on, chunk at `at`, as columns of dwords; behind the last row, the first once more. */
EC_INLINE void load_columns(const uint8_t *rows, int64_t stride_bytes, int64_t r, int64_t n_rows, int64_t width,
                            int64_t at, __m512i *columns) {
    int64_t left = width - at;
    __mmask64 mask = left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
    __m512i in[16];
    for (int i = 0; i < 16; i++) {
        const uint8_t *row = rows + (r + i < n_rows ? r + i : r) * stride_bytes + at;
        _mm_prefetch((const char *)row + EC_BYTES_AHEAD, _MM_HINT_T0);
        in[i] = _mm512_maskz_loadu_epi8(mask, row);
    }
    transpose_u32x16(in, columns);
}

/* *sums += the four bytes of each lane. The intrinsic makes some compilers copy every accumulator at every step. */
EC_INLINE void add_fours(__m512i *sums_i32x16, __m512i bytes_u8x64) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums_i32x16) : "v"(bytes_u8x64), "v"(_mm512_set1_epi8(1)));
#else
    *sums_i32x16 = _mm512_dpbusd_epi32(*sums_i32x16, bytes_u8x64, _mm512_set1_epi8(1));
#endif
}

/* As the scalar twin. Panel: for each 64 rows, for each quad (two bytes) 4 x 64 bytes of indices, so that the tile reads
 * one stream; four streams a power of two apart would fight for the same lines of the cache. */
static void dot_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    int64_t quads = ec_quads_u1(width);
    for (int64_t r = 0; r < ec_round_up(n_rows, EC_DOT_U1_LANES); r += 16) {
        uint8_t *out = (uint8_t *)panel + (r / 64 * 64 * quads + r % 64 / 16 * 16) * 4;
        for (int64_t at = 0; at < width; at += 64) {
            __m512i columns[16];
            load_columns(rows, stride_bytes, r < n_rows ? r : 0, n_rows, width, at, columns);
            int64_t left = quads - at / 2;
            for (int i = 0; i < 16 && 2 * i < left; i++) {
                uint8_t *to = out + (at / 2 + 2 * i) * 256;
                _mm512_store_si512(to, indices_of(columns[i], 0));
                if (2 * i + 1 < left) _mm512_store_si512(to + 256, indices_of(columns[i], 1));
            }
        }
    }
}

/* As the scalar twin: four queries side by side, for each quad 4 x 64 bytes; the last n_queries % 4 likewise. */
static void dot_u1_prepare(const void *tables, int64_t n_queries, int64_t width, void *prepared) {
    int64_t quads = ec_quads_u1(width);
    for (int64_t q = 0; q < n_queries; q += 4) {
        int64_t n = ec_min_i64(4, n_queries - q);
        uint8_t *out = (uint8_t *)prepared + q * quads * 64;
        for (int64_t j = 0; j < quads; j++)
            for (int64_t i = 0; i < n; i++, out += 64)
                memcpy(out, (const uint8_t *)tables + ((q + i) * quads + j) * 64, 64);
    }
}

/* Sums of n_queries <= 4 with 64 rows: 4 x 4 accumulators. */
EC_INLINE void sum_block(const uint8_t *tables, int n_queries, const uint8_t *panel, int64_t n_rows, int64_t quads,
                         int32_t *scores, int64_t scores_stride) {
    const __m512i start = _mm512_set1_epi32((int32_t)(-128 * 4 * quads));
    __m512i sums_i32x16[4][4];
    for (int q = 0; q < n_queries; q++)
        for (int g = 0; g < 4; g++) sums_i32x16[q][g] = start;
    for (int64_t j = 0; j < quads; j++, panel += 256, tables += 64 * n_queries) {
        __m512i indices_u8x64[4];
        for (int g = 0; g < 4; g++) indices_u8x64[g] = _mm512_load_si512(panel + 64 * g);
        for (int q = 0; q < n_queries; q++) {
            __m512i table_u8x64 = _mm512_loadu_si512(tables + 64 * q);
            for (int g = 0; g < 4; g++)
                add_fours(&sums_i32x16[q][g], _mm512_permutexvar_epi8(indices_u8x64[g], table_u8x64));
        }
    }
    for (int q = 0; q < n_queries; q++)
        for (int g = 0; g < 4; g++) {
            int64_t left = n_rows - 16 * g;
            __mmask16 mask = left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
            _mm512_mask_storeu_epi32(scores + q * scores_stride + 16 * g, mask, sums_i32x16[q][g]);
        }
}

static void dot_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int32_t *scores, int64_t scores_stride) {
    int64_t quads = ec_quads_u1(width);
    for (int64_t q = 0; q < n_queries; q += 4) {
        const uint8_t *table = (const uint8_t *)prepared + q * quads * 64;
        for (int64_t r = 0; r < n_rows; r += EC_DOT_U1_LANES) {
            const uint8_t *rows = (const uint8_t *)panel + r * quads * 4;
            int32_t *out = scores + q * scores_stride + r;
            switch (n_queries - q) {
            case 1: sum_block(table, 1, rows, n_rows - r, quads, out, scores_stride); break;
            case 2: sum_block(table, 2, rows, n_rows - r, quads, out, scores_stride); break;
            case 3: sum_block(table, 3, rows, n_rows - r, quads, out, scores_stride); break;
            default: sum_block(table, 4, rows, n_rows - r, quads, out, scores_stride); break;
            }
        }
    }
}

static void dot_u1_rows(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                        int32_t *scores) {
    int64_t quads = ec_quads_u1(width);
    for (int64_t r = 0; r < n_rows; r += 16) {
        __m512i even = _mm512_set1_epi32((int32_t)(-128 * 4 * quads)), odd = _mm512_setzero_si512();
        for (int64_t at = 0; at < width; at += 64) {
            __m512i columns[16];
            load_columns(rows, stride_bytes, r, n_rows, width, at, columns);
            int64_t left = quads - at / 2;
            for (int i = 0; i < 16 && 2 * i < left; i++) {
                const uint8_t *table = (const uint8_t *)tables + (at / 2 + 2 * i) * 64;
                add_fours(&even, _mm512_permutexvar_epi8(indices_of(columns[i], 0), _mm512_loadu_si512(table)));
                if (2 * i + 1 < left)
                    add_fours(&odd, _mm512_permutexvar_epi8(indices_of(columns[i], 1), _mm512_loadu_si512(table + 64)));
            }
        }
        int64_t left = n_rows - r;
        __mmask16 mask = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
        _mm512_mask_storeu_epi32(scores + r, mask, _mm512_add_epi32(even, odd));
    }
}

EC_TARGET_END

void ec_dot_u1_install_avx512(ec_kernels *table) {
    table->dot_u1_pack = dot_u1_pack;
    table->dot_u1_prepare = dot_u1_prepare;
    table->dot_u1_tile = dot_u1_tile;
    table->dot_u1_rows = dot_u1_rows;
}
#endif
