/* Screening: which float rows can be among a query's best at all, told by their dots as int8, which cost a quarter.
 *
 *     q . x = q' . x' + q . (x - x') + (q - q') . x'          q', x': q and x rounded to 255 steps
 *
 * The first term is an integer dot times two steps; by Cauchy-Schwarz the others are at most |q| |x - x'| + |q - q'| |x'|,
 * lengths that are counted when x and q are rounded. A row whose cost is not below the limit even when that much better is
 * out; the others, a few in a thousand, are scored as all would have been without screening. So the result is the same,
 * to the bit.
 *
 * Rows that are int8 codes already, which float queries meet unrounded, are screened in the same way: x' = x, and only what
 * passes is decoded. */
#ifndef EC_SEARCH_SCREENING_H
#define EC_SEARCH_SCREENING_H

#include "../screen/screen.h"
#include "scan.h"

struct ec_screen {
    int able;       /* the queries at hand can be screened */
    int few;        /* so few that rows need no packing */
    int ready;      /* every query has a limit */
    int narrow;     /* the lengths of codes are counted, also for a few queries */
    int64_t wait;   /* blocks until the next trial, after one in which too many rows passed */
    int64_t pause;  /* how long to wait the next time */
    int64_t passed; /* rows that this block's queries let pass */
    float width;    /* the longest query, times its factor */
    float error;    /* the largest |q - q'| / |q| */
    float constant; /* the largest number that is added to a query's costs */
    float shift;    /* and to its dots, before what rows multiply them by */

    int8_t *query_codes, *codes;
    uint8_t *decoded; /* which of the block's codes have been */
    float *query_steps, *steps;
    float *errors, *lengths; /* of queries, then of rows */
    float *mul, *bias;       /* what the rows contribute to the least cost */
    void *prepared, *panel;
    uint64_t *passing; /* rows of the block that one query let pass, as entries; their numbers, and their dots */
    int32_t *chosen;
    float *scores;
};

/* Whether so many queries are to be screened, if they can be. */
int ec_screen_wanted(const ec_search_args *args, int64_t n_queries);

/* Lay it out from `at` on, NULL for its bytes alone. */
int64_t ec_screen_layout(ec_scan *scan, uint8_t *at);

/* Queries first .. + n of the arguments. */
void ec_screen_prepare(const ec_scan *scan, int64_t first, int64_t n_queries);

/* Whether the next block can be screened. */
int ec_screen_now(const ec_scan *scan, int64_t n_queries);

/* Round a block's rows, or take codes as they are; once scan->mul and scan->bias are known, say how far off they are;
 * count dots with queries first .. + n. */
void ec_screen_pack(const ec_scan *scan, ec_block *block);
void ec_screen_terms(const ec_scan *scan, const ec_block *block);
void ec_screen_tile(const ec_scan *scan, int64_t first, int64_t n_queries, const ec_block *block, const void *ahead,
                    int64_t ahead_bytes);

/* The block's rows that may be below the limit, given the query's terms: screen->chosen, and screen->scores, their dots as
 * floats. Returns how many. */
int64_t ec_screen_pass(const ec_scan *scan, ec_finish f, int64_t query, int64_t slot, const ec_block *block,
                       const void *scores, float limit);

/* After a block: whether screening pays. */
void ec_screen_weigh(const ec_scan *scan, int64_t pairs);

#endif
