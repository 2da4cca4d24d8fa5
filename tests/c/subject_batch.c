/* Lines of batch files read into rows, and rows written as the items of a body. */
#include "subjects.h"

enum { MOST_LINES = 16, MOST_ROWS = 24, MOST_WIDTH = 64, MOST_ITEMS = 1000 };

static const char NAMES[] = "data\0embedding\0error\0meta\0";

typedef struct {
    ec_batch_line lines[MOST_LINES];
    int64_t found, rows, end;
} batch;

/* Read up to MOST_LINES lines, at most `turn` of them a call, as a caller does whose buffer for lines is small. */
static batch read_lines(const uint8_t *text, int64_t n, const ec_row_format *format, uint8_t *matrix, int64_t capacity,
                        int64_t turn) {
    batch all;
    memset(&all, 0, sizeof all);
    const int64_t row_bytes = row_bytes_of(format);
    while (all.found < MOST_LINES) {
        int64_t most = turn < MOST_LINES - all.found ? turn : MOST_LINES - all.found;
        ec_batch_line *lines = all.lines + all.found;
        ec_result result = ec_batch_read_lines(text + all.end, n - all.end, NAMES, format,
                                               matrix + all.rows * row_bytes, capacity - all.rows, lines, most);
        HOLDS(result.status == EC_OK && result.produced >= 0 && result.produced <= most);
        HOLDS(result.consumed >= 0 && result.consumed <= n - all.end);
        for (int64_t i = 0; i < result.produced; i++) {
            HOLDS(lines[i].rows >= 0 && lines[i].rows <= capacity - all.rows);
            all.rows += lines[i].rows;
            lines[i].end += all.end;
            if (lines[i].id_start < 0) continue;
            lines[i].id_start += all.end;
            lines[i].id_end += all.end;
            HOLDS(text[lines[i].id_start] == '"' && text[lines[i].id_end - 1] == '"' && lines[i].id_end < lines[i].end);
        }
        all.found += result.produced;
        all.end += result.consumed;
        if (result.produced < most) break;
    }
    return all;
}

/* Parts of the text give the same lines, or the first of them. */
static void read_parts(const uint8_t *text, int64_t n, const ec_row_format *format, const batch *all,
                       const uint8_t *rows) {
    enum { MOST = 4 };
    const int64_t row_bytes = row_bytes_of(format);
    uint8_t *matrix = place(MOST * MOST_ROWS * row_bytes);
    for (int64_t count = 1; count <= MOST; count++) {
        ec_batch_line lines[MOST * MOST_LINES];
        ec_result result =
            ec_batch_read_parts(text, n, NAMES, format, matrix, count * MOST_ROWS, lines, count * MOST_LINES, count, 2);
        int64_t same = 0;
        HOLDS(result.status == EC_OK && result.consumed == (result.produced ? lines[result.produced - 1].end : 0));
        for (int64_t i = 0; i < result.produced && i < all->found; i++) {
            HOLDS(memcmp(lines + i, all->lines + i, sizeof *lines) == 0);
            same += lines[i].rows;
        }
        HOLDS(memcmp(matrix, rows, (size_t)(same * row_bytes)) == 0);
        if (count == 1) HOLDS(result.produced >= all->found || all->found == MOST_LINES);
    }
}

void subject_lines(const uint8_t *input, int64_t n) {
    if (n < 3 || n > MOST_BYTES / 4) return;
    const uint8_t *text = place_copy(input + 3, n - 3);
    ec_row_format format = draw_format(input[0]);
    format.width = 1 + input[1] % MOST_WIDTH;
    const int64_t capacity = 1 + input[2] % MOST_ROWS, row_bytes = row_bytes_of(&format);
    uint8_t *whole = place(capacity * row_bytes), *parts = place(capacity * row_bytes);
    batch all = read_lines(text, n - 3, &format, whole, capacity, MOST_LINES);
    record(&all, sizeof all);
    record(whole, all.rows * row_bytes);
    for (int64_t i = 0, start = 0; i < all.found; start = all.lines[i++].end) /* what is taken for plain is JSON */
        HOLDS(all.lines[i].rows == 0 ||
              ec_json_validate(text + start, all.lines[i].end - start, EC_ALLOW_NOT_FINITE).status == EC_OK);
    batch again = read_lines(text, n - 3, &format, parts, capacity, 1);
    HOLDS(memcmp(&all, &again, sizeof all) == 0 && memcmp(whole, parts, (size_t)(all.rows * row_bytes)) == 0);
    read_parts(text, n - 3, &format, &all, whole);
}

