// SPDX-License-Identifier: Apache-2.0
// Loads objects and runs them: reader and validator, the one sequencer, the
// machine that steps the streams, the certifier of law 4, the interpreter.
// Knows programs only as instructions; never includes frontend, ir, backend.
#ifndef SY_RUNTIME_H
#define SY_RUNTIME_H

#include "isa-spec/isa.h"
#include "numerics/numerics.h"
#include "support/support.h"

// ---- load.c

typedef struct {
    const char *name;
    uint32_t kind; // obj_tensor_kind of isa-spec/object.h
    num_dtype dtype;
    uint32_t rank;
    int64_t shape[8];
    uint64_t bytes;
    const uint8_t *data; // constants: inside the object's bytes
} rt_tensor;

typedef struct rt_program rt_program; // decoded streams, tables, lines

// Reads, checks the hash, decodes and validates every instruction against the
// target. The bytes must outlive the program. NULL with diagnostics.
rt_program *rt_load(arena *a, str object, diags *d);
// The same from a program in memory (assembly), which must outlive the result.
struct isa_program; // isa-spec/program.h
rt_program *rt_from_program(arena *a, const struct isa_program *ip, diags *d);
const char *rt_kernel(const rt_program *p); // the kernel's name
// Whether control or addresses depend on data.
bool rt_needs_data(const rt_program *p);
// The target description the object names.
const isa_target *rt_target(const rt_program *p);
uint32_t rt_tensor_count(const rt_program *p);
const rt_tensor *rt_tensor_at(const rt_program *p, uint32_t i);
const isa_insn *rt_stream(const rt_program *p, isa_engine e, uint32_t *n);
// Where instruction i of a stream comes from (sources were added to 'd' given
// to rt_load); {0} if unknown.
loc rt_loc(const rt_program *p, isa_engine e, uint32_t i);
// The text of an IR section ("" when absent): OBJ_SECTION_TENSOR_IR,
// .._TILE_IR.
str rt_section(const rt_program *p, const char *name);

// ---- sequencer.c: the only place that runs control and resolves operands

// An operand with every register applied.
typedef struct {
    bool hbm;
    bool indexed; // hbm: an index in memory places it, anywhere in the tensor
    uint8_t mem;  // isa_mem when on chip
    uint32_t tensor; // hbm
    uint32_t part;   // first partition
    uint32_t parts;  // number of partitions
    // MX scales: 'parts' partitions every 'group_step', so often (0: once).
    uint32_t groups, group_step;
    num_dtype dtype;
    int64_t offset;    // bytes: in the partition, or in the tensor
    int64_t part_step; // bytes; hbm only
    uint32_t ndim;
    struct {
        int64_t step; // bytes
        uint32_t count;
    } dim[NUM_DIMS];
} rt_ref;

// One dynamic instruction (or transfer).
typedef struct {
    const isa_insn *insn;
    isa_engine engine;
    uint32_t index; // of the instruction in its stream
    uint64_t seq;   // n-th executed by the engine, from 1; in 'transfer' and
                    // in what a queue gives: n-th of the queue
    num_op op;
    const num_op_form *form;
    bool empty;      // touches nothing
    bool accumulate; // matmul: resolved from the first-iteration mask
    // By num_operand; vectors only where they are no immediates.
    bool has[NUM_OPERANDS];
    rt_ref ref[NUM_OPERANDS];
    int64_t iota_base;
    uint32_t parts, dst_parts;
} rt_record;

// ---- machine.c: streams, tokens, queues

// What executes on top of the machine; any callback may be NULL. A callback
// returns false to stop the run (a fault is already recorded).
typedef struct {
    void *ctx;
    // An engine instruction starts (its waits were taken); 'dma' and 'mark'
    // as well, which touch nothing at that moment.
    bool (*start)(void *ctx, const rt_record *r);
    // A transfer executes, some time after its dma instruction started; a
    // 'mark' with a queue is a transfer of nothing.
    bool (*transfer)(void *ctx, uint32_t queue, const rt_record *r);
    // Tokens: given by an engine's instruction or a queue, taken by an engine.
    void (*give)(void *ctx, uint32_t sem, uint32_t count, const rt_record *by,
                 bool at_complete);
    void (*take)(void *ctx, uint32_t sem, uint32_t count, const rt_record *by);
    // The element that a 'reg_load', which has started, reads. One consumer of
    // a program that depends on data must have it.
    bool (*load)(void *ctx, const rt_record *r, int64_t *value);
    // An engine reached the end of its stream.
    void (*end)(void *ctx, isa_engine e);
} rt_consumer;

typedef struct {
    bool random; // engines and pending transfers in a seeded random order
    uint64_t seed;
    uint64_t max_insns; // 0: no limit; else E0890 and RT_LIMIT; control counts
} rt_order;

typedef enum { RT_DONE, RT_FAULT, RT_LIMIT, RT_NEEDS_DATA } rt_outcome;

// Runs all streams to their ends, delivering records to the consumers in turn.
// Faults (deadlock with who waits for whom, left-over tokens, register out of
// its range) are diagnostics with the instructions' source ranges.
rt_outcome rt_machine_run(const rt_program *p, const rt_order *order,
                          const rt_consumer *consumers, uint32_t n, diags *d);

// ---- certify.c

// Law 4, on addresses alone: bounds, initialisation, every output byte written,
// races, deadlock, leftover tokens. One run certifies every run, unless control
// or addresses depend on data (reg_load): then nothing is looked at, the answer
// is RT_NEEDS_DATA, and rt_interpret checks every run as it goes.
rt_outcome rt_certify(const rt_program *p, diags *d);
// The same with a limit on executed instructions (0: none). A program that was
// found right once is not looked at again.
rt_outcome rt_certify_limited(const rt_program *p, uint64_t max_insns,
                              diags *d);

// ---- interp.c

// bind[t]: host memory of tensor t (inputs, outputs; temps and constants NULL:
// allocated here). Certifies the program first unless that was done before.
// Inputs are never written.
rt_outcome rt_interpret(const rt_program *p, const rt_order *order,
                        uint8_t *const *bind, diags *d);
// As above, and 'watch' sees every record before it executes (tracing, finding
// which instruction wrote an element).
rt_outcome rt_interpret_watched(const rt_program *p, const rt_order *order,
                                uint8_t *const *bind, const rt_consumer *watch,
                                diags *d);

#endif
