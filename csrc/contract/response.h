/* Bodies of embeddings responses: JSON to matrices and back. A cursor reads a body and stops at every row that it
 * finds, so that rows can be decoded block by block, by one thread or several, while their text is still in the cache.
 * `path` names the way to the vectors as keys, each ended by a zero byte: first `rows_keys` keys from the document to
 * the list of rows, then `item_keys` keys from a row to its vector. One row may stand in the place of the list. A vector
 * is a list of numbers, base64, such a list in one of its own ([[0.5, -1]]), or the text of one ("[0.5, -1]"). */
#ifndef EC_CONTRACT_RESPONSE_H
#define EC_CONTRACT_RESPONSE_H

#include "floats.h"
#include "results.h"
#include "text.h"

enum ec_json_flags {
    EC_ALLOW_NOT_FINITE = 1, /* the words NaN, Infinity, -Infinity stand for numbers */
};

/* Check that text[0, n) is one JSON document. */
ec_result ec_json_validate(const void *text, int64_t n, int32_t flags);

/* What stands in the place of a row's vector. */
enum ec_vector_kind {
    EC_VECTOR_MISSING = 0, /* the row has no such key; start and end are those of the row */
    EC_VECTOR_LIST = 1,
    EC_VECTOR_STRING = 2,
    EC_VECTOR_NULL = 3,
    EC_VECTOR_OTHER = 4,
};

enum ec_row_index {
    EC_INDEX_MISSING = -1,
    EC_INDEX_BAD = -2, /* not a whole number of at most 18 digits */
};

/* One row as the scanner reports it. */
typedef struct {
    int64_t start, end; /* the vector's text, brackets or quotes included */
    int64_t index;      /* the row's own index, or one of enum ec_row_index */
    int32_t kind;       /* enum ec_vector_kind */
    int32_t escaped;    /* whether the string has escapes */
} ec_row_span;

/* Where a cursor stands in the document. */
enum ec_scan_stage {
    EC_SCAN_BEGIN = 0,
    EC_SCAN_FIRST_KEY = 1,
    EC_SCAN_AFTER_VALUE = 2,
    EC_SCAN_FIRST_ROW = 3,
    EC_SCAN_AT_ROW = 4,
    EC_SCAN_AFTER_ROW = 5,
    EC_SCAN_DONE = 6,
    EC_SCAN_ROW_ALONE = 7, /* one row in the place of a list of rows */
};

/* A reader's position, to be kept from call to call. All zero at first, but for what the caller sets. */
typedef struct {
    int64_t offset;               /* the next byte to read */
    int64_t lists;                /* lists of rows seen so far: of lists with the same key the last one counts */
    int64_t skip_lists;           /* set by the caller: the number of lists to pass over first */
    int64_t list_start, list_end; /* the list that counts so far, brackets included; -1 where there is none */
    int64_t rows;                 /* rows found in that list so far */
    int64_t in_place;             /* of these, the rows whose index is their position */
    int64_t unindexed;            /* of these, the rows without an index */
    int64_t until; /* set by the caller: stop before the first row that starts at this offset or behind it; 0: do not */
    int32_t rows_keys, item_keys; /* set by the caller */
    int32_t strict; /* set by the caller: check the grammar inside vectors too, and allow a row two vectors */
    int32_t stage;  /* enum ec_scan_stage */
    int32_t level;  /* keys of the path that lead to the object being read */
    int32_t kind;   /* enum ec_vector_kind of the list's first row */
} ec_response_cursor;

/* Read on until `capacity` rows are found and another one follows (stage EC_SCAN_AT_ROW, `offset` at that row), until a
 * row follows that starts at `until` or behind it (likewise), or to the end of the document (EC_SCAN_DONE). `produced`
 * rows are in `spans`. A cursor that is not strict leaves the inside of lists of numbers to ec_response_decode_rows(),
 * and fails with EC_DUPLICATE where a row has its vector twice. */
ec_result ec_response_scan(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                           ec_row_span *spans, int64_t capacity);

