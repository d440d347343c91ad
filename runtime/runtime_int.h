// SPDX-License-Identifier: Apache-2.0
// What the files of runtime/ share among themselves.
#ifndef SY_RUNTIME_INT_H
#define SY_RUNTIME_INT_H

#include "isa-spec/program.h"
#include "runtime/runtime.h"

// ---- load.c

// Streams in the certifier's numbering: engines (isa_engine - 1), then queues.
enum {
    RT_ENGINES = ISA_ENG_COUNT - 1,
    RT_STREAMS = RT_ENGINES + ISA_QUEUES,
};

typedef struct {
    const isa_insn *insn;
    const loc *at; // NULL: unknown
    uint32_t n;
} rt_code;

typedef struct {
    bool certified; // a run on addresses found nothing wrong
} rt_state;

struct rt_program {
    arena *a;
    const isa_target *target;
    const char *kernel;
    uint32_t ntensors, nsems;
    rt_tensor *tensor;
    isa_sem *sem;
    rt_code code[ISA_ENG_COUNT];
    isa_engine feeder[ISA_QUEUES + 1]; // of each queue; NONE: unused
    bool needs_data;                   // it has a reg_load
    str tensor_ir, tile_ir;
    rt_state *state;
};

// structure.c: what isa_validate cannot see in one instruction: nesting,
// tables, who feeds a queue, who gives and takes a semaphore. False with
// diagnostics. Fills p->feeder.
NODISCARD bool rt_check_structure(rt_program *p, diags *d);

// ---- load.c: operands of an operation

// The data operation of an instruction; NUM_OP_NONE: control.
num_op rt_op_of(isa_opcode op);
// Operand k of an instruction as written: a view or a vector.
const isa_ap *rt_view_of(const isa_insn *in, num_operand k);
const isa_scalar *rt_scalar_of(const isa_insn *in, num_operand k);
// Whether the record reads or writes an operand that it has.
bool rt_reads(const rt_record *r, num_operand k);
bool rt_writes(const rt_record *r, num_operand k);
// The engine's lane of the first partition: where the source lies, or the
// destination where there is none.
uint32_t rt_lane(const rt_record *r);
// "instruction 12 of vector ('tt')", in the arena of 'd'.
const char *rt_insn_text(const rt_program *p, isa_engine e, uint32_t index,
                         diags *d);

// ---- arena.c's other end

// Runs fn with an arena of its own; when memory ends, a diagnostic ("... to
// 'verb' the program") and RT_LIMIT.
rt_outcome rt_in_arena(rt_outcome (*fn)(arena *a, void *ctx), void *ctx,
                       const char *verb, diags *d);

// ---- sequencer.c

typedef enum { SEQ_RECORD, SEQ_END, SEQ_FAULT, SEQ_LIMIT } seq_status;

// One engine's control state and the records of its instructions, filled in
// once; running an instruction changes only what depends on registers.
typedef struct {
    const rt_program *p;
    isa_engine engine;
    diags *d;
    struct seq_slot *slot; // one an instruction
    uint32_t pc, depth;
    uint64_t seq; // records yielded
    int64_t reg[ISA_REGS];
    struct {
        uint32_t body; // first instruction
        uint64_t count;
    } loop[ISA_LOOP_DEPTH];
} sequencer;

void seq_init(sequencer *s, arena *a, const rt_program *p, isa_engine e,
              diags *d);
// The next record, executing control on the way. *budget falls by one for each
// instruction executed; at 0 SEQ_LIMIT. The record is good until the next call
// for this engine.
seq_status seq_next(sequencer *s, uint64_t *budget, rt_record **out);

// ---- machine.c

// rt_machine_run with its memory from 'a'.
rt_outcome machine_run(arena *a, const rt_program *p, const rt_order *order,
                       const rt_consumer *consumers, uint32_t n, diags *d);

// ---- footprint.c

enum { FP_DIMS = NUM_DIMS + 1 };

