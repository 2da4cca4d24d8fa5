/* The scan's slots on NEON. Filters compare sixteen scores at a time and leave at once where none passes. The slots
 * that are missing here are scalar's: compilers make NEON of the loops of loops.h without being asked, as it is the
 * baseline of AArch64. */
#include "loops.h"

#if defined(EC_AARCH64)

/* A bit for each of sixteen masks of 32 bits, that of the first mask lowest.
 *
 *     ffffffff 00000000 ffffffff ...   four vectors of masks of 32 bits
 *     ffff 0000 ffff ...               uzp1 of pairs: two vectors, 16 bits a mask
 *     ff 00 ff ...                     uzp1 again: one vector, a byte a mask
 *     01 00 04 08 00 ...               and: each byte has its own bit
 *     0d ...                           pairs of bytes added three times: two bytes of eight bits */
EC_INLINE uint32_t bits_of_16(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
    const uint8x8_t bit_u8x8 = vcreate_u8(0x8040201008040201u);
    const uint16x8_t ab_u16x8 = vuzp1q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b));
    const uint16x8_t cd_u16x8 = vuzp1q_u16(vreinterpretq_u16_u32(c), vreinterpretq_u16_u32(d));
    const uint8x16_t all_u8x16 = vuzp1q_u8(vreinterpretq_u8_u16(ab_u16x8), vreinterpretq_u8_u16(cd_u16x8));
    uint8x16_t sums_u8x16 = vandq_u8(all_u8x16, vcombine_u8(bit_u8x8, bit_u8x8));
    for (int i = 0; i < 3; i++) sums_u8x16 = vpaddq_u8(sums_u8x16, sums_u8x16);
    return vgetq_lane_u16(vreinterpretq_u16_u8(sums_u8x16), 0);
}

/* Whether any bit is set in sixteen masks of 32 bits. */
EC_INLINE int any_of_16(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
    return vmaxvq_u32(vorrq_u32(vorrq_u32(a, b), vorrq_u32(c, d))) != 0;
}

/* The bits of a mask of rows for the sixteen rows from i on; i is a multiple of 8. */
EC_INLINE uint32_t mask_of_16(const uint8_t *mask, int64_t i) {
    return mask ? (uint32_t)mask[i / 8] | (uint32_t)mask[i / 8 + 1] << 8 : 0xffff;
}

static int64_t filter_i32(const int32_t *costs, int64_t n, int32_t limit, int64_t k, uint32_t first_row,
                          const uint8_t *mask, uint64_t *entries) {
    (void)k;
    const int32x4_t limit_i32x4 = vdupq_n_s32(limit);
    int64_t count = 0, i = 0;
    for (; i + 16 <= n; i += 16) {
        const uint32x4_t a = vcltq_s32(vld1q_s32(costs + i), limit_i32x4);
        const uint32x4_t b = vcltq_s32(vld1q_s32(costs + i + 4), limit_i32x4);
        const uint32x4_t c = vcltq_s32(vld1q_s32(costs + i + 8), limit_i32x4);
        const uint32x4_t d = vcltq_s32(vld1q_s32(costs + i + 12), limit_i32x4);
        if (EC_LIKELY(!any_of_16(a, b, c, d))) continue;
        for (uint32_t better = bits_of_16(a, b, c, d) & mask_of_16(mask, i); better != 0; better &= better - 1) {
            int64_t at = i + ec_trailing_zeros_u64(better);
            entries[count++] = ec_entry_i32(costs[at], first_row + (uint32_t)at);
        }
    }
    return ec_loop_filter_i32(costs, i, n, count, limit, first_row, mask, entries);
}

/* ec_cost() of the four rows from r on: the same operations in the same order. */
EC_INLINE float32x4_t cost_f32x4(const ec_finish *f, float32x4_t scores_f32x4, int64_t r) {
    float32x4_t dots_f32x4 = vaddq_f32(scores_f32x4, vld1q_f32(f->add + r));
    dots_f32x4 = vaddq_f32(vmulq_f32(dots_f32x4, vdupq_n_f32(f->query_mul)), vdupq_n_f32(f->query_bias));
    const float32x4_t biases_f32x4 = vmulq_f32(vld1q_f32(f->bias + r), vdupq_n_f32(f->query_weight));
    float32x4_t costs_f32x4 = vaddq_f32(vmulq_f32(dots_f32x4, vld1q_f32(f->mul + r)), biases_f32x4);
    costs_f32x4 = vaddq_f32(costs_f32x4, vdupq_n_f32(f->query_add));
    const float32x4_t lowest_f32x4 = vdupq_n_f32(f->lowest);
    return vbslq_f32(vcgtq_f32(lowest_f32x4, costs_f32x4), lowest_f32x4, costs_f32x4); /* NaN stays */
}

