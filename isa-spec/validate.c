// SPDX-License-Identifier: Apache-2.0
// Legality: the generated rules, on one engine of one target.
#include "isa-spec/isa_int.h"

static bool
rule_broken(const isa_info *info, const isa_rule *r, loc at, diags *d)
{
    if (r->on[0])
        diag(d, at, D_ISA_RULE_ON, info->mnemonic, r->on, r->text, r->label);
    else
        diag(d, at, D_ISA_RULE, info->mnemonic, r->text, r->label);
    return false;
}

bool
isa_validate(const isa_insn *in, isa_engine e, const isa_target *t, loc at,
             diags *d)
{
    uint8_t word[ISA_INSN_BYTES];
    const char *field;
    if (!isa_encode(in, word, &field)) {
        diag(d, at, D_ISA_ENCODE, isa_mnemonic(in->op), field);
        return false;
    }
    const isa_info *info = isa_info_of(in->op);
    if (!isa_engine_runs(e, in->op)) {
        diag(d, at, D_ISA_ENGINE, isa_engine_name(e), info->mnemonic);
        return false;
    }
    isa_cx x = {in, e, t};
    for (uint32_t i = 0; i < info->nrule; i++) {
        const isa_rule *r = &info->rule[i];
        if (!r->form && !r->holds(&x))
            return rule_broken(info, r, at, d);
    }
    return true;
}