// The bytes of an access relative to a base, in normal form: steps positive,
// descending, none that a run swallows; dims count > 1 only. HBM partitions
// are one more dimension.
typedef struct {
    int64_t delta;  // lowest byte minus the operand's offset
    int64_t run;    // contiguous bytes, > 0
    int64_t extent; // from the lowest byte to the end of the highest
    uint32_t ndim;
    struct {
        int64_t step;  // > run
        int64_t inner; // extent of what lies inside this dimension
        int64_t count; // > 1
    } dim[FP_DIMS];
} fp_shape;

// A shape at a place. On chip, every partition of a range has the same bytes.
typedef struct {
    const fp_shape *shape;
    int64_t base;         // lowest byte
    uint32_t part, parts; // HBM: 0, 1
} footprint;

typedef enum { FP_DISJOINT, FP_OVERLAP, FP_UNKNOWN } fp_answer;

// The operand must touch something.
void fp_normalise(const rt_ref *ref, fp_shape *out);
// Whether two elements of the operand share a byte.
fp_answer fp_self_overlap(const rt_ref *ref);
// Exact; an overlap gives one common byte. FP_UNKNOWN when two patterns are so
// irregular that deciding would take millions of steps.
fp_answer fp_overlap(const footprint *a, const footprint *b, uint32_t *part,
                     int64_t *byte);
// True only if every byte of 'inner' is one of 'outer' (may miss cases).
bool fp_covers(const footprint *outer, const footprint *inner);
// Calls fn for every run, ascending dims; stops when it returns false.
bool fp_each_run(const footprint *f,
                 bool (*fn)(void *ctx, int64_t lo, int64_t hi), void *ctx);

// ---- certify_init.c: which bytes were written

typedef struct written written;
written *written_new(arena *a, const rt_program *p);
// space: ISA_SBUF, ISA_PSUM, or ISA_HBM + tensor number.
void written_mark(written *w, uint32_t space, const footprint *f);
// False at a byte that was never written.
bool written_check(written *w, uint32_t space, const footprint *f,
                   uint32_t *part, int64_t *byte);
// The first byte of a tensor never written; false when there is none.
bool written_gap(const written *w, uint32_t tensor, int64_t *byte);

// ---- certify.c

// The looks at every access as a consumer of a run in the fixed order, which
// comes before whoever executes; certify_end adds what can be told at the end.
rt_consumer certify_begin(arena *a, const rt_program *p, diags *d);
rt_outcome certify_end(const rt_consumer *watch, rt_outcome out);
// What it may take of an arena.
size_t certify_memory(const rt_program *p);

// ---- certify_state.c: which state of an engine is defined

typedef struct {
    uint64_t w[2]; // bit: lane
} lane_set;

typedef struct {
    lane_set acc, generator;
} lane_state;

// Takes the effect of an executed record; what it reads that was never set,
// with the lane, or NULL.
const char *lane_state_step(lane_state *s, const rt_record *r, uint32_t *lane);

// ---- certify_array.c: which tiles of the array are loaded

typedef struct {
    uint32_t row0, col0, rows, cols;
    num_op by;     // the load
    uint32_t k, m; // partitions and columns loaded
    num_dtype dtype;
} array_tile;

typedef struct {
    VEC(array_tile) tiles;
} array_state;

// Takes the effect of a record on the array; what is wrong with it, or NULL.
const char *array_step(array_state *s, arena *a, const isa_target *t,
                       const rt_record *r, diags *d);

// ---- certify_race.c: who knows what, and unordered accesses

// One access of a record.
typedef struct {
    uint32_t space;
    footprint at;
    bool write;
} race_access;

typedef struct race race;
race *race_new(arena *a, const rt_program *p, diags *d);
// A record starts on its engine, or a transfer executes on its queue (0: none).
void race_begin(race *r, uint32_t queue, const rt_record *rec);
// An access of the record begun last; false when it races.
NODISCARD bool race_access_add(race *r, const race_access *x);
void race_give(race *r, uint32_t sem, uint32_t count, const rt_record *by,
               bool at_complete);
void race_take(race *r, uint32_t sem, uint32_t count, const rt_record *by);
void race_end(race *r, isa_engine e);
// "sbuf partition 3, byte 128", "tensor 'c', byte 12".
const char *rt_place_text(const rt_program *p, uint32_t space, uint32_t part,
                          int64_t byte, diags *d);

#endif
