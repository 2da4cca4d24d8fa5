/* Dots by tables with NEON: tbl makes 16 look-ups an instruction. */
#include "columns.h"

#if defined(EC_AARCH64)

/* The 16 x 16 transpose of bytes, in place. A round interleaves vectors i and i + 8, which rotates the eight bits of a
 * byte's address (row, column) by one; four rounds exchange row and column. */
EC_INLINE void transpose_u8x16(uint8x16_t v[16]) {
    for (int round = 0; round < 4; round++) {
        uint8x16_t mixed[16];
        for (int i = 0; i < 8; i++) {
            mixed[2 * i] = vzip1q_u8(v[i], v[i + 8]);
            mixed[2 * i + 1] = vzip2q_u8(v[i], v[i + 8]);
        }
        for (int i = 0; i < 16; i++) v[i] = mixed[i];
    }
}

/* Sixteen bytes of a row, of which `left` are left; the bytes behind them are 0. */
EC_INLINE uint8x16_t load_16(const uint8_t *p, int64_t left) {
    if (EC_LIKELY(left >= 16)) return vld1q_u8(p);
    uint8_t bytes[16] = {0};
    memcpy(bytes, p, (size_t)left);
    return vld1q_u8(bytes);
}

static void load_columns(const uint8_t *rows, int64_t stride_bytes, int64_t r, int64_t n_rows, int64_t width,
                         int64_t at, int64_t count, uint8_t *columns) {
    for (int64_t i = at; i < at + count; i += 16)
        for (int half = 0; half < EC_COLUMN; half += 16) {
            uint8x16_t v[16];
            for (int k = 0; k < 16; k++) {
                const int64_t row = r + half + k < n_rows ? r + half + k : r;
                v[k] = load_16(rows + row * stride_bytes + i, width - i);
            }
            transpose_u8x16(v);
            for (int k = 0; k < 16 && i + k < at + count; k++)
                vst1q_u8(columns + (i - at + k) * EC_COLUMN + half, v[k]);
        }
}

/* Sums of the look-ups of 32 rows. Named members rather than an array: only so do compilers keep them in registers. */
typedef struct {
    uint16x8_t v0, v1, v2, v3;
} sums_of_32;

/* The high and low nibbles of a column of 32 rows: of rows 0 .. 15, then of rows 16 .. 31. */
typedef struct {
    uint8x16_t high0, low0, high1, low1;
} nibbles_of_32;

EC_INLINE nibbles_of_32 load_nibbles(const uint8_t *column) {
    const uint8x16_t first = vld1q_u8(column), second = vld1q_u8(column + 16), nibble = vdupq_n_u8(15);
    const nibbles_of_32 nibbles = {vshrq_n_u8(first, 4), vandq_u8(first, nibble), vshrq_n_u8(second, 4),
                                   vandq_u8(second, nibble)};
    return nibbles;
}

EC_INLINE sums_of_32 add_look_ups(sums_of_32 sums, const uint8_t *table, nibbles_of_32 nibbles) {
    const uint8x16_t high_table = vld1q_u8(table), low_table = vld1q_u8(table + 16);
    const uint8x16_t a = vqtbl1q_u8(high_table, nibbles.high0), b = vqtbl1q_u8(low_table, nibbles.low0);
    const uint8x16_t c = vqtbl1q_u8(high_table, nibbles.high1), d = vqtbl1q_u8(low_table, nibbles.low1);
    sums.v0 = vaddw_u8(vaddw_u8(sums.v0, vget_low_u8(a)), vget_low_u8(b));
    sums.v1 = vaddw_high_u8(vaddw_high_u8(sums.v1, a), b);
    sums.v2 = vaddw_u8(vaddw_u8(sums.v2, vget_low_u8(c)), vget_low_u8(d));
    sums.v3 = vaddw_high_u8(vaddw_high_u8(sums.v3, c), d);
    return sums;
}

/* Adds to totals[r] the sums of `count` columns, less the bias of their look-ups. */
EC_INLINE void add_sums(int32_t totals[EC_COLUMN], sums_of_32 sums, int64_t count) {
    uint16_t lanes[EC_COLUMN];
    vst1q_u16(lanes, sums.v0);
    vst1q_u16(lanes + 8, sums.v1);
    vst1q_u16(lanes + 16, sums.v2);
    vst1q_u16(lanes + 24, sums.v3);
    for (int r = 0; r < EC_COLUMN; r++) totals[r] += lanes[r] - (int32_t)(256 * count);
}

EC_INLINE void add_some(int n_queries, const uint8_t *tables, int64_t query_bytes, const uint8_t *columns,
                        int64_t count, int32_t totals[2][EC_COLUMN]) {
    const uint16x8_t nothing = vdupq_n_u16(0);
    const sums_of_32 zero = {nothing, nothing, nothing, nothing};
    sums_of_32 sums = zero, other_sums = zero;
    for (int64_t i = 0; i < count; i++) {
        const nibbles_of_32 nibbles = load_nibbles(columns + EC_COLUMN * i);
        sums = add_look_ups(sums, tables + 32 * i, nibbles);
        if (n_queries > 1) other_sums = add_look_ups(other_sums, tables + query_bytes + 32 * i, nibbles);
    }
    add_sums(totals[0], sums, count);
    if (n_queries > 1) add_sums(totals[1], other_sums, count);
}

static void add_piece(int n_queries, const uint8_t *tables, int64_t query_bytes, const uint8_t *columns, int64_t count,
                      int32_t totals[2][EC_COLUMN]) {
    if (n_queries == 1)
        add_some(1, tables, query_bytes, columns, count, totals);
    else
        add_some(2, tables, query_bytes, columns, count, totals);
}

static void dot_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    ec_pack_columns(rows, stride_bytes, n_rows, width, panel, load_columns);
}

static void dot_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes) {
    ec_prefetch(ahead, ahead_bytes);
    ec_tile_columns(prepared, n_queries, panel, n_rows, width, twice, scores, scores_stride, add_piece);
    ec_find_near(scores, scores_stride, n_queries, n_rows, limits, 1, near);
}

static void dot_u1_rows(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                        int64_t twice, int32_t *scores) {
    ec_rows_columns(tables, rows, stride_bytes, n_rows, width, twice, scores, load_columns, add_piece);
}

EC_SLOTS(dot_u1, neon) {
    table->dot_u1_pack = dot_u1_pack;
    table->dot_u1_tile = dot_u1_tile;
    table->dot_u1_rows = dot_u1_rows;
}
#endif
