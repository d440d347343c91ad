// SPDX-License-Identifier: Apache-2.0
// The generator's model of the instruction set: what the .isa files say, after
// parsing, and after checking also where every field of every format lies. The
// emitters only read it. A host tool: a mistake in the tables ends it.
#ifndef SY_ISA_GEN_H
#define SY_ISA_GEN_H

#include "support/support.h"

enum {
    GEN_BITS = 1024,
    GEN_MAX_ENUM = 64,
    GEN_ITEMS = 64, // fields of a format, for the used mask
};

// A line of a file; what messages point at.
typedef struct {
    const char *file;
    uint32_t no;
    str text;    // without indentation and end of line
    bool indent; // it started with a blank
} gen_line;

typedef struct {
    str name, prefix, style;
    VEC(str) values;
} gen_enum;

typedef enum {
    SLOT_UINT,
    SLOT_INT,
    SLOT_REG,
    SLOT_FLAG,
    SLOT_OPCODE,
    SLOT_ENUM,
    SLOT_RECORD,
    SLOT_RESERVED
} gen_kind;

// A field as written: bits lo..hi, or n equal parts of them.
typedef struct {
    uint32_t lo, hi;
    str name, type;
    uint32_t n; // 0: no array
    gen_kind kind;
    uint32_t of;      // index of the enum or record
    str cond;         // present only when this flag ...
    uint32_t cond_is; // ... has this value; cond.n 0: always
    gen_line at;
} gen_slot;

typedef struct {
    str label, expr, text;
    gen_line at;
} gen_rule;

// A record or a format (a format's parent is already copied into it).
typedef struct {
    str name, ctype;
    VEC(gen_slot) slots;
    VEC(gen_rule) forms;
} gen_layout;

typedef struct {
    str name, param;
    VEC(gen_rule) rules;
} gen_ruleset;

typedef struct {
    str name;
    VEC(str) params; // C type of an operand, or "int"
} gen_function;

// A field of a format as bits: records and arrays are gone.
typedef struct {
    str path; // as in C, below isa_insn: "a.dim[3].step"
    uint32_t bit, width;
    gen_kind kind;
    uint32_t of;
    uint32_t item; // index of the format's slot
    int32_t sel;   // leaf that must hold sel_is, or -1
    uint32_t sel_is;
} gen_leaf;

typedef struct {
    gen_layout layout;
    uint32_t width; // 1024
    VEC(gen_leaf) leaves;
} gen_format;

typedef struct {
    str ruleset, arg;
    VEC(str) operands;
    gen_line at;
} gen_use;

// A rule of one instruction, ready to emit.
typedef struct {
    str label, on, text; // on: the operand, or empty
    bool form;
    uint32_t fn; // index of the expression
} gen_check;

typedef struct {
    str name, summary, timing, cost, example;
    uint32_t opcode, engines, format;
    VEC(str) field_names;
    VEC(uint32_t) fields; // slots of the format, in textual order
    uint64_t used;        // mask of them
    VEC(gen_rule) rules;  // own rules
    VEC(gen_use) uses;
    VEC(str) semantics, example_text, notes;
    VEC(gen_check) checks;
    gen_line at;
} gen_insn;

typedef struct {
    uint32_t opcode;
    str name, what;
} gen_reserved;

typedef struct {
    str title;
    VEC(str) lines; // "@x": the table x
} gen_chapter;

typedef struct {
    str name, unit, tag, source, value;
    bool is_cap;
    gen_line at;
} gen_const;

typedef struct {
    str name, text;
    VEC(gen_const) rows;
} gen_target;

typedef struct {
    arena *a;
    const char *dir;
    uint32_t version;
    uint64_t hash; // of every byte read
    VEC(gen_enum) enums;
    VEC(gen_layout) records;
    VEC(gen_function) functions;
    VEC(gen_ruleset) rulesets;
    VEC(gen_format) formats;
    VEC(gen_insn) insns;
    VEC(gen_reserved) reserved;
    VEC(gen_chapter) chapters;
    VEC(gen_target) targets;
    VEC(str) exprs; // distinct rule expressions as C
    map expr_of;
} gen;

// ---- read.c: lines and words

// Ends the tool with a message at the line.
void gen_fail(const gen_line *at, const char *fmt, ...) NORETURN PRINTF(2, 3);
typedef VEC(gen_line) gen_lines;
// The lines of a file below the input directory, without comments and blanks.
void gen_read(gen *g, str path, gen_lines *out, str *whole);
// The next blank-separated word, or a quoted string without its quotes.
bool gen_word(str *rest, str *word);
str gen_need(const gen_line *at, str *rest, const char *what);
uint32_t gen_number(const gen_line *at, str word);
str gen_upper(arena *a, str s);
// Rest of the line without surrounding blanks.
str gen_trim(str s);

// ---- parse.c, parse_insn.c

void gen_parse(gen *g, str root);
// A rule line: LABEL EXPRESSION "text".
gen_rule gen_parse_rule(const gen_line *l);
uint32_t gen_parse_insn(gen *g, const gen_lines *ls, uint32_t i);
uint32_t gen_parse_chapter(gen *g, const gen_lines *ls, uint32_t i);
void gen_parse_target(gen *g, str path);
// Index of a named thing, or -1.
int32_t gen_find_enum(const gen *g, str name);
int32_t gen_find_record(const gen *g, str name);
int32_t gen_find_format(const gen *g, str name);
int32_t gen_find_value(const gen_enum *e, str name);
// The engines that hold a bit in insn.engines: values of the enum "engine".
uint32_t gen_engine_bit(const gen *g, const gen_line *at, str name);

// ---- check.c

// Lays out the formats, resolves the instructions' fields and rules.
void gen_check_all(gen *g);
// Leaf of a format by path, or NULL.
const gen_leaf *gen_find_leaf(const gen_format *f, str path);

// ---- expr.c

// Where names in an expression are looked up.
typedef struct {
    const gen *g;
    const gen_insn *insn;
    const gen_format *format;
    str self;       // path of '.', or empty
    str param, arg; // the rule set's parameter and its value
    bool form;      // the engine and the target are not known
    const gen_line *at;
} gen_scope;

// The expression as C over 'x' (an isa_cx).
str gen_expr(gen *g, const gen_scope *s, str text);

// ---- emit_*.c

void gen_emit_header(const gen *g, strbuf *out);
void gen_emit_tables(const gen *g, strbuf *out);
void gen_emit_targets(const gen *g, strbuf *out);
void gen_emit_manual(const gen *g, strbuf *out);
void gen_emit_manual_table(const gen *g, str name, strbuf *out);
// A C string literal.
void gen_put_literal(strbuf *out, str s);

#endif
