/* Bit packing with AVX2, 32 comparisons at a time. Their results are narrowed to bytes and put in order, and the top
 * bits of these are gathered.
 *
 *     a b c d    four comparisons, 8 x 32 bits each
 *     packs      a0-3 b0-3 c0-3 d0-3 | a4-7 b4-7 c4-7 d4-7      a byte a dimension
 *     vpermd     a0-3 a4-7 b0-3 b4-7 | c0-3 c4-7 d0-3 d4-7
 *     vpshufb    each group of eight reversed, where the first dimension is the highest bit
 *     vpmovmskb  32 bits */
#include "bits.h"

#if defined(EC_X86_64)
EC_TARGET_AVX2

EC_INLINE __m256i eights_in_order(uint32_t flags) {
    return flags & EC_BITS_LSB
               ? _mm256_set_epi64x(0x0f0e0d0c0b0a0908, 0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x0706050403020100)
               : _mm256_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607);
}

EC_INLINE int pack(const void *values, int64_t count, float threshold, int inclusive, uint32_t flags, uint8_t *packed) {
    const char *from = values;
    const __m256 threshold_f32x8 = _mm256_set1_ps(threshold);
    const __m256i eights = eights_in_order(flags), fours = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const uint32_t offset = flags & EC_BITS_OFFSET ? 0x80808080u : 0;
    __m256 poison[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    int64_t done = 0;
    for (; done + 32 <= count; done += 32) {
        __m256i set[4];
        ec_ask_ahead(from + 4 * done, 128);
        for (int i = 0; i < 4; i++) {
            __m256 x = _mm256_loadu_ps((const float *)(const void *)(from + 4 * done + 32 * i));
            set[i] = _mm256_castps_si256(inclusive ? _mm256_cmp_ps(x, threshold_f32x8, _CMP_GE_OQ)
                                                   : _mm256_cmp_ps(x, threshold_f32x8, _CMP_GT_OQ));
            poison[i] = _mm256_fmadd_ps(x, _mm256_setzero_ps(), poison[i]); /* x * 0 is NaN if x is not finite */
        }
        __m256i set_u8x32 = _mm256_packs_epi16(_mm256_packs_epi32(set[0], set[1]), _mm256_packs_epi32(set[2], set[3]));
        set_u8x32 = _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(set_u8x32, fours), eights);
        uint32_t word = (uint32_t)_mm256_movemask_epi8(set_u8x32) ^ offset;
        memcpy(packed + done / 8, &word, 4);
    }
    __m256 all = _mm256_add_ps(_mm256_add_ps(poison[0], poison[1]), _mm256_add_ps(poison[2], poison[3]));
    int finite = _mm256_movemask_ps(_mm256_cmp_ps(all, all, _CMP_UNORD_Q)) == 0;
    return ec_pack_bits_f32_scalar(from + 4 * done, count - done, threshold, flags, packed + done / 8) && finite;
}

static int pack_bits_f32_avx2(const void *values, int64_t count, float threshold, uint32_t flags, uint8_t *packed) {
    return flags & EC_BITS_INCLUSIVE ? pack(values, count, threshold, 1, flags, packed)
                                     : pack(values, count, threshold, 0, flags, packed);
}

static void unpack_bits_u8_avx2(const uint8_t *packed, int64_t count, uint32_t flags, uint8_t *values) {
    const __m256i each_eight_times = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit_u8x32 =
        _mm256_set1_epi64x((long long)(flags & EC_BITS_LSB ? 0x8040201008040201 : 0x0102040810204080));
    const uint32_t offset = flags & EC_BITS_OFFSET ? 0x80808080u : 0;
    int64_t done = 0;
    for (; done + 32 <= count; done += 32) {
        __m256i bytes = _mm256_set1_epi32((int)(ec_load_u32(packed + done / 8) ^ offset));
        bytes = _mm256_and_si256(_mm256_shuffle_epi8(bytes, each_eight_times), bit_u8x32);
        __m256i ones = _mm256_and_si256(_mm256_cmpeq_epi8(bytes, bit_u8x32), _mm256_set1_epi8(1));
        _mm256_storeu_si256((__m256i *)(void *)(values + done), ones);
    }
    ec_unpack_bits_u8_scalar(packed + done / 8, count - done, flags, values + done);
}

static void unpack_bits_f32_avx2(const uint8_t *packed, int64_t count, uint32_t flags, void *values) {
    const __m256i bit_u32x8 = flags & EC_BITS_LSB ? _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128)
                                                  : _mm256_setr_epi32(128, 64, 32, 16, 8, 4, 2, 1);
    const int offset = flags & EC_BITS_OFFSET ? 0x80 : 0;
    int64_t done = 0;
    for (; done + 8 <= count; done += 8) {
        __m256i bits = _mm256_and_si256(_mm256_set1_epi32(packed[done / 8] ^ offset), bit_u32x8);
        __m256 set = _mm256_castsi256_ps(_mm256_cmpeq_epi32(bits, bit_u32x8));
        __m256 signs = _mm256_blendv_ps(_mm256_set1_ps(-1.0f), _mm256_set1_ps(1.0f), set);
        _mm256_storeu_ps((float *)(void *)((char *)values + 4 * done), signs);
    }
    ec_unpack_bits_f32_scalar(packed + done / 8, count - done, flags, (char *)values + 4 * done);
}

EC_SLOTS(bits, avx2) {
    table->pack_bits_f32 = pack_bits_f32_avx2;
    table->unpack_bits_u8 = unpack_bits_u8_avx2;
    table->unpack_bits_f32 = unpack_bits_f32_avx2;
}

EC_TARGET_END
#endif
