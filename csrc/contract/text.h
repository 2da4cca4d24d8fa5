/* A text that is written on several threads, though nobody knows where a part of it will stand before those in front of
 * it are written: see pool/text.c. */
#ifndef EC_CONTRACT_TEXT_H
#define EC_CONTRACT_TEXT_H

#include "results.h"

/* Where a text goes on. */
typedef struct {
    void *text;
    int64_t length;   /* bytes of it that are written; 0: it begins here */
    int64_t capacity; /* in bytes, too: a block of the text is begun where the longest one would fit */
    void *scratch;    /* for more than one thread: for each EC_TEXT_ASIDE of the longest blocks */
    int64_t scratch_bytes;
    int32_t threads;
} ec_text;

enum { EC_TEXT_ASIDE = 4 };

#endif
