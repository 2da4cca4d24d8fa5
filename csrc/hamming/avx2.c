/* Differing bits with AVX2: many queries meet many rows as planes of bits (planes.h). Others meet them by look-ups, two
 * queries at a time, in panels of nibbles (avx2_nibbles.h), where a lane is a row.
 *
 * A nibble of each of the queries chooses a table: in how many bits the first differs from each of the sixteen nibbles
 * that a row can have, and above these four bits the same of the second. One vpshufb then compares four bits of 32 rows
 * with both queries. Three such look-ups add up to at most 12 of either, which four bits hold:
 *
 *     look-ups    b a + b a + b a = B A
 *     sums        += B A                    modulo 256
 *     uppers      += B A >> 4, which is B in bytes of odd rows, and in those of even rows B + 16 A of the row behind
 *
 * The low bytes of two counts and a multiple of one of them tell the other: split() finds all from sums and uppers. */
#include "avx2_nibbles.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

#define ONES(n) (((n) & 1) + ((n) >> 1 & 1) + ((n) >> 2 & 1) + ((n) >> 3 & 1))
#define ENTRY(p, n) ONES((p) >> 4 ^ (n)) + 16 * ONES(((p) & 15) ^ (n))
#define FOUR(p, n) ENTRY(p, n), ENTRY(p, (n) + 1), ENTRY(p, (n) + 2), ENTRY(p, (n) + 3)
#define TABLE(p) {FOUR(p, 0), FOUR(p, 4), FOUR(p, 8), FOUR(p, 12)}
#define TABLES_4(p) TABLE(p), TABLE((p) + 1), TABLE((p) + 2), TABLE((p) + 3)
#define TABLES_16(p) TABLES_4(p), TABLES_4((p) + 4), TABLES_4((p) + 8), TABLES_4((p) + 12)
#define TABLES_64(p) TABLES_16(p), TABLES_16((p) + 16), TABLES_16((p) + 32), TABLES_16((p) + 48)

/* The tables of every pair of nibbles, the first query's above the second's. */
static const uint8_t TABLES[256][16] = {TABLES_64(0), TABLES_64(64), TABLES_64(128), TABLES_64(192)};

enum {
    TILE_PAIRS = 2,     /* by 64 rows: 8 sums, 2 look-ups, 1 table, 1 more */
    BYTES_PER_SUM = 30, /* of a row, whose bits a count of 8 bits takes; and a byte more where it is the last */
    PIECE = 273 * BYTES_PER_SUM, /* the most bytes of a row whose bits a count of 16 bits takes */
    MOST_ASKED = 32 * 64         /* bytes that are asked for at once: a processor forgets lines beyond some tens */
};

EC_INLINE int64_t sums_of(int64_t count) { return (count + BYTES_PER_SUM - 1) / BYTES_PER_SUM; }

/* Counts of 64 rows for one query in 16 bits: of the even rows below 32, the odd ones, and the same from row 32 on. */
typedef struct {
    __m256i v_u16x16[4];
} totals;

/* Prepared queries are pairs of nibbles, each a byte: the upper ones of the first bytes of both queries, the lower ones,
 * those of the second bytes. The last of an odd number is a pair with itself, in half the room: plain bytes. */
static void pair_queries(const uint8_t *first, const uint8_t *second, int64_t width, uint8_t *pairs) {
    for (int64_t i = 0; i < width; i++) {
        pairs[2 * i] = (uint8_t)((first[i] & 0xf0) | second[i] >> 4);
        pairs[2 * i + 1] = (uint8_t)(first[i] << 4 | (second[i] & 15));
    }
}

static void hamming_u1_prepare(const void *queries, int64_t n_queries, int64_t width, void *prepared) {
    const int64_t query_bytes = 8 * ec_words_u1(width);
    for (int64_t q = 0; q < n_queries; q += 2) {
        const uint8_t *query = (const uint8_t *)queries + q * width;
        uint8_t *out = (uint8_t *)prepared + q * query_bytes;
        if (q + 1 < n_queries)
            pair_queries(query, query + width, width, out);
        else
            memcpy(out, query, (size_t)width);
    }
}

/* Adds to each lane of *counts. With the intrinsics GCC adds look-ups to one another first and has no registers left for
 * all counts. */
EC_INLINE void add_u8x32(__m256i *counts, __m256i ones) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("vpaddb %1, %0, %0" : "+x"(*counts) : "x"(ones));
#else
    *counts = _mm256_add_epi8(*counts, ones);
#endif
}

/* What the bytes of 64 rows have added up to for a pair of queries. */
typedef struct {
    __m256i low_sums_u8x32, low_uppers_u8x32, high_sums_u8x32, high_uppers_u8x32;
} pair_counts;

