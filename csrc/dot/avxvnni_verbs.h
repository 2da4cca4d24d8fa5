/* Shared by the files of AVX2 with vpdpbusd on 256 bits: the form of prepared queries, and small verbs. */
#ifndef EC_DOT_AVXVNNI_VERBS_H
#define EC_DOT_AVXVNNI_VERBS_H

#include "avx2_words.h"

#if defined(EC_HAS_AVXVNNI)

/* Panels are strips of 16 rows, with a word, the codes of four dimensions, of all 16 rows side by side:
 *
 *     rows   r0: w0 w1 w2 ...      panel   w0 of r0..r15 | w1 of r0..r15 | ...
 *            r1: w0 w1 w2 ...
 *
 * vpdpbusd multiplies unsigned by signed bytes. So rows are stored as v + 128, and each prepared query begins with a
 * correction of -128 times its own sum: see avx512_i8.c. Behind the codes there are zeros up to a whole word, and a gap,
 * so that queries of a power of two bytes do not meet in the same cache sets. */
enum {
    EC_VNNI_STRIP = 16,
    EC_VNNI_WORD_BYTES = 4 * EC_VNNI_STRIP, /* of a strip's word */
    EC_VNNI_HEAD = 4                        /* bytes of the correction */
};

EC_INLINE int64_t ec_vnni_query_bytes(int64_t dimension) { return ec_round_up(EC_VNNI_HEAD + dimension, 64); }

/* -128 times the sum of a query's codes. */
int32_t ec_vnni_correction(const void *query, int64_t dimension);

EC_TARGET_AVX2

/* The sums of the lanes of four vectors. */
EC_INLINE __m128i ec_sum_lanes_of_4(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256i sums = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}

EC_TARGET_END

#endif
#endif