/* Sets the lanes that are not at or above the limit, so that NaN passes. */
EC_INLINE uint32x4_t better_f32x4(float32x4_t costs_f32x4, float32x4_t limit_f32x4) {
    return vmvnq_u32(vcgeq_f32(costs_f32x4, limit_f32x4));
}

EC_INLINE int64_t sift(const ec_finish *f, const void *scores, int is_float, int64_t n, float limit, uint32_t first_row,
                       const uint8_t *mask, uint64_t *entries) {
    const float32x4_t limit_f32x4 = vdupq_n_f32(limit);
    int64_t count = 0, i = 0;
    for (; i + 16 <= n; i += 16) {
        float costs[16];
        uint32x4_t better_u32x4[4];
        for (int g = 0; g < 4; g++) {
            int64_t r = i + 4 * g;
            float32x4_t scores_f32x4 =
                is_float ? vld1q_f32((const float *)scores + r) : vcvtq_f32_s32(vld1q_s32((const int32_t *)scores + r));
            float32x4_t costs_f32x4 = cost_f32x4(f, scores_f32x4, r);
            vst1q_f32(costs + 4 * g, costs_f32x4);
            better_u32x4[g] = better_f32x4(costs_f32x4, limit_f32x4);
        }
        if (EC_LIKELY(!any_of_16(better_u32x4[0], better_u32x4[1], better_u32x4[2], better_u32x4[3]))) continue;
        uint32_t better = bits_of_16(better_u32x4[0], better_u32x4[1], better_u32x4[2], better_u32x4[3]);
        for (better &= mask_of_16(mask, i); better != 0; better &= better - 1) {
            int64_t at = ec_trailing_zeros_u64(better);
            entries[count++] = ec_entry_f32(costs[at], first_row + (uint32_t)(i + at));
        }
    }
    return ec_loop_sift(is_float ? ec_cost_f32 : ec_cost_i32, f, scores, i, n, count, limit, first_row, mask, entries);
}

static int64_t sift_i32(const ec_finish *f, const int32_t *scores, int64_t n, float limit, int64_t k,
                        uint32_t first_row, const uint8_t *mask, uint64_t *entries) {
    (void)k;
    if (f->jaccard) return ec_loop_sift(ec_cost_i32, f, scores, 0, n, 0, limit, first_row, mask, entries);
    return sift(f, scores, 0, n, limit, first_row, mask, entries);
}

static int64_t sift_f32(const ec_finish *f, const float *scores, int64_t n, float limit, int64_t k, uint32_t first_row,
                        const uint8_t *mask, uint64_t *entries) {
    (void)k;
    return sift(f, scores, 1, n, limit, first_row, mask, entries);
}

/* Decodes bits to -1 and +1: a byte of the row is put in every lane, and each lane tests its own bit. */
static void decode_u1(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, float *out) {
    static const uint32_t BITS[8] = {0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1};
    const uint32x4_t high_u32x4 = vld1q_u32(BITS), low_u32x4 = vld1q_u32(BITS + 4);
    const float32x4_t plus_f32x4 = vdupq_n_f32(1.0f), minus_f32x4 = vdupq_n_f32(-1.0f);
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes)
        for (int64_t i = 0; i < width; i++, out += 8) {
            const uint32x4_t byte_u32x4 = vdupq_n_u32(row[i]);
            vst1q_f32(out, vbslq_f32(vtstq_u32(byte_u32x4, high_u32x4), plus_f32x4, minus_f32x4));
            vst1q_f32(out + 4, vbslq_f32(vtstq_u32(byte_u32x4, low_u32x4), plus_f32x4, minus_f32x4));
        }
}

EC_SLOTS(search, neon) {
    table->filter_i32 = filter_i32;
    table->sift_i32 = sift_i32;
    table->sift_f32 = sift_f32;
    table->decode_u1 = decode_u1;
}
#endif
