/* Differing bits by tiles. A bit becomes the byte +1 or -1; equal bits have the product 1, others -1, so that the dot of
 * two rows of n bits is n - 2 * (bits that differ). Bits behind the end of a row are 0 in rows and queries, and equal.
 *
 * A word of 64 bits becomes the 64 bytes of one product: 16 cycles for 256 pairs, where xor, count and sum take 48. Rows
 * of at most 32 bytes, which avx512 packs by bytes, leave tiles half empty and stay with avx512. */
#include "amx_near.h"

#if defined(EC_HAS_AMX)

EC_SLOTS(hamming, scalar);
EC_SLOTS(hamming, avx512);

/* The tier below, for what tiles do not pay for. */
static ec_kernels below(void) {
    ec_kernels table;
    ec_slots_hamming_scalar(&table);
    ec_slots_hamming_avx512(&table);
    return table;
}

EC_TARGET_AVX512

static int64_t row_bytes(int64_t width) { return 64 * ec_words_u1(width); }

static ec_amx_panel panel_of(const void *panel, int64_t n_rows, int64_t width) {
    return ec_amx_panel_of(panel, ec_round_up(n_rows, EC_HAMMING_LANES) * ec_words_u1(width) * 8, row_bytes(width));
}

/* 64 bytes of 64 bits: +1 for a bit that is 0, -1 for one that is 1. */
EC_INLINE __m512i bytes_of(uint64_t word) {
    return _mm512_or_si512(_mm512_movm_epi8((__mmask64)word), _mm512_set1_epi8(1));
}

static void hamming_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    below().hamming_u1_pack(rows, stride_bytes, n_rows, width, panel);
    if (ec_hamming_spread(width) > 1) *panel_of(panel, n_rows, width).made = 0;
}

static void hamming_u1_prepare(const void *queries, int64_t n_queries, int64_t width, void *prepared) {
    const int64_t words = ec_words_u1(width), whole = ec_hamming_spread(width) > 1 ? n_queries / EC_TILE * EC_TILE : 0;
    const uint8_t *query = queries;
    uint8_t *out = prepared;
    for (int64_t q = 0; q < whole; q += EC_TILE)
        for (int64_t j = 0; j < words; j++, out += EC_TILE * EC_TILE_BYTES) {
            __m512i bytes_i8x64[EC_TILE];
            for (int64_t i = 0; i < EC_TILE; i++)
                bytes_i8x64[i] = bytes_of(ec_row_word(query + (q + i) * width, width, j));
            ec_amx_put_queries(bytes_i8x64, out);
        }
    below().hamming_u1_prepare(query + whole * width, n_queries - whole, width, out);
}

/* Makes the bytes of the panel's rows. avx512's form has 32 bits of sixteen rows side by side: transposed back they are
 * 64 bytes of each row, eight words. */
static EC_NOINLINE void make_bytes(const ec_amx_panel *parts, const uint8_t *plain, int64_t n_rows, int64_t width) {
    const int64_t dwords = (width + 3) / 4;
    for (int64_t r = 0; r < n_rows; r += EC_TILE)
        for (int64_t at = 0; at < dwords; at += 16) {
            const int64_t n = ec_min_i64(dwords - at, 16), n_words = (n + 1) / 2;
            _Alignas(64) uint64_t words[EC_TILE][8];
            __m512i bits_u32x16[EC_TILE];
            for (int64_t i = 0; i < EC_TILE; i++)
                bits_u32x16[i] =
                    i < n ? _mm512_load_si512(plain + (r * dwords + (at + i) * 16) * 4) : _mm512_setzero_si512();
            ec_transpose_u32x16(bits_u32x16);
            for (int i = 0; i < EC_TILE; i++) {
                uint8_t *out = parts->bytes + (r + i) * parts->stride + at * 32;
                _mm512_store_si512(words[i], bits_u32x16[i]);
                for (int64_t j = 0; j < n_words; j++) _mm512_store_si512(out + 64 * j, bytes_of(words[i][j]));
            }
        }
    *parts->made = 1;
}

static void hamming_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                            const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                            const void *ahead, int64_t ahead_bytes) {
    const int64_t whole = ec_hamming_spread(width) > 1 ? n_queries / EC_TILE * EC_TILE : 0;
    if (whole) {
        ec_prefetch(ahead, ahead_bytes);
        const ec_amx_panel parts = panel_of(panel, n_rows, width);
        if (!*parts.made) make_bytes(&parts, panel, n_rows, width);
        ec_amx_near(&parts, n_rows, row_bytes(width), prepared, row_bytes(width), whole, (int32_t)row_bytes(width),
                    limits, scores, scores_stride, near);
    }
    if (n_queries > whole)
        below().hamming_u1_tile((const uint8_t *)prepared + whole * row_bytes(width), n_queries - whole, panel, n_rows,
                                width, limits + whole, scores + whole * scores_stride, scores_stride, near + whole,
                                ahead, whole ? 0 : ahead_bytes);
}

EC_TARGET_END

EC_SLOTS(hamming, amx) {
    table->hamming_u1_pack = hamming_u1_pack;
    table->hamming_u1_prepare = hamming_u1_prepare;
    table->hamming_u1_tile = hamming_u1_tile;
    table->planes_u1_queries = 0; /* 16 queries are faster by tiles, and fewer by words */
    table->hamming_u1_spread = 8;
}
#else
typedef int ec_hamming_amx_is_not_built;
#endif
