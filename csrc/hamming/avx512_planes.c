/* Differing bits with AVX-512 for many queries: rows as planes of bits (planes.h), with vectors of 256 bits, whose planes
 * of 1,024 dimensions still fit the first-level cache. One vpternlog is any function of three bits, and two are a full
 * adder. */
#include "planes.h"

#if defined(EC_X86_64)
EC_TARGET_AVX512

enum { ODD = 0x96, MOST = 0xe8, BORROW = 0x8e /* of a - b - c */ };

EC_INLINE __m256i full_add(__m256i *sum, __m256i a, __m256i b) {
    const __m256i carry = _mm256_ternarylogic_epi64(a, b, *sum, MOST);
    *sum = _mm256_ternarylogic_epi64(a, b, *sum, ODD);
    return carry;
}

typedef struct {
    __m256i a, b;
} bit_pair;

EC_INLINE bit_pair pair_of(__m256i a, __m256i b) {
    const bit_pair p = {a, b};
    return p;
}

EC_INLINE __m256i add_pair(__m256i *sum, bit_pair p) { return full_add(sum, p.a, p.b); }

EC_INLINE bit_pair add_pairs(__m256i *sum, bit_pair p, bit_pair q) {
    const __m256i first = add_pair(sum, p);
    return pair_of(first, add_pair(sum, q));
}

EC_INLINE __m256i add_digits(__m256i a, __m256i b, __m256i *carry) {
    const __m256i sum = _mm256_ternarylogic_epi64(a, b, *carry, ODD);
    *carry = _mm256_ternarylogic_epi64(a, b, *carry, MOST);
    return sum;
}

EC_INLINE __m256i subtract_digits(__m256i a, __m256i b, __m256i *borrow) {
    const __m256i difference = _mm256_ternarylogic_epi64(a, b, *borrow, ODD);
    *borrow = _mm256_ternarylogic_epi64(a, b, *borrow, BORROW);
    return difference;
}

EC_INLINE __m256i not_below(__m256i a, __m256i b, __m256i before) {
    return _mm256_ternarylogic_epi64(a, b, before, 0xb2); /* two of a, not b, and `before` */
}

#include "planes_loops.h"

EC_TARGET_END

EC_SLOTS(hamming_planes, avx512) {
    table->planes_u1_pack = planes_u1_pack;
    table->planes_u1_tile = planes_u1_tile;
    table->planes_u1_queries = 48; /* with fewer, planes take longer to make than words, and it shows */
    table->planes_u1_width = EC_HAMMING_SHORT + 1;
}
#endif
