/* The tables by which float queries meet rows of bits. */
#ifndef EC_CONTRACT_TABLES_H
#define EC_CONTRACT_TABLES_H

#include "results.h"

/* Make tables for EC_DOT_U1 of queries float32 (n_queries, 8 * width), whose values are in the order of the rows' bits,
 * the highest bit of a byte first. tables: ec_dot_u1_tables_bytes(n_queries, twice + width). With scales float32 (n_queries,)
 *
 *     query . (+-1 of the row) = scale * score
 *
 * with an error of at most scale / 2 for each four dimensions that are not all zero, so of at most scale / 2 * ceil(d /
 * 4) for d dimensions, apart from float32 roundings. On entry the scales are the least there may be: 0, or what the
 * queries were rounded by before. Returns 1, or 0 where a query is not finite.
 *
 * Scans may meet the first `twice` <= width bytes of rows twice (ec_search_args.twice). Each query's tables then begin
 * with those of as many bytes more, whose entries count 1 << EC_DOT_U1_TWICE_SHIFT times: what the query has there in
 * steps of so many scales, and what that leaves is in the tables behind. `split` is scratch, float32 (8 * (twice +
 * width),), or NULL where twice is 0. */
enum {
    EC_DOT_U1_TWICE_SHIFT = 5,  /* log2 of what entries of the first tables count */
    EC_DOT_U1_TWICE_MOST = 128, /* bytes that are met twice, at most: an even number */
};
int64_t ec_dot_u1_tables_bytes(int64_t n_queries, int64_t width);
int32_t ec_dot_u1_tables(const void *queries, int64_t n_queries, int64_t width, int64_t twice, void *split,
                         void *tables, void *scales);

#endif
