#include "avx2_words.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    SIDE = EC_WORDS_SIDE, /* by 32 rows: 8 sums, 2 vectors of places and 2 of signs, a table, a look-up: 14 registers */
    STEPS = 2 * (EC_WORDS_PIECE / 2), /* of a piece: of the high nibbles of a pair of bytes, and of the low ones */
    MOST = 48, /* queries that meet the places and signs of 32 rows, half of the first-level cache, before the next */
    GROUP = EC_NEAR_ROWS,
    UNITS = GROUP / EC_NIBBLE_ROWS,
    VECTORS = 2 * UNITS /* of sums of a group */
};

/* Places and signs of a piece of 32 rows, and minus the biases of all look-ups and of those of bytes met twice. The
 * first vector of each two is of rows 0 .. 7 and 16 .. 23. */
typedef struct {
    __m256i less[2], less_twice[2];
    __m256i steps[4 * STEPS]; /* two vectors of places, then two of signs */
} places;

typedef struct {
    __m256i of[VECTORS]; /* 16 bits a row of a group */
} sums_of_group;

/* ---- tables ---- */

void ec_prepare_words_avx2(const void *tables, int64_t n_queries, int64_t width, int64_t twice, void *prepared) {
    const int64_t pairs = ec_quads_u1(twice + width);
    for (int64_t q = 0; q < n_queries; q += SIDE) {
        const int64_t n = ec_min_i64(n_queries - q, SIDE);
        uint8_t *out = (uint8_t *)prepared + q * pairs * 64;
        out[n * pairs * 64 - 1] = 0;
        for (int64_t p = 0; p < pairs; p++)
            for (int nibble = 0; nibble < 2; nibble++)
                for (int64_t i = 0; i < n; i++, out += 16) { /* of either byte the entries that begin with plus */
                    const uint8_t *from = (const uint8_t *)tables + ((q + i) * pairs + p) * 64 + 16 * nibble + 8;
                    memcpy(out, from, 8);
                    memcpy(out + 8, from + 32, 8);
                }
    }
}

/* ---- rows ---- */

/* Writes places and signs of nibbles of a pair of bytes, of 32 rows, and returns the sums of the signs of both. */
EC_INLINE void write_step(const __m256i nibbles_u8x32[2], __m256i step[4]) {
    const __m256i places_u8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i signs_i8x32 =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1));
    const __m256i second = _mm256_set1_epi16(8 << 8); /* the second byte's entries lie behind those of the first */
#pragma GCC unroll 2
    for (int v = 0; v < 2; v++) { /* of nibbles whose first bit is clear the entry is minus that of the inverted one */
        step[v] = _mm256_or_si256(_mm256_shuffle_epi8(places_u8x32, nibbles_u8x32[v]), second);
        step[2 + v] = _mm256_shuffle_epi8(signs_i8x32, nibbles_u8x32[v]);
    }
}

/* The same of both nibbles of the bytes `first` and, in a panel, `second` of 32 rows; adds up their signs. */
EC_INLINE void write_pair(const __m256i *first, const __m256i *second, __m256i *steps, __m256i sums_i16x16[2]) {
    for (int nibble = 0; nibble < 2; nibble++) {
        const __m256i one = _mm256_load_si256(first + nibble), other = _mm256_load_si256(second + nibble);
        const __m256i both_u8x32[2] = {_mm256_unpacklo_epi8(one, other), _mm256_unpackhi_epi8(one, other)};
        write_step(both_u8x32, steps + 4 * nibble);
    }
#pragma GCC unroll 2
    for (int v = 0; v < 2; v++) {
        const __m256i signs_i8x32 = _mm256_add_epi8(steps[2 + v], steps[6 + v]);
        sums_i16x16[v] = _mm256_add_epi16(sums_i16x16[v], _mm256_maddubs_epi16(_mm256_set1_epi8(1), signs_i8x32));
    }
}

/* Takes the signs of the second byte of a pair away: it is not there. */
static void leave_out_second(__m256i steps[8], __m256i sums_i16x16[2]) {
    for (int v = 0; v < 2; v++) {
        const __m256i signs_i8x32 = _mm256_add_epi8(steps[2 + v], steps[6 + v]);
        sums_i16x16[v] = _mm256_sub_epi16(sums_i16x16[v], _mm256_srai_epi16(signs_i8x32, 8));
        for (int i = 2; i < 8; i += 4) steps[i + v] = _mm256_and_si256(steps[i + v], _mm256_set1_epi16(0xff));
    }
}

