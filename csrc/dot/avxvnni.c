/* The dots of AVX2 with vpdpbusd on 256 bits: what they need beside that instruction, and the slots. The rest is in
 * avxvnni_kernels.h, compiled for either form of the instruction. */
#include "avxvnni_verbs.h"

#if defined(EC_HAS_AVXVNNI)
EC_TARGET_AVX2

/* vpsadbw adds up unsigned bytes: 128 is added to each code, and 128 times their number subtracted at the end. */
int32_t ec_vnni_correction(const void *query, int64_t dimension) {
    const __m256i sign_u8x32 = _mm256_set1_epi8((char)0x80);
    const uint8_t *codes = query;
    __m256i sums_u64x4 = _mm256_setzero_si256();
    int64_t d = 0;
    for (; d + 32 <= dimension; d += 32)
        sums_u64x4 = _mm256_add_epi64(
            sums_u64x4, _mm256_sad_epu8(_mm256_xor_si256(sign_u8x32, ec_load_32(codes + d)), _mm256_setzero_si256()));
    int32_t sum = _mm_cvtsi128_si32(ec_sum_lanes_of_4(sums_u64x4, sums_u64x4, sums_u64x4, sums_u64x4));
    for (sum -= 128 * (int32_t)d; d < dimension; d++) sum += (int8_t)codes[d];
    return -128 * sum;
}

static void dot_i8_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    uint8_t *out = prepared;
    for (int64_t q = 0; q < n_queries; q++, out += ec_vnni_query_bytes(dimension)) {
        const uint8_t *query = (const uint8_t *)queries + q * dimension;
        const int32_t correction = ec_vnni_correction(query, dimension);
        memcpy(out, &correction, EC_VNNI_HEAD);
        memcpy(out + EC_VNNI_HEAD, query, (size_t)dimension);
        memset(out + EC_VNNI_HEAD + dimension, 0, (size_t)(ec_round_up(dimension, 4) - dimension));
    }
}

static void dot_i8_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, uint8_t flip,
                        void *panel) {
    const __m256i flip_u8x32 = _mm256_set1_epi8((char)(flip ^ 0x80));
    const int64_t n_words = (dimension + 3) / 4;
    for (int64_t r = 0; r < ec_round_up(n_rows, EC_VNNI_STRIP); r += 8) {
        uint8_t *out = (uint8_t *)panel + r / EC_VNNI_STRIP * n_words * EC_VNNI_WORD_BYTES + r % EC_VNNI_STRIP * 4;
        for (int64_t d = 0; d < dimension; d += 32) {
            const int64_t n = ec_min_i64(dimension - d, 32), n_some = (n + 3) / 4;
            __m256i words_u32x8[8];
            for (int i = 0; i < 8; i++) { /* behind the last row it is repeated */
                const uint8_t *row = (const uint8_t *)rows + ec_min_i64(r + i, n_rows - 1) * stride_bytes + d;
                words_u32x8[i] = _mm256_xor_si256(flip_u8x32, ec_load_up_to_32(row, n));
            }
            ec_transpose_u32x8(words_u32x8);
            for (int64_t w = 0; w < n_some; w++, out += EC_VNNI_WORD_BYTES)
                _mm256_store_si256((__m256i *)(void *)out, words_u32x8[w]);
        }
    }
}

EC_TARGET_END

EC_SLOTS(dot_kernels, vex);
EC_SLOTS(dot_kernels, evex);

EC_SLOTS(dot, avxvnni) {
    table->dot_i8_pack = dot_i8_pack;
    table->dot_i8_prepare = dot_i8_prepare;
    table->rough_queries = 0; /* the dots themselves are as fast */
    if (ec_cpu_has_vex_dots())
        ec_slots_dot_kernels_vex(table);
    else
        ec_slots_dot_kernels_evex(table);
}
#else
typedef int ec_dot_avxvnni_is_not_built;
#endif
