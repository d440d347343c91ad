// SPDX-License-Identifier: Apache-2.0
// The instruction set for C: instructions as structs, the codec, assembler,
// disassembler, validator and target descriptions. The opcode list, the fields'
// bit positions, the rules and the shipped targets are generated from the
// tables (isa_gen.h); this header only fixes the shape they fill.
#ifndef SY_ISA_H
#define SY_ISA_H

#include "numerics/numerics.h"
#include "support/support.h"

typedef enum {
    ISA_ENG_NONE,
    ISA_ENG_TENSOR,
    ISA_ENG_VECTOR,
    ISA_ENG_SCALAR,
    ISA_ENG_GPSIMD,
    ISA_ENG_SYNC,
    ISA_ENG_COUNT
} isa_engine;

typedef enum { ISA_SBUF, ISA_PSUM, ISA_HBM } isa_mem;

// What a target may have beyond the common instructions (cap features).
typedef enum {
    ISA_FEAT_NONE,
    ISA_FEAT_ACT2,
    ISA_FEAT_EXPONENTIAL,
    ISA_FEAT_RANGE_SELECT,
    ISA_FEAT_ROUNDING,
    ISA_FEAT_GPSIMD_RNG,
    ISA_FEAT_UNIFORM,
    ISA_FEAT_COUNT
} isa_feature;

enum {
    ISA_INSN_BYTES = 128,
    ISA_REGS = 64,
    ISA_LOOP_DEPTH = 8,
    ISA_REG_LOOP0 = 56, // r56.. read as the loop counters
    ISA_QUEUES = 16,
    ISA_SEMS = 1024,
    ISA_WAITS = 4,
    ISA_UPDATES = 2,
    ISA_UOPS = 8,
};

// enum isa_opcode { ISA_ILLEGAL, ISA_COPY, ... }: one for every num_op of
// engine_ops.def this version has (same names), then the control instructions
// ISA_REG, ISA_LOOP, ISA_ENDLOOP, ISA_MARK, ISA_END.
#include "isa_gen.h"

typedef struct {
    uint32_t sem, count; // count 0: unused
} isa_wait;

typedef enum { ISA_AT_NONE, ISA_AT_READ, ISA_AT_COMPLETE } isa_when;

typedef struct {
    uint32_t sem, count;
    isa_when when; // ISA_AT_NONE: unused. Transfers: always complete, count 1
} isa_update;

// Both kinds of access pattern. Steps and counts outermost first.
typedef struct {
    isa_mem mem;
    uint32_t part; // on chip: first partition; HBM: tensor number
    num_dtype dtype;
    int64_t offset; // bytes
    uint32_t reg;   // added to offset (bytes); 0: none
    uint32_t creg;  // outermost count's register; 0: none
    int64_t pstep;  // HBM: elements
    uint32_t ndim;
    struct {
        int64_t step; // elements
        uint32_t count;
    } dim[NUM_DIMS];
} isa_ap;

typedef struct {
    bool is_vec;
    num_word imm;
    isa_mem mem; // vector: one element a partition
    uint32_t part;
    num_dtype dtype;
    int64_t offset;
    uint32_t reg;
} isa_scalar;

typedef struct {
    uint8_t lane[NUM_MASK]; // NUM_MASK_LEAVE: none
} isa_mask;

typedef enum {
    ISA_UOP_NONE,
    ISA_UOP_MOV, // rd = rb or imm
    ISA_UOP_ADD,
    ISA_UOP_SUB,
    ISA_UOP_MUL,
    ISA_UOP_MADD, // rd = ra + rb * imm
    ISA_UOP_MIN,
    ISA_UOP_MAX,
    ISA_UOP_DIV,  // floor; divisor > 0
    ISA_UOP_MOD,  // floor; divisor > 0
    ISA_UOP_WRAP, // rd = ra >= imm ? ra - imm : ra
    ISA_UOP_COUNT
} isa_uop_kind;

typedef struct {
    isa_uop_kind kind;
    uint32_t rd, ra, rb; // rb 0 and not MADD: imm is the operand
    int64_t imm;
} isa_uop;

typedef enum {
    ISA_IF_NONE,
    ISA_IF_ALWAYS,
    ISA_IF_LT,
    ISA_IF_LE,
    ISA_IF_EQ,
    ISA_IF_NE,
    ISA_IF_GE,
    ISA_IF_GT,
} isa_cond;

