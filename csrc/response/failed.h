/* What lines.c asks of failed.c, and what both share. */
#ifndef EC_RESPONSE_FAILED_H
#define EC_RESPONSE_FAILED_H

#include "members.h"

/* Notes why the line text[start, end) is no answer, in the fields of `line` from `kind` on and those of its custom_id;
 * 0 where that is not known. `matrix` has room for `capacity` rows, or where format->width is 0 elements, to try in. */
int ec_batch_note_failure(const uint8_t *text, int64_t start, int64_t end, const char *path,
                          const ec_row_format *format, void *matrix, int64_t capacity, ec_batch_line *line);

#endif
