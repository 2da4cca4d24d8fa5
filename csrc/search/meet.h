/* For the driver (search.c): a block of rows meets a batch of queries, under the limits that the queries have by then. */
#ifndef EC_SEARCH_MEET_H
#define EC_SEARCH_MEET_H

#include "scan.h"

/* Where entries go: to the reservoirs of the k best, or, for a range search, to one list of hits for all queries. */
typedef struct {
    int range;
    uint64_t *hits;
    int32_t *hit_queries;
    int64_t n_hits; /* or entries */
} ec_sink;

/* A batch, the queries first_query .. + n_queries, begins with empty reservoirs and no limits. */
void ec_meet_begin(const ec_scan *scan, int64_t first_query, int64_t n_queries);

/* The same with the limits of a range search, float32 (all queries,). */
void ec_meet_within(const ec_scan *scan, const void *limits, int64_t first_query, int64_t n_queries);

/* One block against a batch of queries, under what other threads have found by now: decodes or packs it, computes terms
 * and scores, and keeps what passes. Returns the position of a row of which a cost is NaN, or -1. */
int64_t ec_meet(const ec_scan *scan, ec_sink *to, int64_t first_query, int64_t n_queries, const int64_t *selection,
                ec_block *block);

#endif
