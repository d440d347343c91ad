// SPDX-License-Identifier: Apache-2.0
// A program outside the tree that uses the installed library.
#include <stdio.h>
#include <string.h>
#include <systole/systole.h>

int
main(void)
{
    static const char text[] =
        "kernel twice[N](x: f32[N]) -> (y: f32[N]) { y[i] = x[i] + x[i] }\n";
    float x[5] = {1, 2, 3, 4, 5}, y[5] = {0};
    sy_session *s = sy_session_new();
    sy_module *m = NULL;
    sy_program *p = NULL;
    sy_dim n = {"N", 5};
    sy_compile_options o;
    sy_run_options r;
    int ok;

    memset(&o, 0, sizeof o);
    memset(&r, 0, sizeof r);
    o.size = sizeof o;
    o.dims = &n;
    o.dim_count = 1;
    o.opt_level = -1;
    r.size = sizeof r;
    ok = s &&
         sy_module_parse(s, "t.tk", text, strlen(text), SY_KIND_AUTO, &m) ==
             SY_OK &&
         sy_compile(s, m, &o, &p) == SY_OK &&
         sy_bind(s, p, "x", x, sizeof x) == SY_OK &&
         sy_bind(s, p, "y", y, sizeof y) == SY_OK && sy_run(s, p, &r) == SY_OK;
    printf("%d %g %g\n", ok, (double)y[0], (double)y[4]);
    sy_session_free(s);
    return ok && y[4] == 10 ? 0 : 1;
}
