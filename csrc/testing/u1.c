/* Scores of the families of bits, for tests: see contract/testing.h. */
#include "../contract/testing.h"
#include "../dot_u1/dot_u1.h"

enum { GROUP = 64 }; /* queries a tile, a multiple of what any tier wants  */

/* Of either family. */
static int64_t prepared_bytes(int64_t n_queries, int64_t width) {
    return ec_max_i64(ec_dot_u1_tables_bytes(n_queries, EC_DOT_U1_TWICE_MOST + width),
                      ec_hamming_u1_prepared_bytes(n_queries, width));
}

int64_t ec_u1_scratch_bytes(int64_t n_queries, int64_t width) {
    return 64 + prepared_bytes(n_queries, width) + ec_dot_u1_panel_bytes(EC_DOT_BLOCK, width) +
           ec_hamming_u1_panel_bytes(EC_DOT_BLOCK, width);
}

int32_t ec_u1_scores(int32_t family, const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes,
                     int64_t n_rows, int64_t width, int64_t twice, int32_t by_rows, void *scratch, void *scores) {
    int hamming = family == EC_HAMMING_U1;
    if ((!hamming && family != EC_DOT_U1) || width < 1 || n_queries < 0 || n_rows < 0 || twice < 0 || twice > width ||
        twice > EC_DOT_U1_TWICE_MOST || twice % 2)
        return 0;
    int64_t query_bytes = hamming ? width : ec_dot_u1_tables_bytes(1, twice + width);
    if (by_rows) {
        int32_t *out = scores;
        for (int64_t q = 0; q < n_queries; q++) {
            const uint8_t *query = (const uint8_t *)queries + q * query_bytes;
            if (hamming)
                ec_active.hamming_u1_rows(query, rows, stride_bytes, n_rows, width, out + q * n_rows);
            else
                ec_active.dot_u1_rows(query, rows, stride_bytes, n_rows, width, twice, out + q * n_rows);
        }
        return 1;
    }
    uint8_t *prepared = (uint8_t *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    uint8_t *panel = prepared + prepared_bytes(n_queries, width);
    if (hamming)
        ec_active.hamming_u1_prepare(queries, n_queries, width, prepared);
    else
        ec_active.dot_u1_prepare(queries, n_queries, width, twice, prepared);
    int32_t limits[GROUP]; /* which all scores are within */
    uint8_t near[GROUP];
    for (int i = 0; i < GROUP; i++) limits[i] = hamming ? INT32_MAX : INT32_MIN;
    for (int64_t r = 0; r < n_rows; r += EC_DOT_BLOCK) {
        int64_t n = ec_min_i64(EC_DOT_BLOCK, n_rows - r);
        const uint8_t *block = (const uint8_t *)rows + r * stride_bytes;
        if (hamming)
            ec_active.hamming_u1_pack(block, stride_bytes, n, width, panel);
        else
            ec_active.dot_u1_pack(block, stride_bytes, n, width, panel);
        for (int64_t q = 0; q < n_queries; q += GROUP) {
            int64_t some = ec_min_i64(GROUP, n_queries - q);
            int32_t *out = (int32_t *)scores + q * n_rows + r;
            if (hamming)
                ec_active.hamming_u1_tile(prepared + ec_hamming_u1_prepared_bytes(q, width), some, panel, n, width,
                                          limits, out, n_rows, near, NULL, 0);
            else
                ec_active.dot_u1_tile(prepared + q * query_bytes, some, panel, n, width, twice, limits, out, n_rows,
                                      near, NULL, 0);
        }
    }
    return 1;
}
