/* int8 dots with queries of few levels, -32 .. 32, with AVX2: a bound for screening (search/screening.c) at less than
 * half the price of the dots themselves.
 *
 * vpmaddubsw multiplies unsigned by signed bytes and adds pairs of products in 16 bits. A query's code is met as code +
 * 32, at most 64, so that two such pairs still fit: 2 * 2 * 64 * -128 = -2^15. Only then are they widened and added up
 * in 32 bits. What 32 too many make of a dot is known when a row is packed: 32 times the sum of its codes, with which
 * the sums of a strip begin. A lane is a row:
 *
 *     rows   r0: w0 w1 w2 ...      strip    -32 * sum of r0..r15 | w0 of r0..r15 | w1 of r0..r15 | ...
 *            r1: w0 w1 w2 ...               a word, w, is the codes of four dimensions
 *
 * Strips and queries are filled up to whole steps of 8 dimensions; there the query's code is 0. */
#include "avx2_words.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

enum {
    STRIP = 16,
    WORD_BYTES = 4 * STRIP, /* of a strip's word */
    STEP = 8,               /* dimensions, whose products 16 bits hold */
    TILE_QUERIES = 4,       /* 2 x 4 sums, 4 vectors of rows, 2 of a query, 2 of products: 16 registers */
    CHUNK_STEPS = 128       /* that all queries meet in turn: 16 KB of a strip, in the first-level cache */
};

EC_INLINE int64_t steps_of(int64_t dimension) { return (dimension + STEP - 1) / STEP; }

EC_INLINE int64_t strip_bytes(int64_t dimension) { return WORD_BYTES + steps_of(dimension) * STEP * STRIP; }

/* A gap behind each query, so that those of a power of two bytes do not meet in the same cache sets. */
EC_INLINE int64_t query_bytes(int64_t dimension) { return ec_round_up(dimension, 64) + 64; }

static void rough_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    const int8_t *codes = queries;
    uint8_t *out = prepared;
    for (int64_t q = 0; q < n_queries; q++, codes += dimension, out += query_bytes(dimension)) {
        for (int64_t d = 0; d < dimension; d++) out[d] = (uint8_t)(codes[d] + EC_ROUGH);
        memset(out + dimension, EC_ROUGH, (size_t)(steps_of(dimension) * STEP - dimension));
    }
}

/* ---- packing ---- */

enum {
    PACK_ROWS = 8,  /* at a time: half a strip, */
    PACK_STEP = 16, /* and codes of each: four words */
    PACK_WORDS = PACK_STEP / 4,
    CHUNK = 256 /* codes of a row whose sums, of two of each word, fit 16 bits */
};

/* What is counted of eight rows, a row a lane: sums of codes, in 16 bits those of the chunk at hand, and of squares. */
typedef struct {
    __m256i pairs_i16x16, sums_i32x8, squares_i32x8;
} pack_counts;

/* Four words of eight rows, a row a lane. Rows i and i + 4 are the halves of a vector; 4 x 4 words of either half are
 * transposed. */
