/* The contract between the C core and everything above it. The text between the two cdef markers is what cffi parses.
 *
 * Rules of the house:
 * - No allocation, input/output, threads or mutable globals (the kernel table aside). The caller owns every buffer and
 *   passes its capacity; nothing is written past it, nothing read past the given length.
 * - Pointers are to plain bytes and need no alignment. Lengths are int64_t, counted in the unit the name says.
 * - What can fail on its input returns an ec_result; on failure `consumed` is the offset of the offending byte (or
 *   element, where the input is an array), the same on every tier.
 */
#ifndef EMBCODEC_H
#define EMBCODEC_H

#include <stddef.h>
#include <stdint.h>

/* cdef: begin */

/* ---- results ---- */

enum ec_status {
    EC_OK = 0,
    EC_BAD_CHARACTER = 1,  /* a byte outside the alphabet or the grammar */
    EC_BAD_PADDING = 2,    /* base64: padding missing, misplaced, or with stray bits */
    EC_BAD_LENGTH = 3,     /* not the length that the rows must have */
    EC_TRUNCATED = 4,      /* the text ends too early */
    EC_BAD_NUMBER = 5,     /* not a JSON number */
    EC_NUMBER_TOO_LONG = 6, /* more than EC_MAX_NUMBER bytes */
    EC_OUT_OF_RANGE = 7,   /* does not fit the type: float32 overflow, int8 200 */
    EC_NOT_INTEGRAL = 8,   /* a fraction where an integer is wanted */
    EC_NOT_FINITE = 9,     /* NaN or Infinity, as text or as value */
    EC_NULL_ELEMENT = 10,  /* null where a number is wanted */
    EC_TOO_DEEP = 11,      /* nested deeper than EC_MAX_DEPTH */
    EC_BAD_STRING = 12,    /* a control character or a bad escape in a JSON string */
    EC_BAD_UTF8 = 13,
    EC_NO_CAPACITY = 14,   /* the caller's buffer is too small */
    EC_WRONG_KIND = 15,    /* a JSON value of another kind than wanted */
    EC_DUPLICATE = 16,     /* an index given twice */
    EC_TRAILING = 17,      /* something follows the end */
    EC_BAD_ARGUMENT = 18   /* arrays smaller than the numbers beside them say, or numbers out of range */
};

enum ec_limit {
    EC_MAX_DEPTH = 64,
    EC_MAX_NUMBER = 1024
};

typedef struct {
    int64_t consumed; /* on success all of the input used; on failure the offset of the offending byte */
    int64_t produced; /* elements or bytes written */
    int32_t status;   /* enum ec_status */
} ec_result;

/* The element types of an output or input matrix. */
enum ec_type {
    EC_FLOAT32 = 0,
    EC_INT8 = 1,
    EC_UINT8 = 2
};

/* ---- tiers ---- */

enum ec_isa {
    EC_ISA_SCALAR = 1,
    EC_ISA_AVX2 = 2,
    EC_ISA_AVX512 = 4,
    EC_ISA_NEON = 8,
    EC_ISA_DOTPROD = 16
};

uint32_t ec_isa_available(void);           /* a set of enum ec_isa */
uint32_t ec_isa_active(void);              /* one of them */
int32_t ec_isa_select(uint32_t tier);      /* 1, or 0 where this machine has no such tier; not thread-safe */
const char *ec_isa_name(uint32_t tier);    /* "scalar", "avx2", "avx512", "neon" */

/* ---- base64 ----
 *
 * RFC 4648, strict: no white space, one alphabet, padding that is there and canonical. What is refused, and where; the
 * leftmost offence counts, on every tier:
 *   EC_BAD_CHARACTER  a byte that is neither of the alphabet nor '='
 *   EC_BAD_PADDING    a '=' where none may stand; a character of the alphabet or '=' where other padding, or the end,
 *                     must follow; the end of the text where a '=' is missing; before '=', the last character of
 *                     the alphabet, where it sets bits that the padding cuts off
 *   EC_TRUNCATED      the end of the text, after one character of a group of four
 * An error of length (EC_NO_CAPACITY, EC_BAD_LENGTH) is reported of well-formed text only.
 */

enum ec_base64_flags {
    EC_BASE64_URLSAFE = 1,   /* '-' and '_' instead of '+' and '/' */
    EC_BASE64_NO_PADDING = 2 /* the padding may be missing as a whole */
};