typedef struct {
    isa_opcode op;
    isa_wait wait[ISA_WAITS];
    isa_update update[ISA_UPDATES];
    uint32_t parts, parts_reg;         // of the sources (and dst)
    uint32_t dst_parts, dst_parts_reg; // matmul, preduce
    num_as as;
    num_unary func;
    num_binary op0, op1;
    bool rev0, rev1;
    num_reduce reduce;
    uint32_t reduce_dims;
    bool accumulate;     // matmul: always add
    num_combine combine; // dma, dma_scatter
    bool skip;           // dma_gather, dma_scatter: an index of all ones
    bool descending;     // sort
    uint32_t per_index;  // local_gather: elements for each index
    uint32_t n, k;       // topk
    uint32_t first_mask; // matmul: bit l: loop at depth l. Overwrites iff
                         // !accumulate and all masked loops are in their first
                         // iteration; otherwise adds
    // The tensor engine: the array's tile (no rows or columns: all of them)
    // and the promise that 'a' holds zeros and ones.
    uint32_t row0, col0, tile_rows, tile_cols;
    bool onezero;
    isa_ap dst, a, b, dst2;
    isa_scalar s0, s1, red; // red: written, absent if not is_vec
    isa_scalar s2;          // act2: an immediate
    isa_mask mask;          // shuffle
    num_cmd cmd;
    bool negate;
    uint32_t mode;
    int64_t iota_base; // plus register iota_reg
    uint32_t iota_reg;
    int64_t iota_part, iota_step[NUM_DIMS];
    uint32_t queue;        // dma, mark (0: the engine itself)
    isa_uop uop[ISA_UOPS]; // reg
    uint64_t count;        // loop: trip count
    uint32_t count_reg;    // loop: its register; 0: immediate
    uint32_t body;         // loop: instructions up to its endloop, excluded
    uint32_t rd;           // reg_load
    isa_cond cond;         // branch
    uint32_t ra, rb;       // branch: rb 0: imm is the operand
    int64_t imm;           // branch
    int64_t to;            // branch: instructions after the next one
} isa_insn;

// ---- codec.c

// False (and op ISA_ILLEGAL) for every word that isa_encode cannot produce.
bool isa_decode(const uint8_t word[ISA_INSN_BYTES], isa_insn *out);
// False when a value does not fit its field; *field names it.
NODISCARD bool isa_encode(const isa_insn *in, uint8_t word[ISA_INSN_BYTES],
                          const char **field);
const char *isa_mnemonic(isa_opcode op);
const char *isa_engine_name(isa_engine e);
bool isa_engine_runs(isa_engine e, isa_opcode op);

// ---- target.c

typedef struct isa_target {
    const char *name;
    const char *text;          // its description, as shipped
    uint32_t partitions;       // 128
    uint32_t pe_rows, pe_cols; // 128, 128
    uint32_t pe_moving;        // 512: columns one matmul may stream
    uint64_t sbuf_bytes;       // usable, a partition
    uint64_t psum_bytes;       // a partition
    uint32_t psum_banks;
    uint64_t hbm_bytes;   // of one core
    uint32_t dma_queues;  // 16
    uint64_t features;    // bit per isa_feature
    uint32_t rng_words;   // of the vector engine's generators: 1 or 24
    uint32_t psum_dtypes; // bit per num_dtype a matmul may write
    uint32_t pe_dtypes;   // bit per num_dtype it may read
    uint32_t pe_tile;     // fewest rows or columns of a tile of the array
    uint32_t psum_span;   // banks that one matmul may write
    uint32_t pe_exact;    // types that a transpose moves as bits
    uint32_t pe_double;   // types of the double-row mode
    uint32_t pe_mx;       // packed types of the MX mode
    uint32_t mx_results;  // packed types that quantize_mx makes
    // Constants of the timing and energy model, with their origin, in order.
    uint32_t nconst;
    const struct isa_constant {
        const char *name, *unit, *tag,
            *source; // tag: documented derived assumed
        double value;
    } *constant;
} isa_target;

// A shipped target, or NULL.
const isa_target *isa_target_find(const char *name);
const isa_target *isa_target_at(uint32_t i); // NULL past the end
// Partitions whose MX scales stand together: a fourth, in whole blocks of 8.
uint32_t isa_quadrant(const isa_target *t);
// A description of one's own (the syntax of isa-spec/targets/*.target).
const isa_target *isa_target_parse(arena *a, diags *d, uint32_t source);

// ---- validate.c

// Every legality rule of the instruction on this engine and target; false with
// a diagnostic naming the rule.
NODISCARD bool isa_validate(const isa_insn *in, isa_engine e,
                            const isa_target *t, loc at, diags *d);

// ---- asm.c, disasm.c

// One instruction as text, no newline; numbers only, no labels.
void isa_print(const isa_insn *in, strbuf *out);
// One instruction from text; false with a located diagnostic.
NODISCARD bool isa_parse(arena *a, str line, loc at, isa_insn *out, diags *d);

#endif
