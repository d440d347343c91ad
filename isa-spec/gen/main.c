// SPDX-License-Identifier: Apache-2.0
// isa-gen IN_DIR OUT_H OUT_C OUT_MD: the instruction set's tables to C and to
// the manual. See isa-spec/README.md for the language of the tables.
#include "isa-spec/gen/gen.h"

#include <stdio.h>
#include <string.h>

static int
write_out(gen *g, const char *path, void (*emit)(const gen *, strbuf *))
{
    strbuf out = strbuf_new(g->a);
    const char *err = NULL;
    emit(g, &out);
    if (file_write(g->a, path, strbuf_str(&out), &err))
        return 0;
    fprintf(stderr, "isa-gen: cannot write '%s': %s\n", path, err);
    return 1;
}

int
main(int argc, char **argv)
{
    if (argc != 5) {
        fputs("usage: isa-gen IN_DIR OUT_H OUT_C OUT_MD\n", stderr);
        return 2;
    }
    arena *a = arena_new();
    if (!a)
        return 1;
    gen *g = ARENA_NEW(a, gen);
    g->a = a;
    g->dir = argv[1];
    g->hash = 0xcbf29ce484222325u;
    g->expr_of = map_new(a);
    gen_parse(g, STR("machine.isa"));
    gen_check_all(g);
    int bad = write_out(g, argv[2], gen_emit_header) ||
              write_out(g, argv[3], gen_emit_tables) ||
              write_out(g, argv[4], gen_emit_manual);
    arena_free(a);
    return bad;
}