EC_INLINE void load_four_words(const uint8_t *const row[PACK_ROWS], int64_t d, __m256i words[PACK_WORDS]) {
    __m256i v[PACK_WORDS];
#pragma GCC unroll 4
    for (int i = 0; i < PACK_WORDS; i++) {
        const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)(row[i] + d));
        v[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(low),
                                       _mm_loadu_si128((const __m128i *)(const void *)(row[i + 4] + d)), 1);
    }
    const __m256i ab_low = _mm256_unpacklo_epi32(v[0], v[1]), ab_high = _mm256_unpackhi_epi32(v[0], v[1]);
    const __m256i cd_low = _mm256_unpacklo_epi32(v[2], v[3]), cd_high = _mm256_unpackhi_epi32(v[2], v[3]);
    words[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
    words[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
    words[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
    words[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

/* Counts a word of each row. For the squares both factors are magnitudes, one of them negated: so 128, unsigned, meets
 * -128, and the sum of two products, -2^15 at least, fits 16 bits. */
EC_INLINE void count_word(const int squares, __m256i word_i8x32, pack_counts *counts) {
    const __m256i pairs_i16x16 = _mm256_maddubs_epi16(_mm256_set1_epi8(1), word_i8x32);
    counts->pairs_i16x16 = _mm256_add_epi16(counts->pairs_i16x16, pairs_i16x16);
    if (!squares) return;
    const __m256i size_u8x32 = _mm256_abs_epi8(word_i8x32),
                  less_i8x32 = _mm256_sub_epi8(_mm256_setzero_si256(), size_u8x32);
    const __m256i less_i16x16 = _mm256_maddubs_epi16(size_u8x32, less_i8x32);
    counts->squares_i32x8 =
        _mm256_add_epi32(counts->squares_i32x8, _mm256_madd_epi16(less_i16x16, _mm256_set1_epi16(-1)));
}

/* Packs codes [d, end) of eight rows; behind the last of less than PACK_STEP codes are zeros. */
EC_INLINE void pack_chunk(const int squares, const uint8_t *const row[PACK_ROWS], int64_t d, int64_t end,
                          __m256i flip_u8x32, uint8_t *words, pack_counts *counts) {
    counts->pairs_i16x16 = _mm256_setzero_si256();
    for (; d + PACK_STEP <= end; d += PACK_STEP) {
        __m256i four[PACK_WORDS];
        load_four_words(row, d, four);
#pragma GCC unroll 4
        for (int w = 0; w < PACK_WORDS; w++, words += WORD_BYTES) {
            four[w] = _mm256_xor_si256(flip_u8x32, four[w]);
            _mm256_store_si256((__m256i *)(void *)words, four[w]);
            count_word(squares, four[w], counts);
        }
    }
    if (d < end) {
        const __m256i code_u8x32 = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2,
                                                    3, 0, 1, 2, 3, 0, 1, 2, 3);
        uint8_t copies[PACK_ROWS][PACK_STEP] = {{0}};
        const uint8_t *copy[PACK_ROWS];
        __m256i four[PACK_WORDS];
        for (int i = 0; i < PACK_ROWS; i++) copy[i] = memcpy(copies[i], row[i] + d, (size_t)(end - d));
        load_four_words(copy, 0, four);
        for (int64_t w = 0; w < ec_round_up(end - d, STEP) / 4; w++, words += WORD_BYTES) {
            const __m256i left_i8x32 = _mm256_set1_epi8((char)ec_max_i64(end - d - 4 * w, 0));
            four[w] =
                _mm256_and_si256(_mm256_xor_si256(flip_u8x32, four[w]), _mm256_cmpgt_epi8(left_i8x32, code_u8x32));
            _mm256_store_si256((__m256i *)(void *)words, four[w]);
            count_word(squares, four[w], counts);
        }
    }
    counts->sums_i32x8 =
        _mm256_add_epi32(counts->sums_i32x8, _mm256_madd_epi16(counts->pairs_i16x16, _mm256_set1_epi16(1)));
}

/* Writes the first n of eight lanes. */
EC_INLINE void put_counts(__m256i counts_i32x8, int64_t n, int32_t *to) {
    int32_t lanes[PACK_ROWS];
    _mm256_storeu_si256((__m256i *)(void *)lanes, counts_i32x8);
    memcpy(to, lanes, (size_t)n * sizeof *to);
}

EC_INLINE void pack(const int squares, const uint8_t *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                    uint8_t flip, uint8_t *panel, int32_t *sums, int32_t *sumsq) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)flip), zero = _mm256_setzero_si256();
    for (int64_t r = 0; r < ec_round_up(n_rows, STRIP); r += PACK_ROWS) {
        uint8_t *strip = panel + r / STRIP * strip_bytes(dimension) + r % STRIP * 4;
        const int64_t n = ec_min_i64(n_rows - r, PACK_ROWS);
        const uint8_t *row[PACK_ROWS];
        pack_counts counts = {zero, zero, zero};
        for (int64_t i = 0; i < PACK_ROWS; i++) row[i] = rows + ec_min_i64(r + i, n_rows - 1) * stride_bytes;
        for (int64_t d = 0; d < dimension; d += CHUNK)
            pack_chunk(squares, row, d, ec_min_i64(d + CHUNK, dimension), flip_u8x32,
                       strip + WORD_BYTES + d / 4 * WORD_BYTES, &counts);
        _mm256_store_si256((__m256i *)(void *)strip,
                           _mm256_mullo_epi32(counts.sums_i32x8, _mm256_set1_epi32(-EC_ROUGH)));
        if (squares && n > 0) {
            put_counts(counts.sums_i32x8, n, sums + r);
            put_counts(counts.squares_i32x8, n, sumsq + r);
        }
    }
}

