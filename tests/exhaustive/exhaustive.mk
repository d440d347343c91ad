# SPDX-License-Identifier: Apache-2.0
# make check: every value of the narrow types. make check-long: every binary32
# input, in shards that are kept in a ledger (long.py).
EXHAUSTIVE := convert unary sweep digest modes
EXHAUSTIVE_BIN := $(EXHAUSTIVE:%=$(B)/exhaustive/%)
EXHAUSTIVE_OBJ := $(patsubst %,$(B)/obj/tests/exhaustive/%.o,oracle format screen screen_pieces)

SCREEN_OBJ := $(patsubst %,$(B)/obj/tests/exhaustive/%.o,screen screen_pieces sweep)
# Not the golden model: the host's own instructions, in vectors.
$(SCREEN_OBJ): OPT_release := -O3 -g \
  -march=native -mprefer-vector-width=512 -fopenmp-simd -fno-trapping-math -fno-math-errno
$(SCREEN_OBJ): WARN += -Wno-unknown-pragmas

$(B)/exhaustive/%: $(B)/obj/tests/exhaustive/%.o $(EXHAUSTIVE_OBJ) $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK  $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lmpfr -lgmp $(LDLIBS)

test-build: $(EXHAUSTIVE_BIN)
-include $(wildcard $(B)/obj/tests/exhaustive/*.d)

# ---- the long run -----------------------------------------------------------------

LEDGER ?= $(BUILD)/ledger
LONG = $(PYTHON) tests/exhaustive/long.py --worker $(B)/exhaustive/sweep --ledger $(LEDGER) \
  $(if $(SHARDS),--shards $(SHARDS))

.PHONY: check-long check-long-numerics worst-errors
check-long: check-long-numerics
check-long-numerics: deps
	+@$(SUBMAKE) $(B)/exhaustive/sweep
	@$(LONG) $(T)
# The table of docs/numerics.md, from the ledger.
worst-errors:
	@$(LONG) --write

# ---- one digest, however numerics/ is compiled --------------------------------------

DIGEST := $(BUILD)/digest
DIGEST_SRC := $(sort $(wildcard numerics/*.c)) tests/exhaustive/digest.c
# Beside the release variant's, which is gcc -O3.
DIGEST_WAYS := gcc-O0 clang-O0 clang-O3 native
DIGEST_gcc-O0 := gcc -O0
DIGEST_clang-O0 := $(CLANG) -O0
DIGEST_clang-O3 := $(CLANG) -O3
DIGEST_native := gcc -O3 -march=native -DNUM_PORTABLE

define digest_way
$(DIGEST)/$(1)/%.o: %.c tests/exhaustive/exhaustive.mk | $(GEN_HDR)
	@mkdir -p $$(@D)
	$$(call say,$(1) $$<)
	$$(Q)$$(DIGEST_$(1)) -std=c17 -w -ffp-contract=off $(INCLUDES) -MMD -MP -c $$< -o $$@
$(DIGEST)/$(1)/digest: $(DIGEST_SRC:%.c=$(DIGEST)/$(1)/%.o)
	$$(call say,LINK  $$@)
	$$(Q)$$(DIGEST_$(1)) -o $$@ $$^
digest-build: $(DIGEST)/$(1)/digest
-include $(DIGEST_SRC:%.c=$(DIGEST)/$(1)/%.d)
endef
$(foreach w,$(DIGEST_WAYS),$(eval $(call digest_way,$(w))))
.PHONY: digest-build
ifeq ($(VARIANT),release)
test-build: digest-build
endif
