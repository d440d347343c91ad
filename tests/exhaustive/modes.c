// SPDX-License-Identifier: Apache-2.0
// The public API under every floating-point mode of its caller: a kernel with
// literals, functions, narrow types and subnormal numbers is parsed, compiled,
// emitted, run by every engine and checked; everything it gives must be the
// bytes of the default mode, and every call must leave the mode as it was.
#include "systole/systole.h"

#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { N = 40, OUTPUTS = 3 };

static const char source[] =
    "kernel modes[N](x: f32[N], w: bf16[N]) -> (y: f32[N], z: f8e4m3[N], "
    "t: f32[N]) {\n"
    "  e[i] = exp(x[i] * 0.3333333333 - max[j] x[j])\n"
    "  y[i] = e[i] / (sum[j] e[j]) + 1e-39 * w[i]\n"
    "  z[i] = cast(tanh(x[i]) * w[i], f8e4m3)\n"
    "  t[i] = sum[j] x[j] * w[i]\n"
    "}\n";

typedef struct {
    float y[N], t[N];
    unsigned char z[N];
    unsigned char object[1 << 16];
    size_t object_bytes;
    double worst;
} result;

static unsigned expected_mode;
static int failures;

static unsigned
get_mode(void)
{
#if defined(__x86_64__)
    return _mm_getcsr() & ~0x3fu; // without the sticky flags
#else
    return 0;
#endif
}

static void
set_mode(unsigned bits)
{
#if defined(__x86_64__)
    _mm_setcsr(0x1f80 | bits);
#else
    (void)bits;
#endif
    expected_mode = get_mode();
}

static int
call(const char *what, sy_session *s, sy_status status)
{
    if (get_mode() != expected_mode) {
        printf("%s leaves mode %04x, it was %04x\n", what, get_mode(),
               expected_mode);
        failures++;
        set_mode(expected_mode & 0xe040);
    }
    if (status == SY_OK)
        return 1;
    printf("%s: status %d\n", what, (int)status);
    for (size_t i = 0; i < sy_diagnostic_count(s); i++)
        printf("%s", sy_diagnostic_text(s, i, 0));
    failures++;
    return 0;
}

static sy_program *
compile(sy_session *s)
{
    static const sy_dim dims[] = {{"N", N}};
    sy_module *m = NULL;
    sy_program *p = NULL;
    sy_compile_options o = {.size = sizeof o,
                            .target = "tiny",
                            .dims = dims,
                            .dim_count = 1,
                            .opt_level = -1};
    if (!call("parse", s,
              sy_module_parse(s, "modes.tk", source, strlen(source),
                              SY_KIND_AUTO, &m)) ||
        !call("compile", s, sy_compile(s, m, &o, &p)))
        return NULL;
    return p;
}

static void
run(sy_session *s, sy_program *p, sy_engine engine, result *r)
{
    sy_run_options o = {.size = sizeof o, .engine = engine};
    memset(r->y, 0xff, sizeof r->y);
    memset(r->z, 0xff, sizeof r->z);
    memset(r->t, 0xff, sizeof r->t);
    call("bind", s, sy_bind(s, p, "y", r->y, sizeof r->y));
    call("bind", s, sy_bind(s, p, "z", r->z, sizeof r->z));
    call("bind", s, sy_bind(s, p, "t", r->t, sizeof r->t));
    call("draw", s, sy_draw(s, p, 7));
    call("run", s, sy_run(s, p, &o));
}

static void
emit(sy_session *s, sy_program *p, result *r)
{
    const void *bytes = NULL;
    call("emit", s,
         sy_program_emit(s, p, SY_EMIT_OBJECT, &bytes, &r->object_bytes));
    if (r->object_bytes > sizeof r->object) {
        printf("the object is too large\n");
        failures++;
        return;
    }
    memcpy(r->object, bytes, r->object_bytes);
}

static void
check(sy_session *s, sy_program *p, result *r)
{
    sy_check_options o = {.size = sizeof o, .seed = 3};
    const sy_check_row *rows = NULL;
    size_t n = 0;
    call("check", s, sy_check(s, p, &o, &rows, &n));
    set_mode(0); // this sum is ours
    for (size_t i = 0; i < n; i++)
        r->worst += rows[i].worst + rows[i].want;
}

static void
everything(unsigned mode, sy_engine engine, result *r)
{
    memset(r, 0, sizeof *r);
    set_mode(mode);
    sy_session *s = sy_session_new();
    sy_program *p = compile(s);
    if (p != NULL) {
        emit(s, p, r);
        run(s, p, engine, r);
        p = compile(s); // nothing bound
        check(s, p, r);
    }
    sy_session_free(s);
    set_mode(0);
}

int
main(void)
{
    static const unsigned modes[] = {0x2000, 0x4000, 0x6000,
                                     0x8000, 0x0040, 0xe040};
    static const sy_engine engines[] = {SY_ENGINE_INTERP, SY_ENGINE_TENSOR,
                                        SY_ENGINE_TILE};
    static result want, got;
    for (size_t e = 0; e < sizeof engines / sizeof *engines; e++) {
        everything(0, engines[e], &want);
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            everything(modes[i], engines[e], &got);
            if (memcmp(&want, &got, sizeof want) != 0) {
                printf("engine %d, mode %04x: another result\n", (int)e,
                       modes[i]);
                failures++;
            }
        }
    }
    printf("%d wrong\n", failures);
    return failures != 0;
}
