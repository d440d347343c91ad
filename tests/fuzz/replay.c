// SPDX-License-Identifier: Apache-2.0
// replay [--runs=N] PATH...: drives a fuzz target without libFuzzer, over the
// files given (and those in directories given) and N mutations of them. The
// mutations depend on the files' bytes and N alone. An input that crashes the
// target, or takes longer than some seconds, is kept in ./replay-failed.
#include "tests/fuzz/fuzz.h"

#include "support/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    INPUT_BYTES = 1 << 16,
    SEED_FILES = 4096,
    SECONDS = 20, // one input, sanitised and on a busy machine
    DEFAULT_RUNS = 1000,
};

// Provided by targets that know their format better, and by the sanitiser.
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                                     size_t max_size,
                                                     unsigned int seed);
__attribute__((weak)) void __sanitizer_set_death_callback(void (*fn)(void));
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

typedef struct {
    str name, bytes;
} seed_file;

typedef struct {
    arena *a;
    seed_file seed[SEED_FILES];
    uint32_t n;
} corpus;

// For the handlers, which find nothing out but through these.
static uint8_t input[INPUT_BYTES];
static size_t input_size;
static uint64_t rng_state;
static const corpus *seeds;

// ---- when it fails
// -------------------------------------------------------------

static void
keep_input(void)
{
    int fd = open("replay-failed", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0 && write(fd, input, input_size) == (ssize_t)input_size)
        close(fd);
}

static void
on_signal(int sig)
{
    static const char text[] = "replay: failed on ./replay-failed\n";
    static const char slow[] = "replay: too slow: ./replay-failed\n";
    keep_input();
    ssize_t ignored = sig == SIGALRM
                          ? write(STDERR_FILENO, slow, sizeof slow - 1)
                          : write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(1);
}

static void
run_one(void)
{
    alarm(SECONDS);
    // A block of its own, so that reading past its end is noticed.
    uint8_t *exact = malloc(input_size ? input_size : 1);
    memcpy(exact, input, input_size);
    (void)LLVMFuzzerTestOneInput(exact, input_size);
    free(exact);
    alarm(0);
}

// ---- mutations
// -----------------------------------------------------------------

static size_t
below(size_t n)
{
    return n ? (size_t)(rng_next(&rng_state) % n) : 0;
}

static void
put(size_t at, size_t drop, const char *p, size_t n)
{
    if (input_size - drop + n > INPUT_BYTES)
        return;
    memmove(input + at + n, input + at + drop, input_size - at - drop);
    if (n)
        memcpy(input + at, p, n);
    input_size += n - drop;
}

static void
flip(void)
{
    if (input_size)
        input[below(input_size)] ^= (uint8_t)(1u << below(8));
}

static void
cut(void)
{
    size_t at = below(input_size);
    put(at, below(1 + (input_size - at) / (1 + below(64))), "", 0);
}

static void
borrow(void)
{
    str from = seeds->seed[below(seeds->n)].bytes;
    size_t at = below(from.n), n = below(1 + (from.n - at) / (1 + below(64)));
    size_t to = below(input_size + 1), left = input_size - to;
    put(to, n < left && below(2) ? n : 0, from.p + at, n);
}

static bool
is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

// The word around a random place.
static size_t
find_word(size_t *n)
{
    size_t from = below(input_size), to;
    while (from && is_word(input[from - 1]))
        from--;
    for (to = from; to < input_size && is_word(input[to]);)
        to++;
    *n = to - from;
    return from;
}

static void
number(void)
{
    static const char *const odd[] = {"0",
                                      "1",
                                      "-1",
                                      "2",
                                      "7",
                                      "16",
                                      "127",
                                      "128",
                                      "255",
                                      "256",
                                      "65535",
                                      "65536",
                                      "2147483647",
                                      "4294967295",
                                      "4294967296",
                                      "1099511627776",
                                      "1152921504606846976",
                                      "9223372036854775807",
                                      "18446744073709551615",
                                      "-9223372036854775808",
                                      "99999999999999999999",
                                      "1e38",
                                      "nan",
                                      "inf",
                                      "0x7fffffffffffffff",
                                      "1.5"};
    size_t n, at = find_word(&n);
    for (uint32_t tries = 0;
         tries < 8 && !(input[at] >= '0' && input[at] <= '9'); tries++)
        at = find_word(&n);
    const char *to = odd[below(ARRAY_LEN(odd))];
    put(at, n, to, strlen(to));
}

