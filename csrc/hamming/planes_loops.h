/* The loops over planes of bits (planes.h), for a tier with vectors of 256 bits. Its file includes this one within its
 * region, behind its adders of single bits, of which a lane is a row. They take two planes together, as a `bit_pair` of
 * the form that the tier likes best:
 *
 *     pair_of(a, b)                    the two as a pair
 *     add_pairs(&sum, p, q)            sum = the lower digit of sum and the four of p and q; returns the pair of carries,
 *                                      one of p and one of q
 *     add_pair(&sum, p)                sum = the lower digit of sum and the two of p; returns the carry
 *     add_digits(a, b, &carry)         the lower digit of a + b + carry; the upper is the next carry
 *     subtract_digits(a, b, &borrow)   the same of a - b - borrow
 *     not_below(a, b, before)          whether a > b or, where a = b, `before`
 */
#include "avx2_bytes.h"
#include "planes.h"

enum {
    SUM_PLANES = 8,               /* of the sums of a part's pattern: -128 .. 127 */
    PART_PLANES = SUM_PLANES + 3, /* of what a part comes to for a query: eight such sums */
    PIECE_PLANES = 15,            /* of what a piece comes to: -8,192 .. 8,192 */
    EIGHT = 8,                    /* times 32 rows: byte r of a plane has a bit of each row 32 g + r, the bit g */
    LINE = 64                     /* bytes of rows that are packed together: most lines of a cache are read once */
};

/* ---- packing ---- */

/* The transpose of bits within each byte: bit g of vector b becomes bit b of vector g. */
EC_INLINE void transpose_bits(__m256i v[EIGHT]) {
    const __m256i masks[3] = {_mm256_set1_epi8(0x55), _mm256_set1_epi8(0x33), _mm256_set1_epi8(0x0f)};
#pragma GCC unroll 3
    for (int round = 0; round < 3; round++) {
        const int step = 1 << round;
#pragma GCC unroll 8
        for (int i = 0; i < EIGHT; i++) {
            if (i & step) continue;
            const __m256i moved =
                _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi16(v[i], step), v[i + step]), masks[round]);
            v[i + step] = _mm256_xor_si256(v[i + step], moved);
            v[i] = _mm256_xor_si256(v[i], _mm256_slli_epi16(moved, step));
        }
    }
}

/* Makes the planes of n <= LINE bytes, and EC_COLUMNS at least, of 256 rows, of which there are n_rows; rows behind them
 * are zeros. The last columns end with the bytes: some are packed a second time. */
static void pack_lines(const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t n, uint8_t *planes) {
    static const uint8_t none[LINE];
    __m256i bytes_u8x32[LINE][EIGHT];
    for (int64_t g = 0; g < EIGHT; g++)
        for (int64_t i = 0; i < n; i += EC_COLUMNS) {
            const int64_t column = ec_min_i64(i, n - EC_COLUMNS), left = n_rows - 32 * g;
            const uint8_t *first = left > 0 ? rows + 32 * g * stride_bytes + column : none;
            __m256i v[EC_COLUMNS];
            if (i == 0) /* the next 32, of the next block perhaps: few enough to be under way at once */
                for (int64_t r = 32; r < 64; r++)
                    _mm_prefetch((const char *)rows + (32 * g + r) * stride_bytes, _MM_HINT_T0);
            if (left >= 32)
                ec_bytes_of_32(first, stride_bytes, 32, none, v);
            else
                ec_bytes_of_32(first, stride_bytes, left, none, v);
#pragma GCC unroll 16
            for (int c = 0; c < EC_COLUMNS; c++) bytes_u8x32[column + c][g] = v[c];
        }
    for (int64_t i = 0; i < n; i++, planes += EIGHT * EC_PLANE_BYTES) {
        __m256i v[EIGHT];
#pragma GCC unroll 8
        for (int g = 0; g < EIGHT; g++) v[g] = bytes_u8x32[i][g];
        transpose_bits(v);
#pragma GCC unroll 8
        for (int g = 0; g < EIGHT; g++) _mm256_store_si256((__m256i *)(void *)(planes + g * EC_PLANE_BYTES), v[g]);
    }
}

