/* A body is read by a cursor that stops at every row it finds, so that rows may be decoded block by block, by one
 * thread or several, while their text is still in cache. `path` names the way to the vectors as keys that end with a
 * zero byte: first `rows_keys` keys from the document to the list of rows, then `item_keys` from a row to its vector. */
#ifndef EC_CONTRACT_RESPONSE_H
#define EC_CONTRACT_RESPONSE_H

#include "floats.h"
#include "results.h"

enum ec_json_flags {
    EC_ALLOW_NOT_FINITE = 1, /* the words NaN, Infinity, -Infinity stand for numbers */
};

/* Check that text[0, n) is one JSON document. */
ec_result ec_json_validate(const void *text, int64_t n, int32_t flags);

enum ec_vector_kind {
    EC_VECTOR_MISSING = 0, /* the row has no such key; start, end are the row's own */
    EC_VECTOR_LIST = 1,
    EC_VECTOR_STRING = 2,
    EC_VECTOR_NULL = 3,
    EC_VECTOR_OTHER = 4,
};

enum ec_row_index {
    EC_INDEX_MISSING = -1,
    EC_INDEX_BAD = -2, /* not a whole number of at most 18 digits */
};

typedef struct {
    int64_t start, end; /* the vector's text, brackets or quotes included */
    int64_t index;      /* what the row says of its position, or enum ec_row_index */
    int32_t kind;       /* enum ec_vector_kind */
    int32_t escaped;    /* whether the string has escapes */
} ec_row_span;

enum ec_scan_stage {
    EC_SCAN_BEGIN = 0,
    EC_SCAN_FIRST_KEY = 1,
    EC_SCAN_AFTER_VALUE = 2,
    EC_SCAN_FIRST_ROW = 3,
    EC_SCAN_AT_ROW = 4,
    EC_SCAN_AFTER_ROW = 5,
    EC_SCAN_DONE = 6,
};

typedef struct {
    int64_t offset;               /* the next byte to read */
    int64_t lists;                /* lists of rows met so far: of twin keys the last one counts */
    int64_t skip_lists;           /* set by the caller: pass over that many of them first */
    int64_t list_start, list_end; /* the list that counts so far, brackets included; -1 where there is none */
    int64_t rows;                 /* found in that list so far */
    int64_t in_place;             /* of them with an index that is their position */
    int64_t unindexed;            /* of them without an index */
    int64_t until;                /* set by the caller: stop before the first row from this offset on; 0 for none */
    int32_t rows_keys, item_keys; /* set by the caller */
    int32_t strict;               /* set by the caller: check the grammar inside vectors too, and allow twin vectors */
    int32_t stage;                /* enum ec_scan_stage; zero at first */
    int32_t level;                /* keys of the path passed, at the object being read */
    int32_t kind;                 /* enum ec_vector_kind of the list's first row */
} ec_response_cursor;

/* Read on until `capacity` rows are found and another one follows, or one follows that starts at `until` or behind it
 * (stage EC_SCAN_AT_ROW, `offset` at that row), or the document ends (EC_SCAN_DONE); `produced` rows are in `spans`.
 * A cursor that is not strict leaves the inside of number lists to ec_response_decode_rows and fails with EC_DUPLICATE
 * where a row has its vector twice. */
ec_result ec_response_scan(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                           ec_row_span *spans, int64_t capacity);

/* Guess where a row starts: at the first text from `from` on that begins like the list's first row and, behind a comma,
 * reads as a row with a vector. `produced` is 1 and `consumed` its offset, `span` what it holds; or `produced` is 0. It is
 * a row if and only if a scan stops at that offset (EC_SCAN_AT_ROW). The cursor has been at a row. */
ec_result ec_response_guess_row(const void *body, int64_t n, const void *path, const ec_response_cursor *cursor,
                                int64_t from, ec_row_span *span);

/* How vectors are to be read: as rows of `width` elements of a type, in lists or in base64 of some payload. */
typedef struct {
    int64_t width;
    int32_t type;         /* enum ec_type */
    int32_t payload;      /* of base64, enum ec_payload; EC_FLOAT32 alone has others than bytes */
    int32_t number_flags; /* EC_NULLS_AS_NAN: also lets base64 hold NaN, and what is infinite becomes NaN */
    int32_t base64_flags;
} ec_row_format;

