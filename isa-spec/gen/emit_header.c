// SPDX-License-Identifier: Apache-2.0
// isa_gen.h: the opcodes.
#include "isa-spec/gen/gen.h"

void
gen_put_literal(strbuf *out, str s)
{
    strbuf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n')
            strbuf_put(out, i + 1 < s.n ? STR("\\n\"\n    \"") : STR("\\n"));
        else if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if ((unsigned char)c < 32 || (unsigned char)c > 126)
            strbuf_printf(out, "\\%03o", (unsigned char)c);
        else
            strbuf_putc(out, c);
    }
    strbuf_putc(out, '"');
}

void
gen_emit_header(const gen *g, strbuf *out)
{
    strbuf_printf(out, "// Generated from isa-spec/ (%016llx).\n",
                  (unsigned long long)g->hash);
    strbuf_put(out, STR("#ifndef SY_ISA_GEN_H_\n#define SY_ISA_GEN_H_\n\n"));
    strbuf_printf(out, "#define ISA_VERSION %uu\n\n", g->version);
    strbuf_put(out, STR("typedef enum isa_opcode {\n    ISA_ILLEGAL = 0,\n"));
    for (uint32_t i = 0; i < g->insns.n; i++) {
        const gen_insn *in = &g->insns.at[i];
        strbuf_printf(out, "    ISA_%.*s = 0x%02x,\n",
                      STR_ARG(gen_upper(g->a, in->name)), in->opcode);
    }
    strbuf_put(out, STR("} isa_opcode;\n\n#endif\n"));
}
