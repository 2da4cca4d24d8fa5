/* What screening.h declares of decisions: which batches are screened, by which codes, and whether that pays. */
#include "screening.h"

#include <math.h>

enum {
    LEAST_ELEMENTS = 5000,    /* rounding rows does not pay for fewer elements of all queries, and for few queries */
    LEAST_ROUGH = 128,        /* dimensions from which rough dots pay, */
    LEAST_ROUGH_FLOATS = 640, /* of floats, */
    LEAST_ROWS = 4096,        /* rows, */
    ROWS_OF_ONE = 32,         /* and rows met for each of the k best, whose share of the rows passes at least */
    ROWS_OF_ROUGH = 256, /* the same before rough dots of floats, which let more rows pass than codes of all levels, */
    LATER = 2,           /* and how many times as many there are before the next trial, where these were too many */
    SHARE = 8,           /* one row in this many may pass: scoring it in float32 costs about as much as screening ten */
    ROUGH_SHARE = 16,    /* the same where rough dots have screened it */
    LONGEST_WAIT = 64
};

/* Whether the tier meets so many queries of few levels at a fraction of the price of others. */
static int rough_pays(const ec_search_args *args, int64_t n_queries) {
    const int64_t least = ec_screen_codes_both(args) ? LEAST_ROUGH : LEAST_ROUGH_FLOATS;
    return ec_active.rough_queries && n_queries >= ec_active.rough_queries && args->width >= least &&
           !ec_screen_decodes(args);
}

int ec_screen_wanted(const ec_search_args *args, int64_t n_queries) {
    const int known = args->metric == EC_COST_DOT || args->metric == EC_COST_COSINE || args->metric == EC_COST_L2;
    const int64_t n_rows = args->selection ? args->n_selected : args->n_rows;
    if (!known || args->width > EC_DOT_MAX_DIMENSION || args->weight) return 0;
    if (ec_screen_codes_both(args)) return rough_pays(args, n_queries) && n_rows >= LEAST_ROWS;
    if (args->family != EC_DOT_F32) return 0;
    if (ec_screen_codes(args)) return 1;
    return ec_active.screens && args->decode == EC_DECODE_NONE && n_queries >= ec_active.screens &&
           n_queries * args->width >= LEAST_ELEMENTS;
}

int64_t ec_screen_layout(ec_scan *scan, uint8_t *at) {
    const int64_t width = scan->args->width, most = scan->batch > scan->block ? scan->batch : scan->block;
    int64_t used = 0;
    ec_screen screen;
    memset(&screen, 0, sizeof screen);
    scan->screen = ec_take(at, &used, sizeof screen);
    screen.query_codes = ec_take(at, &used, scan->batch * width);
    screen.codes = ec_take(at, &used, ec_screen_codes(scan->args) ? 0 : scan->block * ec_round_up(width, 64));
    screen.decoded = ec_take(at, &used, ec_screen_decodes(scan->args) ? scan->block : 0);
    screen.query_steps = ec_take(at, &used, scan->batch * 4);
    screen.steps = ec_take(at, &used, scan->block * 4);
    const int twice = !ec_screen_codes(scan->args) && rough_pays(scan->args, scan->batch);
    screen.fine_codes = ec_take(at, &used, twice ? scan->batch * width : 0);
    screen.fine_steps = ec_take(at, &used, twice ? scan->batch * 4 : 0);
    const int rough = rough_pays(scan->args, scan->batch);
    screen.reaches = ec_take(at, &used, rough ? scan->batch * 4 : 0);
    screen.own_errors = ec_take(at, &used, rough ? scan->batch * 4 : 0);
    screen.fine_errors = ec_take(at, &used, twice ? scan->batch * 4 : 0);
    screen.off = ec_take(at, &used, rough ? scan->block * 4 : 0);
    screen.off_by_error = ec_take(at, &used, rough ? scan->block * 4 : 0);
    screen.least = ec_take(at, &used, rough ? scan->block * 4 : 0);
    screen.errors = ec_take(at, &used, most * 4);
    screen.lengths = ec_take(at, &used, most * 4);
    screen.add = ec_take(at, &used, scan->args->sum_weight != 0 ? scan->block * 4 : 0);
    screen.mul = ec_take(at, &used, scan->block * 4);
    screen.bias = ec_take(at, &used, scan->block * 4);
    screen.prepared = ec_take(at, &used, ec_dot_i8_prepared_bytes(scan->batch, width));
    screen.panel = ec_take(at, &used, ec_dot_i8_panel_bytes(scan->block, width));
    screen.passing = ec_take(at, &used, scan->block * 8);
    screen.chosen = ec_take(at, &used, scan->block * 4);
    screen.scores = ec_take(at, &used, scan->block * 4);
    screen.dots = ec_take(at, &used, twice || ec_screen_codes_both(scan->args) ? scan->block * 4 : 0);
    screen.values = ec_take(at, &used, ec_screen_codes_both(scan->args) ? width * 4 : 0);
    if (at) *scan->screen = screen;
    return used;
}

/* Rounds the queries first .. + n_queries of the arguments. One of codes that are all 0 gets the step 1: a row's own term
 * is counted in steps. */
static void round_queries(const ec_scan *scan, int64_t first, int64_t n_queries) {
    const ec_search_args *args = scan->args;
    const int64_t width = args->width;
    const ec_screen *screen = scan->screen;
    const uint8_t *queries = (const uint8_t *)args->queries + first * ec_search_query_bytes(args);
    if (!ec_screen_codes_both(args))
        ec_active.screen_rows(queries, 4 * width, n_queries, width, screen->rough ? EC_ROUGH : EC_SCREEN_LEVELS,
                              screen->query_codes, screen->query_steps, screen->errors, screen->lengths, NULL, 0);
    for (int64_t q = 0; ec_screen_codes_both(args) && q < n_queries; q++) {
        ec_active.decode_i8(queries + q * width, width, 1, width, 0, screen->values);
        ec_active.screen_rows(screen->values, 4 * width, 1, width, EC_ROUGH, screen->query_codes + q * width,
                              &screen->query_steps[q], &screen->errors[q], &screen->lengths[q], NULL, 0);
        if (screen->query_steps[q] == 0) screen->query_steps[q] = 1;
    }
}

