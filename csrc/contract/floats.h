/* Floats of other forms. */
#ifndef EC_CONTRACT_FLOATS_H
#define EC_CONTRACT_FLOATS_H

#include "results.h"

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
    EC_PAYLOAD_BIG_ENDIAN_FLOAT64 = 9,
    EC_PAYLOAD_INT8 = 10, /* these are codes: they are guessed, never converted */
    EC_PAYLOAD_UINT8 = 11,
    EC_PAYLOAD_BITS = 12,
};

/* Bytes of a float of that form. */
int64_t ec_payload_bytes(int32_t payload);

/* Read `count` floats of a form into float32, rounded to the nearest; NaN stays NaN. */
void ec_floats_widen(const void *bytes, int64_t count, int32_t payload, void *floats);

/* Write `count` float32 in a form, rounded to the nearest, of two to the even one. EC_OUT_OF_RANGE at the first that is
 * not finite, or rounds to what is not. */
ec_result ec_floats_narrow(const void *floats, int64_t count, int32_t payload, void *bytes);

/* What the bytes of a matrix read like: `asked` unless an embedding of that form all but certainly has no such bytes, else
 * the payload that fits; for EC_PAYLOAD_NONE the codes that they are likest. `row`, unless NULL, is set to a row that is
 * not as asked. A few thousand bytes are looked at. */
int32_t ec_payload_guess(const void *matrix, int64_t rows, int64_t row_bytes, int32_t asked, int64_t *row);

/* Which codes a matrix of float32 that came as lists of numbers must be of, EC_PAYLOAD_INT8 or the like, where no floats
 * of an embedding are such; else EC_PAYLOAD_BYTES. The first few rows are looked at. */
int32_t ec_payload_guess_listed(const void *matrix, int64_t rows, int64_t width);

#endif