/* Behind the last row it is repeated. */
static void rough_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                          void *panel, int32_t *sums, int32_t *sumsq) {
    if (sumsq)
        pack(1, rows, stride_bytes, n_rows, dimension, flip, panel, sums, sumsq);
    else
        pack(0, rows, stride_bytes, n_rows, dimension, flip, panel, NULL, NULL);
}

/* ---- meeting ---- */

/* Sums of the 16 rows of a strip. Named members rather than arrays, and loops written out: only so do compilers keep all
 * sums in registers. */
typedef struct {
    __m256i low, high;
} vectors;

static const int16_t ONES[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Adds the products of a step, two words of the rows and of a query. With the intrinsics GCC has no registers left for all
 * sums. */
EC_INLINE void add_step(vectors *sums_i32x8, vectors first, vectors second, const uint8_t *codes) {
#if defined(__GNUC__) && !defined(__clang__)
    typedef struct {
        uint8_t bytes[8];
    } eight_codes;
    __m256i codes_u8x32, more_u8x32, low, more;
    __asm__("vpbroadcastd %[eight], %[codes]\n\t"
            "vpbroadcastd 4%[eight], %[more_codes]\n\t"
            "vpmaddubsw %[first_low], %[codes], %[low]\n\t"
            "vpmaddubsw %[second_low], %[more_codes], %[more]\n\t"
            "vpmaddubsw %[first_high], %[codes], %[codes]\n\t"
            "vpmaddubsw %[second_high], %[more_codes], %[more_codes]\n\t"
            "vpaddw %[more], %[low], %[low]\n\t"
            "vpaddw %[more_codes], %[codes], %[codes]\n\t"
            "vpmaddwd %[ones], %[low], %[low]\n\t"
            "vpmaddwd %[ones], %[codes], %[codes]\n\t"
            "vpaddd %[low], %[low_sums], %[low_sums]\n\t"
            "vpaddd %[codes], %[high_sums], %[high_sums]"
            : [low_sums] "+x"(sums_i32x8->low), [high_sums] "+x"(sums_i32x8->high), [codes] "=&x"(codes_u8x32),
              [more_codes] "=&x"(more_u8x32), [low] "=&x"(low), [more] "=&x"(more)
            : [first_low] "x"(first.low), [first_high] "x"(first.high), [second_low] "x"(second.low),
              [second_high] "x"(second.high), [eight] "o"(*(const eight_codes *)codes), [ones] "m"(ONES));
#else
    const __m256i codes_u8x32 = _mm256_set1_epi32((int32_t)ec_load_u32(codes));
    const __m256i more_u8x32 = _mm256_set1_epi32((int32_t)ec_load_u32(codes + 4));
    const __m256i ones_i16x16 = ec_load_32((const uint8_t *)ONES);
    const __m256i low_i16x16 =
        _mm256_add_epi16(_mm256_maddubs_epi16(codes_u8x32, first.low), _mm256_maddubs_epi16(more_u8x32, second.low));
    const __m256i high_i16x16 =
        _mm256_add_epi16(_mm256_maddubs_epi16(codes_u8x32, first.high), _mm256_maddubs_epi16(more_u8x32, second.high));
    sums_i32x8->low = _mm256_add_epi32(sums_i32x8->low, _mm256_madd_epi16(low_i16x16, ones_i16x16));
    sums_i32x8->high = _mm256_add_epi32(sums_i32x8->high, _mm256_madd_epi16(high_i16x16, ones_i16x16));
#endif
}

EC_INLINE vectors load_words(const uint8_t *words) {
    const vectors both = {ec_load_32(words), ec_load_32(words + 32)};
    return both;
}

EC_INLINE vectors load_sums(const int32_t *from) { return load_words((const uint8_t *)from); }

EC_INLINE void store_sums(int32_t *to, vectors sums) {
    _mm256_storeu_si256((__m256i *)(void *)to, sums.low);
    _mm256_storeu_si256((__m256i *)(void *)(to + 8), sums.high);
}

/* The sums of n_queries queries with n_steps steps of a strip, which begin with those at `from`, or, of each query,
 * `from_stride` further. */
EC_INLINE void block(const int n_queries, const uint8_t *codes, int64_t stride, const uint8_t *words, int64_t n_steps,
                     const int32_t *from, int64_t from_stride, int32_t *to, int64_t to_stride, ec_drip *ahead) {
    ec_drip drip = *ahead;
    vectors q0 = load_sums(from), q1 = q0, q2 = q0, q3 = q0;
    const uint8_t *end = codes + n_steps * STEP;
    if (n_queries > 1) q1 = load_sums(from + from_stride);
    if (n_queries > 2) q2 = load_sums(from + 2 * from_stride);
    if (n_queries > 3) q3 = load_sums(from + 3 * from_stride);
    do { /* n_steps >= 1 */
        const vectors first = load_words(words), second = load_words(words + WORD_BYTES);
        ec_drip_step(&drip);
        add_step(&q0, first, second, codes);
        if (n_queries > 1) add_step(&q1, first, second, codes + stride);
        if (n_queries > 2) add_step(&q2, first, second, codes + 2 * stride);
        if (n_queries > 3) add_step(&q3, first, second, codes + 3 * stride);
        codes += STEP;
        words += STEP * STRIP;
    } while (codes < end);
    *ahead = drip;
    store_sums(to, q0);
    if (n_queries > 1) store_sums(to + to_stride, q1);
    if (n_queries > 2) store_sums(to + 2 * to_stride, q2);
    if (n_queries > 3) store_sums(to + 3 * to_stride, q3);
}

typedef void block_function(const uint8_t *codes, int64_t stride, const uint8_t *words, int64_t n_steps,
                            const int32_t *from, int64_t from_stride, int32_t *to, int64_t to_stride, ec_drip *ahead);

#define BLOCK(Q)                                                                                                   \
    static EC_NOINLINE void block_##Q(const uint8_t *codes, int64_t stride, const uint8_t *words, int64_t n_steps, \
                                      const int32_t *from, int64_t from_stride, int32_t *to, int64_t to_stride,    \
                                      ec_drip *ahead) {                                                            \
        block(Q, codes, stride, words, n_steps, from, from_stride, to, to_stride, ahead);                          \
    }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
