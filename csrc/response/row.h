/* One row of a list of rows: what the scanner of bodies and the reader of batch lines share. */
#ifndef EC_RESPONSE_ROW_H
#define EC_RESPONSE_ROW_H

#include "json.h"

/* Bytes of a row of the matrix. */
EC_INLINE int64_t ec_row_bytes(const ec_row_format *format) { return format->width * ec_type_bytes(format->type); }

typedef struct {
    const char *keys; /* from the row to its vector */
    int32_t count;
    int strict;
    int depth; /* containers around the row */
    /* Rows begin alike: where an earlier one has text[lead, lead + lead_length) up to its vector, and `lead_index` in
     * it, a row of the same text needs no reading up to its own:
     *     {"object":"embedding","embedding":[...],"index":4} */
    int64_t lead, lead_length, lead_index;
} ec_row_path;

/* Passes a row; `span` is what it holds. */
int ec_response_pass_row(ec_json_reader *reader, ec_row_path *path, ec_row_span *span);

#endif