/* Characters that n bytes become: 4 for every 3 begun; -1 where n < 0 or the answer does not fit. */
int64_t ec_base64_encoded_length(int64_t n);

/* Write ec_base64_encoded_length(n) characters to `text`, with padding, without a final zero. */
void ec_base64_encode(const void *bytes, int64_t n, void *text);

/* Encode `count` rows of `row_bytes` bytes each, `row_stride` bytes apart, one text every `text_stride` characters. */
void ec_base64_encode_rows(const void *rows, int64_t count, int64_t row_bytes, int64_t row_stride, void *text,
                           int64_t text_stride);

/* Bytes that n characters become if they are well-formed; -1 where no well-formed text has this length and ending. */
int64_t ec_base64_decoded_length(const void *text, int64_t n, int32_t flags);

/* Decode n characters. EC_NO_CAPACITY where more than `capacity` bytes would follow, `consumed` being then the first
 * group of four that does not fit. After a failure `bytes` is unspecified within `capacity`. */
ec_result ec_base64_decode(const void *text, int64_t n, void *bytes, int64_t capacity, int32_t flags);

/* Decode `count` texts, the i-th being the lengths[i] characters from text + offsets[i], each to exactly `row_bytes`
 * bytes, `row_stride` bytes apart. `produced` is the number of rows decoded, that is, on failure, the bad row;
 * `consumed` is then an offset into `text`. EC_BAD_LENGTH where a sound text has another length: its offset. */
ec_result ec_base64_decode_rows(const void *text, const int64_t *offsets, const int64_t *lengths, int64_t count,
                                void *rows, int64_t row_bytes, int64_t row_stride, int32_t flags);

/* ---- numbers ---- */

enum ec_number_flags {
    EC_NULLS_AS_NAN = 1 /* null, NaN, Infinity, -Infinity and numbers beyond float32 are read as NaN, not refused */
};

/* One JSON array of numbers, text[0] == '[', white space allowed between its tokens, to float32, each correctly rounded
 * (nearest, ties to even). consumed: the bytes up to and with its ']'; produced: the numbers written. More numbers than
 * `capacity`: EC_NO_CAPACITY. Which byte `consumed` names on failure: csrc/numbers/scalar.c. */
ec_result ec_floats_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags);

/* The same to int8 or uint8 (`type`, an enum ec_type): any JSON number of integral value in range, -128.0 and 1e2 too. */
ec_result ec_integers_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t type, int32_t flags);

/* A JSON array of numbers, or a non-empty array of such arrays of equal length, and nothing but white space around:
 * rows (-1 for the one array) and columns are set on success. capacity: numbers in all. Rows of unequal length:
 * EC_BAD_LENGTH at the row's '['. */
ec_result ec_float_rows_parse(const void *text, int64_t n, void *out, int64_t capacity, int32_t flags, int64_t *rows,
                              int64_t *columns);

/* How many numbers the text can hold at most: its commas and one. */
int64_t ec_numbers_bound(const void *text, int64_t n);

/* Writes "[a,b,...]", each number the shortest text that reads back to the same float32, and returns the bytes written:
 * at most EC_FLOAT_TEXT a number, and 2. Where a value is not finite nothing of use is written and the result is
 * -1 - its index.
 *     from 1e-4 to below 1e9  0.00012 1.0 -0.0 123456790.0     always with a point
 *     elsewhere               1e-5 1.5e-5 1e9 3.4028235e38     no sign or zero before the exponent's digits but '-' */
int64_t ec_floats_format(const void *values, int64_t n, void *text);
int64_t ec_float_rows_format(const void *values, int64_t rows, int64_t columns, void *text); /* + 3 a row, + 2 */

/* The same for int8 or uint8 values: at most EC_INTEGER_TEXT bytes a number, and 2. */
int64_t ec_integers_format(const void *values, int64_t n, int32_t type, void *text);

enum ec_text_bound {
    EC_FLOAT_TEXT = 16,  /* -1.2345678e-38, or -0.000123456789 */
    EC_INTEGER_TEXT = 5 /* -128, */
};

/* ---- floats of other forms ---- */

