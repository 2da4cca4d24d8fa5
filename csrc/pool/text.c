/* Text by blocks, whose lengths nobody knows before they are written. Blocks are taken in their order. The one that is
 * first among those under way is written where it stays, since those before it are done; others are written aside, and
 * copied once all before them have a place, while they are in the cache:
 *
 *     text      |  placed: block 0, 1, 2 .. 6  | 7 is being written .. |
 *     scratch   thread 1: |8: written|10: written|11: being written|  |     thread 2: |9: being written|  |  |  |
 *
 * Nobody waits but who has as many blocks aside as there is room for. */
#include "text.h"

#include "os.h"

enum {
    MOST_WRITERS = 64,
    HELD = EC_TEXT_ASIDE,
    BLOCKS = MOST_WRITERS * HELD,
    PATIENCE = 64, /* looks before the core is left to others */
};

enum { EMPTY, WRITTEN, PLACED };

/* A block that a thread has taken. */
typedef struct {
    ec_atomic_u32 state;
    int64_t start, length; /* where it begins, once it is placed */
    int is_there;          /* it was written where it stays */
} held_block;

typedef struct {
    const ec_text *to;
    ec_pool_text *write;
    const void *context;
    int64_t most;
    uint32_t n_blocks;
    ec_atomic_u32 next;    /* to be taken */
    ec_atomic_u32 placing; /* by one thread at a time, who then owns `end` and `result` */
    ec_atomic_u32 placed, stopped;
    int64_t end;
    ec_result result;
    ec_atomic_u32 written[BLOCKS]; /* of the blocks without a place: 1 + the number in `blocks`, or 0 */
    held_block blocks[BLOCKS];
} writing;

static void stop(writing *these, int32_t status, int64_t consumed) {
    these->result.status = status;
    these->result.consumed = consumed;
    ec_atomic_store(&these->stopped, 1);
}

static uint32_t next_written(writing *these) {
    return ec_atomic_load(&these->written[ec_atomic_load(&these->placed) % BLOCKS]);
}

/* Gives a place to all blocks that can have one. Where another thread does that, it looks once more when it is done, and
 * finds what was written by then. */
static void place(writing *these) {
    do {
        if (!ec_atomic_swap(&these->placing, 0, 1)) return;
        for (uint32_t number; !ec_atomic_load(&these->stopped) && (number = next_written(these)) != 0;) {
            const uint32_t block = ec_atomic_load(&these->placed);
            held_block *one = &these->blocks[number - 1];
            if (one->length < 0) {
                stop(these, EC_NOT_FINITE, -1 - one->length);
            } else if (one->length > these->to->capacity - these->end) {
                stop(these, EC_NO_CAPACITY, 0);
            } else {
                one->start = these->end;
                these->end += one->length;
                ec_atomic_store(&these->written[block % BLOCKS], 0);
                ec_atomic_store(&one->state, PLACED);
                ec_atomic_store(&these->placed, block + 1);
            }
        }
        ec_atomic_store(&these->placing, 0);
    } while (!ec_atomic_load(&these->stopped) && next_written(these) != 0);
}

/* Writes the block, where it stays or aside, and says so. */
static void write_block(writing *these, uint32_t block, uint32_t number) {
    const ec_text *to = these->to;
    held_block *one = &these->blocks[number];
    /* While it has no place, nobody changes where those before it end. */
    one->is_there = ec_atomic_load(&these->placed) == block && these->most <= to->capacity - these->end;
    if (!one->is_there && !to->scratch) {
        one->length = INT64_MAX; /* there is no room: see place() */
    } else {
        uint8_t *at = one->is_there ? (uint8_t *)to->text + these->end : (uint8_t *)to->scratch + number * these->most;
        one->length = these->write(these->context, block, at);
    }
    ec_atomic_store(&one->state, WRITTEN);
    ec_atomic_store(&these->written[block % BLOCKS], number + 1);
    place(these);
}

/* Whether the block has a place. Waits for that if `wait`, but not where none will be given any more. */
static int is_placed(writing *these, held_block *one, int wait) {
    for (int i = 0; ec_atomic_load(&one->state) != PLACED; i++) {
        if (!wait || ec_atomic_load(&these->stopped)) return ec_atomic_load(&one->state) == PLACED;
        if (i % PATIENCE == PATIENCE - 1)
            ec_os_yield();
        else
            ec_pause();
    }
    return 1;
}

static void write_blocks(void *of, int32_t thread) {
    writing *these = of;
    const uint32_t own = (uint32_t)thread * HELD;
    uint32_t first = 0, count = 0; /* of the blocks that this thread has taken, those that are not copied */
    for (int more = 1; more || count;) {
        while (count) {
            held_block *one = &these->blocks[own + first % HELD];
            if (!is_placed(these, one, count == HELD || !more)) break;
            if (!one->is_there)
                memcpy((uint8_t *)these->to->text + one->start,
                       (uint8_t *)these->to->scratch + (own + first % HELD) * these->most, (size_t)one->length);
            first++;
            count--;
        }
        if (ec_atomic_load(&these->stopped)) {
            more = 0;
            if (count && !is_placed(these, &these->blocks[own + first % HELD], 0)) return;
        }
        if (!more) continue;
        const uint32_t block = ec_atomic_add(&these->next, 1);
        more = block < these->n_blocks;
        if (more) write_block(these, block, own + (first + count++) % HELD);
    }
}

ec_result ec_pool_write(const ec_text *to, int64_t n_blocks, int64_t most, ec_pool_text *write, const void *context) {
    writing these;
    int64_t threads = to->threads < 1 ? 1 : to->threads < MOST_WRITERS ? to->threads : MOST_WRITERS;
    const int64_t room = most > 0 && to->scratch ? to->scratch_bytes / most / HELD : 0;
    memset(&these, 0, sizeof these);
    these.to = to;
    these.write = write;
    these.context = context;
    these.most = most;
    these.n_blocks = (uint32_t)(n_blocks < INT32_MAX ? n_blocks : INT32_MAX);
    these.end = to->length;
    if (threads > room) threads = room < 1 ? 1 : room;
    if (threads > these.n_blocks) threads = these.n_blocks;
    if (these.n_blocks) ec_pool_each((int32_t)threads, write_blocks, &these);
    these.result.produced = ec_atomic_load(&these.placed);
    if (these.result.status != EC_NOT_FINITE) these.result.consumed = these.end - to->length;
    return these.result;
}
