/* From a limit of costs to one of raw scores, so that a tile can tell which of its scores nobody wants. */
#include <math.h>

#include "scan.h"

enum { MOST_STEPS = 8 };

/* Whole numbers below this are floats, so that a score and the next one differ as such. */
#define MOST_SCORE 0x1p24

/* Where all rows make costs alike: no scales, lengths or sums of their own. */
static int rows_are_plain(const ec_search_args *args) {
    return args->metric == EC_COST_DOT && args->row_scales == NULL && args->row_biases == NULL && args->sum_weight == 0;
}

/* A cost is made of its score by roundings, products and sums with what is fixed, all of them monotone: as scores rise it
 * never falls, or never rises. So whatever the first guess is, once a score does not pass, none beyond it does. `way` is
 * 1 where costs get worse as scores rise, -1 where they do as scores fall. */
int32_t ec_scan_near_limit(const ec_scan *scan, const ec_finish *f, int32_t limit_i32, float limit) {
    if (scan->args->metric == EC_COST_RAW) return limit_i32;
    const int hamming = scan->args->family == EC_HAMMING_U1, way = hamming ? 1 : -1;
    const int32_t none = hamming ? INT32_MAX : INT32_MIN;
    const double slope = (double)f->query_mul * f->mul[0]; /* a plain row's, like all of them */
    if (!rows_are_plain(scan->args) || !(slope * way > 0 && slope * way < INFINITY) || limit != limit) return none;
    const double guess = ((double)limit - f->query_add - (double)f->query_bias * f->mul[0]) / slope;
    if (!(guess > -MOST_SCORE && guess < MOST_SCORE)) return none;
    int32_t score = (int32_t)guess;
    int steps = 0;
    while (ec_cost(f, (float)score, 0) < limit) { /* outwards, to one that does not pass */
        if (++steps > MOST_STEPS) return none;
        score += way;
    }
    for (steps = 0; steps < MOST_STEPS && !(ec_cost(f, (float)(score - way), 0) < limit); steps++) score -= way;
    return score;
}
