/* The contract between the C core and everything above it: a part a family. csrc/ffi_build.py joins the same parts into
 * what cffi parses, following the includes as a compiler does; they hold declarations and no macro but their guards.
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

#include "contract/base64.h"
#include "contract/bits.h"
#include "contract/crc32.h"
#include "contract/dot.h"
#include "contract/floats.h"
#include "contract/hadamard.h"
#include "contract/isa.h"
#include "contract/lowbit.h"
#include "contract/numbers.h"
#include "contract/quantize.h"
#include "contract/response.h"
#include "contract/search.h"
#include "contract/tables.h"

#endif
