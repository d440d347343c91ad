%{
// SPDX-License-Identifier: Apache-2.0
// The grammar. Every action is one call to a builder of ast.c.
#include "frontend/frontend_int.h"
%}
%code requires {
#include "frontend/frontend_int.h"
}
%code provides {
// What flex calls them.
#define YYSTYPE TK_YYSTYPE
#define YYLTYPE TK_YYLTYPE
}
%code {
#include "tk_lex.h"

// The parser's stack grows in the arena.
#define YYMALLOC(n) arena_alloc(cx->a, (n))
#define YYFREE(p) ((void)(p))
#define YYINITDEPTH 200
#define YYMAXDEPTH 4000
#define YYLLOC_DEFAULT(now, rhs, n)                                            \
    ((now) = (n) ? loc_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n))                \
                 : (loc){cx->source, YYRHSLOC(rhs, 0).end,                     \
                         YYRHSLOC(rhs, 0).end})

static void
tk_yyerror(const loc *at, void *scanner, parse_ctx *cx, const char *text)
{
    (void)scanner;
    parse_syntax_error(cx, *at, text);
}
}
%define api.pure full
%define api.prefix {tk_yy}
%define api.location.type {loc}
%define parse.error detailed
%locations
%param {void *scanner}
%parse-param {parse_ctx *cx}
%initial-action { @$ = (loc){cx->source, 0, 0}; }
%expect 0

%union {
    ast_name name;
    ast_names *names;
    ast_expr *expr;
    ast_exprs *exprs;
    ast_index *index;
    ast_indices *indices;
    ast_tensor *tensor;
    ast_tensors *tensors;
    ast_left *left;
    ast_lefts *lefts;
    ast_withs *withs;
    ast_stmt *stmt;
}

%token <name> KERNEL "'kernel'" FN "'fn'" IDENT "name" REDUCE "reduction"
%token NEWLINE "end of line" FOR "'for'" IN "'in'" WHERE "'where'"
%token ELSE "'else'" WITH "'with'" INOUT "'inout'" SCHEDULE "schedule"
%token LET "'let'"
%token INT "number" FLOAT "number with a point"
%token DOTDOT "'..'" ARROW "'->'" OR "'||'" AND "'&&'" EQ "'=='" NE "'!='"
%token LE "'<='" GE "'>='" SHL "'<<'" SHR "'>>'"
%token <name> ADDEQ "'+='"
%token TK_YYEOF 0 "end of file"

%type <names> dims names names1
%type <expr> expr postfix atom fill where reduction
%type <exprs> shape exprs exprs0
%type <index> binder range
%type <indices> binders fors
%type <tensor> param
%type <tensors> params params1
%type <left> left
%type <lefts> lefts
%type <withs> withs
%type <stmt> define elements coupled

// Loosest first.
%left OR
%left AND
%nonassoc EQ NE '<' LE '>' GE
%left '|'
%left '^'
%left '&'
%left SHL SHR
%left '+' '-'
%precedence BODY
%left '*' '/' '%' '@'
%precedence UNARY

%%

file: decls;

decls:
  nl
| decls decl nl
| decls error { ast_broken_decl(cx); }
;

nl: %empty | nl NEWLINE;

decl: head body '}' { ast_end_decl(cx, @$); };

head:
  start nl '(' params[in] ')' nl ARROW '(' params[out] ')' nl '{'
    { ast_signature(cx, $in, $out); }
;

start:
  KERNEL IDENT dims { ast_begin_decl(cx, @$, true, $IDENT, $dims); }
| FN IDENT dims     { ast_begin_decl(cx, @$, false, $IDENT, $dims); }
;

dims: %empty { $$ = NULL; } | '[' names ']' { $$ = $names; };

names: %empty { $$ = NULL; } | names1;

names1:
  IDENT            { $$ = ast_names_add(cx, NULL, $IDENT); }
| names1 ',' IDENT { $$ = ast_names_add(cx, $1, $IDENT); }
;

params: %empty { $$ = NULL; } | params1;

params1:
  param             { $$ = ast_tensors_add(cx, NULL, $param); }
| params1 ',' param { $$ = ast_tensors_add(cx, $1, $param); }
;

param:
  IDENT[n] ':' IDENT[t] shape
    { $$ = ast_param(cx, false, $n, $t, $shape); }
| INOUT IDENT[n] ':' IDENT[t] shape
    { $$ = ast_param(cx, true, $n, $t, $shape); }
;

shape: %empty { $$ = NULL; } | '[' exprs ']' { $$ = $exprs; };

body: stmt | body end stmt;

end: NEWLINE { yyerrok; } | ';' { yyerrok; };

stmt:
  %empty
| define          { ast_add_stmt(cx, NULL, $define); }
| elements        { ast_add_stmt(cx, NULL, $elements); }
| coupled         { ast_add_stmt(cx, NULL, $coupled); }
| fors nl elements { ast_add_stmt(cx, $fors, $elements); }
| IDENT[n] ':' IDENT[t] shape { ast_declare(cx, $n, $t, $shape); }
| LET IDENT '=' expr          { ast_let_of(cx, $IDENT, $expr); }
| SCHEDULE        { ast_not_yet(cx, @1, "a 'schedule' block"); }
| error           { ast_broken_stmt(cx, @1); }
;

fors:
  FOR range         { $$ = ast_indices_add(cx, NULL, $range); }
| fors ',' range    { $$ = ast_indices_add(cx, $1, $range); }
| fors nl FOR range { $$ = ast_indices_add(cx, $1, $range); }
;

