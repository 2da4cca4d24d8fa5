/* One row of a list of rows, passed by scan.c for the scanner of bodies and for the readers of batch lines. */
#ifndef EC_RESPONSE_ROW_H
#define EC_RESPONSE_ROW_H

#include "json.h"

/* Bytes of a row of the matrix. */
EC_INLINE int64_t ec_row_bytes(const ec_row_format *format) { return format->width * ec_type_bytes(format->type); }

typedef struct {
    const char *keys; /* the keys from a row to its vector, each ended by a zero byte */
    int32_t count;
    int strict;
    int depth; /* number of containers around the row */
    /* Rows of one list begin alike. If a row begins with the bytes text[lead, lead + lead_length), those of an earlier
     * row up to its vector, they need not be read again; lead_index is the index that they hold, if they do:
     *     {"object":"embedding","embedding":[...],"index":4} */
    int64_t lead, lead_length, lead_index;
} ec_row_path;

/* Whether a decoded row may be of the dtype that it was taken for: see ec_response_read_one(). */
int ec_row_reads_as_asked(const void *row, const ec_row_format *format, int32_t kind, int32_t asked);

/* Passes one row and describes it in `span`. */
int ec_response_pass_row(ec_json_reader *reader, ec_row_path *path, ec_row_span *span);

/* Guess where a row starts, so that several threads can read one body: at the first text from `from` on that begins
 * like the list's first row and, behind a comma, reads as a row with a vector. If `produced` is 1, `consumed` is its
 * offset and `span` describes the row; if 0, none was found. The guess is right if and only if a scan stops at that
 * offset (EC_SCAN_AT_ROW). The cursor must have been at a row. */
ec_result ec_response_guess_row(const void *body, int64_t n, const void *path, const ec_response_cursor *cursor,
                                int64_t from, ec_row_span *span);

#endif