/* Makes the planes of 0 .. 256 rows of at least EC_COLUMNS bytes. */
static void planes_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    uint8_t *planes = panel;
    for (int64_t at = 0, n; n_rows > 0 && at < width; at += n, planes += ec_piece_bytes(n)) {
        n = ec_piece_width(width, at);
        memset(planes, 0, EC_PLANE_BYTES);
        for (int64_t i = 0; i < n; i += LINE) {
            const int64_t column = n - i < EC_COLUMNS ? n - EC_COLUMNS : i;
            pack_lines((const uint8_t *)rows + at + column, stride_bytes, n_rows, ec_min_i64(n - column, LINE),
                       planes + (EIGHT * column + 1) * EC_PLANE_BYTES);
        }
    }
}

/* ---- counting ---- */

EC_INLINE __m256i plane_at(const uint8_t *planes, uint16_t place) {
    return _mm256_load_si256((const __m256i *)(const void *)(planes + 8 * (int64_t)place));
}

/* Adds a carry to the digits from number `from` on. */
EC_INLINE void add_carry(__m256i sums[SUM_PLANES], const int from, __m256i carry) {
#pragma GCC unroll 8
    for (int i = from; i < SUM_PLANES; i++) {
        const __m256i both = _mm256_and_si256(sums[i], carry);
        sums[i] = _mm256_xor_si256(sums[i], carry);
        carry = both;
    }
}

/* Add 4, 8, 16 and 32 planes to the digits below 4, 8, 16 and 32; what is left is a pair of carries for the next digit.
 * Carries are added up while the planes behind them are still read, so that no addition waits long for the one before. */
EC_INLINE bit_pair add_4(__m256i sums[SUM_PLANES], const uint8_t *planes, const uint16_t *places) {
    return add_pairs(&sums[0], pair_of(plane_at(planes, places[0]), plane_at(planes, places[1])),
                     pair_of(plane_at(planes, places[2]), plane_at(planes, places[3])));
}

EC_INLINE bit_pair add_8(__m256i sums[SUM_PLANES], const uint8_t *planes, const uint16_t *places) {
    const bit_pair first = add_4(sums, planes, places), second = add_4(sums, planes, places + 4);
    return add_pairs(&sums[1], first, second);
}

EC_INLINE bit_pair add_16(__m256i sums[SUM_PLANES], const uint8_t *planes, const uint16_t *places) {
    const bit_pair first = add_8(sums, planes, places), second = add_8(sums, planes, places + 8);
    return add_pairs(&sums[2], first, second);
}

EC_INLINE bit_pair add_32(__m256i sums[SUM_PLANES], const uint8_t *planes, const uint16_t *places) {
    const bit_pair a = add_4(sums, planes, places), b = add_4(sums, planes, places + 4);
    const bit_pair c = add_4(sums, planes, places + 8), ab = add_pairs(&sums[1], a, b);
    const bit_pair d = add_4(sums, planes, places + 12), cd = add_pairs(&sums[1], c, d);
    const bit_pair e = add_4(sums, planes, places + 16), f = add_4(sums, planes, places + 20);
    const bit_pair first = add_pairs(&sums[2], ab, cd);
    const bit_pair g = add_4(sums, planes, places + 24), ef = add_pairs(&sums[1], e, f);
    const bit_pair h = add_4(sums, planes, places + 28), gh = add_pairs(&sums[1], g, h);
    return add_pairs(&sums[3], first, add_pairs(&sums[2], ef, gh));
}

