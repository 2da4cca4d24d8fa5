/* How lines.c hands a line that holds no answer to failed.c. */
#ifndef EC_RESPONSE_FAILED_H
#define EC_RESPONSE_FAILED_H

#include "members.h"

/* Finds out why the line text[start, end) is no answer, and writes it to the fields of `line` from `kind` on and to
 * those of its custom_id. Returns 0 where that is not known. `matrix` has room to try to decode in: `capacity` rows, or
 * elements where format->width is 0. */
int ec_batch_note_failure(const uint8_t *text, int64_t start, int64_t end, const char *path,
                          const ec_row_format *format, void *matrix, int64_t capacity, ec_batch_line *line);

#endif