range:
  IDENT IN expr[lo] DOTDOT expr[hi] { $$ = ast_index_of(cx, $IDENT, $lo, $hi); }
;

define:
  IDENT '=' expr
    { $$ = ast_define(cx, @$, ast_names_add(cx, NULL, $IDENT), $expr); }
| '(' names1 ')' '=' expr
    { $$ = ast_define(cx, @$, $names1, $expr); }
;

elements:
  left '=' expr where
    { $$ = ast_define_elements(cx, @$, $left, $expr, $where); }
| left ADDEQ[step] expr where
    { $$ = ast_update(cx, @$, $left, $step, $expr, $where); }
| left REDUCE[step] '=' expr where
    { $$ = ast_update(cx, @$, $left, $step, $expr, $where); }
| left '=' expr WITH withs
    { $$ = ast_recurrence(cx, @$, ast_lefts_add(cx, NULL, $left),
                          ast_exprs_add(cx, NULL, $expr), $withs); }
;

coupled:
  '(' lefts ')' '=' '(' exprs ')' WITH withs
    { $$ = ast_recurrence(cx, @$, $lefts, $exprs, $withs); }
;

left: IDENT '[' exprs ']' { $$ = ast_elements(cx, @$, $IDENT, $exprs); };

lefts:
  left           { $$ = ast_lefts_add(cx, NULL, $left); }
| lefts ',' left { $$ = ast_lefts_add(cx, $1, $left); }
;

withs:
  left '=' expr           { $$ = ast_withs_add(cx, NULL, $left, $expr); }
| withs ',' left '=' expr { $$ = ast_withs_add(cx, $1, $left, $expr); }
;

exprs:
  expr           { $$ = ast_exprs_add(cx, NULL, $expr); }
| exprs ',' expr { $$ = ast_exprs_add(cx, $1, $expr); }
;

exprs0: %empty { $$ = NULL; } | exprs;

expr:
  postfix
| expr OR expr       { $$ = ast_logical(cx, NUM_OR, $1, $3); }
| expr AND expr      { $$ = ast_logical(cx, NUM_AND, $1, $3); }
| expr EQ expr       { $$ = ast_binary(cx, NUM_EQ, $1, $3); }
| expr NE expr       { $$ = ast_binary(cx, NUM_NE, $1, $3); }
| expr '<' expr      { $$ = ast_binary(cx, NUM_LT, $1, $3); }
| expr LE expr       { $$ = ast_binary(cx, NUM_LE, $1, $3); }
| expr '>' expr      { $$ = ast_binary(cx, NUM_GT, $1, $3); }
| expr GE expr       { $$ = ast_binary(cx, NUM_GE, $1, $3); }
| expr '|' expr      { $$ = ast_binary(cx, NUM_OR, $1, $3); }
| expr '^' expr      { $$ = ast_binary(cx, NUM_XOR, $1, $3); }
| expr '&' expr      { $$ = ast_binary(cx, NUM_AND, $1, $3); }
| expr SHL expr      { $$ = ast_binary(cx, NUM_SHL, $1, $3); }
| expr SHR expr      { $$ = ast_binary(cx, NUM_SHR, $1, $3); }
| expr '+' expr      { $$ = ast_binary(cx, NUM_ADD, $1, $3); }
| expr '-' expr      { $$ = ast_binary(cx, NUM_SUB, $1, $3); }
| expr '*' expr      { $$ = ast_binary(cx, NUM_MUL, $1, $3); }
| expr '/' expr      { $$ = ast_binary(cx, NUM_DIV, $1, $3); }
| expr '%' expr      { $$ = ast_binary(cx, NUM_MOD, $1, $3); }
| expr '@' expr      { $$ = ast_matmul(cx, $1, $3); }
| '-' expr %prec UNARY { $$ = ast_unary(cx, @$, NUM_NEG, false, $2); }
| '!' expr %prec UNARY { $$ = ast_unary(cx, @$, NUM_NOT, true, $2); }
| '~' expr %prec UNARY { $$ = ast_unary(cx, @$, NUM_NOT, false, $2); }
| reduction nl expr %prec BODY { $$ = ast_reduction_body(cx, $1, $3); }
;

reduction:
  REDUCE '[' binders where ']'
    { $$ = ast_reduction(cx, @$, $REDUCE, $binders, $where); }
;

where: %empty { $$ = NULL; } | WHERE expr { $$ = $expr; };

binders:
  binder             { $$ = ast_indices_add(cx, NULL, $binder); }
| binders ',' binder { $$ = ast_indices_add(cx, $1, $binder); }
;

binder: IDENT { $$ = ast_index_of(cx, $IDENT, NULL, NULL); } | range;

postfix:
  atom
| postfix '[' exprs ']' { $$ = ast_subscript(cx, @$, $1, $exprs); }
| postfix ELSE fill     { $$ = ast_fill(cx, @$, $1, $fill); }
;

fill: atom | '-' fill { $$ = ast_unary(cx, @$, NUM_NEG, false, $2); };

atom:
  INT                    { $$ = ast_int(cx, @$); }
| FLOAT                  { $$ = ast_float(cx, @$); }
| IDENT                  { $$ = ast_ident(cx, $IDENT); }
| IDENT '(' exprs0 ')'   { $$ = ast_call_of(cx, @$, $IDENT, $exprs0); }
| REDUCE '(' exprs0 ')'  { $$ = ast_call_of(cx, @$, $REDUCE, $exprs0); }
| '(' expr ')'           { $$ = ast_paren(cx, @$, $expr); }
;

%%