enum ec_payload {
    EC_PAYLOAD_NONE = -1, /* of base64: strings are no vectors */
    EC_PAYLOAD_BYTES = 0, /* the elements' own bytes, little-endian */
    EC_PAYLOAD_BIG_ENDIAN_FLOAT32 = 1,
    EC_PAYLOAD_FLOAT16 = 2,
    EC_PAYLOAD_BIG_ENDIAN_FLOAT16 = 3,
    EC_PAYLOAD_BFLOAT16 = 4,
    EC_PAYLOAD_BIG_ENDIAN_BFLOAT16 = 5,
    EC_PAYLOAD_E4M3 = 6, /* of one byte, without infinities */
    EC_PAYLOAD_E5M2 = 7,
    EC_PAYLOAD_FLOAT64 = 8,
    EC_PAYLOAD_BIG_ENDIAN_FLOAT64 = 9
};

/* Bytes of a float of that form. */
int64_t ec_payload_bytes(int32_t payload);

/* Read `count` floats of a form into float32, rounded to the nearest; NaN stays NaN. */
void ec_floats_widen(const void *bytes, int64_t count, int32_t payload, void *floats);

/* Write `count` float32 in a form, rounded to the nearest, of two to the even one. EC_OUT_OF_RANGE at the first that is
 * not finite, or rounds to what is not. */
ec_result ec_floats_narrow(const void *floats, int64_t count, int32_t payload, void *bytes);

/* What the `n` bytes of a vector read like, where that is not `asked`: a payload, or EC_PAYLOAD_NONE for codes. They
 * read as asked unless an embedding of that form all but certainly has no such bytes; a few hundred are looked at. */
int32_t ec_payload_guess(const void *bytes, int64_t n, int32_t asked);

/* ---- bits ---- */

/* One bit a dimension, eight to a byte, each row in ceil(dimension / 8) whole bytes, unused bits zero. */
enum ec_bits {
    EC_BITS_LSB = 1,       /* the first dimension is bit 0 of its byte; else bit 7 */
    EC_BITS_INCLUSIVE = 2, /* a bit is set for x >= threshold; else for x > threshold */
    EC_BITS_OFFSET = 4,    /* bytes are stored as int8(byte - 128), that is byte ^ 0x80 */
    EC_BITS_FINITE = 8     /* NaN and Infinity are refused; else a NaN gives 0 */
};

/* On EC_NOT_FINITE `consumed` is the element's offset in the matrix. `capacity` counts the output's elements. */
ec_result ec_pack_bits_f32(const void *values, int64_t rows, int64_t dimension, float threshold, uint32_t flags,
                           void *packed, int64_t capacity);
ec_result ec_unpack_bits_u8(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                            int64_t capacity); /* 0 and 1 */
ec_result ec_unpack_bits_f32(const void *packed, int64_t rows, int64_t dimension, uint32_t flags, void *values,
                             int64_t capacity); /* -1 and +1 */

/* ---- quantize ---- */

/* Matrices of rows * dimension elements, row-major; `type` of the codes is EC_INT8 or EC_UINT8. Arithmetic is float32
 * with every operation rounded, in the order written; round is to the nearest, ties to even. NaN and Infinity are
 * refused (EC_NOT_FINITE, `consumed` the element's offset in the matrix). */

/* int8: clamp(round(127 x), -127, 127) and q / 127; uint8: clamp(round(127.5 x + 127.5), 0, 255) and q / 127.5 - 1.
 * Quantizing, `produced` is no count of codes: of at least 8 rows, or one in 32, how many may lose much at this scale, for
 * values beyond it or a length too short. */
ec_result ec_quantize_unit_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, void *codes);
ec_result ec_dequantize_unit_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, void *values);

/* int8: clamp(round(x * (1 / scale)), -127, 127) and q * scale; uint8 the same plus 128. With `measure` the scales are
 * found and written: max |x| / 127, rounded up where that is subnormal; 1 / 127 for a zero row. At a subnormal scale x and
 * the scale are multiplied by 2^64 first. */
ec_result ec_quantize_per_vector_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, int32_t measure,
                                     void *scales, void *codes);
ec_result ec_dequantize_per_vector_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type,
                                       const void *scales, void *values);

/* c = clamp(floor((x - low) / step), 0, 255), int8: c - 128; and c * step + first; low, step, first a dimension each;
 * reciprocal: 1 / step, rounded, or NULL where a step is not within 2^-100 .. 2^100, so that kernels had better divide. */