/* Adds the planes of a group, `fours` times four of them. Returns where its places end. */
EC_INLINE const uint16_t *add_group(__m256i sums[SUM_PLANES], const uint8_t *planes, const uint16_t *places,
                                    unsigned fours) {
    for (unsigned n = fours / 8; n; n--, places += 32)
        add_carry(sums, 5, add_pair(&sums[4], add_32(sums, planes, places)));
    if (fours & 4) {
        add_carry(sums, 4, add_pair(&sums[3], add_16(sums, planes, places)));
        places += 16;
    }
    if (fours & 2) {
        add_carry(sums, 3, add_pair(&sums[2], add_8(sums, planes, places)));
        places += 8;
    }
    if (fours & 1) {
        add_carry(sums, 2, add_pair(&sums[1], add_4(sums, planes, places)));
        places += 4;
    }
    return places;
}

/* a + b of signed numbers of n digits; the sum has one more. */
EC_INLINE void add_numbers(const __m256i *a, const __m256i *b, const int n, __m256i *sum) {
    __m256i carry = _mm256_setzero_si256();
#pragma GCC unroll 16
    for (int i = 0; i <= n; i++) sum[i] = add_digits(a[i < n ? i : n - 1], b[i < n ? i : n - 1], &carry);
}

/* a - 2 b of a signed number of n digits and one of n - 1, where n digits hold what comes of it. */
EC_INLINE void subtract_twice(const __m256i *a, const __m256i *b, const int n, __m256i *difference) {
    __m256i borrow = _mm256_setzero_si256();
    difference[0] = a[0];
#pragma GCC unroll 16
    for (int i = 1; i < n; i++) difference[i] = subtract_digits(a[i], b[i - 1], &borrow);
}

/* Counts a part of a piece for four queries. Returns where the part ends. */
static EC_NOINLINE const uint16_t *count_part(const uint16_t *part, const uint8_t *planes, ec_ahead *soon,
                                              __m256i counts[EC_FOUR][PART_PLANES]) {
    const __m256i ones = _mm256_set1_epi8(-1);
    const uint16_t *places = part + EC_GROUPS;
    __m256i sums[EC_PATTERNS][SUM_PLANES];
    for (int p = 0; p < EC_PATTERNS; p++) {
        __m256i some[SUM_PLANES];
        /* -1, and the bits of side 1; all digits inverted are these bits' number times -1; and the bits of side 0 */
#pragma GCC unroll 8
        for (int i = 0; i < SUM_PLANES; i++) some[i] = ones;
        ec_ahead_step(soon);
        places = add_group(some, planes, places, part[2 * p]);
#pragma GCC unroll 8
        for (int i = 0; i < SUM_PLANES; i++) some[i] = _mm256_xor_si256(some[i], ones);
        ec_ahead_step(soon);
        places = add_group(some, planes, places, part[2 * p + 1]);
#pragma GCC unroll 8
        for (int i = 0; i < SUM_PLANES; i++) sums[p][i] = some[i];
    }
    /* Of the first query all patterns count alike; of another those where it differs count against it, twice. */
    enum { N = SUM_PLANES };
    __m256i pairs[4][N + 1], odd[2][N + 1], half[N + 2], against[EC_FOUR][N + 2];
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++) add_numbers(sums[2 * p], sums[2 * p + 1], N, pairs[p]);
#pragma GCC unroll 2
    for (int p = 0; p < 2; p++) add_numbers(sums[4 * p + 1], sums[4 * p + 3], N, odd[p]);
    add_numbers(odd[0], odd[1], N + 1, against[1]);
    add_numbers(pairs[1], pairs[3], N + 1, against[2]);
    add_numbers(pairs[2], pairs[3], N + 1, against[3]);
    add_numbers(pairs[0], pairs[1], N + 1, half);
    add_numbers(half, against[3], N + 2, counts[0]);
#pragma GCC unroll 3
    for (int q = 1; q < EC_FOUR; q++) subtract_twice(counts[0], against[q], PART_PLANES, counts[q]);
    return places;
}

/* ---- scores ---- */