/* Adds n <= 3 nibbles of 64 rows. */
EC_INLINE void add_nibbles(pair_counts *to, const int n, const uint8_t *pairs, const uint8_t *panel,
                           int64_t group_bytes) {
    __m256i low_u8x32 = _mm256_setzero_si256(), high_u8x32 = low_u8x32;
#pragma GCC unroll 3
    for (int i = 0; i < n; i++) {
        const uint8_t *at = panel + i * EC_NIBBLE_ROWS;
        const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)TABLES[pairs[i]]));
        const __m256i first_u8x32 = _mm256_shuffle_epi8(table, _mm256_load_si256((const __m256i *)at));
        const __m256i second_u8x32 = _mm256_shuffle_epi8(table, _mm256_load_si256((const __m256i *)(at + group_bytes)));
        low_u8x32 = i ? _mm256_add_epi8(low_u8x32, first_u8x32) : first_u8x32;
        high_u8x32 = i ? _mm256_add_epi8(high_u8x32, second_u8x32) : second_u8x32;
    }
    add_u8x32(&to->low_sums_u8x32, low_u8x32);
    add_u8x32(&to->high_sums_u8x32, high_u8x32);
    add_u8x32(&to->low_uppers_u8x32, _mm256_srli_epi16(low_u8x32, 4));
    add_u8x32(&to->high_uppers_u8x32, _mm256_srli_epi16(high_u8x32, 4));
}

/* The counts of 32 rows for both queries of a pair, in 16 bits: of even rows in v[0], of odd ones in v[1]. */
EC_INLINE void split(__m256i sums_u8x32, __m256i uppers_u8x32, __m256i *first_u16x16, __m256i *second_u16x16) {
    const __m256i byte_u16x16 = _mm256_set1_epi16(255);
    second_u16x16[1] = _mm256_srli_epi16(uppers_u8x32, 8);
    first_u16x16[1] = _mm256_srli_epi16(_mm256_sub_epi16(sums_u8x32, _mm256_slli_epi16(second_u16x16[1], 12)), 8);
    second_u16x16[0] =
        _mm256_and_si256(_mm256_sub_epi16(uppers_u8x32, _mm256_slli_epi16(first_u16x16[1], 4)), byte_u16x16);
    first_u16x16[0] =
        _mm256_and_si256(_mm256_sub_epi16(sums_u8x32, _mm256_slli_epi16(second_u16x16[0], 4)), byte_u16x16);
}

EC_INLINE void add_counts(const pair_counts *from, const int first, totals *a, totals *b) {
    __m256i of_a[4], of_b[4];
    split(from->low_sums_u8x32, from->low_uppers_u8x32, of_a, of_b);
    split(from->high_sums_u8x32, from->high_uppers_u8x32, of_a + 2, of_b + 2);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a->v_u16x16[i] = first ? of_a[i] : _mm256_add_epi16(a->v_u16x16[i], of_a[i]);
        b->v_u16x16[i] = first ? of_b[i] : _mm256_add_epi16(b->v_u16x16[i], of_b[i]);
    }
}

/* Not inlined: the loops around would be left with fewer registers. */
static EC_NOINLINE void ask_ahead(ec_ahead *soon) { ec_ahead_step(soon); }

/* Counts `count` <= PIECE bytes of 64 rows for n_pairs <= TILE_PAIRS pairs of queries, three bytes a step. Where `soon`
 * is not NULL it asks for the next rows with every sum. */
EC_INLINE void count_64(const int n_pairs, const uint8_t *pairs, int64_t pair_bytes, const uint8_t *panel,
                        int64_t group_bytes, int64_t count, ec_ahead *soon, totals *to) {
    const int64_t n_sums = sums_of(count), n_steps = count / 3;
    const pair_counts none = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                              _mm256_setzero_si256()};
    for (int64_t s = 0; s < n_sums; s++) {
        const uint8_t *end = pairs + 6 * (n_steps / n_sums + (s < n_steps % n_sums));
        pair_counts counts[TILE_PAIRS];
        if (soon) ask_ahead(soon);
#pragma GCC unroll 2
        for (int p = 0; p < n_pairs; p++) counts[p] = none;
        for (; pairs < end; pairs += 6, panel += 6 * EC_NIBBLE_ROWS)
#pragma GCC unroll 2
            for (int half = 0; half < 6; half += 3)
#pragma GCC unroll 2
                for (int p = 0; p < n_pairs; p++)
                    add_nibbles(&counts[p], 3, pairs + p * pair_bytes + half, panel + half * EC_NIBBLE_ROWS,
                                group_bytes);
        for (int64_t rest = s == n_sums - 1 ? count % 3 : 0; rest > 0; rest--, pairs += 2, panel += EC_NIBBLE_BYTES)
#pragma GCC unroll 2
            for (int p = 0; p < n_pairs; p++) add_nibbles(&counts[p], 2, pairs + p * pair_bytes, panel, group_bytes);
#pragma GCC unroll 2
        for (int p = 0; p < n_pairs; p++) add_counts(&counts[p], s == 0, &to[2 * p], &to[2 * p + 1]);
    }
}

