/* Writes rows of a matrix as the items of a list in a response on several threads: where the place of a row is known,
 * as with base64, at once, else block by block. */
#include "../kernels.h"
#include "../pool/text.h"

/* Numbers of a block, unless one row has more: some microseconds of work, in which integers are many more than floats. */
enum { FLOATS = 2048, INTEGERS = 16384 };

typedef struct {
    const uint8_t *rows;
    int64_t count, width, step, index;
    int32_t type;
    const ec_row_words *words;
    uint8_t *text; /* where row 0 of base64 would be */
} items;

static int64_t write_items(const items *all, int64_t first, int64_t n, int32_t base64, uint8_t *to) {
    const uint8_t *rows = all->rows + first * all->width * ec_type_bytes(all->type);
    return ec_response_write_rows(rows, n, all->width, all->type, base64, all->words, all->index + first, to);
}

static int64_t write_block(const void *of, int64_t block, uint8_t *to) {
    const items *all = of;
    const int64_t first = block * all->step, left = all->count - first;
    return write_items(all, first, left < all->step ? left : all->step, 0, to);
}

static ec_result write_base64(const void *of, int64_t first, int64_t n) {
    const items *all = of;
    ec_result result = {0, 0, EC_OK};
    uint8_t *to = all->text + ec_response_rows_bound(all->index + first, all->width, all->type, 1, all->words);
    const int64_t written = write_items(all, first, n, 1, to);
    if (written < 0) {
        result.status = EC_NOT_FINITE;
        result.produced = first - 1 - written;
    }
    return result;
}

static int64_t step_of(int64_t width, int32_t type) {
    const int64_t numbers = type == EC_FLOAT32 ? FLOATS : INTEGERS;
    return width > 1 ? (numbers + width - 1) / width : numbers;
}

int64_t ec_response_write_most(int64_t width, int32_t type, const ec_row_words *words) {
    const int64_t index = 19; /* digits of the largest number of a row that there is */
    return step_of(width, type) * (ec_response_rows_bound(1, width, type, 0, words) + index);
}

ec_result ec_response_write_parts(const void *rows, int64_t count, int64_t width, int32_t type, int32_t base64,
                                  const ec_row_words *words, int64_t index, const ec_text *to) {
    items all = {rows, count, width, step_of(width, type), index, type, words, NULL};
    ec_result result = {0, 0, EC_NO_CAPACITY};
    if (base64) {
        const int64_t before = ec_response_rows_bound(index, width, type, 1, words);
        const int64_t bytes = ec_response_rows_bound(index + count, width, type, 1, words) - before;
        if (bytes > to->capacity - to->length) return result;
        all.text = (uint8_t *)to->text + to->length - before;
        result = ec_pool_rows(to->threads, count, width * ec_type_bytes(type), write_base64, &all);
        if (result.status != EC_OK) return result;
        result.produced = count;
        result.consumed = bytes;
        return result;
    }
    result = ec_pool_write(to, (count + all.step - 1) / all.step, ec_response_write_most(width, type, words),
                           write_block, &all);
    result.produced = result.produced * all.step < count ? result.produced * all.step : count;
    if (result.status == EC_NOT_FINITE) result.produced += result.consumed;
    return result;
}
