/* The kernels of the tier avxvnni with the VEX form of vpdpbusd, that of AVX-VNNI. */
#include "avxvnni_verbs.h"

#if defined(EC_HAS_AVXVNNI)
EC_TARGET_AVXVNNI

/* Adds to each lane of *sums its four products of bytes. With the intrinsic some compilers copy every sum in every
 * step. */
EC_INLINE void add_dots_of_4(__m256i *sums_i32x8, __m256i rows_u8x32, __m256i codes_i8x32) {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sums_i32x8) : "x"(rows_u8x32), "x"(codes_i8x32));
#else
    *sums_i32x8 = _mm256_dpbusd_avx_epi32(*sums_i32x8, rows_u8x32, codes_i8x32);
#endif
}

/* Adds a word's products, of two vectors of rows with the codes of one query. GCC would load the codes of all queries
 * first, for which there are no registers. */
EC_INLINE void add_word(__m256i *low_i32x8, __m256i *high_i32x8, __m256i low_u8x32, __m256i high_u8x32,
                        const uint8_t *codes) {
#if defined(__GNUC__) && !defined(__clang__)
    __m256i word;
    __asm__("vpbroadcastd %5, %2\n\t%{vex%} vpdpbusd %2, %3, %0\n\t%{vex%} vpdpbusd %2, %4, %1"
            : "+x"(*low_i32x8), "+x"(*high_i32x8), "=&x"(word)
            : "x"(low_u8x32), "x"(high_u8x32), "m"(*(const uint8_t (*)[4])codes));
#else
    const __m256i word = _mm256_set1_epi32((int32_t)ec_load_u32(codes));
    add_dots_of_4(low_i32x8, low_u8x32, word);
    add_dots_of_4(high_i32x8, high_u8x32, word);
#endif
}

#include "avxvnni_kernels.h"

EC_SLOTS(dot_kernels, vex) { lay_kernels(table); }

EC_TARGET_END
#else
typedef int ec_dot_avxvnni_vex_is_not_built;
#endif
