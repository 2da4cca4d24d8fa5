/* float32 dots with NEON. In tiles a lane is a row, and the dimensions come class by class; for plain rows a lane is a
 * class. Either way each partial sum takes its products in the order of the specification. */
#include "strips.h"

#if defined(EC_AARCH64)

enum { TILE_QUERIES = 4 }; /* 4 x 4 partial sums, 4 vectors of rows: 20 of 32 registers; totals are in memory */

static void dot_f32_prepare(const void *queries, int64_t n_queries, int64_t dimension, void *prepared) {
    ec_class_queries(queries, n_queries, dimension, prepared);
}

static void dot_f32_pack(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *panel) {
    float *out = panel;
    for (int64_t first = 0; first < n_rows; first += EC_STRIP)
        for (int64_t c = 0; c < EC_CLASSES; c++)
            for (int64_t d = c; d < dimension; d += EC_CLASSES)
                for (int64_t r = first; r < first + EC_STRIP; r++, out++) {
                    *out = 0;
                    if (r < n_rows) memcpy(out, (const uint8_t *)rows + r * stride_bytes + d * 4, 4);
                }
}

/* Sixteen floats: of 16 rows, or the 16 classes of one row. */
typedef struct {
    float32x4_t v0, v1, v2, v3;
} vectors;

EC_INLINE vectors load_16(const uint8_t *p) {
    const vectors x = {vreinterpretq_f32_u8(vld1q_u8(p)), vreinterpretq_f32_u8(vld1q_u8(p + 16)),
                       vreinterpretq_f32_u8(vld1q_u8(p + 32)), vreinterpretq_f32_u8(vld1q_u8(p + 48))};
    return x;
}

EC_INLINE void store_16(float *out, vectors x) {
    vst1q_f32(out, x.v0);
    vst1q_f32(out + 4, x.v1);
    vst1q_f32(out + 8, x.v2);
    vst1q_f32(out + 12, x.v3);
}

EC_INLINE vectors zeros(void) {
    const vectors x = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    return x;
}

EC_INLINE vectors add_products(vectors partial, vectors rows, vectors values) {
    partial.v0 = vfmaq_f32(partial.v0, values.v0, rows.v0);
    partial.v1 = vfmaq_f32(partial.v1, values.v1, rows.v1);
    partial.v2 = vfmaq_f32(partial.v2, values.v2, rows.v2);
    partial.v3 = vfmaq_f32(partial.v3, values.v3, rows.v3);
    return partial;
}

EC_INLINE vectors add_value(vectors partial, vectors rows, const uint8_t *value) {
    float x;
    memcpy(&x, value, 4);
    const float32x4_t x_f32x4 = vdupq_n_f32(x);
    const vectors values = {x_f32x4, x_f32x4, x_f32x4, x_f32x4};
    return add_products(partial, rows, values);
}

EC_INLINE void add_partial(float *total, vectors partial) {
    vectors sum = load_16((const uint8_t *)total);
    sum.v0 = vaddq_f32(sum.v0, partial.v0);
    sum.v1 = vaddq_f32(sum.v1, partial.v1);
    sum.v2 = vaddq_f32(sum.v2, partial.v2);
    sum.v3 = vaddq_f32(sum.v3, partial.v3);
    store_16(total, sum);
}

/* The totals of a strip's 16 rows for n_queries queries. */
EC_INLINE void block(const int n_queries, const uint8_t *query, int64_t query_stride, const uint8_t *panel,
                     int64_t dimension, float totals[TILE_QUERIES][EC_STRIP]) {
    memset(totals, 0, TILE_QUERIES * EC_STRIP * 4);
    for (int64_t c = 0; c < EC_CLASSES; c++) {
        vectors p0 = zeros(), p1 = p0, p2 = p0, p3 = p0;
        for (int64_t d = c; d < dimension; d += EC_CLASSES, query += 4, panel += 4 * EC_STRIP) {
            const vectors rows = load_16(panel);
            p0 = add_value(p0, rows, query);
            if (n_queries > 1) p1 = add_value(p1, rows, query + query_stride);
            if (n_queries > 2) p2 = add_value(p2, rows, query + 2 * query_stride);
            if (n_queries > 3) p3 = add_value(p3, rows, query + 3 * query_stride);
        }
        add_partial(totals[0], p0);
        if (n_queries > 1) add_partial(totals[1], p1);
        if (n_queries > 2) add_partial(totals[2], p2);
        if (n_queries > 3) add_partial(totals[3], p3);
    }
}