/* A bit for each row whose count is below the limit. */
EC_INLINE __m256i below(const __m256i *count, const int n, int64_t limit) {
    static const int32_t digits[2] = {0, -1}; /* spread as they are loaded, which takes no vector port */
    const int64_t most = (int64_t)1 << (n - 1);
    __m256i reaches = _mm256_set1_epi8(-1);
    if (limit >= most) return reaches;
    if (limit <= -most) return _mm256_setzero_si256();
#pragma GCC unroll 16
    for (int i = 0; i < n; i++) {
        const __m256i digit = _mm256_set1_epi32(digits[limit >> i & 1]);
        /* of the signs, a 1 is less */
        reaches = i < n - 1 ? not_below(count[i], digit, reaches) : not_below(digit, count[i], reaches);
    }
    return _mm256_xor_si256(reaches, _mm256_set1_epi8(-1));
}

/* Writes the scores of up to 64 rows from row `at` on, which are the counts of n digits and `more`; or, unless `first`,
 * adds them. */
static EC_NOINLINE void put_counts(const __m256i *count, int n, int64_t at, int32_t more, int first, int64_t n_rows,
                                   int32_t *scores) {
    int32_t all[EC_NEAR_ROWS];
    for (int64_t half = 0; half < EC_NEAR_ROWS; half += 32) {
        const __m256i bit_u8x32 = _mm256_set1_epi8((char)(1 << (at + half) / 32));
        __m256i bytes_u8x32[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
        for (int i = 0; i < 16; i++) { /* behind the last digit the sign is repeated */
            const __m256i digit_u8x32 = _mm256_and_si256(count[i < n ? i : n - 1], bit_u8x32);
            bytes_u8x32[i / 8] =
                _mm256_or_si256(bytes_u8x32[i / 8], _mm256_and_si256(_mm256_cmpeq_epi8(digit_u8x32, bit_u8x32),
                                                                     _mm256_set1_epi8((char)(1 << i % 8))));
        }
        /* rows 0 .. 7 and 16 .. 23, and the others */
        const __m256i sides[2] = {_mm256_unpacklo_epi8(bytes_u8x32[0], bytes_u8x32[1]),
                                  _mm256_unpackhi_epi8(bytes_u8x32[0], bytes_u8x32[1])};
        for (int i = 0; i < 4; i++) {
            const __m128i eight_i16x8 =
                i < 2 ? _mm256_castsi256_si128(sides[i % 2]) : _mm256_extracti128_si256(sides[i % 2], 1);
            _mm256_storeu_si256((__m256i *)(void *)(all + half + 8 * i),
                                _mm256_add_epi32(_mm256_cvtepi16_epi32(eight_i16x8), _mm256_set1_epi32(more)));
        }
    }
    const int64_t n_scores = ec_min_i64(n_rows - at, EC_NEAR_ROWS);
    if (first)
        memcpy(scores + at, all, (size_t)n_scores * sizeof *scores);
    else
        for (int64_t r = 0; r < n_scores; r++) scores[at + r] += all[r];
}

/* A bit for each row that there is. */
EC_INLINE __m256i rows_there(int64_t n_rows) {
    uint8_t bytes[EC_PLANE_BYTES];
    for (int64_t r = 0; r < 32; r++) bytes[r] = (uint8_t)((1 << (n_rows + 31 - r) / 32) - 1);
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

/* Writes the scores of those groups of EC_NEAR_ROWS rows of which one is chosen; returns a bit for each. */
static EC_NOINLINE unsigned put_near(const __m256i *count, int n, __m256i chosen, int32_t more, int first,
                                     int64_t n_rows, int32_t *scores) {
    unsigned near = 0;
    for (int64_t at = 0; at < n_rows; at += EC_NEAR_ROWS) {
        if (_mm256_testz_si256(chosen, _mm256_set1_epi8((char)(3 << at / 32)))) continue;
        near |= 1u << at / EC_NEAR_ROWS;
        put_counts(count, n, at, more, first, n_rows, scores);
    }
    return near;
}

/* A four of a tile: some of its queries' scores with the rows of the panel. */
typedef struct {
    int64_t n_queries, n_rows;
    __m256i there; /* rows_there() */
    const int32_t *limits;
    int32_t *scores;
    int64_t scores_stride;
    uint8_t *near;
    int first, all; /* whether the scores are written or added, and whether all are */
} four;

/* Finds what is near of counts of n digits, which lack the queries' own set bits. */
EC_INLINE void put_four(const four *to, const __m256i *counts, const int n, int64_t stride, const uint16_t *set_bits) {
    for (int64_t q = 0; q < to->n_queries; q++, counts += stride) {
        const __m256i low = below(counts, n, (int64_t)to->limits[q] - set_bits[q]);
        const __m256i chosen = to->all ? to->there : _mm256_and_si256(low, to->there);
        if (EC_LIKELY(_mm256_testz_si256(chosen, chosen))) continue;
        to->near[q] = (uint8_t)put_near(counts, n, chosen, set_bits[q], to->first, to->n_rows,
                                        to->scores + q * to->scores_stride);
    }
}

/* Counts a piece of several parts. */
static EC_NOINLINE const uint16_t *count_parts(const uint16_t *part, int64_t n_parts, const uint8_t *planes,
                                               ec_ahead *soon, __m256i totals[EC_FOUR][PIECE_PLANES]) {
    memset(totals, 0, EC_FOUR * sizeof *totals);
    for (; n_parts; n_parts--) {
        __m256i counts[EC_FOUR][PART_PLANES];
        part = count_part(part, planes, soon, counts);
        for (int q = 0; q < EC_FOUR; q++) {
            __m256i carry = _mm256_setzero_si256();
            for (int i = 0; i < PIECE_PLANES; i++)
                totals[q][i] = add_digits(totals[q][i], counts[q][i < PART_PLANES ? i : PART_PLANES - 1], &carry);
        }
    }
    return part;
}

/* Rows of more than a piece have all their scores written, piece by piece. */
static void planes_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                           const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                           const void *ahead, int64_t ahead_bytes) {
    const int64_t four_bytes = ec_planes_four_bytes(width), n_fours = (n_queries + EC_FOUR - 1) / EC_FOUR;
    ec_ahead soon = ec_ahead_of(ahead, ahead_bytes, n_fours * ec_n_pieces(width) * EC_GROUPS);
    const __m256i there = rows_there(n_rows);
    memset(near, 0, (size_t)n_queries);
    for (int64_t q = 0; q < n_queries; q += EC_FOUR) {
        const uint16_t *piece = (const uint16_t *)((const uint8_t *)prepared + q / EC_FOUR * four_bytes);
        const uint8_t *planes = panel;
        four to = {ec_min_i64(n_queries - q, EC_FOUR),
                   n_rows,
                   there,
                   limits + q,
                   scores + q * scores_stride,
                   scores_stride,
                   near + q,
                   1,
                   width > EC_PIECE_BYTES};
        for (int64_t at = 0, n; at < width; at += n, planes += ec_piece_bytes(n), to.first = 0) {
            const uint16_t *parts = piece + EC_FOUR + 1, n_parts = piece[EC_FOUR];
            n = ec_piece_width(width, at);
            if (n_parts == 1) {
                __m256i counts[EC_FOUR][PART_PLANES];
                const uint16_t *end = count_part(parts, planes, &soon, counts);
                put_four(&to, counts[0], PART_PLANES, PART_PLANES, piece);
                piece = end;
            } else {
                __m256i counts[EC_FOUR][PIECE_PLANES];
                const uint16_t *end = count_parts(parts, n_parts, planes, &soon, counts);
                put_four(&to, counts[0], PIECE_PLANES, PIECE_PLANES, piece);
                piece = end;
            }
        }
    }
    if (width > EC_PIECE_BYTES) ec_find_near(scores, scores_stride, n_queries, n_rows, limits, 0, near);
}