/* Minus 128 times the sums. */
EC_INLINE void take_biases(const __m256i sums_i16x16[2], __m256i less[2]) {
    for (int v = 0; v < 2; v++)
        less[v] = _mm256_slli_epi16(_mm256_sub_epi16(_mm256_setzero_si256(), sums_i16x16[v]), 7);
}

/* Makes the places and signs of `count` bytes of 32 rows in a panel of nibbles, of which `twice` are met twice. */
static void find_places(const uint8_t *panel, int64_t count, int64_t twice, places *out) {
    const __m256i *at = (const __m256i *)(const void *)panel;
    __m256i sums_i16x16[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, *steps = out->steps;
    int64_t i = 0;
    for (; i < twice; i += 2, at += 4, steps += 8) write_pair(at, at + 2, steps, sums_i16x16);
    take_biases(sums_i16x16, out->less_twice);
    for (; i + 2 <= count; i += 2, at += 4, steps += 8) write_pair(at, at + 2, steps, sums_i16x16);
    if (i < count) {
        write_pair(at, at, steps, sums_i16x16);
        leave_out_second(steps, sums_i16x16);
    }
    take_biases(sums_i16x16, out->less);
}

/* ---- sums ---- */

/* Adds to *sums the products of look-ups and signs. With the intrinsic GCC orders additions so that registers run
 * out. */
EC_INLINE void add_look_ups(__m256i *sums, __m256i table, __m256i places_u8x32, __m256i signs_i8x32) {
    const __m256i products_i16x16 = _mm256_maddubs_epi16(_mm256_shuffle_epi8(table, places_u8x32), signs_i8x32);
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpaddw %1, %0, %0" : "+x"(*sums) : "x"(products_i16x16));
#else
    *sums = _mm256_add_epi16(*sums, products_i16x16);
#endif
}

/* Sets the sums of 32 rows, of[at] and of[at + 1] of each query, to `less` and the look-ups of n_steps steps. */
EC_INLINE void add_steps(const int n_queries, const uint8_t *tables, const __m256i *step, int64_t n_steps,
                         const __m256i less[2], int at, sums_of_group *sums) {
    __m256i low[SIDE] = {less[0], less[0], less[0], less[0]}, high[SIDE] = {less[1], less[1], less[1], less[1]};
    for (int64_t i = 0; i < n_steps; i++, step += 4, tables += 16 * n_queries) {
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++) {
            const __m256i table =
                _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(const void *)(tables + 16 * q)));
            add_look_ups(&low[q], table, step[0], step[2]);
            add_look_ups(&high[q], table, step[1], step[3]);
        }
    }
#pragma GCC unroll 4
    for (int q = 0; q < n_queries; q++) {
        sums[q].of[at] = low[q];
        sums[q].of[at + 1] = high[q];
    }
}

static EC_NOINLINE void add_some(int64_t n_queries, const uint8_t *tables, const __m256i *step, int64_t n_steps,
                                 const __m256i less[2], int at, sums_of_group *sums) {
    switch (n_queries) {
    case 1: add_steps(1, tables, step, n_steps, less, at, sums); break;
    case 2: add_steps(2, tables, step, n_steps, less, at, sums); break;
    case 3: add_steps(3, tables, step, n_steps, less, at, sums); break;
    default: add_steps(4, tables, step, n_steps, less, at, sums);
    }
}

/* Adds to the totals of a group, or sets them if `first`, the sums and, of bytes that are met twice, the coarse ones
 * times what these count. */
static void add_totals(const sums_of_group *sums, const sums_of_group *coarse, int first, int32_t *totals) {
    const __m256i weights = _mm256_set1_epi32(1 | (coarse ? 1 << (16 + EC_DOT_U1_TWICE_SHIFT) : 0));
    for (int v = 0; v < VECTORS; v++) {
        const __m256i fine = sums->of[v], other = coarse ? coarse->of[v] : fine;
        const __m256i some = _mm256_madd_epi16(_mm256_unpacklo_epi16(fine, other), weights);
        const __m256i others = _mm256_madd_epi16(_mm256_unpackhi_epi16(fine, other), weights);
        const __m256i in_order[2] = {_mm256_permute2x128_si256(some, others, 0x20),
                                     _mm256_permute2x128_si256(some, others, 0x31)};
        for (int i = 0; i < 2; i++) {
            __m256i *to = (__m256i *)(void *)(totals + v / 2 * EC_NIBBLE_ROWS + v % 2 * 8 + 16 * i);
            _mm256_storeu_si256(to, first ? in_order[i] : _mm256_add_epi32(in_order[i], _mm256_loadu_si256(to)));
        }
    }
}

