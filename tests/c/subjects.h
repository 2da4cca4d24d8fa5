/* One subject a family of kernels: to add a family, write its subject, name it here and in compare_tiers.c. */
#ifndef SUBJECTS_H
#define SUBJECTS_H

#include "tiers.h"

subject subject_base64;   /* flags, then text */
subject subject_numbers;  /* flags, then JSON text */
subject subject_response; /* how to read, then a body */
subject subject_lines;    /* how to read, width, capacity, then lines of a batch file */
subject subject_items;    /* how to write, width, first index, then the bytes of rows */
subject subject_floats;   /* form, two bytes, then codes, which are float32 bits as well */
subject subject_bits;     /* flags, dimension, then float32 bits */
subject subject_quantize; /* type, dimension, then float32 bits */
subject subject_crc32;    /* a remainder, then bytes */
subject subject_hadamard; /* rounds, dimension, then float32 bits */
subject subject_lowbit;   /* bits and map, dimension, then float32 bits */
subject subject_dot;      /* sizes, then int8 values */
subject subject_hamming;  /* sizes, then packed bits */
subject subject_search;   /* sizes, then bytes: bits or int8 */
subject subject_planes;   /* sizes, then bytes to draw rows and queries of bits from */
subject subject_slots;    /* which slots, flags, sizes, then bytes to draw from */

/* How rows are to be read, of every type, payload and leniency; the width is left to the subject. */
ec_row_format draw_format(uint8_t drawn);

/* Bytes of a row of the matrix that rows are read to. */
static inline int64_t row_bytes_of(const ec_row_format *format) {
    return format->width * (format->type == EC_FLOAT32 ? 4 : 1);
}

#endif
