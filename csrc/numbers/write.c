/* Arrays of numbers become text on several threads, block by block. */
#include "../pool/text.h"
#include "decimal.h"

enum { NUMBERS = 2048 }; /* of a block, unless one row has more: its text stays in the first or second cache */

typedef struct {
    const char *values;
    int64_t rows, columns, step;
    int32_t type;
    int goes_on;
} numbers;

static int64_t step_of(int64_t columns) { return columns > 1 ? (NUMBERS + columns - 1) / columns : NUMBERS; }

int64_t ec_numbers_write_most(int64_t columns) {
    return step_of(columns) * (columns < 0 ? EC_FLOAT_TEXT : columns * EC_FLOAT_TEXT + 3) + 2;
}

/* A block is an array of its own, whose first bracket becomes a comma and whose last one is passed over. */
static int64_t write_block(const void *of, int64_t block, uint8_t *to) {
    const numbers *all = of;
    const int64_t first = block * all->step, left = all->rows - first, n = left < all->step ? left : all->step;
    int64_t length;
    if (all->columns >= 0)
        length = ec_float_rows_format(all->values + 4 * first * all->columns, n, all->columns, to);
    else if (all->type == EC_FLOAT32)
        length = ec_floats_format(all->values + 4 * first, n, to);
    else
        length = ec_integers_format(all->values + first, n, all->type, to);
    if (length < 0) return length;
    if (all->goes_on || block > 0) *to = ',';
    return length - 1;
}

ec_result ec_numbers_write(const void *values, int64_t rows, int64_t columns, int32_t type, const ec_text *to) {
    const numbers all = {values, rows, columns, step_of(columns), type, to->length > 0};
    ec_result result =
        ec_pool_write(to, (rows + all.step - 1) / all.step, ec_numbers_write_most(columns), write_block, &all);
    result.produced = result.produced * all.step < rows ? result.produced * all.step : rows;
    if (result.status == EC_NOT_FINITE) result.consumed += result.produced * (columns < 0 ? 1 : columns);
    return result;
}
