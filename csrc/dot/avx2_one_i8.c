/* One int8 query against plain rows with AVX2, four rows at a time, one of each quarter of the block: four streams of
 * reading, which the processor foresees better than any prefetch of ours. To widen codes to int16 is an instruction across
 * lanes, of which some processors begin only one a cycle. So codes are not widened: in words of two codes each, shifts and masks
 * leave one code a word, and the query has its codes in the same order:
 *
 *     row       b0 b1 | b2 b3 | ...
 *     even      b0 << 8 | b2 << 8 | ...         times q0, q2, ... (vpmaddwd)
 *     odd       b1 << 8 | b3 << 8 | ...         times q1, q3, ...
 *
 * Words are 256 times the codes, and so are sums, modulo 2^32. In a piece of PIECE codes each of the eight lanes adds up
 * 512 products of -127 * 128 .. 128 * 128; begun at -256, it is 256 times a number of -2^23 .. 2^23 - 1, which one shift
 * brings out. Rows of uint8 codes are met as 0 .. 255, which need no factor, and their dots are corrected at the end. */
#include "avx2_verbs.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    ROWS_AT_ONCE = 4,
    STEP = 32,    /* codes of a row that are met at once */
    PIECE = 4096, /* codes of a row that are met by one call; see above */
};

/* What is counted of four rows: their dots with a query and, where asked for, sums of their codes and of the squares. */
typedef struct {
    __m256i dots[ROWS_AT_ONCE], sums[ROWS_AT_ONCE], squares[ROWS_AT_ONCE];
} counts;

/* What a row is counted for beside its dot; as `flips`, whether its codes are uint8, a constant where rows are met. */
enum { NOTHING, SQUARES, SQUARES_AND_SUMS };

/* A query's codes, of up to a piece, of each step the even ones before the odd ones. The last step ends with the row, and
 * codes that were met before are 0, as are those behind a row of less than a step. */
typedef struct {
    int16_t codes[PIECE];
    __m256i last_u8x32; /* ones for the codes that the last step is the first to meet, where it is not a whole one */
} split_query;

/* The even codes of 32, as words, and the odd ones. */
EC_INLINE __m256i even_codes(__m256i codes_i8x32) { return _mm256_srai_epi16(_mm256_slli_epi16(codes_i8x32, 8), 8); }

EC_INLINE __m256i odd_codes(__m256i codes_i8x32) { return _mm256_srai_epi16(codes_i8x32, 8); }

EC_INLINE void split_step(const uint8_t *codes, int16_t *to) {
    const __m256i codes_i8x32 = ec_load_32(codes);
    _mm256_storeu_si256((__m256i *)(void *)to, even_codes(codes_i8x32));
    _mm256_storeu_si256((__m256i *)(void *)(to + STEP / 2), odd_codes(codes_i8x32));
}

static void split(const uint8_t *query, int64_t n, split_query *to) {
    const int64_t whole = n / STEP * STEP, left = n - whole, at = whole ? STEP - left : 0;
    uint8_t last[STEP] = {0}, mask[STEP] = {0};
    for (int64_t d = 0; d < whole; d += STEP) split_step(query + d, to->codes + d);
    if (left == 0) return;
    memcpy(last + at, query + whole, (size_t)left);
    memset(mask + at, 0xff, (size_t)left);
    split_step(last, to->codes + whole);
    to->last_u8x32 = ec_load_32(mask);
}

/* Meets 32 codes of row i. */
EC_INLINE void meet_codes(const int more, const int flips, __m256i codes_u8x32, __m256i even_query_i16x16,
                          __m256i odd_query_i16x16, int i, counts *to) {
    const __m256i high_u16x16 = _mm256_set1_epi16((short)0xff00);
    __m256i even_i16x16, odd_i16x16;
    if (more) {
        even_i16x16 = even_codes(codes_u8x32);
        odd_i16x16 = odd_codes(codes_u8x32);
        add_products_i16x16(&to->squares[i], even_i16x16, even_i16x16);
        add_products_i16x16(&to->squares[i], odd_i16x16, odd_i16x16);
    } else if (flips) {
        even_i16x16 = _mm256_andnot_si256(high_u16x16, codes_u8x32);
        odd_i16x16 = _mm256_srli_epi16(codes_u8x32, 8);
    } else {
        even_i16x16 = _mm256_slli_epi16(codes_u8x32, 8);
        odd_i16x16 = _mm256_and_si256(codes_u8x32, high_u16x16);
    }
    if (more == SQUARES_AND_SUMS)
        add_products_i16x16(&to->sums[i], _mm256_add_epi16(even_i16x16, odd_i16x16), _mm256_set1_epi16(1));
    add_products_i16x16(&to->dots[i], even_i16x16, even_query_i16x16);
    add_products_i16x16(&to->dots[i], odd_i16x16, odd_query_i16x16);
}

/* Counts n <= PIECE codes of four rows. */
EC_INLINE counts meet_rows(const int more, const int flips, const uint8_t *const row[ROWS_AT_ONCE],
                           const split_query *query, int64_t n) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)(more && flips ? 0x80 : 0));
    const int shifted = !more && !flips;
    const int64_t whole = n / STEP * STEP;
    counts to;
#pragma GCC unroll 4
    for (int i = 0; i < ROWS_AT_ONCE; i++) {
        to.dots[i] = _mm256_set1_epi32(shifted ? -256 : 0);
        to.sums[i] = to.squares[i] = _mm256_setzero_si256();
    }