/* |q - q'| / |q|, of the rounding at hand. */
static float error_of(const ec_screen *screen, int64_t q) {
    return screen->lengths[q] > 0 ? screen->errors[q] / screen->lengths[q] : 0;
}

/* Rounds float queries to all levels, for a second screening. */
static void round_finely(const ec_scan *scan) {
    const ec_search_args *args = scan->args;
    const ec_screen *screen = scan->screen;
    ec_active.screen_rows((const uint8_t *)args->queries + screen->first * ec_search_query_bytes(args), 4 * args->width,
                          screen->n_queries, args->width, EC_SCREEN_LEVELS, screen->fine_codes, screen->fine_steps,
                          screen->errors, screen->lengths, NULL, 0);
    for (int64_t q = 0; q < screen->n_queries; q++) screen->fine_errors[q] = error_of(screen, q);
}

/* Rounds the batch, to few levels or not, and decides whether it can be screened. */
static void prepare(const ec_scan *scan, int rough) {
    const ec_search_args *args = scan->args;
    ec_screen *screen = scan->screen;
    const float *mul = args->mul, *bias = args->bias, *square = args->square;
    const int64_t first = screen->first, n_queries = screen->n_queries;
    screen->rough = rough;
    if (rough)
        screen->few = n_queries <= EC_DOT_FEW;
    else
        screen->few = n_queries <= ec_active.most_few_i8;
    screen->at_once = screen->few && !rough && !ec_screen_codes(args) && n_queries <= ec_active.most_screen_few;
    screen->width = screen->error = screen->constant = screen->shift = screen->factor = 0;
    screen->twice = rough && !ec_screen_codes_both(args);
    if (screen->twice) round_finely(scan);
    round_queries(scan, first, n_queries);
    for (int64_t q = 0; q < n_queries; q++) {
        const float factor = fabsf(mul ? mul[first + q] : 1.0f), reach = factor * screen->lengths[q];
        const float error = error_of(screen, q);
        const float added = square ? fabsf(square[first + q]) : 0, shift = bias ? fabsf(bias[first + q]) : 0;
        if (!(screen->query_steps[q] >= 0) || !(reach < INFINITY) || !(factor < INFINITY) || !(added < INFINITY) ||
            !(shift < INFINITY) ||
            (shift != 0 && !ec_screen_codes(args))) /* it would be multiplied by the steps of float rows */
            screen->able = 0;
        screen->width = reach > screen->width ? reach : screen->width;
        screen->error = error > screen->error ? error : screen->error;
        if (rough) {
            screen->reaches[q] = reach;
            screen->own_errors[q] = error;
        }
        screen->constant = added > screen->constant ? added : screen->constant;
        screen->shift = shift > screen->shift ? shift : screen->shift;
        screen->factor = factor > screen->factor ? factor : screen->factor;
    }
    if (!screen->able) return;
    if (rough)
        ec_active.rough_i8_prepare(screen->query_codes, n_queries, args->width, screen->prepared);
    else if (screen->at_once)
        ec_active.screen_few_prepare(screen->query_codes, n_queries, args->width, screen->prepared);
    else if (!screen->few)
        ec_active.dot_i8_prepare(screen->query_codes, n_queries, args->width, screen->prepared);
}

void ec_screen_prepare(const ec_scan *scan, int64_t first, int64_t n_queries) {
    ec_screen *screen = scan->screen;
    screen->able = ec_screen_wanted(scan->args, n_queries);
    screen->first = first;
    screen->n_queries = n_queries;
    screen->ready = 0;
    screen->narrow = 0;
    screen->wait = 0;
    screen->pause = 1;
    screen->retry = rough_pays(scan->args, n_queries) ? ROWS_OF_ROUGH * scan->args->k : INT64_MAX;
    if (screen->able) prepare(scan, ec_screen_codes_both(scan->args));
}

int ec_screen_now(const ec_scan *scan, int64_t n_queries, int64_t n_rows) {
    ec_screen *screen = scan->screen;
    if (screen == NULL || !screen->able) return 0;
    if (screen->rough && n_rows / ROWS_OF_ONE < scan->args->k) return 0;
    if (!screen->ready) {
        for (int64_t q = 0; q < n_queries; q++)
            if (isnan(scan->limits_f32[q])) return 0;
        screen->ready = 1;
    }
    screen->met = n_rows;
    if (!screen->rough && n_rows >= screen->retry) prepare(scan, 1);
    if (!screen->able) return 0;
    if (screen->wait == 0) return 1;
    screen->wait--;
    return 0;
}

void ec_screen_weigh(const ec_scan *scan, int64_t pairs) {
    ec_screen *screen = scan->screen;
    const int many = screen->passed * (screen->rough ? ROUGH_SHARE : SHARE) > pairs;
    if (many && screen->rough && !ec_screen_codes_both(scan->args)) {
        prepare(scan, 0); /* codes of all levels tell more, until limits are lower */
        screen->retry = LATER * screen->met;
    } else if (many && screen->few && !screen->rough && !screen->narrow && ec_screen_codes(scan->args)) {
        screen->narrow = 1;
    } else if (many) {
        screen->wait = screen->pause;
        screen->pause = ec_min_i64(2 * screen->pause, LONGEST_WAIT);
    } else {
        screen->pause = 1;
    }
}
