/* Conversion of float32 to and from other forms of floats, and guesses at the form that bytes are in. */
#ifndef EC_CONTRACT_FLOATS_H
#define EC_CONTRACT_FLOATS_H

#include "results.h"

enum ec_payload {
    EC_PAYLOAD_NONE = -1, /* strings hold no vectors */
    EC_PAYLOAD_BYTES = 0, /* the elements' own bytes, little-endian */
    EC_PAYLOAD_BIG_ENDIAN_FLOAT32 = 1,
    EC_PAYLOAD_FLOAT16 = 2,
    EC_PAYLOAD_BIG_ENDIAN_FLOAT16 = 3,
    EC_PAYLOAD_BFLOAT16 = 4,
    EC_PAYLOAD_BIG_ENDIAN_BFLOAT16 = 5,
    EC_PAYLOAD_E4M3 = 6, /* one byte, without infinities */
    EC_PAYLOAD_E5M2 = 7,
    EC_PAYLOAD_FLOAT64 = 8,
    EC_PAYLOAD_BIG_ENDIAN_FLOAT64 = 9,
    EC_PAYLOAD_INT8 = 10, /* from here on codes, which can be guessed but not converted */
    EC_PAYLOAD_UINT8 = 11,
    EC_PAYLOAD_BITS = 12,
};

/* Bytes of one element of that form. */
int64_t ec_payload_bytes(int32_t payload);

/* Read `count` floats of a form into float32, exactly or rounded to the nearest; NaN stays NaN. */
void ec_floats_widen(const void *bytes, int64_t count, int32_t payload, void *floats);

/* Write `count` float32 in a form, rounded to the nearest, ties to even. EC_OUT_OF_RANGE with `consumed` at the first
 * value that is not finite or does not stay finite in that form. */
ec_result ec_floats_narrow(const void *floats, int64_t count, int32_t payload, void *bytes);

/* Guess the form of the bytes of a matrix. Returns `asked`, unless an embedding in that form all but certainly has no
 * such bytes; then the payload that fits. For EC_PAYLOAD_NONE returns the likeliest codes. Unless NULL, *row is set to
 * a row that does not look as asked. Only a few thousand bytes are read. */
int32_t ec_payload_guess(const void *matrix, int64_t rows, int64_t row_bytes, int32_t asked, int64_t *row);

/* Guess whether a matrix of float32 that came as lists of numbers holds codes: EC_PAYLOAD_INT8 or another payload of
 * codes if its values cannot be the floats of an embedding, else EC_PAYLOAD_BYTES. Only the first few rows are read. */
int32_t ec_payload_guess_listed(const void *matrix, int64_t rows, int64_t width);

#endif
