/* Dots of float queries with rows of bits by tiles, equal to the sums of look-ups.
 *
 * Tables are made of sums of +-v, so that the entry of a nibble is minus that of the nibble with all bits flipped: eight
 * entries tell all. A nibble becomes eight bytes, of which one is 1, or -1, and the others 0: its product with the eight
 * entries is what it would look up.
 *
 *     nibble 1010     0 0 1 0 0 0 0 0           entries of 1000 1001 1010 ... 1111, less their bias
 *     nibble 0101     0 0 -1 0 0 0 0 0
 *
 * A byte of a row so becomes 16 bytes. A product, 16 cycles for 256 pairs, takes four bytes of a row, for which vpermb
 * and vpdpbusd take 32. */
#include "../hamming/amx_near.h"
#include "dot_u1.h"

#if defined(EC_HAS_AMX)

EC_SLOTS(dot_u1, avx512);

/* The tier below, for what tiles do not pay for. */
static ec_kernels below(void) {
    ec_kernels table;
    ec_slots_dot_u1_avx512(&table);
    return table;
}

EC_TARGET_AVX512

/* How many of the queries meet rows by tiles, which do not know of bytes that are met twice. */
static int64_t by_tiles(int64_t n_queries, int64_t twice) { return twice ? 0 : n_queries / EC_TILE * EC_TILE; }

static int64_t row_bytes(int64_t width) { return 32 * ec_quads_u1(width); }

static ec_amx_panel panel_of(const void *panel, int64_t n_rows, int64_t width) {
    return ec_amx_panel_of(panel, ec_round_up(n_rows, EC_DOT_U1_LANES) * ec_quads_u1(width) * 4, row_bytes(width));
}

static void dot_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    below().dot_u1_pack(rows, stride_bytes, n_rows, width, panel);
    *panel_of(panel, n_rows, width).made = 0;
}

/* The last eight of each of eight tables of sixteen entries, less their bias; tables outside the mask count as 0. */
EC_INLINE __m512i upper_entries(const uint8_t *tables, int64_t n_tables) {
    const __m512i upper_u64x8 = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    const __m512i low_u8x64 = _mm512_maskz_loadu_epi8(ec_bytes_below(16 * n_tables), tables);
    const __m512i high_u8x64 =
        n_tables > 4 ? _mm512_maskz_loadu_epi8(ec_bytes_below(16 * (n_tables - 4)), tables + 64) : low_u8x64;
    const __m512i entries_u8x64 = _mm512_permutex2var_epi64(low_u8x64, upper_u64x8, high_u8x64);
    return _mm512_maskz_sub_epi8(ec_bytes_below(8 * n_tables), entries_u8x64, _mm512_set1_epi8((char)128));
}

static void dot_u1_prepare(const void *tables, int64_t n_queries, int64_t width, int64_t twice, void *prepared) {
    const int64_t quads = ec_quads_u1(twice + width), whole = by_tiles(n_queries, twice), query_bytes = 64 * quads;
    for (int64_t q = 0; q < whole; q += EC_TILE) {
        const uint8_t *table = (const uint8_t *)tables + q * query_bytes;
        uint8_t *out = (uint8_t *)prepared + q * query_bytes;
        for (int64_t j = 0; j < quads; j += 2, out += EC_TILE * EC_TILE_BYTES) {
            __m512i entries_i8x64[EC_TILE];
            for (int64_t i = 0; i < EC_TILE; i++)
                entries_i8x64[i] = upper_entries(table + i * query_bytes + j * 64, ec_min_i64(quads - j, 2) * 4);
            ec_amx_put_queries(entries_i8x64, out);
        }
    }
    below().dot_u1_prepare((const uint8_t *)tables + whole * query_bytes, n_queries - whole, width, twice,
                           (uint8_t *)prepared + whole * query_bytes);
}

/* The bytes of eight nibbles, in the low four bits of eight bytes. */
EC_INLINE __m512i bytes_of(uint64_t nibbles) {
    const __m512i minus_u64x8 = _mm512_setr_epi64((int64_t)(0xffull << 56), 0xffll << 48, 0xffll << 40, 0xffll << 32,
                                                  0xffll << 24, 0xffll << 16, 0xffll << 8, 0xffll);
    const __m512i plus_u64x8 =
        _mm512_setr_epi64(1, 1ll << 8, 1ll << 16, 1ll << 24, 1ll << 32, 1ll << 40, 1ll << 48, 1ll << 56);
    const __m512i each_u64x8 =
        _mm512_srlv_epi64(_mm512_set1_epi64((int64_t)nibbles), _mm512_setr_epi64(0, 8, 16, 24, 32, 40, 48, 56));
    return _mm512_permutex2var_epi64(minus_u64x8, each_u64x8, plus_u64x8); /* reads the low four bits */
}

/* Makes the bytes of the panel's rows. avx512's form has the indices of four nibbles of sixteen rows side by side:
 * transposed back they are 64 nibbles of each row. */
static EC_NOINLINE void make_bytes(const ec_amx_panel *parts, const uint8_t *plain, int64_t n_rows, int64_t width) {
    const int64_t quads = ec_quads_u1(width);
    for (int64_t r = 0; r < n_rows; r += EC_TILE) {
        const uint8_t *from = plain + (r / 64 * 64 * quads + r % 64 / 16 * 16) * 4;
        for (int64_t at = 0; at < quads; at += 16) {
            const int64_t n = ec_min_i64(quads - at, 16), n_lines = (n + 1) / 2;
            _Alignas(64) uint64_t nibbles[EC_TILE][8];
            __m512i indices_u32x16[EC_TILE];
            for (int64_t i = 0; i < EC_TILE; i++)
                indices_u32x16[i] = i < n ? _mm512_load_si512(from + (at + i) * 256) : _mm512_setzero_si512();
            ec_transpose_u32x16(indices_u32x16);
            for (int i = 0; i < EC_TILE; i++) {
                uint8_t *out = parts->bytes + (r + i) * parts->stride + at * 32;
                _mm512_store_si512(nibbles[i], indices_u32x16[i]);
                for (int64_t j = 0; j < n_lines; j++) _mm512_store_si512(out + 64 * j, bytes_of(nibbles[i][j]));
            }
        }
    }
    *parts->made = 1;
}

static void dot_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes) {
    const int64_t whole = by_tiles(n_queries, twice), query_bytes = 64 * ec_quads_u1(twice + width);
    if (whole) {
        ec_prefetch(ahead, ahead_bytes);
        const ec_amx_panel parts = panel_of(panel, n_rows, width);
        if (!*parts.made) make_bytes(&parts, panel, n_rows, width);
        ec_amx_near(&parts, n_rows, row_bytes(width), prepared, query_bytes, whole, 0, limits, scores, scores_stride,
                    near);
    }
    if (n_queries > whole)
        below().dot_u1_tile((const uint8_t *)prepared + whole * query_bytes, n_queries - whole, panel, n_rows, width,
                            twice, limits + whole, scores + whole * scores_stride, scores_stride, near + whole, ahead,
                            whole ? 0 : ahead_bytes);
}

EC_TARGET_END

EC_SLOTS(dot_u1, amx) {
    table->dot_u1_pack = dot_u1_pack;
    table->dot_u1_prepare = dot_u1_prepare;
    table->dot_u1_tile = dot_u1_tile;
    table->dot_u1_spread = 16;
}
#else
typedef int ec_dot_u1_amx_is_not_built;
#endif
