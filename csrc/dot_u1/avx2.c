/* Dots by tables with AVX2: vpshufb makes 32 look-ups an instruction. The table of a nibble stands in both halves of a
 * register. */
#include "columns.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

/* The 16 x 16 transpose of bytes in either half, in place. A round interleaves vectors i and i + 8, which rotates the
 * eight bits of a byte's address (row, column) by one; four rounds exchange row and column. */
EC_INLINE void transpose_u8x16(__m256i v[16]) {
    for (int round = 0; round < 4; round++) {
        __m256i mixed[16];
        for (int i = 0; i < 8; i++) {
            mixed[2 * i] = _mm256_unpacklo_epi8(v[i], v[i + 8]);
            mixed[2 * i + 1] = _mm256_unpackhi_epi8(v[i], v[i + 8]);
        }
        for (int i = 0; i < 16; i++) v[i] = mixed[i];
    }
}

/* Sixteen bytes of a row, of which `left` are left; the bytes behind them are 0. */
EC_INLINE __m128i load_16(const uint8_t *p, int64_t left) {
    if (EC_LIKELY(left >= 16)) return _mm_loadu_si128((const __m128i *)p);
    uint8_t bytes[16] = {0};
    memcpy(bytes, p, (size_t)left);
    return _mm_loadu_si128((const __m128i *)bytes);
}

static void load_columns(const uint8_t *rows, int64_t stride_bytes, int64_t r, int64_t n_rows, int64_t width,
                         int64_t at, int64_t count, uint8_t *columns) {
    for (int64_t i = at; i < at + count; i += 16) {
        __m256i v[16];
        for (int k = 0; k < 16; k++) {
            const uint8_t *low = rows + (r + k < n_rows ? r + k : r) * stride_bytes + i;
            const uint8_t *high = rows + (r + 16 + k < n_rows ? r + 16 + k : r) * stride_bytes + i;
            v[k] =
                _mm256_inserti128_si256(_mm256_castsi128_si256(load_16(low, width - i)), load_16(high, width - i), 1);
        }
        transpose_u8x16(v);
        for (int k = 0; k < 16 && i + k < at + count; k++)
            _mm256_storeu_si256((__m256i *)(columns + (i - at + k) * EC_COLUMN), v[k]);
    }
}

EC_INLINE __m256i load_table(const uint8_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

/* Sums of the look-ups of 32 rows. Those of two neighbouring rows are added as one 16-bit number, low + 256 * high, and
 * those of `high` once more by themselves, from which both follow. */
typedef struct {
    __m256i both_u16x16, odd_u16x16;
} sums_of_32;

EC_INLINE sums_of_32 add_look_ups(sums_of_32 sums, const uint8_t *table, __m256i high_nibbles, __m256i low_nibbles) {
    __m256i a = _mm256_shuffle_epi8(load_table(table), high_nibbles);
    __m256i b = _mm256_shuffle_epi8(load_table(table + 16), low_nibbles);
    sums.both_u16x16 = _mm256_add_epi16(sums.both_u16x16, _mm256_add_epi16(a, b));
    sums.odd_u16x16 =
        _mm256_add_epi16(sums.odd_u16x16, _mm256_add_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)));
    return sums;
}

/* Adds to totals[r] the sums of `count` columns, less the bias of their look-ups. */
EC_INLINE void add_sums(int32_t totals[EC_COLUMN], sums_of_32 sums, int64_t count) {
    uint16_t even[16], odd[16];
    _mm256_storeu_si256((__m256i *)even, _mm256_sub_epi16(sums.both_u16x16, _mm256_slli_epi16(sums.odd_u16x16, 8)));
    _mm256_storeu_si256((__m256i *)odd, sums.odd_u16x16);
    for (int r = 0; r < 16; r++) {
        totals[2 * r] += even[r] - (int32_t)(256 * count);
        totals[2 * r + 1] += odd[r] - (int32_t)(256 * count);
    }
}

EC_INLINE void add_some(int n_queries, const uint8_t *tables, int64_t query_bytes, const uint8_t *columns,
                        int64_t count, int32_t totals[2][EC_COLUMN]) {
    const __m256i nibble = _mm256_set1_epi8(15);
    const sums_of_32 zero = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    sums_of_32 sums = zero, other_sums = zero;
    for (int64_t i = 0; i < count; i++) {
        __m256i bytes_u8x32 = _mm256_loadu_si256((const __m256i *)(columns + EC_COLUMN * i));
        __m256i high_nibbles = _mm256_and_si256(_mm256_srli_epi16(bytes_u8x32, 4), nibble);
        __m256i low_nibbles = _mm256_and_si256(bytes_u8x32, nibble);
        sums = add_look_ups(sums, tables + 32 * i, high_nibbles, low_nibbles);
        if (n_queries > 1)
            other_sums = add_look_ups(other_sums, tables + query_bytes + 32 * i, high_nibbles, low_nibbles);
    }
    add_sums(totals[0], sums, count);
    if (n_queries > 1) add_sums(totals[1], other_sums, count);
}

static void add_piece(int n_queries, const uint8_t *tables, int64_t query_bytes, const uint8_t *columns, int64_t count,
                      int32_t totals[2][EC_COLUMN]) {
    if (n_queries == 1)
        add_some(1, tables, query_bytes, columns, count, totals);
    else
        add_some(2, tables, query_bytes, columns, count, totals);
}

static void dot_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    ec_pack_columns(rows, stride_bytes, n_rows, width, panel, load_columns);
}

static void dot_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near) {
    ec_tile_columns(prepared, n_queries, panel, n_rows, width, scores, scores_stride, add_piece);
    ec_find_near(scores, scores_stride, n_queries, n_rows, limits, 1, near);
}

static void dot_u1_rows(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                        int32_t *scores) {
    ec_rows_columns(tables, rows, stride_bytes, n_rows, width, scores, load_columns, add_piece);
}

EC_TARGET_END

EC_SLOTS(dot_u1, avx2) {
    table->dot_u1_pack = dot_u1_pack;
    table->dot_u1_tile = dot_u1_tile;
    table->dot_u1_rows = dot_u1_rows;
}
#endif