static void dot_f32_tile(const void *prepared, int64_t first_query, int64_t n_queries, const void *panel,
                         int64_t n_rows, int64_t dimension, float *scores, int64_t scores_stride, const void *ahead,
                         int64_t ahead_bytes) {
    (void)ahead;
    (void)ahead_bytes;
    const int64_t stride = ec_classed_query_bytes(dimension);
    const uint8_t *queries = (const uint8_t *)prepared + first_query * stride;
    float totals[TILE_QUERIES][EC_STRIP];
    for (int64_t r = 0; r < n_rows; r += EC_STRIP) {
        const uint8_t *strip = (const uint8_t *)panel + r * dimension * 4;
        const int64_t n = ec_min_i64(n_rows - r, EC_STRIP);
        for (int64_t q = 0, step; q < n_queries; q += step) {
            step = n_queries - q < TILE_QUERIES ? 1 : TILE_QUERIES;
            if (step == 1)
                block(1, queries + q * stride, stride, strip, dimension, totals);
            else
                block(TILE_QUERIES, queries + q * stride, stride, strip, dimension, totals);
            for (int64_t i = 0; i < step; i++) memcpy(scores + (q + i) * scores_stride + r, totals[i], (size_t)n * 4);
        }
    }
}

/* A lane without a value in the last step adds a product of zeros, which changes no total. */
static void dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                         float *scores) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes, *values = query;
        vectors partial = zeros();
        float lanes[EC_CLASSES];
        int64_t d = 0;
        for (; d + 16 <= dimension; d += 16)
            partial = add_products(partial, load_16(row + d * 4), load_16(values + d * 4));
        if (d < dimension) {
            uint8_t a[64] = {0}, b[64] = {0};
            memcpy(a, row + d * 4, (size_t)(dimension - d) * 4);
            memcpy(b, values + d * 4, (size_t)(dimension - d) * 4);
            partial = add_products(partial, load_16(a), load_16(b));
        }
        store_16(lanes, partial);
        scores[r] = ec_add_classes(lanes);
    }
}

/* Vector i holds the partial sums 2 i and 2 i + 1. */
static void sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, double *sums) {
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = (const uint8_t *)rows + r * stride_bytes;
        float64x2_t partial_f64x2[8];
        double partial[16];
        for (int i = 0; i < 8; i++) partial_f64x2[i] = vdupq_n_f64(0);
        for (int64_t d = 0; d < dimension; d += 16) {
            float x[16] = {0};
            memcpy(x, row + d * 4, (size_t)ec_min_i64(dimension - d, 16) * 4);
            for (int i = 0; i < 8; i++) {
                const float64x2_t x_f64x2 = vcvt_f64_f32(vld1_f32(x + 2 * i));
                partial_f64x2[i] = vfmaq_f64(partial_f64x2[i], x_f64x2, x_f64x2);
            }
        }
        for (int i = 0; i < 8; i++) vst1q_f64(partial + 2 * i, partial_f64x2[i]);
        sums[r] = ec_halve_f64x16(partial);
    }
}

EC_SLOTS(dot_f32, neon) {
    table->dot_f32_pack = dot_f32_pack;
    table->dot_f32_prepare = dot_f32_prepare;
    table->dot_f32_tile = dot_f32_tile;
    table->dot_f32_rows = dot_f32_rows;
    table->sumsq_f32 = sumsq_f32;
}
#endif
