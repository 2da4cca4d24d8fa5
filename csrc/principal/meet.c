/* Queries along the directions, as they meet the places of a row. */
#include "principal.h"

/* One query; inlined for each usual number of sources. */
EC_INLINE void meet_places(const int64_t sources, const int32_t *from, const float *by, int64_t places,
                           const float *query, float *to) {
    for (int64_t i = 0; i < places; i++) {
        float sum = by[i] * query[from[i]];
        for (int64_t m = 1; m < sources; m++) sum += by[m * places + i] * query[from[m * places + i]];
        to[i] = sum;
    }
}

ec_result ec_principal_meet_f32(ec_array source, ec_array weights, int64_t sources, int64_t places, ec_array turned,
                                int64_t rows, int64_t columns, void *met) {
    ec_result result = {0, 0, EC_OK};
    const int32_t *from = source.items;
    const float *by = weights.items;
    if (sources < 1 || places < 0 || rows < 0 || columns < 1 || !ec_holds(source.count, sources, places, 1) ||
        !ec_holds(weights.count, sources, places, 1) || !ec_holds(turned.count, rows, columns, 1))
        result.status = EC_BAD_ARGUMENT;
    for (int64_t i = 0; result.status == EC_OK && i < sources * places; i++)
        if (from[i] < 0 || from[i] >= columns) result.status = EC_BAD_ARGUMENT;
    if (result.status != EC_OK) return result;
    for (int64_t r = 0; r < rows; r++) {
        const float *query = (const float *)turned.items + r * columns;
        float *to = (float *)met + r * places;
        switch (sources) {
        case 1: meet_places(1, from, by, places, query, to); break;
        case 2: meet_places(2, from, by, places, query, to); break;
        case 3: meet_places(3, from, by, places, query, to); break;
        case 4: meet_places(4, from, by, places, query, to); break;
        default: meet_places(sources, from, by, places, query, to);
        }
    }
    return result;
}