static block_function *const BLOCK_OF[TILE_QUERIES] = {block_1, block_2, block_3, block_4};

static void rough_i8_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                          int64_t n_rows, int64_t dimension, int32_t *scores, int64_t scores_stride, const void *ahead,
                          int64_t ahead_bytes) {
    const int64_t n_steps = steps_of(dimension), stride = query_bytes(dimension);
    const int64_t n_passes = (n_rows + STRIP - 1) / STRIP * ((n_queries + TILE_QUERIES - 1) / TILE_QUERIES);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * stride;
    ec_drip soon = ec_drip_of(ahead, ahead_bytes, n_passes * n_steps);
    for (int64_t r = 0; r < n_rows; r += STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r / STRIP * strip_bytes(dimension);
        const uint8_t *words = strip + WORD_BYTES;
        for (int64_t s = 0; s < n_steps; s += CHUNK_STEPS)
            for (int64_t q = 0; q < n_queries; q += TILE_QUERIES) {
                int32_t *to = scores + q * scores_stride + r;
                BLOCK_OF[ec_min_i64(n_queries - q, TILE_QUERIES) - 1](
                    queries + q * stride + s * STEP, stride, words + s * STEP * STRIP,
                    ec_min_i64(n_steps - s, CHUNK_STEPS), s ? to : (const int32_t *)(const void *)strip,
                    s ? scores_stride : 0, to, scores_stride, &soon);
            }
    }
}

EC_SLOTS(dot_rough, avx2) {
    table->rough_queries = 12;
    table->rough_i8_pack = rough_i8_pack;
    table->rough_i8_prepare = rough_i8_prepare;
    table->rough_i8_tile = rough_i8_tile;
}

EC_TARGET_END
#endif