/* How vectors are read: as rows of `width` elements of a type, from lists or from base64 of some payload. */
typedef struct {
    int64_t width;
    int32_t type;         /* enum ec_type */
    int32_t payload;      /* of base64, enum ec_payload; for other types than EC_FLOAT32 only bytes */
    int32_t number_flags; /* with EC_NULLS_AS_NAN base64 may hold NaN, too, and Infinity in it becomes NaN */
    int32_t base64_flags;
} ec_row_format;

/* Count the elements of a vector, which `produced` then is (`format->width` is not read). */
ec_result ec_response_width(const void *body, const ec_row_span *span, const ec_row_format *format);

/* Decode `count` vectors into rows of format->width elements, one after the other from `rows` on. `produced` is the
 * number of rows decoded, so on failure the number of the bad row; `consumed` is then an offset into the body.
 * EC_NO_CAPACITY, and nothing is written, where `rows` has room for `capacity` elements and they are more. */
ec_result ec_response_decode_rows(const void *body, const ec_row_span *spans, int64_t count,
                                  const ec_row_format *format, void *rows, int64_t capacity);

/* Scan and decode by turns, a little text at a time while it is in the cache, until EC_SCAN_DONE, or EC_SCAN_AT_ROW
 * with `cursor->rows` at `capacity` or `cursor->offset` at `cursor->until`. Row r of the list becomes row r of
 * `matrix`, and its index indices[r] (int64). `indices` may be NULL while all rows so far are in place, or all are
 * without an index; the reader stops before text where that ends. EC_DUPLICATE where a second list with the same key
 * begins (`skip_lists` is 0 here). */
ec_result ec_response_read_rows(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                                const ec_row_format *format, void *matrix, void *indices, int64_t capacity);

/* The same on several threads, in parts of at least `least` bytes, of rows that are all in place or all without an index,
 * the first of which has been read. It may stop early, at a row (EC_SCAN_AT_ROW), where the text was not cut well: the
 * rest is for ec_response_read_rows(). */
ec_result ec_response_read_parts(const void *body, int64_t n, const void *path, ec_response_cursor *cursor,
                                 const ec_row_format *format, void *matrix, int64_t capacity, int64_t least,
                                 int32_t threads);

/* The one row of a document, and where its list stands. */
typedef struct {
    int64_t list_start, list_end;
    int32_t kind;  /* enum ec_vector_kind */
    int32_t found; /* 0: there is no one row as expected, and the rest means nothing */
} ec_one_row;

/* Read a document that holds one row of format->width elements, with the cursor's settings at `start`, into `row`. A
 * row that reads like another dtype's is not as expected (see ec_payload_guess()): floats from lists, and strings, whose
 * bytes are `asked` to be of enum ec_payload, unless that is EC_PAYLOAD_NONE. */
ec_one_row ec_response_read_one(const void *body, int64_t n, const void *path, const ec_response_cursor *start,
                                const ec_row_format *format, int32_t asked, void *row);

/* What is asked of the usual answer to one input. */
typedef struct {
    const void *names;           /* as of ec_batch_read_lines() */
    const ec_row_format *format; /* of the row, which has format->width elements */
    int32_t asked;               /* as of ec_response_read_one() */
} ec_usual_form;

/* The keys of a usage, digits of EC_USAGE_BASE; or a usage that says more, or otherwise, and none at all. */
enum ec_usage_keys {
    EC_USAGE_PROMPT = 1,
    EC_USAGE_COMPLETION = 2,
    EC_USAGE_TOTAL = 3,
    EC_USAGE_BASE = 4,
    EC_USAGE_OTHER = -1,
    EC_USAGE_NONE = -2,
};

/* What stands around the row of a usual answer: texts without their quotes; -1 where there is none. */
typedef struct {
    int64_t id_start, id_end;
    int64_t model_start, model_end;
    int64_t usage_start, usage_end;    /* the object */
    int64_t prompt, completion, total; /* what it says, or 0 */
    int32_t usage_keys;                /* which of these, in their order: enum ec_usage_keys */
    int32_t kind; /* of the vector, enum ec_vector_kind; 0: this is no such answer, and the rest means nothing */
} ec_usual_answer;

