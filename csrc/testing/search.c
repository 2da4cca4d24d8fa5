/* What threads tell each other in a search, in an order that no chance decides. */
#include "../embcodec.h"
#include "../contract/testing.h"
#include "../search/meet.h"

int32_t ec_search_in_turn(const ec_search_args *args, const void *order, int64_t n, void *counts, void *scratch) {
    enum { MOST_QUERIES = 1024 };
    static const int64_t SEATS = 2;
    ec_atomic_u64 bounds[MOST_QUERIES];
    ec_scan seats[2];
    const int64_t *seat = order, *number = seat + n, queries = args->n_queries;
    const int64_t each = ec_scan_layout(&seats[0], args, NULL);
    if (queries > seats[0].batch || queries > MOST_QUERIES || args->selection) return 0;
    for (int64_t q = 0; q < queries; q++) bounds[q].value = UINT64_MAX;
    for (int64_t s = 0; s < SEATS; s++) {
        ec_scan_layout(&seats[s], args, (uint8_t *)scratch + s * each);
        seats[s].shared = bounds;
        ec_meet_begin(&seats[s], 0, queries);
        if (!ec_scan_by_rows(args, queries)) ec_scan_prepare(&seats[s], args->queries, queries);
    }
    for (int64_t i = 0; i < n; i++) {
        const ec_scan *at = &seats[seat[i]];
        const int64_t first = number[i] * at->block;
        if (first >= args->n_rows) return 0;
        ec_block block = ec_block_at(at, ec_segment_at(args, first), first, args->n_rows);
        ec_sink to = {0, NULL, NULL, 0};
        if (!ec_block_fetch(at, NULL, &block)) return 0;
        if (ec_meet(at, &to, 0, queries, NULL, &block) >= 0) return 0;
        ((int64_t *)counts)[i] = to.n_hits;
    }
    return 1;
}
