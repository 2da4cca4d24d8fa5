/* Dots by tables with AVX-512: vpermb makes 64 look-ups an instruction, and a lane of four bytes is a row.
 *
 *     two bytes of sixteen rows                 indices, 4 bytes a row: a nibble each, and which of 4 tables
 *     r0: abcdefgh ijklmnop             ->      00abcd 01efgh 10ijkl 11mnop | r1 ...
 *
 * The 64 bytes of tables for these four nibbles are one vector: vpermb looks all indices up in it, and vpdpbusd adds
 * the four entries of each row to its sum. */
#include "dot_u1.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

/* The 16 x 16 transpose of 32-bit words: out[c] = word c of the sixteen rows. */
EC_INLINE void transpose_u32x16(const __m512i *rows, __m512i *out) {
    __m512i a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (int g = 0; g < 16; g += 4) { /* lane l of b[g + c]: word 4 l + c of rows g .. g + 3 */
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

/* The indices of bytes 0 and 1 (half 0) or 2 and 3 (half 1) of each row's 32-bit word. */
EC_INLINE __m512i indices_of(__m512i bytes_u8x64, int half) {
    /* in each 64 bits, two rows: for each index the bit at which its nibble begins */
    const __m512i low = _mm512_set1_epi64(0x282c2024080c0004), high = _mm512_set1_epi64(0x383c3034181c1014);
    const __m512i nibble = _mm512_set1_epi32(0x0f0f0f0f), table = _mm512_set1_epi32(0x30201000);
    __m512i shifted = _mm512_multishift_epi64_epi8(half ? high : low, bytes_u8x64);
    return _mm512_ternarylogic_epi32(shifted, nibble, table, 0xea); /* (shifted & nibble) | table */
}

/* The 64 bytes from `at` on of the sixteen rows from r on, as columns of 32-bit words. Behind the last row, row r is
 * repeated. */
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

/* Adds to each lane of *sums its four bytes. With the intrinsic some compilers copy every accumulator in every step. */
EC_INLINE void add_fours(__m512i *sums_i32x16, __m512i bytes_u8x64) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums_i32x16) : "v"(bytes_u8x64), "v"(_mm512_set1_epi8(1)));
#else
    *sums_i32x16 = _mm512_dpbusd_epi32(*sums_i32x16, bytes_u8x64, _mm512_set1_epi8(1));
#endif
}

/* Like the scalar twin. The panel has, for each 64 rows and each quad (two bytes of a row), 4 x 64 bytes of indices, so
 * that the tile reads one stream: four streams a power of two apart would compete for the same sets of the cache. */
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

/* Like the scalar twin: the tables of four queries side by side, for each quad 4 x 64 bytes. The last n_queries % 4
 * likewise. */
static void dot_u1_prepare(const void *tables, int64_t n_queries, int64_t width, int64_t twice, void *prepared) {
    int64_t quads = ec_quads_u1(twice + width);
    for (int64_t q = 0; q < n_queries; q += 4) {
        int64_t n = ec_min_i64(4, n_queries - q);
        uint8_t *out = (uint8_t *)prepared + q * quads * 64;
        for (int64_t j = 0; j < quads; j++)
            for (int64_t i = 0; i < n; i++, out += 64)
                memcpy(out, (const uint8_t *)tables + ((q + i) * quads + j) * 64, 64);
    }
}

/* Adds the look-ups of so many quads of 64 rows to n_queries x 4 accumulators. */
EC_INLINE void add_quads(const uint8_t *tables, const int n_queries, const uint8_t *panel, int64_t quads,
                         __m512i sums_i32x16[4][4]) {
    for (int64_t j = 0; j < quads; j++, panel += 256, tables += 64 * n_queries) {
        __m512i indices_u8x64[4];
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++) indices_u8x64[g] = _mm512_load_si512(panel + 64 * g);
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) {
            __m512i table_u8x64 = _mm512_loadu_si512(tables + 64 * q);
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++)
                add_fours(&sums_i32x16[q][g], _mm512_permutexvar_epi8(indices_u8x64[g], table_u8x64));
        }
    }
}

/* The scores of n_queries <= 4 queries with 64 rows, in 4 x 4 accumulators. The scores of a query are written only
 * where one is above its limit. */
