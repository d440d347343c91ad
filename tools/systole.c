// SPDX-License-Identifier: Apache-2.0
// The systole command: subcommands, signals, exit statuses.
#include "tools/tools.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(tool *t);
    bool needs_file;
    const char *what;
} commands[] = {
    {"build", cmd_build, true, "compile a kernel to an object or an IR"},
    {"run", cmd_run, true, "run a kernel on arrays"},
    {"check", cmd_check, true, "compare all levels with a reference"},
    {"asm", cmd_asm, true, "assemble to an object"},
    {"disasm", cmd_disasm, true, "print an object as assembly"},
    {"fmt", cmd_fmt, true, "print source in canonical form"},
    {"targets", cmd_targets, false, "list or describe machines"},
    {"explain", cmd_explain, true, "explain a diagnostic's number"},
};

static const char *const planned[] = {"profile", "import"};

// ---- signals
// -------------------------------------------------------------------

// For the handlers alone: what to type to meet the same bug again.
static char **command_line;

static void
put_line(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void
on_stop(int sig)
{
    _exit(128 + sig);
}

static void
on_bug(int sig)
{
    (void)sig;
    put_line("systole: this is a bug of systole; to reproduce it:\n   ");
    for (char **arg = command_line; *arg; arg++) {
        put_line(" ");
        put_line(*arg);
    }
    put_line("\n");
    _exit(SY_INTERNAL);
}

static void
handle(int sig, void (*handler)(int))
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = handler;
    a.sa_flags = SA_ONSTACK;
    sigaction(sig, &a, NULL);
}

// Overflowing the stack is a bug, too, and reporting it needs another stack.
static void
handle_signals(void)
{
    static char stack[64 * 1024];
    stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&s, NULL);
    handle(SIGINT, on_stop);
    handle(SIGTERM, on_stop);
    handle(SIGABRT, on_bug);
#ifndef __SANITIZE_ADDRESS__ // which reports these itself
    handle(SIGSEGV, on_bug);
    handle(SIGBUS, on_bug);
    handle(SIGFPE, on_bug);
    handle(SIGILL, on_bug);
#endif
}

// Memory that the host does not have can still be allocated, and using it ends
// some process or other. Running out of it here is a message.
static void
limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__ // which reserves more than there is
    struct rlimit r;
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || bytes <= 0 || getrlimit(RLIMIT_AS, &r) != 0)
        return;
    rlim_t most = (rlim_t)pages * (rlim_t)bytes;
    if (r.rlim_cur > most) {
        r.rlim_cur = most;
        (void)setrlimit(RLIMIT_AS, &r);
    }
#endif
}

// ---- commands
// ------------------------------------------------------------------

static void
put_help(FILE *to)
{
    fputs(
        "usage: systole COMMAND [OPTION...] FILE\n"
        "Compiles tensor kernels to a documented systolic machine and proves\n"
        "the result right.\n\n",
        to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].what);
    fputs("\nsystole COMMAND --help lists the options; systole --version.\n",
          to);
}

static int
unknown_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(planned); i++) {
        if (strcmp(planned[i], name) == 0) {
            fprintf(stderr, "systole: '%s' is not part of this version\n",
                    name);
            return SY_USAGE;
        }
    }
    fprintf(stderr, "systole: unknown command '%s'\n", name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_distance(str_of(name), str_of(commands[i].name), 3) < 3)
            fprintf(stderr, "systole: did you mean '%s'?\n", commands[i].name);
    }
    put_help(stderr);
    return SY_USAGE;
}

static int
run_command(tool *t, size_t i, int argc, char **argv)
{
    t->command = commands[i].name;
    argv[1] = arena_printf(t->a, "systole %s", t->command);
    options_parse(t, argc - 1, argv + 1);
    const char *no_colour = getenv("NO_COLOR");
    t->colour = isatty(STDERR_FILENO) && !(no_colour && *no_colour);
    bool list = t->o.list_passes;
    int status =
        commands[i].needs_file && !t->o.file && !list
            ? report_failure(t, SY_USAGE, "%s: which file?", t->command)
            : commands[i].run(t);
    status = report_end(t, status);
    json_decref(t->result);
    return status;
}

static int
no_memory(void)
{
    fputs("systole: the host's memory does not suffice\n", stderr);
    return SY_LIMIT;
}

// What t points at outlives the jumps. A large allocation may have failed where
// the small ones of a report still succeed.
static int
report_no_memory(tool *t)
{
    jmp_buf again;
    if (setjmp(again))
        return no_memory();
    arena_on_oom(t->a, &again);
    diag(&t->d, (loc){0}, D_LIMIT_MEMORY);
    return report_end(t, SY_LIMIT);
}

static int
run_or_run_out(tool *t, size_t i, int argc, char **argv)
{
    jmp_buf oom;
    if (setjmp(oom))
        return report_no_memory(t);
    arena_on_oom(t->a, &oom);
    diags_init(&t->d, t->a);
    return run_command(t, i, argc, argv);
}

static int
with_session(size_t i, int argc, char **argv)
{
    tool t = {.a = arena_new(), .s = sy_session_new()};
    int status = t.a && t.s ? run_or_run_out(&t, i, argc, argv) : no_memory();
    sy_session_free(t.s);
    arena_free(t.a);
    return status;
}

int
main(int argc, char **argv)
{
    command_line = argv;
    handle_signals();
    limit_memory();
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        put_help(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        printf("systole %s\n", sy_version());
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return with_session(i, argc, argv);
    }
    if (*name)
        return unknown_command(name);
    put_help(stderr);
    return SY_USAGE;
}