ec_result ec_quantize_ranges_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, const void *low,
                                 const void *step, const void *reciprocal, void *codes);
ec_result ec_dequantize_ranges_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, const void *first,
                                   const void *step, void *values);

/* The first `dimension`, 1 .. EC_DOT_MAX_DIMENSION, of rows that lie `stride` values apart, brought to unit length: sum,
 * root and product in float64, rounded once. A zero row stays zero. On EC_NOT_FINITE `consumed` counts kept values. */
ec_result ec_truncate_f32(const void *values, int64_t stride, int64_t rows, int64_t dimension, void *kept);

/* The first NaN or Infinity (EC_NOT_FINITE, `consumed` its offset), or EC_OK. */
ec_result ec_check_finite_f32(const void *values, int64_t count);

/* ---- crc32 ---- */

/* The CRC-32 that zlib and zip have, of bytes behind those whose `checksum` is given; 0 at the beginning. */
uint32_t ec_crc32(uint32_t checksum, const void *bytes, int64_t n);

/* ---- arrays of files ---- */

/* An array that may come from a file, with what it has room for: sizes that do not go together are EC_BAD_ARGUMENT. */
typedef struct {
    const void *items;         /* NULL where there is none */
    int64_t count;             /* of elements */
} ec_array;

/* Rotate rows in place, `count` values in all. factors: float32 (rounds, dimension), signs, times 1 / sqrt(p) in the
 * first (odd rounds: last) p dimensions, p the largest power of two; each round multiplies and transforms those. The
 * inverse goes backwards. */
ec_result ec_rotate_f32(void *values, int64_t count, int64_t rows, int64_t dimension, ec_array factors, int32_t rounds,
                        int32_t inverse);

/* ---- lowbit ---- */

/* How rows become codes: centred, turned, coded. Arrays are float32, NULL where there is none; a panel is (inner, 64):
 * what 64 dimensions of the result take of each of `inner` values, zero where there are not so many. */
typedef struct {
    int64_t dimension;
    int32_t bits;              /* 1, 2 or 4 */
    int32_t dense;             /* whether panels take all dimensions, not 64 each */
    ec_array levels;           /* (2^bits,), ascending, for values of unit variance */
    ec_array thresholds;       /* (2^bits - 1,), between them */
    ec_array patterns;         /* uint8 (2^bits,): the bits of each level */
    ec_array center;           /* (dimension,) */
    ec_array factors;          /* (rounds, dimension): see ec_rotate_f32 */
    int32_t rounds;
    ec_array panels;           /* (ceil(dimension / 64), 64, or dimension where dense, 64) */
    int64_t directions;        /* a multiple of 64, only beside panels; 0: none of what follows */
    ec_array along;            /* (directions / 64, dimension, 64): V, orthonormal, before the panels' map T */
    ec_array turned;           /* likewise: T V */
    ec_array added;            /* (ceil(dimension / 64), directions, 64): diag(gains - 1) (T V)^T */
    ec_array weights;          /* (directions,): 1 / gains - gains */
} ec_lowbit_scheme;

/* What coding reads and fills; `capacity` is the rows that scales, lengths and squares each have room for. */
typedef struct {
    const void *values;        /* float32 (rows, dimension) */
    int64_t values_count;
    void *scratch;             /* 64-byte aligned */
    int64_t scratch_bytes;
    void *packed;
    int64_t packed_bytes;
    void *scales, *lengths, *squares;
    int64_t capacity;
} ec_lowbit_rows;

/* Bytes of scratch for ec_lowbit_encode_f32() of so many rows; -1 for numbers out of range. */
int64_t ec_lowbit_scratch_bytes(const ec_lowbit_scheme *scheme, int64_t rows);

/* Code rows x: r = x - center becomes y = T (I + V diag(gains - 1) V^T) r and that levels l of y sqrt(dimension) / |y|.
 * packed: (rows, bits * ceil(dimension / 8)), a plane a bit, first dimension highest. Float32 (rows,) are lengths, |r|,
 * and scales, |r|^2 / <T (I + V diag(1 / gains - 1) V^T) r, l>, 0 where that dot is not positive or, with directions,
 * below |r| sqrt(dimension) / 20. squares: double (rows,), |x|^2. NaN and Infinity are refused (EC_NOT_FINITE,
 * `consumed` the element's offset in the matrix), and so are arrays that are too short for what they should hold. */
