/* Rows from a body to a matrix on several threads. The text is cut where rows seem to begin, and each part is read as if
 * it were all (read.c): to where its first row's index says that it belongs or, where rows have no index, once all parts
 * have been counted. A cut was right if the part before it, whose own was, ends just there.
 *
 *     text    [ row row row row | row row row | row row | row row ...
 *     matrix  0                 4             7         9 */
#include "../pool/pool.h"
#include "../dot/dot.h"
#include "row.h"

enum { MOST_PARTS = 256, PARTS = 4, COUNTED = 64 };

typedef struct {
    int64_t start, row; /* -1: no row seems to begin there */
    ec_result result;
    ec_response_cursor cursor;
} body_part;

typedef struct {
    const uint8_t *body;
    int64_t n;
    const void *path;
    const ec_response_cursor *begin;
    const ec_row_format *format;
    void *matrix;
    int64_t capacity, count;
    int indexed;
    body_part parts[MOST_PARTS];
    int64_t share; /* of the text, for a part */
} body_parts;

/* Finds where part number 1 + `block` begins. */
static void guess_start(void *of, int64_t block) {
    body_parts *these = of;
    body_part *part = &these->parts[block + 1];
    ec_row_span span;
    const int64_t from = these->begin->offset + (block + 1) * these->share;
    const ec_result found = ec_response_guess_row(these->body, these->n, these->path, these->begin, from, &span);
    const int sound = found.produced && (!these->indexed || span.index > these->begin->rows);
    part->start = sound ? found.consumed : -1;
    part->row = these->indexed && sound ? span.index : -1;
}

/* Leaves out parts that have no beginning of their own, and lets the others begin there. */
static void settle(body_parts *these) {
    int64_t kept = 1;
    these->parts[0].start = these->begin->offset;
    these->parts[0].row = these->begin->rows;
    for (int64_t i = 1; i < these->count; i++) {
        const body_part *part = &these->parts[i], *before = &these->parts[kept - 1];
        if (part->start <= before->start || (these->begin->until && part->start >= these->begin->until)) continue;
        if (these->indexed && (part->row <= before->row || part->row >= these->capacity)) continue;
        these->parts[kept++] = *part;
    }
    these->count = kept;
    for (int64_t i = 0; i < kept; i++) {
        body_part *part = &these->parts[i];
        part->cursor = *these->begin;
        part->cursor.offset = part->start;
        if (i + 1 < kept) part->cursor.until = part[1].start;
    }
}

static void count_rows(void *of, int64_t number) {
    const body_parts *these = of;
    body_part *part = &((body_parts *)of)->parts[number];
    ec_response_cursor cursor = part->cursor;
    ec_row_span spans[COUNTED];
    do {
        part->result = ec_response_scan(these->body, these->n, these->path, &cursor, spans, COUNTED);
    } while (part->result.status == EC_OK && part->result.produced == COUNTED);
    part->result.produced = cursor.rows - part->cursor.rows;
    part->result.consumed = cursor.offset;
}

/* Tells parts which rows they have, up to the first that was cut wrongly. */
static void number_rows(body_parts *these) {
    int64_t row = these->begin->rows;
    for (int64_t i = 0; i < these->count; i++) {
        body_part *part = &these->parts[i];
        part->row = row;
        row += part->result.produced;
        if (i + 1 < these->count &&
            (part->result.status != EC_OK || part->result.consumed != part[1].start || row >= these->capacity))
            these->count = i + 1;
    }
}

static void read_part(void *of, int64_t number) {
    const body_parts *these = of;
    body_part *part = &((body_parts *)of)->parts[number];
    const int64_t room = number + 1 < these->count ? part[1].row : these->capacity;
    part->cursor.rows = part->row;
    *(these->indexed ? &part->cursor.in_place : &part->cursor.unindexed) = part->row;
    part->result = ec_response_read_rows(these->body, these->n, these->path, &part->cursor, these->format,
                                         these->matrix, NULL, room);
}

ec_result ec_response_read_parts(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                                 const ec_row_format *format, void *matrix, int64_t capacity, int64_t least,
                                 int32_t threads) {
    const ec_response_cursor begin = *cursor;
    const int64_t text = (begin.until ? begin.until : n) - begin.offset;
    body_parts these = {.body = body,
                        .n = n,
                        .path = path,
                        .begin = &begin,
                        .format = format,
                        .matrix = matrix,
                        .capacity = capacity,
                        .indexed = begin.in_place == begin.rows};
    these.count = ec_min_i64(ec_min_i64((int64_t)threads * PARTS, MOST_PARTS), text / (least < 1 ? 1 : least));
    if (these.count < 1) these.count = 1;
    these.share = text / these.count;
    ec_pool_run(threads, these.count - 1, guess_start, &these);
    settle(&these);
    if (!these.indexed) {
        ec_pool_run(threads, these.count, count_rows, &these);
        number_rows(&these);
    }
    ec_pool_run(threads, these.count, read_part, &these);
    for (int64_t i = 0; i < these.count; i++) {
        const body_part *part = &these.parts[i];
        if (i > 0 && (cursor->stage != EC_SCAN_AT_ROW || cursor->offset != part->start || cursor->rows != part->row))
            break;
        *cursor = part->cursor;
        cursor->until = begin.until;
        if (part->result.status != EC_OK) return part->result;
    }
    ec_result result = {cursor->offset, cursor->rows, EC_OK};
    return result;
}