/* Read items back: the same rows, bit for bit. */
static void read_items(const uint8_t *items, int64_t n, const ec_row_format *format, const uint8_t *rows,
                       int64_t count) {
    static const char before[] = "{\"data\":[", behind[] = "]}";
    const int64_t lead = sizeof before - 1, bytes = count * row_bytes_of(format);
    uint8_t *body = place(lead + n + 1), *back = place(bytes), *indices = place(count * 8);
    memcpy(body, before, (size_t)lead);
    memcpy(body + lead, items, (size_t)n);
    memcpy(body + lead + n - 1, behind, sizeof behind - 1); /* in place of the last comma */
    ec_response_cursor cursor;
    memset(&cursor, 0, sizeof cursor);
    cursor.rows_keys = cursor.item_keys = 1;
    ec_result result = ec_response_read_rows(body, lead + n + 1, NAMES, &cursor, format, back, indices, count);
    HOLDS(result.status == EC_OK && result.produced == count && cursor.stage == EC_SCAN_DONE);
    HOLDS(memcmp(rows, back, (size_t)bytes) == 0);
}

/* Bring the rows into an order that the input draws, in place. */
static void permute(const uint8_t *rows, int64_t count, int64_t row_bytes, uint8_t seed) {
    uint8_t *moved = place(count * row_bytes), *scratch = place(row_bytes);
    int64_t sources[MOST_ITEMS], lost[MOST_ITEMS];
    uint64_t state = seed;
    for (int64_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        int64_t other = (int64_t)((state >> 33) % (uint64_t)(i + 1));
        sources[i] = sources[other];
        sources[other] = i;
    }
    memcpy(moved, rows, (size_t)(count * row_bytes));
    memcpy(lost, sources, (size_t)count * sizeof *lost);
    ec_response_permute_rows(moved, count, row_bytes, lost, scratch);
    for (int64_t i = 0; i < count; i++)
        HOLDS(memcmp(moved + i * row_bytes, rows + sources[i] * row_bytes, (size_t)row_bytes) == 0);
}

void subject_items(const uint8_t *input, int64_t n) {
    if (n < 3) return;
    ec_row_format format;
    memset(&format, 0, sizeof format);
    format.type = input[0] % 3;
    const int32_t base64 = input[0] >> 2 & 1;
    const int64_t index = (int64_t)input[2] << (input[0] & 0x80 ? 40 : 0);
    format.width = 1 + input[1];
    int64_t row_bytes = row_bytes_of(&format), count = (n - 3) / row_bytes;
    if (count == 0 || count > MOST_ITEMS) return;
    const uint8_t *rows = place_copy(input + 3, count * row_bytes);
    permute(rows, count, row_bytes, input[2]);
    static const char before[] = "{\"object\":\"embedding\",\"embedding\":", behind[] = ",\"index\":";
    const ec_row_words words = {before, behind, sizeof before - 1, sizeof behind - 1, 1};
    int64_t bound = ec_response_rows_bound(count, format.width, format.type, base64, &words) + (index ? count * 19 : 0);
    HOLDS(bound > 0);
    if (bound > MOST_BYTES / 2) return;
    uint8_t *text = place(bound);
    int64_t written = ec_response_write_rows(rows, count, format.width, format.type, base64, &words, index, text);
    record(&written, sizeof written);
    HOLDS(written <= bound && written >= -count);
    HOLDS(written < 0 || !base64 || index || written == bound);
    if (written < 0) return; /* a float that is not finite */
    record(text, written);
    if (index == 0) read_items(text, written, &format, rows, count);
}
