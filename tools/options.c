// SPDX-License-Identifier: Apache-2.0
// The command line: one table of options a subcommand, and one function that
// takes their values.
#include "tools/tools.h"

#include <argp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_KERNEL = 256,
    KEY_TARGET,
    KEY_EMIT,
    KEY_VERIFY_EACH,
    KEY_PRINT_AFTER,
    KEY_STOP_AFTER,
    KEY_LIST_PASSES,
    KEY_IN,
    KEY_OUT,
    KEY_CLAIM,
    KEY_ENGINE,
    KEY_SEED,
    KEY_ORDERS,
    KEY_LIMIT_INSTRUCTIONS,
    KEY_JSON,
    KEY_CHECK,
};

// ---- mistakes
// -----------------------------------------------------------------

// Wrong usage is a result, too, for those who read results.
static _Noreturn void
end_wrong(tool *t)
{
    int status = report_end(t, SY_USAGE);
    json_decref(t->result);
    exit(status);
}

static _Noreturn void wrong(struct argp_state *state, const char *fmt, ...)
    PRINTF(2, 3);

static _Noreturn void
wrong(struct argp_state *state, const char *fmt, ...)
{
    tool *t = state->input;
    strbuf b = strbuf_new(t->a);
    va_list ap;
    va_start(ap, fmt);
    strbuf_vprintf(&b, fmt, ap);
    va_end(ap);
    if (!t->result)
        argp_error(state, "%s", b.p);
    report_failure(t, SY_USAGE, "%s", b.p);
    end_wrong(t);
}

// ---- values
// -------------------------------------------------------------------

static uint64_t
take_u64(const char *arg, const char *name, struct argp_state *state)
{
    uint64_t x = 0;
    if (!str_to_u64(str_of(arg), &x))
        wrong(state, "--%s takes a whole number, not '%s'", name, arg);
    return x;
}

// "a=a.npy"; only the first '=' separates.
static tool_pair
take_pair(tool *t, const char *arg, const char *name, struct argp_state *state)
{
    const char *eq = strchr(arg, '=');
    if (!eq || eq == arg || !eq[1])
        wrong(state, "--%s takes NAME=FILE, not '%s'", name, arg);
    return (tool_pair){str_z(t->a, (str){arg, (size_t)(eq - arg)}), eq + 1};
}

// "M=512,K=512"
static void
take_dims(tool *t, const char *arg, struct argp_state *state)
{
    while (*arg) {
        size_t n = strcspn(arg, ",");
        const char *eq = memchr(arg, '=', n);
        int64_t value = 0;
        str number = {eq ? eq + 1 : arg, eq ? (size_t)(arg + n - eq) - 1 : 0};
        if (!eq || eq == arg || !str_to_i64(number, &value))
            wrong(state, "-D takes NAME=NUMBER, not '%.*s'", (int)n, arg);
        vec_push(t->a, &t->o.dims,
                 (sy_dim){str_z(t->a, (str){arg, (size_t)(eq - arg)}), value});
        arg += n;
        arg += *arg == ',';
    }
}

static void
take_level(tool *t, const char *arg, struct argp_state *state)
{
    if (arg[0] < '0' || arg[0] > '3' || arg[1])
        wrong(state, "-O takes 0, 1, 2 or 3, not '%s'", arg);
    t->o.opt_level = arg[0] - '0';
}

static const char *
take_word(const char *arg, const char *name, const char *words,
          struct argp_state *state)
{
    size_t n = strlen(arg);
    for (const char *w = words; *w; w += strcspn(w, " "), w += *w == ' ') {
        if (strcspn(w, " ") == n && strncmp(w, arg, n) == 0)
            return arg;
    }
    wrong(state, "--%s takes one of: %s; not '%s'", name, words, arg);
    return arg;
}

static error_t
take_array(tool *t, int key, const char *arg, struct argp_state *state)
{
    if (key == KEY_IN)
        vec_push(t->a, &t->o.in, take_pair(t, arg, "in", state));
    else if (key == KEY_OUT)
        vec_push(t->a, &t->o.out, take_pair(t, arg, "out", state));
    else
        vec_push(t->a, &t->o.claim, take_pair(t, arg, "claim", state));
    return 0;
}