static EC_NOINLINE void count_64_of_2(const uint8_t *pairs, int64_t pair_bytes, const uint8_t *panel,
                                      int64_t group_bytes, int64_t count, ec_ahead *soon, totals *to) {
    count_64(1, pairs, pair_bytes, panel, group_bytes, count, soon, to);
}

static EC_NOINLINE void count_64_of_4(const uint8_t *pairs, int64_t pair_bytes, const uint8_t *panel,
                                      int64_t group_bytes, int64_t count, ec_ahead *soon, totals *to) {
    count_64(2, pairs, pair_bytes, panel, group_bytes, count, soon, to);
}

/* Whether one of 64 counts is below the limit. */
EC_INLINE int any_below(const totals *counts, int32_t limit) {
    const __m256i least_u16x16 = _mm256_min_epu16(_mm256_min_epu16(counts->v_u16x16[0], counts->v_u16x16[1]),
                                                  _mm256_min_epu16(counts->v_u16x16[2], counts->v_u16x16[3]));
    if (limit > UINT16_MAX) return 1;
    if (limit <= 0) return 0;
    const __m256i missing_u16x16 = _mm256_subs_epu16(_mm256_set1_epi16((short)limit), least_u16x16);
    return !_mm256_testz_si256(missing_u16x16, missing_u16x16);
}

/* Writes up to 64 counts as scores or, unless `first`, adds them. */
static void put_scores(const totals *counts, const int first, int64_t n_rows, int32_t *scores) {
    int32_t all[EC_NEAR_ROWS], *to = n_rows < EC_NEAR_ROWS ? all : scores;
    if (n_rows < EC_NEAR_ROWS && !first) memcpy(all, scores, (size_t)n_rows * 4);
    for (int i = 0; i < 4; i += 2) {
        /* even and odd rows side by side: 0 .. 7 and 16 .. 23, then 8 .. 15 and 24 .. 31 */
        const __m256i sides[2] = {_mm256_unpacklo_epi16(counts->v_u16x16[i], counts->v_u16x16[i + 1]),
                                  _mm256_unpackhi_epi16(counts->v_u16x16[i], counts->v_u16x16[i + 1])};
        for (int side = 0; side < 2; side++) {
            const __m256i low_i32x8 = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(sides[side]));
            const __m256i high_i32x8 = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(sides[side], 1));
            __m256i *low = (__m256i *)(to + i * 16 + side * 8), *high = low + 2;
            _mm256_storeu_si256(low, first ? low_i32x8 : _mm256_add_epi32(low_i32x8, _mm256_loadu_si256(low)));
            _mm256_storeu_si256(high, first ? high_i32x8 : _mm256_add_epi32(high_i32x8, _mm256_loadu_si256(high)));
        }
    }
    if (n_rows < EC_NEAR_ROWS) memcpy(scores, all, (size_t)n_rows * 4);
}

static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    ec_pack_nibbles_avx2(rows, stride_bytes, n_rows, width, panel);
}

/* Counts of n <= 4 prepared queries. */
EC_INLINE void count_some(const uint8_t *query, int64_t query_bytes, int64_t n, int64_t at, const uint8_t *panel,
                          int64_t group_bytes, int64_t count, ec_ahead *soon, totals *to) {
    if (n > 2) {
        count_64_of_4(query + 2 * at, 2 * query_bytes, panel, group_bytes, count, soon, to);
    } else if (n == 2) {
        count_64_of_2(query + 2 * at, 2 * query_bytes, panel, group_bytes, count, soon, to);
    } else {
        uint8_t pairs[2 * PIECE];
        totals both[2];
        pair_queries(query + at, query + at, count, pairs);
        count_64_of_2(pairs, 0, panel, group_bytes, count, soon, both);
        to[0] = both[0];
    }
}

