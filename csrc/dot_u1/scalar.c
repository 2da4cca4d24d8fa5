/* Dots by tables in plain C, exact for given tables: the specification of every slot of the family.
 *
 * The first `twice` bytes of a row, an even number up to EC_DOT_U1_TWICE_MOST, are met twice: by the first tables of a
 * query, whose entries count 1 << EC_DOT_U1_TWICE_SHIFT times, and then, as all bytes of the row, by the tables behind
 * these. So a query whose values there are far greater than elsewhere is rounded as finely everywhere.
 *
 * Rows are `width` bytes of packed bits at any alignment, row r at rows + r * stride_bytes; tables are those of
 * ec_dot_u1_tables(). width >= 1, n_rows >= 0, n_queries >= 0. `panel` and `prepared` are scratch of
 * ec_dot_u1_panel_bytes() and ec_dot_u1_tables_bytes(), 64-byte aligned; only the tier that has filled them can read
 * them. */
#include "dot_u1.h"

/* Packs 0 .. 256 rows into a panel for the tile. */
static void dot_u1_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, void *panel) {
    const uint8_t *row = rows;
    uint8_t *out = panel;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, out += width) memcpy(out, row, (size_t)width);
}

/* One score: the sum of the entries that the nibbles of a row choose in a query's tables, the high nibble of a byte
 * first, each less its bias of 128. */
static int32_t dot_u1(const uint8_t *tables, const uint8_t *row, int64_t width, int64_t twice) {
    int32_t sum = 0;
    if (twice) sum = dot_u1(tables, row, twice, 0) * (1 << EC_DOT_U1_TWICE_SHIFT);
    tables += 32 * twice;
    for (int64_t i = 0; i < width; i++, tables += 32) sum += tables[row[i] >> 4] + tables[16 + (row[i] & 15)] - 2 * 128;
    return sum;
}

/* Brings the tables of a batch of queries into the form that the tile takes. */
static void dot_u1_prepare(const void *tables, int64_t n_queries, int64_t width, int64_t twice, void *prepared) {
    memcpy(prepared, tables, (size_t)(n_queries * 64 * ec_quads_u1(twice + width)));
}

/* scores[q * scores_stride + r] = the score of packed row r with the tables of query q. `prepared` points at a query of
 * the prepared batch whose number is a multiple of 4, and of 16 where tile_queries is, and n_queries is such a multiple,
 * too, unless they are the last of the batch. The tables are odd: entry 15 - n less its bias is minus entry n less its.
 * near[q] and `ahead` are those of hamming_u1_tile, of scores above limits[q]. */
static void dot_u1_tile(const void *prepared, int64_t n_queries, const void *panel, int64_t n_rows, int64_t width,
                        int64_t twice, const int32_t *limits, int32_t *scores, int64_t scores_stride, uint8_t *near,
                        const void *ahead, int64_t ahead_bytes) {
    const uint8_t *table = prepared;
    ec_prefetch(ahead, ahead_bytes);
    for (int64_t q = 0; q < n_queries; q++, table += 64 * ec_quads_u1(twice + width)) {
        near[q] = 0;
        for (int64_t r = 0; r < n_rows; r++) {
            int32_t sum = dot_u1(table, (const uint8_t *)panel + r * width, width, twice);
            scores[q * scores_stride + r] = sum;
            if (sum > limits[q]) near[q] |= (uint8_t)(1 << r / EC_NEAR_ROWS);
        }
    }
}

/* scores[r] = the score of plain row r with the tables of one query. */
static void dot_u1_rows(const void *tables, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width,
                        int64_t twice, int32_t *scores) {
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes) scores[r] = dot_u1(tables, row, width, twice);
}

EC_SLOTS(dot_u1, scalar) {
    table->dot_u1_pack = dot_u1_pack;
    table->dot_u1_prepare = dot_u1_prepare;
    table->dot_u1_tile = dot_u1_tile;
    table->dot_u1_rows = dot_u1_rows;
    table->dot_u1_spread = 1;
    table->dot_u1_wide = 1;
}

EC_INSTALL(dot_u1, EC_SCALAR(dot_u1) EC_AVX2(dot_u1) EC_AVX512(dot_u1) EC_AMX(dot_u1) EC_NEON(dot_u1))
