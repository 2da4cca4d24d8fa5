/* For the driver (search.c): turns a limit of costs into a limit of raw scores, for the families of bits: of all rows, or
 * of a block of rows that have scales and biases of their own. The tile kernel compares its int32 scores with it and
 * reports which groups of rows have any score that may pass, so that most scores are never turned into costs. */
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

/* ec_cost() makes a cost of a score by additions and multiplications with values that are fixed for a query and a row,
 * here the first of `f`, each rounded. All of these are monotone, so costs never fall, or never rise, as scores rise. It is therefore enough to
 * find one score that does not pass: no score beyond it passes either, however rough the guess was that the search
 * began from. `way` is 1 where costs get worse as scores rise (Hamming), -1 where they get worse as scores fall
 * (dots). */
static int32_t limit_of_row(const ec_finish *f, int way, float limit) {
    const int32_t none = way > 0 ? INT32_MAX : INT32_MIN;
    const double slope = (double)f->query_mul * f->mul[0], fixed = (double)f->bias[0] * f->query_weight + f->query_add;
    if (!(slope * way > 0 && slope * way < INFINITY) || limit != limit) return none;
    const double guess = ((double)limit - fixed - (double)f->query_bias * f->mul[0]) / slope;
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

int32_t ec_scan_near_limit(const ec_scan *scan, const ec_finish *f, int32_t limit_i32, float limit) {
    if (scan->args->metric == EC_COST_RAW) return limit_i32;
    const int hamming = scan->args->family == EC_HAMMING_U1;
    if (!rows_are_plain(scan->args)) return hamming ? INT32_MAX : INT32_MIN;
    return limit_of_row(f, hamming ? 1 : -1, limit); /* plain rows all have the same terms */
}

int ec_scan_has_block_limits(const ec_scan *scan) {
    const ec_search_args *args = scan->args;
    return args->family == EC_DOT_U1 && args->metric == EC_COST_DOT && args->sum_weight == 0 &&
           !ec_segments_are_plain(args);
}

int ec_block_extent(ec_block *block) {
    enum { LANES = 8 }; /* whole blocks have a multiple of rows */
    float least[LANES], most[LANES], low[LANES], high[LANES], nothing[LANES] = {0};
    for (int i = 0; i < LANES; i++) least[i] = most[i] = block->scales[i], low[i] = high[i] = block->biases[i];
    for (int64_t r = 0; r < block->n; r += LANES)
        for (int i = 0; i < LANES; i++) {
            const float scale = block->scales[r + i], bias = block->biases[r + i];
            least[i] = scale < least[i] ? scale : least[i];
            most[i] = scale > most[i] ? scale : most[i];
            low[i] = bias < low[i] ? bias : low[i];
            high[i] = bias > high[i] ? bias : high[i];
            nothing[i] += 0 * scale + 0 * bias; /* NaN, once one is not finite */
        }
    int ordinary = 1;
    block->most_scale = most[0], block->least_bias = low[0], block->most_bias = high[0];
    for (int i = 0; i < LANES; i++) {
        ordinary &= least[i] >= 0 && nothing[i] == 0;
        block->most_scale = most[i] > block->most_scale ? most[i] : block->most_scale;
        block->least_bias = low[i] < block->least_bias ? low[i] : block->least_bias;
        block->most_bias = high[i] > block->most_bias ? high[i] : block->most_bias;
    }
    return ordinary;
}

/* No row of the block turns a score of which the dot is not negative into a lower cost than one of the greatest scale
 * and the bias that lowers costs most, since every step of ec_cost() is monotone in these, too. Where this row's limit is
 * such a score, those below it cost no less. */
int32_t ec_scan_block_limit(const ec_finish *f, const ec_block *block, float limit) {
    const float mul = -block->most_scale, bias = -(f->query_weight > 0 ? block->most_bias : block->least_bias);
    ec_finish best = *f;
    best.mul = &mul;
    best.bias = &bias;
    const int32_t score = limit_of_row(&best, -1, limit);
    return ((float)score + f->add[0]) * f->query_mul + f->query_bias >= 0 ? score : INT32_MIN;
}
