// SPDX-License-Identifier: Apache-2.0
// The shape of the generated tables (build/gen/isa_tables.c) and what the files
// of this folder share. Only isa-spec/ includes it.
#ifndef SY_ISA_INT_H
#define SY_ISA_INT_H

#include "isa-spec/isa.h"

// Names of an enumeration's values, by value.
typedef struct {
    const char *const *name;
    uint32_t n;
} isa_names;

typedef enum {
    ISA_F_UINT,
    ISA_F_INT,
    ISA_F_REG,
    ISA_F_FLAG,
    ISA_F_OPCODE,
    ISA_F_ENUM,
    ISA_F_RESERVED // no member; always zero
} isa_field_kind;

// Some bits of a format and the member of isa_insn that they hold.
typedef struct {
    const char *name;
    uint16_t bit;
    uint16_t width;
    uint8_t kind; // isa_field_kind
    uint16_t offset;
    uint8_t size;
    uint8_t item;   // the format's item that it is part of
    int16_t sel;    // present only if that field ...
    uint8_t sel_is; // ... holds this; sel -1: always
    const isa_names *names;
} isa_field;

// What an item of an instruction is in assembly: one of the kinds above, or a
// record.
typedef enum {
    ISA_REC_WAIT = 16,
    ISA_REC_UPDATE,
    ISA_REC_PATTERN,
    ISA_REC_XPATTERN,
    ISA_REC_OPTIONAL,
    ISA_REC_SCALAR,
    ISA_REC_RESULT,
    ISA_REC_MASK,
    ISA_REC_UOP
} isa_record_kind;

typedef enum { ISA_STYLE_KEY, ISA_STYLE_BARE, ISA_STYLE_SUFFIX } isa_style;

typedef struct {
    const char *name;
    uint8_t kind; // isa_field_kind or isa_record_kind
    uint8_t style;
    uint8_t n; // elements; 1 when it is no array
    uint8_t size;
    uint16_t offset;
    const isa_names *names;
} isa_item;

typedef struct {
    const char *name;
    const isa_field *field;
    const isa_item *item;
    uint32_t nfield, nitem;
} isa_format;

// What a rule looks at; form rules see the instruction only.
typedef struct {
    const isa_insn *in;
    isa_engine engine;
    const isa_target *t;
} isa_cx;

typedef struct {
    const char *label, *on, *text; // on: the operand, or ""
    bool form;
    bool (*holds)(const isa_cx *x);
} isa_rule;

typedef struct {
    isa_opcode op;
    const char *mnemonic;
    uint32_t engines; // bit per isa_engine
    const isa_format *format;
    uint64_t used;        // bit per item of the format
    const uint8_t *order; // items as assembly shows them
    const isa_rule *rule;
    uint32_t norder, nrule;
    const char *cost, *timing; // for the timing model
    const char *example;
} isa_info;

// ---- generated

extern const isa_info isa_tab_info[];
extern const uint32_t isa_tab_count;
extern const uint8_t isa_tab_index[256]; // opcode to 1 + index, or 0
extern const isa_target isa_tab_target[];
extern const uint32_t isa_tab_target_count;
extern const isa_names isa_tab_dtype, isa_tab_unary, isa_tab_binary, isa_tab_as,
    isa_tab_reduce, isa_tab_combine, isa_tab_cond, isa_tab_chip, isa_tab_mem,
    isa_tab_when, isa_tab_engine, isa_tab_regop, isa_tab_cmd, isa_tab_feature;
extern const char isa_tab_hash[]; // of the tables' text

// ---- rules.c: functions of the rule language (fields.isa)

static inline bool
isa_in(int64_t v, uint64_t mask)
{
    return v >= 0 && v < 64 && (mask >> v & 1) != 0;
}

int64_t isa_rule_elems(const isa_ap *p);
int64_t isa_rule_outer(const isa_ap *p, int64_t inner);
int64_t isa_rule_fits(const isa_ap *p, int64_t sbuf, int64_t psum);
int64_t isa_rule_in_banks(const isa_ap *p, int64_t psum, int64_t banks,
                          int64_t span);
int64_t isa_rule_tile_ok(int64_t size, int64_t first, int64_t all,
                         int64_t least);
int64_t isa_rule_quadrant(int64_t partitions);
int64_t isa_rule_scales_at(int64_t part, int64_t data, int64_t partitions);
int64_t isa_rule_exact_type(int64_t dtype);
int64_t isa_rule_start_ok(int64_t part, int64_t n, int64_t partitions);
int64_t isa_rule_takes1(int64_t func, int64_t as);
int64_t isa_rule_takes2(int64_t func, int64_t as);
int64_t isa_rule_follows(int64_t op1, int64_t op0, int64_t as);
int64_t isa_rule_reduces(int64_t reduce, int64_t as);
int64_t isa_rule_product(int64_t a, int64_t b);
int64_t isa_rule_bytes(int64_t dtype);
int64_t isa_rule_bit(int64_t mask, int64_t n);
int64_t isa_rule_plain2(int64_t func);
int64_t isa_rule_packed(int64_t dtype);
int64_t isa_rule_shuffles(const isa_mask *m, int64_t parts, int64_t dst_parts);

// ---- objasm.c

extern const isa_names isa_tensor_kinds; // by obj_tensor_kind

// ---- codec.c

// The instruction's row, or NULL.
const isa_info *isa_info_of(isa_opcode op);
// The i-th instruction, or NULL past the end.
const isa_info *isa_info_at(uint32_t i);
// The first form rule that does not hold, or NULL.
const isa_rule *isa_broken_form(const isa_info *info, const isa_insn *in);
int64_t isa_get_member(const isa_insn *in, uint32_t offset, uint32_t size);
// The type of an immediate: that of the operation which takes it.
num_as isa_scalar_as(const isa_insn *in, const isa_scalar *s);
// The f32 that a decimal names; false if it is none.
bool isa_text_f32(str s, num_word *w);
void isa_set_member(isa_insn *in, uint32_t offset, uint32_t size, uint64_t v);

#endif