#pragma GCC unroll 2
    for (int64_t d = 0; d < whole; d += STEP) {
        const __m256i even_i16x16 = _mm256_loadu_si256((const __m256i *)(const void *)(query->codes + d));
        const __m256i odd_i16x16 = _mm256_loadu_si256((const __m256i *)(const void *)(query->codes + d + STEP / 2));
#pragma GCC unroll 4
        for (int i = 0; i < ROWS_AT_ONCE; i++) {
            const __m256i codes_u8x32 = load_once_32(row[i] + d);
            meet_codes(more, flips, more && flips ? _mm256_xor_si256(codes_u8x32, flip_u8x32) : codes_u8x32,
                       even_i16x16, odd_i16x16, i, &to);
        }
    }
    if (whole < n) {
        const __m256i even_i16x16 = _mm256_loadu_si256((const __m256i *)(const void *)(query->codes + whole));
        const __m256i odd_i16x16 = _mm256_loadu_si256((const __m256i *)(const void *)(query->codes + whole + STEP / 2));
        for (int i = 0; i < ROWS_AT_ONCE; i++) {
            const __m256i codes_u8x32 = whole ? ec_load_32(row[i] + n - STEP) : ec_load_up_to_32(row[i], n);
            meet_codes(more, flips, _mm256_and_si256(query->last_u8x32, _mm256_xor_si256(codes_u8x32, flip_u8x32)),
                       even_i16x16, odd_i16x16, i, &to);
        }
    }
    for (int i = 0; shifted && i < ROWS_AT_ONCE; i++)
        to.dots[i] = _mm256_sub_epi32(_mm256_srai_epi32(to.dots[i], 8), _mm256_set1_epi32(-1));
    return to;
}

/* Adds what four lanes have of rows r, r + step and so on, of those that there are, and `correction` to what is there or,
 * if `first`, writes it. */
EC_INLINE void put(const __m256i of_row[ROWS_AT_ONCE], int64_t r, int64_t step, int64_t n_rows, int first,
                   int32_t correction, int32_t *to) {
    int32_t lanes[ROWS_AT_ONCE];
    const __m128i sums_i32x4 = sum_lanes_i32x4(of_row[0], of_row[1], of_row[2], of_row[3]);
    _mm_storeu_si128((__m128i *)(void *)lanes, _mm_add_epi32(sums_i32x4, _mm_set1_epi32(correction)));
    for (int i = 0; i < ROWS_AT_ONCE && r < n_rows; i++, r += step) to[r] = first ? lanes[i] : to[r] + lanes[i];
}

/* What rows are met with, and where what is counted goes: sums and squares, unless NULL. */
typedef struct {
    const uint8_t *rows;
    int64_t stride_bytes, n_rows, dimension;
    int32_t *scores, *sums, *squares;
} meeting;

/* Meets n_codes <= PIECE codes, from code `at` on, of all rows. */
EC_INLINE void meet_piece(const int more, const int flips, const meeting *m, const uint8_t *query, int64_t at,
                          int64_t n_codes) {
    const int64_t quarter = (m->n_rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    int32_t correction = 0;
    split_query codes;
    split(query + at, n_codes, &codes);
    for (int64_t d = at; !more && flips && d < at + n_codes; d++) correction -= 128 * (int8_t)query[d];
    for (int64_t r = 0; r < quarter; r++) {
        const uint8_t *row[ROWS_AT_ONCE];
        for (int64_t i = 0; i < ROWS_AT_ONCE; i++) /* behind the last row the last one is repeated */
            row[i] = m->rows + ec_min_i64(r + i * quarter, m->n_rows - 1) * m->stride_bytes + at;
        const counts some = meet_rows(more, flips, row, &codes, n_codes);
        put(some.dots, r, quarter, m->n_rows, at == 0, correction, m->scores);
        if (more && m->squares) put(some.squares, r, quarter, m->n_rows, at == 0, 0, m->squares);
        if (more == SQUARES_AND_SUMS) put(some.sums, r, quarter, m->n_rows, at == 0, 0, m->sums);
    }
}

typedef void piece_function(const meeting *m, const uint8_t *query, int64_t at, int64_t n_codes);

#define PIECE_OF(name, more, flips)                                                                     \
    static EC_NOINLINE void name(const meeting *m, const uint8_t *query, int64_t at, int64_t n_codes) { \
        meet_piece(more, flips, m, query, at, n_codes);                                                 \
    }
PIECE_OF(dots, NOTHING, 0)
PIECE_OF(dots_flipped, NOTHING, 1)
PIECE_OF(squares, SQUARES, 0)
PIECE_OF(squares_flipped, SQUARES, 1)
PIECE_OF(sums, SQUARES_AND_SUMS, 0)
PIECE_OF(sums_flipped, SQUARES_AND_SUMS, 1)

void ec_meet_one_i8_avx2(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         uint8_t flip, int32_t *scores, int32_t *sums_of, int32_t *squares_of) {
    static piece_function *const functions[2][3] = {{dots, squares, sums},
                                                    {dots_flipped, squares_flipped, sums_flipped}};
    const meeting m = {rows, stride_bytes, n_rows, dimension, scores, sums_of, squares_of};
    piece_function *const meet = functions[flip != 0][sums_of ? SQUARES_AND_SUMS : squares_of ? SQUARES : NOTHING];
    for (int64_t at = 0; at < dimension; at += PIECE) meet(&m, query, at, ec_min_i64(dimension - at, PIECE));
}

static void dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        uint8_t flip, int32_t *scores) {
    ec_meet_one_i8_avx2(query, rows, stride_bytes, n_rows, dimension, flip, scores, NULL, NULL);
}

EC_SLOTS(dot_one_i8, avx2) { table->dot_i8_rows = dot_i8_rows; }

EC_TARGET_END
#endif