/* Read the usual answer to one input, its one row into `row`, and be sure that all of it is sound. */
ec_usual_answer ec_response_read_usual(const void *body, int64_t n, const ec_usual_form *form, void *row);

/* What a line of a batch file is found to be; `status`, `from` and `to` are fields of ec_batch_line. */
enum ec_line_kind {
    EC_LINE_ANSWER = 0, /* an answer, or a blank line, without rows */
    EC_LINE_REFUSED =
        1, /* `status` is the HTTP status or 0; the service's message is [from, to), -1 where there is none */
    EC_LINE_BROKEN = 2,    /* `status` is the error (enum ec_status), at `from`, in the row `to` or, if -1, in no row */
    EC_LINE_NO_OBJECT = 3, /* JSON, but not an object */
    EC_LINE_NO_VECTOR =
        4, /* row `to` has no vector: `status` is what it has instead (enum ec_vector_kind), at `from` */
    EC_LINE_WIDTH =
        5, /* an answer whose rows all have `status` elements, not format->width; the first vector is at `from` */
};

typedef struct {
    int64_t end;              /* the offset behind the line's newline */
    int64_t rows;             /* 0: a blank line, or one that failed */
    int64_t id_start, id_end; /* the text of its custom_id, quotes included; -1 where there is none */
    int64_t id_escaped;
    int64_t kind; /* enum ec_line_kind */
    int64_t status;
    int64_t from, to;                  /* offsets from the start of the line */
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

/* The same, but the text is read in `parts` on at most `threads` threads. Each part has its share of `capacity` and `most`,
 * so that there should be more than enough of both; what stands behind a line that one of the parts leaves is not read.
 * All of `matrix` and `lines` may be scribbled in. */
ec_result ec_batch_read_parts(const void *text, int64_t n, const void *names, const ec_row_format *format, void *matrix,
                              int64_t capacity, void *lines, int64_t most, int64_t parts, int32_t threads);

/* Write the custom_ids of lines as they stand in text[0, n), each with the quote behind it. All lines have one, without
 * escapes; id_start and id_end count from `text` on. Returns the bytes written, at most `capacity`; -1 where they would be
 * more, or a custom_id is not in the text. */
int64_t ec_batch_join_ids(const void *text, int64_t n, const void *lines, int64_t count, void *ids, int64_t capacity);

/* Permute rows in place: row i becomes the former row sources[i]. `sources` is a permutation, which is lost; `scratch`
 * holds one row. */
void ec_response_permute_rows(void *rows, int64_t count, int64_t row_bytes, void *sources, void *scratch);

/* What is written around each vector of a list of rows: bytes before it, and bytes behind it, which the row's index and a
 * bracket follow where rows are `numbered`, as in `{"object":"embedding","embedding":[...],"index":0}`. */
typedef struct {
    const void *before, *behind;
    int64_t before_bytes, behind_bytes;
    int32_t numbered;
} ec_row_words;

/* The most bytes that ec_response_write_rows() writes for `count` rows with indices from 0 on; -1 on overflow. Exact
 * for base64. */
int64_t ec_response_rows_bound(int64_t count, int64_t width, int32_t type, int32_t base64, const ec_row_words *words);

/* Write rows as items of a list, each with its words around it and a comma behind it, with indices from `index` on;
 * returns the bytes written. base64 holds the elements' own bytes. Where a float is not finite the result is -1 - (the
 * number of its row), and the text is of no use. */
int64_t ec_response_write_rows(const void *rows, int64_t count, int64_t width, int32_t type, int32_t base64,
                               const ec_row_words *words, int64_t index, void *text);

/* The same on several threads, going on with a text. `produced` rows are written, and `consumed` bytes: all of them, or
 * those that there was room for (EC_NO_CAPACITY). EC_NOT_FINITE, `produced` then the number of the row. Base64 needs no
 * scratch. */
ec_result ec_response_write_parts(const void *rows, int64_t count, int64_t width, int32_t type, int32_t base64,
                                  const ec_row_words *words, int64_t index, const ec_text *to);
int64_t ec_response_write_most(int64_t width, int32_t type, const ec_row_words *words); /* bytes of the longest block */

#endif
