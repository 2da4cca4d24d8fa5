/* Screening: before rows are scored in float32, their dots as int8 codes, which cost a quarter, tell which rows can be
 * among a query's best at all. With q and x rounded to q' and x', codes of -127 .. 127 times a step each,
 *
 *     q . x = q' . x' + q . (x - x') + (q - q') . x'
 *
 * The first term is an integer dot times two steps. By Cauchy-Schwarz the others are at most |q| |x - x'| + |q - q'|
 * |x'|, lengths that are computed when x and q are rounded. A row is discarded if its cost would not be below the
 * query's limit even with the dot better by that much. The few rows in a thousand that are left are scored in float32
 * as all rows would have been, so that the results are the same to the bit.
 *
 * Rows that are int8 codes already and meet float queries are screened too: x' = x, and only rows that pass are
 * decoded.
 *
 * Codes that meet codes are screened as well, where a tier has rough dots, of queries rounded to few levels, at a fraction
 * of the price of the others: again x' = x, and rows that pass are scored by the int8 dots. So are floats, whose rows that
 * pass are screened a second time, by codes of all levels, before they are scored. */
#ifndef EC_SEARCH_SCREENING_H
#define EC_SEARCH_SCREENING_H

#include "../screen/screen.h"
#include "scan.h"

struct ec_screen {
    int64_t first, n_queries; /* the batch at hand */
    int able;                 /* the batch at hand can be screened */
    int rough;                /* by rough dots */
    int few;                  /* its queries are so few that rows need no packing, */
    int at_once;              /* or that rows of floats are rounded and met at once */
    int ready;                /* every one of its queries has a limit */
    int twice;                /* rows that pass rough dots are screened once more, by codes of all levels */
    int narrow;               /* the lengths of rows of codes are computed even for a few queries */
    int64_t wait;   /* blocks that are not screened before the next trial, because too many rows have passed */
    int64_t pause;  /* the next value of `wait` */
    int64_t met;    /* rows that the batch had met before the block at hand, */
    int64_t retry;  /* and from which on floats that are screened by codes of all levels try rough dots */
    int64_t passed; /* pairs of a query and a row of this block that have passed */
    float width;    /* the largest |q| times |mul| of its query */
    float error;    /* the largest |q - q'| / |q| */
    float constant; /* the largest |square|, which is added to the costs of a query */
    float shift;    /* the largest |bias|, which is added to the dots of a query */
    float factor;   /* the largest |mul| */

    int8_t *query_codes, *codes, *fine_codes; /* the last: of the queries, of all levels */
    uint8_t *decoded;                         /* whether each row of the block has been decoded */
    float *query_steps, *steps, *fine_steps;
    float *reaches;                  /* of each query, |q| times |mul|, */
    float *own_errors, *fine_errors; /* and |q - q'| / |q|, with its codes and with fine_codes */
    float *off, *off_by_error; /* of the block's rows: what rough dots may be off by, in reaches of a query, and how
                                  much more in such reaches times the query's error */
    float *least;              /* of the block's rows and one query: `bias` less that */
    float *errors, *lengths;   /* of the queries at first, then of the block's rows */
    float *mul, *bias;         /* of the block's rows: the terms of the least cost that is possible */
    float *add;                /* the rows' own, in steps of a query */
    void *prepared, *panel;
    uint64_t
        *passing; /* the rows of the block that one query let pass: as entries, as numbers, and their dots in float32 */
    int32_t *chosen;
    float *scores;
    int32_t *dots; /* the scores before they are floats, of codes that meet codes or fine_codes */
    float *values; /* of a query of codes */
};

/* Whether queries and rows are codes. They are met by rough dots, and rows that pass by int8 dots. */
EC_INLINE int ec_screen_codes_both(const ec_search_args *args) { return args->family == EC_DOT_I8; }

/* Whether rows that pass are decoded, before they are scored in float32. */
EC_INLINE int ec_screen_decodes(const ec_search_args *args) { return args->decode == EC_DECODE_I8; }

/* Whether rows are codes and need no rounding. */
EC_INLINE int ec_screen_codes(const ec_search_args *args) {
    return ec_screen_codes_both(args) || ec_screen_decodes(args);
}

/* Whether a batch of so many queries is to be screened, if its values allow it (ec_screen.able). */
int ec_screen_wanted(const ec_search_args *args, int64_t n_queries);

/* Lays the screen out in memory from `at` on and returns the bytes it takes; with NULL it only counts them. */
int64_t ec_screen_layout(ec_scan *scan, uint8_t *at);

/* Rounds the queries first .. + n_queries of the arguments, and decides whether the batch can be screened. */
void ec_screen_prepare(const ec_scan *scan, int64_t first, int64_t n_queries);

/* Whether the next block, behind n_rows rows, is to be screened. Counts it off where it is not. */
int ec_screen_now(const ec_scan *scan, int64_t n_queries, int64_t n_rows);

/* A screened block goes through these in turn. ec_screen_pack() rounds its rows to codes, or takes codes as they are, and
 * of few queries writes their integer dots with all n_queries of the batch to scan->scores.
 * ec_screen_terms() turns the rows' terms, once scan->mul and scan->bias are known, into those of the least possible
 * cost. ec_screen_tile() writes the integer dots of others: with queries first .. + n_queries. */
void ec_screen_pack(const ec_scan *scan, int64_t n_queries, ec_block *block);
void ec_screen_terms(const ec_scan *scan, const ec_block *block);
void ec_screen_tile(const ec_scan *scan, int64_t first, int64_t n_queries, const ec_block *block, const void *ahead,
                    int64_t ahead_bytes);

/* The rows of the block whose least possible cost is below the limit: their numbers to screen->chosen, and their
 * dots, as they would have been without screening, with the query to screen->scores. Returns how many they are. */
int64_t ec_screen_pass(const ec_scan *scan, ec_finish f, int64_t query, int64_t slot, const ec_block *block,
                       const void *scores, float limit);

/* After a screened block of `pairs` pairs: decides whether to screen the next ones. */
void ec_screen_weigh(const ec_scan *scan, int64_t pairs);

#endif