EC_INLINE void sum_block(const uint8_t *tables, const int n_queries, const uint8_t *panel, int64_t n_rows,
                         int64_t quads, int64_t quads_twice, const int32_t *limits, int32_t *scores,
                         int64_t scores_stride, uint8_t *near, uint8_t bit) {
    const __m512i start = _mm512_set1_epi32((int32_t)(-128 * 4 * quads));
    __m512i sums_i32x16[4][4];
    if (quads_twice) {
        const __m512i bias = _mm512_set1_epi32((int32_t)(-128 * 4 * quads_twice));
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++) sums_i32x16[q][g] = bias;
        add_quads(tables, n_queries, panel, quads_twice, sums_i32x16);
        tables += 64 * n_queries * quads_twice;
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++)
                sums_i32x16[q][g] =
                    _mm512_add_epi32(start, _mm512_slli_epi32(sums_i32x16[q][g], EC_DOT_U1_TWICE_SHIFT));
    } else {
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++)
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++) sums_i32x16[q][g] = start;
    }
    add_quads(tables, n_queries, panel, quads, sums_i32x16);
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        const __m512i *sums = sums_i32x16[q], limit_i32x16 = _mm512_set1_epi32(limits[q]);
        const __m512i most_i32x16 =
            _mm512_max_epi32(_mm512_max_epi32(sums[0], sums[1]), _mm512_max_epi32(sums[2], sums[3]));
        if (EC_LIKELY(_mm512_cmpgt_epi32_mask(most_i32x16, limit_i32x16) == 0)) continue;
        int32_t *out = scores + q * scores_stride;
        unsigned any = 0;
#pragma GCC unroll 4
        for (int g = 0; g < 4; g++) {
            const int64_t left = n_rows - 16 * g;
            const __mmask16 there = left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
            any |= _mm512_mask_cmpgt_epi32_mask(there, sums[g], limit_i32x16);
            if (EC_LIKELY(n_rows >= 64))
                _mm512_storeu_si512(out + 16 * g, sums[g]);
            else
                _mm512_mask_storeu_epi32(out + 16 * g, there, sums[g]);
        }
        if (any) near[q] |= bit;
    }
}

static void dot_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes) {
    const int64_t quads = ec_quads_u1(width), quads_twice = twice / 2, n_calls = (n_queries + 3) / 4;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, ec_round_up(n_rows, EC_DOT_U1_LANES) / EC_DOT_U1_LANES * n_calls);
    memset(near, 0, (size_t)n_queries);
    for (int64_t q = 0; q < n_queries; q += 4) {
        const uint8_t *table = (const uint8_t *)prepared + q * (quads + quads_twice) * 64;
        for (int64_t r = 0; r < n_rows; r += EC_DOT_U1_LANES) {
            const uint8_t *rows = (const uint8_t *)panel + r * quads * 4;
            int32_t *out = scores + q * scores_stride + r;
            ec_ahead_step(&soon);
            uint8_t bit = (uint8_t)(1 << r / EC_NEAR_ROWS);
#define BLOCK(N) \
    sum_block(table, N, rows, n_rows - r, quads, quads_twice, limits + q, out, scores_stride, near + q, bit)
            switch (n_queries - q) {
            case 1: BLOCK(1); break;
            case 2: BLOCK(2); break;
            case 3: BLOCK(3); break;
            default: BLOCK(4); break;
            }
#undef BLOCK
        }
    }
}

/* ---- one query, plain rows ---- */

enum {
    PIECE_BYTES = 512, /* of a row at a time: their tables, 16 KB as ordered below, stay in the first-level cache */
    CHUNK_BYTES = 32,  /* bytes of each of sixteen rows at a time: eight columns of 32-bit words */
    AHEAD = 4096
};

/* Orders the tables of four bytes as two vectors, those of the high nibbles and those of the low ones, so that a shift
 * and a mask turn a column into indices:
 *
 *     tables, 16 bytes each     h0 l0 h1 l1 | h2 l2 h3 l3     ->     h0 h1 h2 h3 | l0 l1 l2 l3
 *
 * Behind the last byte all entries are the bias. */
static void split_tables(const uint8_t *tables, int64_t quads, __m512i *out) {
    const __m512i high_u64x8 = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13),
                  low_u64x8 = _mm512_setr_epi64(2, 3, 6, 7, 10, 11, 14, 15);
    for (int64_t j = 0; j < quads; j += 2) {
        const __m512i a = _mm512_loadu_si512(tables + j * 64);
        const __m512i b = j + 1 < quads ? _mm512_loadu_si512(tables + j * 64 + 64) : _mm512_set1_epi8((char)128);
        *out++ = _mm512_permutex2var_epi64(a, high_u64x8, b);
        *out++ = _mm512_permutex2var_epi64(a, low_u64x8, b);
    }
}

