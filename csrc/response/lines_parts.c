/* Reads lines of a batch file on several threads: the text is cut at the ends of lines, and each part is read as if it
 * were all (lines.c), to a part of the matrix. What has been read is then pushed together, up to the first line that is
 * left in any part. */
#include "../pool/pool.h"
#include "failed.h"

enum { MOST_PARTS = 256 };

typedef struct {
    const uint8_t *text;
    const void *names;
    const ec_row_format *format;
    uint8_t *matrix, *lines;
    int64_t capacity, most; /* of each part */
    int64_t start[MOST_PARTS + 1];
    ec_result result[MOST_PARTS];
} batch_parts;

/* Cuts the text into at most `wanted` parts, of about one length. Returns their number. */
static int64_t cut(batch_parts *parts, int64_t n, int64_t wanted) {
    int64_t count = 0, end = 0;
    while (count < wanted && end < n) {
        const int64_t share = (n - end) / (wanted - count);
        const uint8_t *newline = memchr(parts->text + end + share, '\n', (size_t)(n - end - share));
        parts->start[count++] = end;
        end = newline && count < wanted ? newline + 1 - parts->text : n;
    }
    parts->start[count] = n;
    return count;
}

static void read_part(void *of, int64_t part) {
    batch_parts *parts = of;
    const int64_t start = parts->start[part], row_bytes = ec_row_bytes(parts->format);
    parts->result[part] =
        ec_batch_read_lines(parts->text + start, parts->start[part + 1] - start, parts->names, parts->format,
                            parts->matrix + part * parts->capacity * row_bytes, parts->capacity,
                            parts->lines + part * parts->most * (int64_t)sizeof(ec_batch_line), parts->most);
}

/* Moves the lines of a part behind `found` others, and counts from the start of the text. Returns how many rows they have. */
static int64_t move_lines(const batch_parts *parts, int64_t part, int64_t found) {
    const int64_t start = parts->start[part], bytes = sizeof(ec_batch_line);
    int64_t rows = 0;
    for (int64_t i = 0; i < parts->result[part].produced; i++) {
        ec_batch_line one;
        memcpy(&one, parts->lines + (part * parts->most + i) * bytes, sizeof one);
        one.end += start;
        if (one.id_start >= 0) {
            one.id_start += start;
            one.id_end += start;
        }
        rows += one.rows;
        memcpy(parts->lines + (found + i) * bytes, &one, sizeof one);
    }
    return rows;
}

ec_result ec_batch_read_parts(const void *text, int64_t n, const void *names, const ec_row_format *format, void *matrix,
                              int64_t capacity, void *lines, int64_t most, int64_t parts, int32_t threads) {
    batch_parts these;
    const int64_t wanted = parts < 1 ? 1 : parts < MOST_PARTS ? parts : MOST_PARTS, row_bytes = ec_row_bytes(format);
    these.text = text;
    these.names = names;
    these.format = format;
    these.matrix = matrix;
    these.lines = lines;
    these.capacity = capacity / wanted;
    these.most = most / wanted;
    const int64_t count = cut(&these, n, wanted);
    ec_pool_run(threads, count, read_part, &these);
    ec_result all = {0, 0, EC_OK};
    int64_t rows = 0;
    for (int64_t part = 0; part < count; part++) {
        const int64_t more = move_lines(&these, part, all.produced);
        memmove(these.matrix + rows * row_bytes, these.matrix + part * these.capacity * row_bytes,
                (size_t)(more * row_bytes));
        rows += more;
        all.produced += these.result[part].produced;
        all.consumed = these.start[part] + these.result[part].consumed;
        if (all.consumed < these.start[part + 1]) break;
    }
    return all;
}
