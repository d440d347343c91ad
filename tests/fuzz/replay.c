// SPDX-License-Identifier: Apache-2.0
// replay --repair FILE: writes an object with the hash that it should have to
// standard output.
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
#pragma weak LLVMFuzzerCustomMutator
#pragma weak object_repair
__attribute__((weak)) void __sanitizer_set_death_callback(void (*fn)(void));

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

static size_t
below(size_t n)
{
    return n ? (size_t)(rng_next(&rng_state) % n) : 0;
}

// Bytes of another input, in the place of as many or added.
static void
borrow(uint8_t *data, size_t *size, size_t max)
{
    str from = seeds->seed[below(seeds->n)].bytes;
    size_t at = below(from.n), n = below(1 + (from.n - at) / (1 + below(64)));
    size_t to = below(*size + 1), left = *size - to;
    bool over = n < left && below(2);
    if (*size + n > max || n == 0)
        return;
    if (!over) {
        memmove(data + to + n, data + to, left);
        *size += n;
    }
    memcpy(data + to, from.p + at, n);
}

// libFuzzer's is not here; a simple one.
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    if (below(4) == 0)
        borrow(data, &size, max_size);
    if (below(8) == 0)
        size -= below(size);
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
    unsigned int seed = (unsigned int)rng_next(&rng_state);
    input_size =
        LLVMFuzzerCustomMutator
            ? LLVMFuzzerCustomMutator(input, input_size, INPUT_BYTES, seed)
            : LLVMFuzzerMutate(input, input_size, INPUT_BYTES);
}

// ---- seeds

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

static int
repair(const char *path)
{
    arena *a = arena_new();
    str bytes;
    const char *err = NULL;
    if (!object_repair || !file_read(a, path, (uint64_t)1 << 30, &bytes, &err))
        return 1;
    uint8_t *copy = arena_alloc(a, bytes.n);
    memcpy(copy, bytes.p, bytes.n);
    object_repair(copy, bytes.n);
    bool ok = file_write(a, "-", (str){(const char *)copy, bytes.n}, &err);
    arena_free(a);
    return ok ? 0 : 1;
}

int
main(int argc, char **argv)
{
    static corpus c;
    if (argc == 3 && strcmp(argv[1], "--repair") == 0)
        return repair(argv[2]);
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
