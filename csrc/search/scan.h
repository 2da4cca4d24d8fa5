/* Inside the scan: its scratch, and a block of rows on its way through it. */
#ifndef EC_SEARCH_SCAN_H
#define EC_SEARCH_SCAN_H

#include "../dot_u1/dot_u1.h"
#include "loops.h"
#include "reservoir.h"

typedef struct ec_screen ec_screen;

typedef struct {
    const ec_search_args *args;
    ec_screen *screen; /* NULL where float rows are not screened: see screening.h */
    int64_t dimension; /* of float32 kernels: that of the rows once decoded */
    int64_t block;     /* most rows at a time */
    int64_t batch;     /* most queries at a time */
    int64_t group;     /* queries a tile */
    int64_t capacity;  /* entries of room a query */

    void *prepared, *panel, *scores;
    uint8_t *gathered;
    float *decoded;
    float *add, *mul, *bias; /* of the block's rows: see ec_finish */
    float *scales;
    double *squares;
    int32_t *sums, *sumsq; /* of their codes */
    uint8_t *zeros;        /* an empty row of bits */
    uint64_t *entries, *spare;
    int64_t *counts, *full; /* entries of a query, and how many ask for pruning */
    int32_t *limits_i32;
    float *limits_f32;
    int32_t *near_limits; /* of raw scores of bits, and what a tile makes of them: see hamming_u1_tile */
    uint8_t *near;
} ec_scan;

/* Rows of the corpus, or of a selection, on their way. */
typedef struct {
    int64_t first, n;    /* position in the corpus or the selection */
    const uint8_t *rows; /* as the kernel takes them */
    int64_t stride;
    const uint8_t *codes; /* the same before they were decoded: what lengths are counted from */
    int64_t codes_stride;
    const uint8_t *mask; /* bit 0 is row `first`; NULL for all */
    int counted;         /* scan->sums and sumsq hold those of the codes already, or of float32 scan->squares */
} ec_block;

/* Take `bytes` of the scratch, in whole cache lines; of none, NULL, only count them. */
EC_INLINE void *ec_take(uint8_t *scratch, int64_t *used, int64_t bytes) {
    void *at = scratch ? scratch + *used : NULL;
    *used += ec_round_up(bytes, 64);
    return at;
}

/* Choose sizes and lay the scratch out from `scratch` on; return its bytes. With scratch NULL only the bytes count. */
int64_t ec_scan_layout(ec_scan *scan, const ec_search_args *args, void *scratch);

/* Make block.rows and block.stride for block.first .. + block.n, codes still. 0 where the mask has none of them. */
int ec_block_fetch(const ec_scan *scan, const int64_t *selection, ec_block *block);

/* Make floats of codes that the kernel takes as such. */
void ec_block_decode(const ec_scan *scan, ec_block *block);

/* What the block's rows contribute to their costs. Best after the kernels have brought the rows into the cache: they ask
 * for memory ahead of what they read. */
void ec_block_terms(const ec_scan *scan, const int64_t *selection, const ec_block *block);

/* Squared lengths of n rows by args->lengths; where `counted`, from the codes' sums that are there. */
void ec_block_squares(const ec_search_args *args, const uint8_t *rows, int64_t stride, int64_t n, int counted,
                      int32_t *sums, int32_t *sumsq, double *squares);

/* Raw scores of queries first .. + n_queries of the prepared batch with the packed block, and in scan->near which may
 * matter. */
void ec_scan_prepare(const ec_scan *scan, const void *queries, int64_t n_queries);
void ec_scan_pack(const ec_scan *scan, const ec_block *block);
void ec_scan_tile(const ec_scan *scan, int64_t first, int64_t n_queries, const ec_block *block, const void *ahead,
                  int64_t ahead_bytes);

/* Raw scores of a few plain queries, a block apart; with them the rows' sums and squares, if that is no work of its own. */
void ec_scan_rows(const ec_scan *scan, const void *queries, int64_t n_queries, ec_block *block);

/* Whether a batch of so few queries is better off without packing. */
int ec_scan_by_rows(const ec_search_args *args, int64_t n_queries);

/* A limit of raw scores of the families of bits, for scan->near_limits: those that are not below it (Hamming) or above
 * it (tables) have no cost below the limit. Of no limit, or where rows make costs in ways of their own, all are. */
int32_t ec_scan_near_limit(const ec_scan *scan, const ec_finish *f, int32_t limit_i32, float limit_f32);

#endif