/* Rows of more than a piece have all their scores written, piece by piece. */
static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                            const void *ahead, int64_t ahead_bytes) {
    const int64_t query_bytes = 8 * ec_words_u1(width), group_bytes = width * EC_NIBBLE_BYTES;
    const uint8_t *query = prepared;
    const int64_t n_calls = n_queries / 4 + n_queries / 2 % 2 + n_queries % 2;
    const int64_t n_sums = width / PIECE * sums_of(PIECE) + sums_of(width % PIECE);
    const int64_t n_steps = ec_round_up(n_rows, EC_NEAR_ROWS) / EC_NEAR_ROWS * n_calls;
    const int often = ahead_bytes > MOST_ASKED * n_steps;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, often ? n_steps * n_sums : n_steps);
    memset(near, 0, (size_t)n_queries);
    for (int64_t r = 0; r < n_rows; r += EC_NEAR_ROWS)
        for (int64_t q = 0, n; q < n_queries; q += n) {
            n = n_queries - q >= 4 ? 4 : n_queries - q >= 2 ? 2 : 1;
            if (!often) ec_ahead_step(&soon);
            for (int64_t at = 0; at < width; at += PIECE) {
                const uint8_t *rows = (const uint8_t *)panel + 2 * r * width + at * EC_NIBBLE_BYTES;
                totals counts[2 * TILE_PAIRS];
                count_some(query + q * query_bytes, query_bytes, n, at, rows, group_bytes,
                           ec_min_i64(width - at, PIECE), often ? &soon : NULL, counts);
                for (int64_t i = 0; i < n; i++) {
                    const int some = width > PIECE || any_below(&counts[i], limits[q + i]);
                    if (EC_LIKELY(!some)) continue;
                    near[q + i] |= (uint8_t)(1 << r / EC_NEAR_ROWS);
                    put_scores(&counts[i], at == 0, n_rows - r, scores + (q + i) * scores_stride + r);
                }
            }
        }
    if (width > PIECE) ec_find_near(scores, scores_stride, n_queries, n_rows, limits, 0, near);
}

/* ---- adders of single bits, for rows of planes ---- */

/* One of two planes, and where they differ. With these two full adders, one behind the other, take eight operations and
 * make such a pair of their carries; one by one they take ten. */
typedef struct {
    __m256i one, differ;
} bit_pair;

EC_INLINE bit_pair pair_of(__m256i a, __m256i b) {
    const bit_pair p = {a, _mm256_xor_si256(a, b)};
    return p;
}

/* The carry of sum + p is sum where p's differ, else either of these: it is the sum digit inverted, but where all three
 * are equal. With q the same holds of the digit in between. */
EC_INLINE bit_pair add_pairs(__m256i *sum, bit_pair p, bit_pair q) {
    const __m256i between = _mm256_xor_si256(*sum, p.differ);
    const __m256i unequal = _mm256_or_si256(p.differ, _mm256_xor_si256(*sum, p.one));
    const __m256i only_q = _mm256_andnot_si256(q.differ, _mm256_xor_si256(between, q.one));
    const bit_pair carries = {_mm256_xor_si256(between, unequal), _mm256_xor_si256(unequal, only_q)};
    *sum = _mm256_xor_si256(between, q.differ);
    return carries;
}

EC_INLINE __m256i add_pair(__m256i *sum, bit_pair p) {
    const __m256i unequal = _mm256_or_si256(p.differ, _mm256_xor_si256(*sum, p.one));
    *sum = _mm256_xor_si256(*sum, p.differ);
    return _mm256_xor_si256(*sum, unequal);
}

EC_INLINE __m256i add_digits(__m256i a, __m256i b, __m256i *carry) {
    const __m256i either = _mm256_xor_si256(a, b), sum = _mm256_xor_si256(either, *carry);
    *carry = _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(either, *carry));
    return sum;
}

EC_INLINE __m256i subtract_digits(__m256i a, __m256i b, __m256i *borrow) {
    const __m256i either = _mm256_xor_si256(a, b), difference = _mm256_xor_si256(either, *borrow);
    *borrow = _mm256_or_si256(_mm256_andnot_si256(a, b), _mm256_andnot_si256(either, *borrow));
    return difference;
}

EC_INLINE __m256i not_below(__m256i a, __m256i b, __m256i before) {
    return _mm256_or_si256(_mm256_and_si256(a, before), _mm256_andnot_si256(b, _mm256_or_si256(a, before)));
}

#include "planes_loops.h"

EC_TARGET_END

EC_SLOTS(hamming_rows, avx2);

EC_SLOTS(hamming, avx2) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_prepare = hamming_u1_prepare;
    table->hamming_u1_tile = hamming_u1_tile;
    table->planes_u1_pack = planes_u1_pack;
    table->planes_u1_tile = planes_u1_tile;
    table->planes_u1_queries = 12; /* with fewer it shows that planes take longer to make than nibbles */
    table->planes_u1_width = 24;
    ec_slots_hamming_rows_avx2(table);
}
#endif