ec_result ec_lowbit_encode_f32(const ec_lowbit_scheme *scheme, int64_t rows, const ec_lowbit_rows *to);

/* The turned rows alone, y of the above: float32 (rows, dimension). All are finite. What is too short for what it should
 * hold is EC_BAD_ARGUMENT. */
ec_result ec_lowbit_turn_f32(const ec_lowbit_scheme *scheme, ec_array values, int64_t rows, void *scratch,
                             int64_t scratch_bytes, void *turned, int64_t turned_count);

/* ---- response ----
 *
 * A body is read by a cursor that stops at every row it finds, so that rows may be decoded block by block, by one
 * thread or several, while their text is still in cache. `path` names the way to the vectors as keys that end with a
 * zero byte: first `rows_keys` keys from the document to the list of rows, then `item_keys` from a row to its vector.
 */

enum ec_json_flags {
    EC_ALLOW_NOT_FINITE = 1 /* the words NaN, Infinity, -Infinity stand for numbers */
};

/* Check that text[0, n) is one JSON document. */
ec_result ec_json_validate(const void *text, int64_t n, int32_t flags);

enum ec_vector_kind {
    EC_VECTOR_MISSING = 0, /* the row has no such key; start, end are the row's own */
    EC_VECTOR_LIST = 1,
    EC_VECTOR_STRING = 2,
    EC_VECTOR_NULL = 3,
    EC_VECTOR_OTHER = 4
};

enum ec_row_index {
    EC_INDEX_MISSING = -1,
    EC_INDEX_BAD = -2 /* not a whole number of at most 18 digits */
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
    EC_SCAN_DONE = 6
};