/* The 32 bytes at p; those outside the mask are 0. */
EC_INLINE __m256i load_half(const uint8_t *p, __mmask32 mask) {
    return ~mask ? _mm256_maskz_loadu_epi8(mask, p) : _mm256_loadu_si256((const __m256i *)p);
}

/* Columns of 32 bytes of sixteen rows: columns[c] has word c of the rows 0..3, 8..11, 4..7, 12..15, in this order. The
 * two halves of a vector are loaded from rows eight apart, which saves one step of the transpose. */
EC_INLINE void load_half_columns(const uint8_t *rows, int64_t stride_bytes, __mmask32 mask, __m512i *columns) {
    const uint8_t *row[4]; /* every fourth: there are not registers enough for sixteen addresses */
    __m512i in[8], quarters[2][4];
#pragma GCC unroll 4
    for (int g = 0; g < 4; g++) row[g] = rows + 4 * g * stride_bytes;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        in[i] = _mm512_inserti64x4(_mm512_castsi256_si512(load_half(row[i / 4] + i % 4 * stride_bytes, mask)),
                                   load_half(row[i / 4 + 2] + i % 4 * stride_bytes, mask), 1);
#pragma GCC unroll 2
    for (int g = 0; g < 2; g++) { /* 128-bit lanes: words j, 4 + j of rows 4 g .. 4 g + 3, then of the rows + 8 */
        const __m512i *v = in + 4 * g;
        const __m512i ab_low = _mm512_unpacklo_epi32(v[0], v[1]), ab_high = _mm512_unpackhi_epi32(v[0], v[1]);
        const __m512i cd_low = _mm512_unpacklo_epi32(v[2], v[3]), cd_high = _mm512_unpackhi_epi32(v[2], v[3]);
        quarters[g][0] = _mm512_unpacklo_epi64(ab_low, cd_low);
        quarters[g][1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        quarters[g][2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        quarters[g][3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        columns[j] = _mm512_shuffle_i32x4(quarters[0][j], quarters[1][j], 0x88);
        columns[4 + j] = _mm512_shuffle_i32x4(quarters[0][j], quarters[1][j], 0xdd);
    }
}

/* Adds the look-ups of n_columns columns to the sums. */
EC_INLINE void add_columns(const int n_columns, const __m512i *columns, const __m512i *tables, __m512i sums_i32x16[4]) {
    const __m512i nibble = _mm512_set1_epi8(0x0f), table = _mm512_set1_epi32(0x30201000);
#pragma GCC unroll 8
    for (int c = 0; c < n_columns; c++) {
        const __m512i shifted = _mm512_srli_epi32(columns[c], 4);
        const __m512i high_u8x64 =
            _mm512_ternarylogic_epi32(shifted, nibble, table, 0xea); /* (shifted & nibble) | table */
        const __m512i low_u8x64 = _mm512_ternarylogic_epi32(columns[c], nibble, table, 0xea);
        add_fours(&sums_i32x16[c % 2 * 2], _mm512_permutexvar_epi8(high_u8x64, tables[2 * c]));
        add_fours(&sums_i32x16[c % 2 * 2 + 1], _mm512_permutexvar_epi8(low_u8x64, tables[2 * c + 1]));
    }
}

/* The tables of bytes that a query meets, and of the first ones that it meets twice, ordered by split_tables(). */
typedef struct {
    __m512i split[PIECE_BYTES / 2], first[EC_DOT_U1_TWICE_MOST / 2];
    int64_t first_columns; /* of four bytes; 0 if none is met twice */
} ordered;

/* Adds the look-ups of the columns that are met twice, of which `left` are to come. */
EC_INLINE void add_first(int64_t left, const __m512i columns[8], const __m512i *tables, __m512i sums_i32x16[4]) {
#pragma GCC unroll 8
    for (int c = 0; c < 8; c++)
        if (c < left) add_columns(1, columns + c, tables + 2 * c, sums_i32x16 + c % 2 * 2);
}

EC_INLINE __m512i add_all(const __m512i v[4]) {
    return _mm512_add_epi32(_mm512_add_epi32(v[0], v[1]), _mm512_add_epi32(v[2], v[3]));
}

/* The sums of the look-ups of n_bytes of sixteen rows. */
EC_INLINE __m512i sum_rows(const uint8_t *rows, int64_t stride_bytes, int64_t n_bytes, const ordered *t,
                           const int twice) {
    const __m512i zero = _mm512_setzero_si512(), *tables = t->split, *first = t->first;
    __m512i sums_i32x16[4] = {zero, zero, zero, zero}, firsts_i32x16[4] = {zero, zero, zero, zero};
    int64_t left = t->first_columns;
    for (; n_bytes >= CHUNK_BYTES; n_bytes -= CHUNK_BYTES, rows += CHUNK_BYTES, tables += 16) {
        __m512i columns[8];
        load_half_columns(rows, stride_bytes, 0xffffffff, columns);
        add_columns(8, columns, tables, sums_i32x16);
        if (!twice || left <= 0) continue;
        add_first(left, columns, first, firsts_i32x16);
        left -= 8, first += 16;
    }
    if (n_bytes) {
        __m512i columns[8];
        load_half_columns(rows, stride_bytes, (__mmask32)((1u << n_bytes) - 1), columns);
        for (int64_t c = 0; 4 * c < n_bytes; c++) add_columns(1, columns + c, tables + 2 * c, sums_i32x16);
        if (twice) add_first(left, columns, first, firsts_i32x16);
    }
    __m512i sums = add_all(sums_i32x16);
    if (twice) sums = _mm512_add_epi32(sums, _mm512_slli_epi32(add_all(firsts_i32x16), EC_DOT_U1_TWICE_SHIFT));
    return _mm512_shuffle_i32x4(sums, sums, 0xd8); /* back to the order of the rows */
}

/* What the entries' bias of 128 adds to a row's sum. */
EC_INLINE int32_t bias_of(int64_t n_columns) { return (int32_t)(128 * 8 * n_columns); }

static void dot_u1_rows(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                        int64_t twice, int32_t *scores) {
    ordered t;                      /* most of it is not used where rows are short */
    uint8_t last[16 * PIECE_BYTES]; /* a copy of the last rows, if they are not sixteen */
    t.first_columns = (twice + 3) / 4;
    split_tables(tables, twice / 2, t.first);
    for (int64_t at = 0; at < width; at += PIECE_BYTES, t.first_columns = 0) {
        const int64_t n_bytes = ec_min_i64(width - at, PIECE_BYTES);
        split_tables((const uint8_t *)tables + (twice + at) * 32, ec_quads_u1(n_bytes), t.split);
        const int32_t bias = bias_of((n_bytes + 3) / 4) + bias_of(t.first_columns) * (1 << EC_DOT_U1_TWICE_SHIFT);
        for (int64_t r = 0; r < n_rows; r += 16) {
            const int64_t n = ec_min_i64(n_rows - r, 16);
            const __mmask16 there = (__mmask16)((1u << n) - 1);
            const uint8_t *first = (const uint8_t *)rows + r * stride_bytes + at, *plain = first;
            int64_t plain_stride = stride_bytes;
            const __m512i before_i32x16 = at ? _mm512_maskz_loadu_epi32(there, scores + r) : _mm512_setzero_si512();
            if (n == 16) {
                for (int64_t i = 0; i < 16; i++)
                    for (int64_t line = 0; line < n_bytes; line += 64)
                        _mm_prefetch((const char *)first + i * stride_bytes + line + AHEAD, _MM_HINT_T0);
            } else {
                for (int64_t i = 0; i < 16; i++)
                    memcpy(last + i * n_bytes, first + (i < n ? i : 0) * stride_bytes, (size_t)n_bytes);
                plain = last, plain_stride = n_bytes;
            }
            const __m512i sums_i32x16 = t.first_columns ? sum_rows(plain, plain_stride, n_bytes, &t, 1)
                                                        : sum_rows(plain, plain_stride, n_bytes, &t, 0);
            _mm512_mask_storeu_epi32(
                scores + r, there,
                _mm512_sub_epi32(_mm512_add_epi32(before_i32x16, sums_i32x16), _mm512_set1_epi32(bias)));
        }
    }
}

EC_TARGET_END

EC_SLOTS(dot_u1, avx512) {
    table->dot_u1_pack = dot_u1_pack;
    table->dot_u1_prepare = dot_u1_prepare;
    table->dot_u1_tile = dot_u1_tile;
    table->dot_u1_rows = dot_u1_rows;
    table->dot_u1_wide = 1;
}
#endif