static error_t
take_number(tool *t, int key, const char *arg, struct argp_state *state)
{
    tool_options *o = &t->o;
    if (key == KEY_SEED)
        o->seed = take_u64(arg, "seed", state);
    else if (key == KEY_ORDERS)
        o->orders = take_u64(arg, "orders", state);
    else
        o->limit_instructions = take_u64(arg, "limit-instructions", state);
    o->seeded = o->seeded || key == KEY_ORDERS;
    if (o->orders > UINT32_MAX)
        wrong(state, "--orders takes at most %u", UINT32_MAX);
    return 0;
}

static error_t
take_file(tool *t, const char *arg, struct argp_state *state)
{
    if (t->o.file)
        wrong(state, "one input at a time: '%s' and '%s'", t->o.file, arg);
    t->o.file = arg;
    return 0;
}

static error_t
take_option(int key, char *arg, struct argp_state *state) // NOLINT: dispatch
{
    tool *t = state->input;
    tool_options *o = &t->o;
    switch (key) {
    case 'o': o->output = arg; return 0;
    case 'D': take_dims(t, arg, state); return 0;
    case 'O': take_level(t, arg, state); return 0;
    case KEY_KERNEL: o->kernel = arg; return 0;
    case KEY_TARGET: o->target = arg; return 0;
    case KEY_EMIT:
        o->emit = take_word(arg, "emit", "tensor tile asm obj", state);
        return 0;
    case KEY_ENGINE:
        o->engine = take_word(arg, "engine", "tensor tile interp jit", state);
        return 0;
    case KEY_PRINT_AFTER: o->print_after = arg; return 0;
    case KEY_STOP_AFTER: o->stop_after = arg; return 0;
    case KEY_VERIFY_EACH: o->verify_each = true; return 0;
    case KEY_LIST_PASSES: o->list_passes = true; return 0;
    case KEY_JSON: o->json = true; return 0;
    case 'i': o->in_place = true; return 0;
    case KEY_CHECK: o->only_check = true; return 0;
    case KEY_IN:
    case KEY_OUT:
    case KEY_CLAIM: return take_array(t, key, arg, state);
    case KEY_SEED:
    case KEY_ORDERS:
    case KEY_LIMIT_INSTRUCTIONS: return take_number(t, key, arg, state);
    case ARGP_KEY_ARG: return take_file(t, arg, state);
    default: return ARGP_ERR_UNKNOWN;
    }
}

// ---- tables
// -------------------------------------------------------------------

#define OPT(key, name, arg, doc) {name, key, arg, 0, doc, 0}
#define ROW_JSON                                                               \
    OPT(KEY_JSON, "json", NULL, "the result for programs, on standard output")
#define ROW_OUTPUT OPT('o', "output", "FILE", "where to; - is standard output")
#define ROWS_COMPILE                                                           \
    OPT(KEY_KERNEL, "kernel", "NAME", "which kernel of the file"),             \
        OPT(KEY_TARGET, "target", "NAME",                                      \
            "the machine (see systole targets)"),                              \
        OPT('D', "dim", "M=512,...", "values of dims"),                        \
        OPT('O', "opt", "0..3",                                                \
            "0: no inlining; 1, 2, 3: the same today (2)"),                    \
        OPT(KEY_VERIFY_EACH, "verify-each", NULL,                              \
            "check every rule of the IR after each pass")
#define ROW_SEED                                                               \
    OPT(KEY_SEED, "seed", "N", "draws the inputs that --in does not give (0)")
#define ROW_LIMIT                                                              \
    OPT(KEY_LIMIT_INSTRUCTIONS, "limit-instructions", "N",                     \
        "stop with status 5 after N instructions (10^9; 0: never)")
#define ROW_IN  OPT(KEY_IN, "in", "NAME=FILE", "an input from a .npy file")
#define ROW_END {NULL, 0, NULL, 0, NULL, 0}

