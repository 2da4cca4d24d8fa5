/* The public functions of the family: the tables of all queries, and their size. */
#include "tables.h"

int64_t ec_dot_u1_tables_bytes(int64_t n_queries, int64_t width) { return n_queries * ec_quads_u1(width) * 64; }

int32_t ec_dot_u1_tables(const void *queries, int64_t n_queries, int64_t width, void *tables, void *scales) {
    const uint8_t *query = queries;
    uint8_t *out = tables, *scale_out = scales;
    for (int64_t q = 0; q < n_queries; q++, query += width * 32, out += ec_quads_u1(width) * 64, scale_out += 4) {
        float scale;
        memcpy(&scale, scale_out, 4);
        if (!ec_active.dot_u1_tables(query, width, out, &scale)) return 0;
        memcpy(scale_out, &scale, 4);
    }
    return 1;
}
