/* Scratch sizes, and the tables by which a float query meets sign bits. */
#include "hamming.h"

int64_t ec_hamming_u1_panel_bytes(int64_t n_rows, int64_t width) {
    return ec_round_up(n_rows, EC_HAMMING_LANES) * ec_words_u1(width) * 8;
}

int64_t ec_hamming_u1_prepared_bytes(int64_t n_queries, int64_t width) { return n_queries * ec_words_u1(width) * 8; }

int64_t ec_dot_u1_panel_bytes(int64_t n_rows, int64_t width) {
    return ec_round_up(n_rows, EC_DOT_U1_LANES) * ec_quads_u1(width) * 4;
}

int64_t ec_dot_u1_tables_bytes(int64_t n_queries, int64_t width) { return n_queries * ec_quads_u1(width) * 64; }

/* The sums of +-v over four dimensions; bit 3 of the index is the first dimension, set for plus. */
static void sums_of_nibble(const float *v, float *sums) {
    for (int n = 0; n < 16; n++) {
        float s0 = n & 8 ? v[0] : -v[0], s1 = n & 4 ? v[1] : -v[1], s2 = n & 2 ? v[2] : -v[2], s3 = n & 1 ? v[3] : -v[3];
        sums[n] = (s0 + s1) + (s2 + s3);
    }
}

static float magnitude(float x) { return x < 0 ? -x : x; }

/* To the nearest integer, halves to even, for |x| <= 2^22. */
static int32_t nearest(float x) {
    const float shifter = 12582912.0f; /* 1.5 * 2^23: adding it leaves no room for a fraction */
    float shifted = x + shifter;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    return (bits & 0x7fffff) - 0x400000;
}

int32_t ec_dot_u1_tables(const void *queries, int64_t n_queries, int64_t width, void *tables, void *scales) {
    const uint8_t *query = queries;
    uint8_t *out = tables;
    uint8_t *scale_out = scales;
    for (int64_t q = 0; q < n_queries; q++, query += width * 32, scale_out += 4) {
        float v[4], sums[16], largest = 0;
        for (int64_t p = 0; p < 2 * width; p++) {
            memcpy(v, query + p * 16, 16);
            float sum = (magnitude(v[0]) + magnitude(v[1])) + (magnitude(v[2]) + magnitude(v[3]));
            if (!(sum <= largest)) largest = sum;
        }
        if (!(largest <= 3.402823466e38f)) return 0; /* not finite */
        float scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
        if (!(inverse <= 3.402823466e38f)) scale = inverse = 0; /* all but zero: too small to invert */
        memcpy(scale_out, &scale, 4);
        for (int64_t p = 0; p < 4 * ec_quads_u1(width); p++, out += 16) {
            if (p >= 2 * width) {
                memset(out, 128, 16);
                continue;
            }
            memcpy(v, query + p * 16, 16);
            sums_of_nibble(v, sums);
            for (int n = 0; n < 16; n++) {
                int32_t rounded = nearest(sums[n] * inverse);
                out[n] = (uint8_t)((rounded > 127 ? 127 : rounded < -127 ? -127 : rounded) + 128);
            }
        }
    }
    return 1;
}

int64_t ec_u1_scratch_bytes(int64_t n_queries, int64_t width) {
    return 64 + ec_dot_u1_tables_bytes(n_queries, width) + ec_dot_u1_panel_bytes(EC_DOT_BLOCK, width) + ec_hamming_u1_panel_bytes(EC_DOT_BLOCK, width);
}

int32_t ec_u1_scores(int32_t family, const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes,
                     int64_t n_rows, int64_t width, int32_t by_rows, void *scratch, void *scores) {
    int hamming = family == EC_HAMMING_U1;
    if ((!hamming && family != EC_DOT_U1) || width < 1 || n_queries < 0 || n_rows < 0) return 0;
    int64_t query_bytes = hamming ? width : ec_dot_u1_tables_bytes(1, width);
    int32_t *out = scores;
    if (by_rows) {
        for (int64_t q = 0; q < n_queries; q++) {
            const uint8_t *query = (const uint8_t *)queries + q * query_bytes;
            if (hamming)
                ec_active.hamming_u1_rows(query, rows, stride_bytes, n_rows, width, out + q * n_rows);
            else
                ec_active.dot_u1_rows(query, rows, stride_bytes, n_rows, width, out + q * n_rows);
        }
        return 1;
    }
    uint8_t *prepared = (uint8_t *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    uint8_t *panel = prepared + ec_dot_u1_tables_bytes(n_queries, width);
    if (hamming)
        ec_active.hamming_u1_prepare(queries, n_queries, width, prepared);
    else
        ec_active.dot_u1_prepare(queries, n_queries, width, prepared);
    for (int64_t r = 0; r < n_rows; r += EC_DOT_BLOCK, out += EC_DOT_BLOCK) {
        int64_t n = ec_min_i64(EC_DOT_BLOCK, n_rows - r);
        const uint8_t *block = (const uint8_t *)rows + r * stride_bytes;
        if (hamming) {
            ec_active.hamming_u1_pack(block, stride_bytes, n, width, panel);
            ec_active.hamming_u1_tile(prepared, n_queries, panel, n, width, out, n_rows);
        } else {
            ec_active.dot_u1_pack(block, stride_bytes, n, width, panel);
            ec_active.dot_u1_tile(prepared, n_queries, panel, n, width, out, n_rows);
        }
    }
    return 1;
}