static const struct argp_option build_table[] = {
    ROW_OUTPUT,
    OPT(KEY_EMIT, "emit", "KIND", "tensor, tile, asm or obj (obj)"),
    OPT(KEY_PRINT_AFTER, "print-after", "PASS",
        "print the IR after a pass, or after all"),
    OPT(KEY_STOP_AFTER, "stop-after", "PASS", "emit the IR after this pass"),
    OPT(KEY_LIST_PASSES, "list-passes", NULL, "the passes, in order"),
    ROWS_COMPILE,
    ROW_JSON,
    ROW_END};

static const struct argp_option run_table[] = {
    ROW_IN,
    OPT(KEY_OUT, "out", "NAME=FILE", "an output to a .npy file"),
    OPT(KEY_ENGINE, "engine", "LEVEL", "tensor, tile, interp or jit (interp)"),
    OPT(KEY_ORDERS, "order", "N", "engines in the random order of seed N"),
    ROW_LIMIT,
    ROW_SEED,
    ROWS_COMPILE,
    ROW_JSON,
    ROW_END};

static const struct argp_option check_table[] = {
    ROW_IN,
    OPT(KEY_CLAIM, "claim", "NAME=FILE",
        "an output computed elsewhere, to be checked as well"),
    OPT(KEY_ORDERS, "orders", "N", "also run in N random engine orders (1)"),
    ROW_LIMIT,
    ROW_SEED,
    ROWS_COMPILE,
    ROW_JSON,
    ROW_END};

static const struct argp_option asm_table[] = {ROW_OUTPUT, ROW_JSON, ROW_END};
static const struct argp_option fmt_table[] = {
    ROW_OUTPUT, OPT('i', "in-place", NULL, "replace the file"),
    OPT(KEY_CHECK, "check", NULL,
        "only say, with status 3, that the file is not in canonical form"),
    ROW_JSON, ROW_END};
static const struct argp_option plain_table[] = {ROW_JSON, ROW_END};

static const struct {
    const char *command;
    struct argp argp;
} commands[] = {
#define COMMAND(name, table, args, doc)                                        \
    {                                                                          \
        name,                                                                  \
        {                                                                      \
            table, take_option, args, doc, NULL, NULL, NULL                    \
        }                                                                      \
    }
    COMMAND("build", build_table, "FILE", "Compiles a kernel to an object."),
    COMMAND("run", run_table, "FILE", "Runs a kernel on arrays."),
    COMMAND("check", check_table, "FILE",
            "Runs a kernel at every level and compares them with each other "
            "and with a reference of higher precision."),
    COMMAND("asm", asm_table, "FILE", "Assembles to an object."),
    COMMAND("disasm", asm_table, "FILE", "Prints an object as assembly."),
    COMMAND("fmt", fmt_table, "FILE", "Prints source in canonical form."),
    COMMAND("targets", plain_table, "[NAME]",
            "Lists the machines, or describes one."),
    COMMAND("explain", plain_table, "CODE", "Explains a diagnostic (E0412)."),
#undef COMMAND
};

// Whether the result goes to a program must be known before the first mistake.
static bool
wants_json(int argc, char **argv)
{
    bool json = false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        json = json || strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--usage") == 0 ||
            strcmp(argv[i], "-?") == 0)
            return false;
    }
    return json;
}

static void
parse_with(tool *t, const struct argp *argp, int argc, char **argv)
{
    if (wants_json(argc, argv))
        report_start(t);
    unsigned flags = t->result ? ARGP_NO_EXIT : 0;
    if (argp_parse(argp, argc, argv, flags, NULL, t) != 0) {
        // The C library has said on standard error which.
        report_failure(t, SY_USAGE,
                       "an unknown option, or one without its value; "
                       "systole %s --help lists them",
                       t->command);
        end_wrong(t);
    }
    if (t->o.json && !t->result)
        report_start(t);
    if (!t->o.json) { // it was some option's value
        json_decref(t->result);
        t->result = NULL;
    }
}

void
options_parse(tool *t, int argc, char **argv)
{
    argp_err_exit_status = SY_USAGE;
    t->o.opt_level = -1;
    t->o.limit_instructions = TOOL_LIMIT_INSTRUCTIONS;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].command, t->command) == 0)
            parse_with(t, &commands[i].argp, argc, argv);
    }
}
