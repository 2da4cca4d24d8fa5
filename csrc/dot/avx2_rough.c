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

/* Behind the last row it is repeated. */
static void rough_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                          void *panel) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)flip);
    const __m256i ones_u8x32 = _mm256_set1_epi8(1), ones_i16x16 = _mm256_set1_epi16(1);
    for (int64_t r = 0; r < ec_round_up(n_rows, STRIP); r += 8) {
        uint8_t *strip = (uint8_t *)panel + r / STRIP * strip_bytes(dimension) + r % STRIP * 4, *out = strip;
        __m256i sums_i32x8 = _mm256_setzero_si256();
        for (int64_t d = 0; d < dimension; d += 32) {
            const int64_t n = ec_min_i64(dimension - d, 32), n_words = ec_round_up(n, STEP) / 4;
            __m256i words_i8x32[8];
            for (int i = 0; i < 8; i++) {
                const uint8_t *row = (const uint8_t *)rows + ec_min_i64(r + i, n_rows - 1) * stride_bytes + d;
                words_i8x32[i] = _mm256_xor_si256(flip_u8x32, ec_load_up_to_32(row, n));
            }
            ec_transpose_u32x8(words_i8x32);
            for (int64_t w = 0; w < n_words; w++) {
                const __m256i pairs_i16x16 = _mm256_maddubs_epi16(ones_u8x32, words_i8x32[w]);
                sums_i32x8 = _mm256_add_epi32(sums_i32x8, _mm256_madd_epi16(pairs_i16x16, ones_i16x16));
                out += WORD_BYTES;
                _mm256_store_si256((__m256i *)(void *)out, words_i8x32[w]);
            }
        }
        _mm256_store_si256((__m256i *)(void *)strip, _mm256_mullo_epi32(sums_i32x8, _mm256_set1_epi32(-EC_ROUGH)));
    }
}

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