typedef struct {
    int64_t offset;              /* the next byte to read */
    int64_t lists;               /* lists of rows met so far: of twin keys the last one counts */
    int64_t skip_lists;          /* set by the caller: pass over that many of them first */
    int64_t list_start, list_end; /* the list that counts so far, brackets included; -1 where there is none */
    int64_t rows;                /* found in that list so far */
    int64_t in_place;            /* of them with an index that is their position */
    int64_t unindexed;           /* of them without an index */
    int64_t until;               /* set by the caller: stop before the first row from this offset on; 0 for none */
    int32_t rows_keys, item_keys; /* set by the caller */
    int32_t strict;              /* set by the caller: check the grammar inside vectors too, and allow twin vectors */
    int32_t stage;               /* enum ec_scan_stage; zero at first */
    int32_t level;               /* keys of the path passed, at the object being read */
    int32_t kind;                /* enum ec_vector_kind of the list's first row */
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

typedef struct {
    int64_t end;              /* behind the line's newline */
    int64_t rows;             /* 0: a blank line */
    int64_t id_start, id_end; /* the text of its custom_id, quotes included; -1 where there is none */
    int64_t id_escaped;
} ec_batch_line;

typedef struct {
    int64_t prompt, completion, total;
} ec_batch_usage;

/* Read lines of a batch file from text[0, n) until a line is not complete or not plain (an answer without any error, in the
 * usual form, its rows in order), `most` lines (ec_batch_line) are read, or the next one's rows exceed `capacity`. `names`: the keys of the
 * list of rows and of a row's vector, each ended by a zero byte. Rows go one after the other to `matrix` (behind the last
 * one of `lines` it may be scribbled in), counts of tokens are added to `usage`. `produced` is the number of lines,
 * `consumed` where they end; never a failure. */
ec_result ec_batch_read_lines(const void *text, int64_t n, const void *names, const ec_row_format *format, void *matrix,
                              int64_t capacity, void *lines, int64_t most, ec_batch_usage *usage);

/* Let row i be the former row sources[i], in place; `scratch` holds one row, `sources` is a permutation and is lost. */
void ec_response_permute_rows(void *rows, int64_t count, int64_t row_bytes, void *sources, void *scratch);

/* Most bytes that ec_response_write_rows writes for `count` rows from index 0 on; -1 on overflow. Exact for base64. */
int64_t ec_response_rows_bound(int64_t count, int64_t width, int32_t type, int32_t base64);

/* Write rows as items of a response's data, `{"object":"embedding","embedding":...,"index":0},`, a comma behind each,
 * with indices from `index` on; returns the bytes written. base64 holds the elements' own bytes. Where a float is not
 * finite nothing of use is written and the result is -1 - its row. */
int64_t ec_response_write_rows(const void *rows, int64_t count, int64_t width, int32_t type, int32_t base64,
                               int64_t index, void *text);

/* ---- search ----
 * The k best rows of a corpus for each of some queries. The scan takes the corpus in blocks of rows that stay in the
 * cache, brings a block into the kernel's form once, lets every query meet it, and keeps what beats the query's k-th
 * best so far:
 *
 *     rows --gather/decode?--> block --pack--> panel --tile--> scores --finish--> costs --filter--> reservoir of entries
 *
 * A cost is what is kept low: a distance, or a similarity with its sign changed. An entry is one uint64: the cost as an
 * ordered 32-bit key above the row's number, so that the order of entries is the order of results: best first, ties by
 * the lower row. */

enum ec_search_family {
    EC_HAMMING_U1 = 0, /* bits x bits, rows of `width` bytes */
    EC_DOT_U1 = 1,     /* tables of ec_dot_u1_tables x bits */
    EC_DOT_I8 = 2,     /* int8 x int8, or uint8 with flip = 0x80 */
    EC_DOT_F32 = 3,    /* float32 x float32, or x codes by way of `decode` */
    EC_USER_TILE = 4   /* `tile`: plain rows in, float32 out */
};

enum ec_search_decode {
    EC_DECODE_NONE = 0,
    EC_DECODE_I8 = 1, /* code (after flip) to float32 */
    EC_DECODE_U1 = 2  /* bits, first dimension highest, to -1 and +1; 8 * width dimensions */
};

/* The cost of a raw score s of query q and row r (float32, each operation rounded; no fused steps):
 * DOT: dot = ((s + add[r]) * mul[q] + bias[q]); cost = (-scale[r] * dot - weight[q] * row_bias[r]) + square[q],
 *      at least -1 where `bounded`
 * COSINE: cost = -dot / length[r], 0 where the length is 0, NaN where it is not within 1e-33 .. 1e33 (the query's
 *         length is in mul and bias)
 * L2: cost = max(0, scale[r]^2 length[r]^2 - 2 scale[r] dot + square[q])
 * JACCARD: cost = 2 s / (s + bits[r] + bias[q]), 0 where both are empty
 * add[r] = sum_weight * sum of the row's codes; length[r] is that of the row's values before its scale. */
enum ec_search_metric {
    EC_COST_RAW = 0, /* int32 scores are costs */
    EC_COST_DOT = 1,
    EC_COST_COSINE = 2,
    EC_COST_L2 = 3,
    EC_COST_JACCARD = 4,
    EC_COST_USER = 5, /* float32 scores times user_sign are costs */
};

enum ec_search_lengths {
    EC_LENGTH_NONE = 0,    /* no lengths are wanted, or row_squares gives them */
    EC_LENGTH_F32 = 1,     /* of float32 rows */
    EC_LENGTH_I8 = 2,      /* value = step * (code + centre), code after flip */
    EC_LENGTH_RANGES = 3   /* value = steps[d] * code + offsets[d], code after flip */
};

typedef void (*ec_user_tile)(const void *queries, int64_t n_queries, const void *rows, int64_t n_rows, int64_t width,
                             float *scores, int64_t scores_stride);

typedef struct {
    int32_t family, decode, metric, lengths;
    int32_t flip; /* 0 or 0x80: xor-ed into every byte of int8 or uint8 rows */
    float user_sign;
    int64_t width;     /* stored elements of a row: bytes of bits, codes, float32 */
    int64_t row_bytes; /* their bytes */

    const void *queries; /* n_queries in the family's plain form, without gaps */
    int64_t n_queries;
    const void *mul, *bias, *square; /* float32 (n_queries,); NULL where the metric has none */
    const void *weight;              /* float32 (n_queries,), or NULL for 1 */

    const void *rows;
    int64_t row_stride; /* bytes */
    int64_t n_rows;     /* below 2^32 - 1 */
    const void *mask;   /* one bit a row, lowest first, set for rows that count; NULL for all */
    const void *selection; /* int64: the rows to take, ascending; negative or equal to the former: skipped; NULL: all */
    int64_t n_selected;
    int64_t selection_stride; /* 0: one selection for all queries; else elements from one query's to the next */

    const void *row_scales;  /* float32 (n_rows,), or NULL for 1 */
    const void *row_biases;  /* float32 (n_rows,), or NULL for 0; of EC_COST_DOT alone */
    int32_t bounded;         /* whether a similarity, of EC_COST_DOT, is at most 1 */
    const void *row_squares; /* double (n_rows,): squared lengths known already, or NULL */
    float sum_weight, step, centre;
    const void *steps, *offsets; /* float32 (width,) for EC_LENGTH_RANGES */
    ec_user_tile tile;

    int64_t k;     /* 0 <= k */
    void *entries; /* uint64 (n_queries, k): ascending, filled up with UINT64_MAX */
} ec_search_args;

/* Bytes of scratch, 64-byte aligned, for ec_search(), ec_range_search() and ec_search_squares(). */
int64_t ec_search_scratch_bytes(const ec_search_args *args);

/* Bring queries (n_queries, dimension) into the family's plain form, and find what they contribute to costs. Of `args`
 * counts all that speaks of rows and the metric; `queries` and the terms are what is found. For
 *   float32 queries: EC_DOT_F32, also with `decode`; EC_DOT_I8, each rounded to a byte an element at a scale of its own
 *     once multiplied by the rows' steps; EC_DOT_U1, their tables; flags (enum ec_bits) say how the rows' bits lie
 *   int8 or uint8 codes like the rows': EC_DOT_I8, with `scales` float32 (n_queries,) of their own, or NULL
 *   bits, `type` EC_UINT8: EC_HAMMING_U1, of which nothing but the terms is wanted
 * queries: in the plain form, or NULL where they are in it: float32 for plain EC_DOT_F32, int8, bits. `produced` counts
 * those that could not stay what they were: too near the ends of float32 for a cosine, they are multiplied by powers of
 * two; ask for `queries` then. terms: float32 (3, n_queries), the mul, bias and square of ec_search_args: of EC_COST_DOT,
 * where rows are bits. `consumed` is the query on failure: EC_NOT_FINITE, or EC_OUT_OF_RANGE where float32 cannot hold it
 * multiplied. scratch: 64-byte aligned. dimension: 1 .. EC_DOT_MAX_DIMENSION. */
int64_t ec_search_queries_scratch_bytes(int64_t dimension);
int64_t ec_search_query_bytes(const ec_search_args *args); /* of one in the plain form */
ec_result ec_search_queries(const ec_search_args *args, const void *values, int32_t type, int64_t dimension,
                            const void *scales, uint32_t flags, void *queries, void *terms, void *scratch);

/* Fill entries. A row number in an entry counts in rows, or in the selection. On EC_NOT_FINITE `consumed` is the row of
 * which a score was NaN (of the first such block). A scan stops before the next block where `most_pairs` of a query and a
 * row have met, so that its caller hears signals, and goes on there when it is called again with the same state and
 * scratch. state: int64[2], 0, 0 at first; state[0] = n_queries when all is done. */
ec_result ec_search(const ec_search_args *args, int64_t most_pairs, void *state, void *scratch);

/* Every row with a cost below its query's limit, float32 (n_queries,). Hits are appended to
 * entries and to queries (int32) until fewer than ec_range_reserve(args) places are left; the scan then stops, too, and
 * goes on with empty ones. produced: number of hits. Hits are not in order. */
int64_t ec_range_reserve(const ec_search_args *args);
ec_result ec_range_search(const ec_search_args *args, const void *limits, void *entries, void *queries,
                          int64_t capacity, int64_t most_pairs, void *state, void *scratch);

/* squares: double (n_rows,): the squared lengths that row_squares wants, by `lengths`. */
int32_t ec_search_squares(const ec_search_args *args, void *squares);

/* Merge the entries of n_parts scans, (n_parts, n_queries, k) with part p's rows from first_rows[p] on (int64), into
 * scores (n_queries, k_out), int32 costs if `is_integer`, else float32 sign * cost, and indices (int64), which are rows,
 * or selection[row] where a selection is given (selection_stride as in ec_search_args). k_out <= n_parts * k; places
 * without an entry get row -1 and a cost of NaN (the integer -1). */
void ec_search_merge(const void *entries, int64_t n_parts, int64_t n_queries, int64_t k, const void *first_rows,
                     int64_t k_out, int32_t is_integer, float sign, const void *selection, int64_t selection_stride,
                     void *scores, void *indices);

/* Bytes of scratch, 64-byte aligned, of the families of bits; of panels for n_rows <= EC_DOT_BLOCK. */
int64_t ec_hamming_u1_panel_bytes(int64_t n_rows, int64_t width);
int64_t ec_hamming_u1_prepared_bytes(int64_t n_queries, int64_t width);
int64_t ec_dot_u1_panel_bytes(int64_t n_rows, int64_t width);

/* Tables for EC_DOT_U1: queries float32 (n_queries, 8 * width) in the order of the bits, highest bit first; tables
 * ec_dot_u1_tables_bytes(); scales float32 (n_queries,): query . (+-1 of the row) = scale * score with an error of at
 * most scale / 2 for each four dimensions that are not all zero: of d dimensions scale / 2 * ceil(d / 4), up to float32
 * roundings. Returns 1, or 0 where a query is not finite. */
int64_t ec_dot_u1_tables_bytes(int64_t n_queries, int64_t width);
int32_t ec_dot_u1_tables(const void *queries, int64_t n_queries, int64_t width, void *tables, void *scales);

/* scores[q * n_rows + r], int32, through the kernels of a family of bits: for tests. scratch as ec_u1_scratch_bytes. */
int64_t ec_u1_scratch_bytes(int64_t n_queries, int64_t width);
int32_t ec_u1_scores(int32_t family, const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes,
                     int64_t n_rows, int64_t width, int32_t by_rows, void *scratch, void *scores);

/* ---- dot ----
 * Dense dots and per-row sums through the kernels in force; the search driver calls the same kernels block by block.
 * rows: row r at rows + r * stride_bytes. flip: 0 for int8 rows, 0x80 for uint8 rows, which then count as v - 128.
 * They return 1, or 0 (nothing written) where dimension is not in 1..EC_DOT_MAX_DIMENSION or a count is negative. */

enum ec_dot_limit {
    EC_DOT_MAX_DIMENSION = 65536, /* 128 * 128 * dimension stays within 2^30 */
    EC_DOT_BLOCK = 256            /* most rows a panel */
};

/* Bytes of scratch, 64-byte aligned, that any tier needs for a panel of n_rows <= EC_DOT_BLOCK and for the queries. */
int64_t ec_dot_i8_panel_bytes(int64_t n_rows, int64_t dimension);
int64_t ec_dot_i8_prepared_bytes(int64_t n_queries, int64_t dimension);
int64_t ec_dot_f32_panel_bytes(int64_t n_rows, int64_t dimension);
int64_t ec_dot_f32_prepared_bytes(int64_t n_queries, int64_t dimension);
int64_t ec_dot_block_rows(int64_t row_bytes); /* rows a panel that suits the caches: 64, 128, 192 or 256 */

/* scores[q * n_rows + r], int32 or float32; panel has room for EC_DOT_BLOCK rows. */
int32_t ec_dot_i8(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                  int64_t dimension, int32_t flip, void *prepared, void *panel, void *scores);
int32_t ec_dot_f32(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                   int64_t dimension, void *prepared, void *panel, void *scores);
/* scores[r] of one query, without scratch. */
int32_t ec_dot_i8_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                       int32_t flip, void *scores);
int32_t ec_dot_f32_rows(const void *query, const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension,
                        void *scores);
/* scores[q * n_rows + r] of queries against plain rows, a few queries at a time; sums[r] and sumsq[r], or NULL, as
 * ec_sum_i8() and ec_sumsq_*(). */
int32_t ec_dot_i8_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                      int64_t dimension, int32_t flip, void *prepared, void *scores, void *sums, void *sumsq);
int32_t ec_dot_f32_few(const void *queries, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t dimension, void *prepared, void *scores, void *sumsq);
/* sums[r]: int32 sum, int32 sum of squares, double sum of squares. */
int32_t ec_sum_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip, void *sums);
int32_t ec_sumsq_i8(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, int32_t flip,
                    void *sums);
int32_t ec_sumsq_f32(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t dimension, void *sums);

/* cdef: end */

#endif
