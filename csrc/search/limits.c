/* For the driver (search.c): turns a limit of costs into a limit of raw scores, for the families of bits. The tile
 * kernel compares its int32 scores with it and reports which groups of rows have any score that may pass, so that most
 * scores are never turned into costs. */
#include <math.h>

#include "scan.h"

/* Steps of 1 that the guess may be off, for its rounding, before the search for the exact limit is given up. */
enum { MOST_STEPS = 8 };

/* Every whole number below 2^24 is a float32, so that neighbouring scores have different costs to compare. */
#define MOST_SCORE 0x1p24

/* Whether every row turns a score into the same cost: no row has a scale, a bias or a sum of its own. */
static int rows_are_plain(const ec_search_args *args) {
    return args->metric == EC_COST_DOT && ec_segments_are_plain(args) && args->sum_weight == 0;
}

/* ec_cost() makes a cost of a score by additions and multiplications with values that are fixed for a query, each
 * rounded. All of these are monotone, so costs never fall, or never rise, as scores rise. It is therefore enough to
 * find one score that does not pass: no score beyond it passes either, however rough the guess was that the search
 * began from. `way` is 1 where costs get worse as scores rise (Hamming), -1 where they get worse as scores fall
 * (dots). */
int32_t ec_scan_near_limit(const ec_scan *scan, const ec_finish *f, int32_t limit_i32, float limit) {
    if (scan->args->metric == EC_COST_RAW) return limit_i32;
    const int hamming = scan->args->family == EC_HAMMING_U1, way = hamming ? 1 : -1;
    const int32_t none = hamming ? INT32_MAX : INT32_MIN;
    const double slope = (double)f->query_mul * f->mul[0]; /* plain rows all have the same factor */
    if (!rows_are_plain(scan->args) || !(slope * way > 0 && slope * way < INFINITY) || limit != limit) return none;
    const double guess = ((double)limit - f->query_add - (double)f->query_bias * f->mul[0]) / slope;
    if (!(guess > -MOST_SCORE && guess < MOST_SCORE)) return none;
    int32_t score = (int32_t)guess;
    int steps = 0;
    while (ec_cost(f, (float)score, 0) < limit) { /* away from the best, to a score that does not pass */
        if (++steps > MOST_STEPS) return none;
        score += way;
    }
    for (steps = 0; steps < MOST_STEPS && !(ec_cost(f, (float)(score - way), 0) < limit); steps++) score -= way;
    return score;
}