/* Count the elements of a vector (`format->width` is not read); `produced` is that width. */
ec_result ec_response_width(const void *body, const ec_row_span *span, const ec_row_format *format);

/* Decode `count` vectors into rows of format->width elements, one after the other from `rows` on. `produced` is the
 * number of rows done, that is, on failure, the bad row; `consumed` is then an offset into the body. */
ec_result ec_response_decode_rows(const void *body, const ec_row_span *spans, int64_t count,
                                  const ec_row_format *format, void *rows);

/* Scan on and decode, a little text at a time while it is in the cache, until EC_SCAN_DONE, or EC_SCAN_AT_ROW with
 * `cursor->rows` at `capacity` or `cursor->offset` at `cursor->until`. Row r becomes row r of `matrix`, its index
 * indices[r] (int64). `indices` may be NULL while all rows so far are in place, or all without an index: before text of
 * which that is not so it stops. EC_DUPLICATE where a twin of the list begins (`skip_lists` is 0 here). */
ec_result ec_response_read_rows(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                                const ec_row_format *format, void *matrix, void *indices, int64_t capacity);

enum ec_line_kind {
    EC_LINE_ANSWER = 0,    /* or blank, without rows */
    EC_LINE_REFUSED = 1,   /* `status` is the HTTP status or 0; what was said is [from, to), -1 where nothing was */
    EC_LINE_BROKEN = 2,    /* `status` is what is wrong (enum ec_status) at `from`, in the row `to` or, -1, in none */
    EC_LINE_NO_OBJECT = 3, /* some other JSON */
    EC_LINE_NO_VECTOR = 4, /* `status` is what there is instead (enum ec_vector_kind) at `from`, in the row `to` */
    EC_LINE_WIDTH = 5,     /* an answer whose rows have `status` elements; the first one's vector is at `from` */
};

typedef struct {
    int64_t end;              /* behind the line's newline */
    int64_t rows;             /* 0: a blank line, or a failed one */
    int64_t id_start, id_end; /* the text of its custom_id, quotes included; -1 where there is none */
    int64_t id_escaped;
    int64_t kind; /* enum ec_line_kind */
    int64_t status;
    int64_t from, to;                  /* counted from the line's start */
    int64_t prompt, completion, total; /* tokens */
} ec_batch_line;

/* Read lines of a batch file from text[0, n) until a line is not complete, or neither plain (an answer without any error,
 * in the usual form, its rows in order) nor plainly failed, `most` lines (ec_batch_line) are read, or the next one's rows
 * exceed `capacity`. `names`: the keys of the list of rows and of a row's vector, those that a plain body has not, and an
 * empty one, each ended by a zero byte. Rows go one after the other to `matrix` (behind the last one of `lines` it may be
 * scribbled in). Where format->width is 0 no line is plain, and `capacity` counts elements. Of a line that is no JSON the
 * custom_id is not looked for. `produced` is the number of lines, `consumed` where they end; never a failure. */
ec_result ec_batch_read_lines(const void *text, int64_t n, const void *names, const ec_row_format *format, void *matrix,
                              int64_t capacity, void *lines, int64_t most);

/* Let row i be the former row sources[i], in place; `scratch` holds one row, `sources` is a permutation and is lost. */
void ec_response_permute_rows(void *rows, int64_t count, int64_t row_bytes, void *sources, void *scratch);

/* Most bytes that ec_response_write_rows writes for `count` rows from index 0 on; -1 on overflow. Exact for base64. */
int64_t ec_response_rows_bound(int64_t count, int64_t width, int32_t type, int32_t base64);

/* Write rows as items of a response's data, `{"object":"embedding","embedding":...,"index":0},`, a comma behind each,
 * with indices from `index` on; returns the bytes written. base64 holds the elements' own bytes. Where a float is not
 * finite nothing of use is written and the result is -1 - its row. */
int64_t ec_response_write_rows(const void *rows, int64_t count, int64_t width, int32_t type, int32_t base64,
                               int64_t index, void *text);

#endif