/* The same before the totals are made, of sums that are all of them. */
EC_INLINE int any_sum_above(const sums_of_group *sums, int32_t limit) {
    __m256i most_i16x16 = sums->of[0];
#pragma GCC unroll 4
    for (int v = 1; v < VECTORS; v++) most_i16x16 = _mm256_max_epi16(most_i16x16, sums->of[v]);
    if (limit < INT16_MIN) return 1;
    const __m256i limit_i16x16 = _mm256_set1_epi16((int16_t)ec_min_i64(limit, INT16_MAX));
    return _mm256_movemask_epi8(_mm256_cmpgt_epi16(most_i16x16, limit_i16x16)) != 0;
}

/* Like the slot, of up to MOST queries and a group of rows, whose bit in `near` is `bit`. */
static void meet_group(const uint8_t *prepared, int64_t n_queries, const uint8_t *panel, int64_t n_rows, int64_t width,
                       int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                       uint8_t bit, ec_ahead *soon) {
    const int64_t query_bytes = 64 * ec_quads_u1(twice + width), half_bytes = width * EC_NIBBLE_BYTES;
    const int one_piece = width <= EC_WORDS_PIECE;
    places some_places;
    sums_of_group sums[MOST], coarse[MOST];
    int32_t totals[MOST][GROUP];
    for (int64_t at = 0; at < width; at += EC_WORDS_PIECE) {
        const int64_t count = ec_min_i64(width - at, EC_WORDS_PIECE), again = at == 0 ? twice : 0;
        for (int u = 0; u < UNITS; u++) {
            find_places(panel + u * half_bytes + at * EC_NIBBLE_BYTES, count, again, &some_places);
            for (int64_t q = 0; q < n_queries; q += SIDE) {
                if (at == 0) ec_ahead_step(soon);
                const int64_t n = ec_min_i64(n_queries - q, SIDE);
                const uint8_t *tables = prepared + q * query_bytes;
                if (again) add_some(n, tables, some_places.steps, again, some_places.less_twice, 2 * u, &coarse[q]);
                add_some(n, tables + 16 * n * (twice + at), some_places.steps, 2 * ec_quads_u1(count), some_places.less,
                         2 * u, &sums[q]);
            }
        }
        for (int64_t q = 0; !one_piece && q < n_queries; q++)
            add_totals(&sums[q], again ? &coarse[q] : NULL, at == 0, totals[q]);
    }
    for (int64_t q = 0; q < n_queries; q++) {
        if (one_piece && !twice && EC_LIKELY(!any_sum_above(&sums[q], limits[q]))) continue;
        if (one_piece) add_totals(&sums[q], twice ? &coarse[q] : NULL, 1, totals[q]);
        if (EC_LIKELY(!ec_any_above_avx2(totals[q], limits[q]))) continue;
        near[q] |= bit;
        memcpy(scores + q * scores_stride, totals[q], (size_t)n_rows * sizeof *scores);
    }
}

void ec_tile_words_avx2(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes) {
    const int64_t query_bytes = 64 * ec_quads_u1(twice + width);
    const int64_t n_groups = (n_rows + GROUP - 1) / GROUP;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, n_groups * UNITS * ((n_queries + SIDE - 1) / SIDE));
    memset(near, 0, (size_t)n_queries);
    for (int64_t r = 0; r < n_rows; r += GROUP)
        for (int64_t q = 0; q < n_queries; q += MOST)
            meet_group((const uint8_t *)prepared + q * query_bytes, ec_min_i64(n_queries - q, MOST),
                       (const uint8_t *)panel + r * 2 * width, ec_min_i64(n_rows - r, GROUP), width, twice, limits + q,
                       scores + q * scores_stride + r, scores_stride, near + q, (uint8_t)(1 << r / GROUP), &soon);
}

EC_TARGET_END
#endif