// A word of this or another input in the place of a word.
static void
word(void)
{
    size_t n, at = find_word(&n);
    str from = seeds->seed[below(seeds->n)].bytes;
    size_t begin = below(from.n), end;
    while (begin && is_word((uint8_t)from.p[begin - 1]))
        begin--;
    for (end = begin; end < from.n && is_word((uint8_t)from.p[end]);)
        end++;
    put(at, n, from.p + begin, end - begin);
}

static void
line(void)
{
    size_t from = below(input_size), to;
    while (from && input[from - 1] != '\n')
        from--;
    for (to = from; to < input_size && input[to] != '\n';)
        to++;
    to += to < input_size;
    char *copy = malloc(to - from + 1);
    memcpy(copy, input + from, to - from);
    if (below(2))
        put(from, to - from, "", 0);
    else
        put(from, 0, copy, to - from);
    free(copy);
}

static void
mutate_once(void)
{
    static void (*const way[])(void) = {flip, cut,  borrow, number,
                                        word, line, number, word};
    if (input_size)
        way[below(ARRAY_LEN(way))]();
}

// For targets with a mutator of their own.
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)max_size;
    for (size_t i = 1 + below(3); size && i; i--) {
        if (below(2))
            data[below(size)] ^= (uint8_t)(1u << below(8));
        else
            data[below(size)] = (uint8_t)below(256);
    }
    return size;
}

static void
mutate(uint32_t i)
{
    str s = seeds->seed[i % seeds->n].bytes;
    input_size = s.n < INPUT_BYTES ? s.n : INPUT_BYTES;
    memcpy(input, s.p, input_size);
    for (size_t k = 1 + below(3); k; k--) {
        if (LLVMFuzzerCustomMutator)
            input_size =
                LLVMFuzzerCustomMutator(input, input_size, INPUT_BYTES,
                                        (unsigned int)rng_next(&rng_state));
        else
            mutate_once();
    }
}

// ---- seeds
// ---------------------------------------------------------------------

static int
by_name(const void *x, const void *y)
{
    return str_cmp(((const seed_file *)x)->name, ((const seed_file *)y)->name);
}

static void
add_file(corpus *c, const char *path)
{
    const char *err = NULL;
    seed_file f = {.name = str_dup(c->a, str_of(path))};
    if (!file_read(c->a, path, (uint64_t)1 << 30, &f.bytes, &err)) {
        fprintf(stderr, "replay: %s\n", err);
        exit(1);
    }
    if (c->n < SEED_FILES)
        c->seed[c->n++] = f;
}

static void
add_path(corpus *c, const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        add_file(c, path);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] != '.')
            add_file(c, arena_printf(c->a, "%s/%s", path, e->d_name));
    }
    closedir(dir);
}

int
main(int argc, char **argv)
{
    static corpus c;
    uint64_t runs = DEFAULT_RUNS;
    c.a = arena_new();
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--runs=", 7) != 0)
            add_path(&c, argv[i]);
        else if (!str_to_u64(str_of(argv[i] + 7), &runs))
            return 2;
    }
    if (!c.n)
        return 2;
    qsort(c.seed, c.n, sizeof *c.seed, by_name);
    seeds = &c;
    signal(SIGALRM, on_signal);
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(keep_input);
    for (uint32_t i = 0; i < c.n; i++) {
        input_size = c.seed[i].bytes.n < INPUT_BYTES ? c.seed[i].bytes.n : 0;
        memcpy(input, c.seed[i].bytes.p, input_size);
        run_one();
    }
    for (uint32_t i = 0; i < runs; i++) {
        mutate(i);
        run_one();
    }
    printf("%u seeds, %llu mutations\n", c.n, (unsigned long long)runs);
    arena_free(c.a);
    return 0;
}
