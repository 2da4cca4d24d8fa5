/* Shared by the files of the scan: its state and scratch, and the block of rows at hand. */
#ifndef EC_SEARCH_SCAN_H
#define EC_SEARCH_SCAN_H

#include "../dot_u1/dot_u1.h"
#include "../pool/atomic.h"
#include "loops.h"
#include "reservoir.h"
#include "segments.h"

typedef struct ec_screen ec_screen;

/* One scan's sizes, and its scratch as ec_scan_layout() has laid it out. Indices called slot count queries within the
 * batch. */
typedef struct {
    const ec_search_args *args;
    ec_screen *screen; /* NULL where rows are not screened: see screening.h */
    int64_t dimension; /* dimension of the rows once decoded, for float32 kernels */
    int planes;        /* whether bits meet bits as planes: see hamming/planes.h */
    int straddles;     /* whether a block may have rows of several segments: of planes few rows cost as much as many */
    int64_t block;     /* rows a block, at most */
    int64_t batch;     /* queries a batch, at most: those that meet a block while it is in the cache */
    int64_t group;     /* queries a tile call */
    int64_t capacity;  /* entries that a query has room for */

    void *prepared, *panel, *scores;
    uint8_t *gathered;
    float *decoded;
    float *add, *mul, *bias; /* terms of the block's rows: see ec_finish */
    float *scales;
    double *squares;
    int32_t *sums, *sumsq; /* sums of the codes of each of the block's rows, and of their squares */
    uint8_t *zeros;        /* a row of bits that are all 0, then the mask of a selection's block */
    uint64_t *entries, *spare;
    int64_t *counts, *full; /* entries that a query has, and how many of them make pruning worth while */
    int32_t *limits_i32;
    float *limits_f32;
    uint64_t *bounds; /* the entry that gave a query its limits, and whether these let costs equal to it pass */
    uint8_t *equal;
    ec_atomic_u64 *shared; /* where threads share the work: of each query an entry that is not below the k-th best of
                              those of all threads so far. Else NULL */
    int32_t *near_limits;  /* of raw scores of bits; `near` is what a tile finds within them: see hamming_u1_tile */
    uint8_t *near;
} ec_scan;

/* A block: rows of the corpus, or of a selection, that all queries of a batch meet while it is in the cache. */
typedef struct {
    int64_t first, n;    /* position of its first row in the corpus or the selection, and its number of rows, which are
                            neighbours in memory where there is no selection */
    const uint8_t *rows; /* rows in the form that the kernel takes */
    int64_t stride;
    const uint8_t *codes; /* the rows before decoding, from which sums and lengths are counted */
    int64_t codes_stride;
    const uint8_t *mask;          /* bit 0 is row `first`; NULL for all */
    int counted;                  /* whether scan->sums and sumsq, or of float32 rows scan->squares, are set already */
    const float *scales, *biases; /* the rows' own, where costs are made of these as they are stored; else NULL */
    float most_scale, least_bias, most_bias; /* of these, as ec_block_extent() finds them */
    const ec_segment *segment;               /* of its rows; NULL where there is a selection */
    const ec_segment *last; /* the same, or, where the block straddles segments, that of its last rows */
    const ec_segment *jump; /* where the next rows are at the beginning of another segment, that one; else NULL */
    const uint8_t *ahead;   /* the next rows, which are to be brought into the cache meanwhile */
    int64_t ahead_bytes;
} ec_block;

EC_INLINE int64_t ec_clamp_i64(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* Takes `bytes` from the scratch, in whole cache lines, and counts them in *used. With scratch NULL it only counts. */
EC_INLINE void *ec_take(uint8_t *scratch, int64_t *used, int64_t bytes) {
    void *at = scratch ? scratch + *used : NULL;
    *used += ec_round_up(bytes, 64);
    return at;
}

/* Chooses the sizes and lays the scan out in `scratch`; returns the bytes it takes. With scratch NULL it only sets the
 * sizes and counts. */
int64_t ec_scan_layout(ec_scan *scan, const ec_search_args *args, void *scratch);

/* The block of the rows from the position `first` on, of those before `end`. There is one, in `segment` where there is
 * no selection. */
ec_block ec_block_at(const ec_scan *scan, const ec_segment *segment, int64_t first, int64_t end);

/* Sets the rows, codes and mask of the block block.first .. + block.n, not decoded yet. Returns 0 where the mask has
 * none of these rows. */
int ec_block_fetch(const ec_scan *scan, const int64_t *selection, ec_block *block);

/* Decodes the block's codes to floats where the kernel takes floats. */
void ec_block_decode(const ec_scan *scan, ec_block *block);

/* Computes the terms of the block's rows in scan->mul and scan->bias, or, unless they are `wanted` there, sets
 * block->scales and block->biases where that is all there is to say. Best called after the kernels have brought the rows
 * into the cache, which prefetch as they read. */
void ec_block_terms(const ec_scan *scan, const int64_t *selection, ec_block *block, int wanted);

/* Squared lengths of n rows, as args->lengths says; where `counted`, from the sums that are in `sums` and `sumsq`
 * already. */
void ec_block_squares(const ec_search_args *args, const uint8_t *rows, int64_t stride, int64_t n, int counted,
                      int32_t *sums, int32_t *sumsq, double *squares);

/* ec_scan_prepare() brings a batch of queries into the form of the tile kernel, ec_scan_pack() a block into a panel.
 * ec_scan_tile() then writes the raw scores of queries first .. + n_queries of the batch with the block to
 * scan->scores, and to scan->near[i], for each of these queries, a bit for each EC_NEAR_ROWS rows: set where any score
 * may matter. */
void ec_scan_prepare(const ec_scan *scan, const void *queries, int64_t n_queries);
void ec_scan_pack(const ec_scan *scan, const ec_block *block);
void ec_scan_tile(const ec_scan *scan, int64_t first, int64_t n_queries, const ec_block *block, const void *ahead,
                  int64_t ahead_bytes);

/* The same scores of a few plain queries against plain rows, without preparing and packing. The scores of two queries
 * lie scan->block apart. Where the kernel can count them along the way, the rows' sums and squares are set too
 * (block->counted). */
void ec_scan_rows(const ec_scan *scan, const void *queries, int64_t n_queries, ec_block *block);

/* Whether so few queries are faster with ec_scan_rows() than with tiles. */
int ec_scan_by_rows(const ec_search_args *args, int64_t n_queries);

/* The limit of raw scores for scan->near_limits, of the families of bits: scores that are not below it (Hamming), or
 * not above it (dots with tables), have no cost below limit_f32, or limit_i32 for raw costs. Where no such limit is
 * known it is the greatest, or the least, int32: every score may matter. */
int32_t ec_scan_near_limit(const ec_scan *scan, const ec_finish *f, int32_t limit_i32, float limit_f32);

/* Whether rows of a block are told apart by near limits of its own, of scales and biases: those of bits by tables. */
int ec_scan_has_block_limits(const ec_scan *scan);

/* Finds the extent of the scales and biases of such a block. Returns 0 where they have none: one is not finite, or a scale
 * is negative. */
int ec_block_extent(ec_block *block);

/* The limit of raw scores for a block of such an extent: scores that are not above it have no cost below `limit` in any of
 * the rows. INT32_MIN where none is known. */
int32_t ec_scan_block_limit(const ec_finish *f, const ec_block *block, float limit);

#endif
