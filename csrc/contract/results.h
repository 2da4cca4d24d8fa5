/* What functions of all families return, and the types of elements. */
#ifndef EC_CONTRACT_RESULTS_H
#define EC_CONTRACT_RESULTS_H

#include <stddef.h>
#include <stdint.h>

/* Why a function failed. */
enum ec_status {
    EC_OK = 0,
    EC_BAD_CHARACTER = 1,   /* a byte outside the alphabet or the grammar */
    EC_BAD_PADDING = 2,     /* base64: padding missing, misplaced, or with stray bits */
    EC_BAD_LENGTH = 3,      /* not the length that rows must have */
    EC_TRUNCATED = 4,       /* the text ends too early */
    EC_BAD_NUMBER = 5,      /* not a JSON number */
    EC_NUMBER_TOO_LONG = 6, /* more than EC_MAX_NUMBER bytes */
    EC_OUT_OF_RANGE = 7,    /* does not fit the type: float32 overflow, int8 200 */
    EC_NOT_INTEGRAL = 8,    /* a fraction where an integer is wanted */
    EC_NOT_FINITE = 9,      /* NaN or Infinity, as text or as value */
    EC_NULL_ELEMENT = 10,   /* null where a number is wanted */
    EC_TOO_DEEP = 11,       /* nested deeper than EC_MAX_DEPTH */
    EC_BAD_STRING = 12,     /* a control character or a bad escape in a JSON string */
    EC_BAD_UTF8 = 13,
    EC_NO_CAPACITY = 14,  /* the caller's buffer is too small */
    EC_WRONG_KIND = 15,   /* a JSON value of another kind than wanted */
    EC_DUPLICATE = 16,    /* an index given twice */
    EC_TRAILING = 17,     /* something follows the end of the value */
    EC_BAD_ARGUMENT = 18, /* an array shorter than the numbers beside it say, or a number out of range */
};

/* Limits that all readers of JSON share. */
enum ec_limit {
    EC_MAX_DEPTH = 64,
    EC_MAX_NUMBER = 1024,
};

/* What a function that can fail on its input returns. */
typedef struct {
    int64_t consumed; /* on success all of the input used; on failure the offset of the offending byte */
    int64_t produced; /* elements or bytes written */
    int32_t status;   /* enum ec_status */
} ec_result;

/* The element types of an output or input matrix. */
enum ec_type {
    EC_FLOAT32 = 0,
    EC_INT8 = 1,
    EC_UINT8 = 2,
};

/* An array that may come from a file, with the number of elements that it has room for, so that sizes that do not go
 * together are found (EC_BAD_ARGUMENT) before anything is read. */
typedef struct {
    const void *items; /* NULL where there is none */
    int64_t count;     /* in elements */
} ec_array;

#endif
