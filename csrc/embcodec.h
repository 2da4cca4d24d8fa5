/* The contract between the C core and Python: one part a family. csrc/ffi_build.py joins the same parts, following the
 * includes as a compiler does, into what cffi parses; therefore they hold declarations only, and no macros but their
 * guards.
 *
 * Rules that hold for every function:
 *
 * - No allocation or input/output, no mutable global but the kernel table and the pool of threads, and no threads but
 *   where `threads` is an argument. The caller owns every buffer and passes its capacity; nothing is written past it, and
 *   nothing is read past the given length.
 * - Pointers are to plain bytes and need no alignment. Lengths are int64_t, in the unit that the name says.
 * - Functions that can fail on their input return an ec_result. On failure `consumed` is the offset of the offending
 *   byte (or element, where the input is an array), and it is the same on every tier. */
#ifndef EMBCODEC_H
#define EMBCODEC_H

#include "contract/base64.h"
#include "contract/bits.h"
#include "contract/crc32.h"
#include "contract/dot.h"
#include "contract/extremes.h"
#include "contract/floats.h"
#include "contract/hadamard.h"
#include "contract/isa.h"
#include "contract/lowbit.h"
#include "contract/numbers.h"
#include "contract/pool.h"
#include "contract/principal.h"
#include "contract/quantize.h"
#include "contract/response.h"
#include "contract/search.h"
#include "contract/tables.h"
#include "contract/text.h"

#endif
