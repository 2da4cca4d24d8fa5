/* The public functions of the family: the tables of all queries, and their size. */
#include "tables.h"

enum {
    MOST_COARSE = 125, /* of an entry of first tables, a sum of four whole numbers: two are left for their rounding */
};

int64_t ec_dot_u1_tables_bytes(int64_t n_queries, int64_t width) { return n_queries * ec_quads_u1(width) * 64; }

/* The largest sum of four magnitudes of a query. NaN is passed over: it is found when tables are made. */
static float largest_of_4(const char *query, int64_t count) {
    float most = 0;
    for (int64_t i = 0; i < count; i += 4) {
        const float a = fabsf(ec_load_f32_at(query, i)), b = fabsf(ec_load_f32_at(query, i + 1));
        const float c = fabsf(ec_load_f32_at(query, i + 2)), d = fabsf(ec_load_f32_at(query, i + 3));
        const float sum = (a + b) + (c + d);
        most = sum > most ? sum : most;
    }
    return most;
}

/* Writes what a query's first tables are made of, and behind it the query less what these count. Returns the scale that
 * all tables must have at least. */
static float split_query(const char *query, int64_t width, int64_t twice, float *split) {
    const float counts = 1 << EC_DOT_U1_TWICE_SHIFT;
    const int64_t first = 8 * twice;
    float scale = largest_of_4(query + 4 * first, 8 * width - first) / 127;
    const float coarse_scale = largest_of_4(query, first) / (counts * MOST_COARSE);
    scale = coarse_scale > scale ? coarse_scale : scale;
    const float step = scale * counts;
    memcpy(split + first, query, (size_t)(32 * width));
    for (int64_t i = 0; i < first; i++) {
        const float coarse = step > 0 ? (float)ec_nearest(split[first + i] / step) : 0;
        split[i] = coarse * scale;
        split[first + i] -= coarse * step;
    }
    return scale;
}

int32_t ec_dot_u1_tables(const void *queries, int64_t n_queries, int64_t width, int64_t twice, void *split,
                         void *tables, void *scales) {
    const char *query = queries;
    uint8_t *out = tables, *scale_out = scales;
    const int64_t all = twice + width;
    for (int64_t q = 0; q < n_queries; q++, query += width * 32, out += ec_quads_u1(all) * 64, scale_out += 4) {
        float scale;
        memcpy(&scale, scale_out, 4);
        if (twice) {
            const float least = split_query(query, width, twice, split);
            scale = least > scale ? least : scale;
        }
        if (!ec_active.dot_u1_tables(twice ? split : query, all, out, &scale)) return 0;
        memcpy(scale_out, &scale, 4);
    }
    return 1;
}
