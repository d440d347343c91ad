# SPDX-License-Identifier: Apache-2.0
# make check: every value of the narrow types. make check-long: every binary32
# input, in shards that are kept in a ledger (long.py).
EXHAUSTIVE := convert unary sweep
EXHAUSTIVE_BIN := $(EXHAUSTIVE:%=$(B)/exhaustive/%)
EXHAUSTIVE_OBJ := $(patsubst %,$(B)/obj/tests/exhaustive/%.o,oracle format screen)

# Not the golden model: the host's own instructions, in vectors.
$(B)/obj/tests/exhaustive/screen.o $(B)/obj/tests/exhaustive/sweep.o: OPT_release := -O3 -g \
  -march=native -mprefer-vector-width=512 -fopenmp-simd -fno-trapping-math -fno-math-errno
$(B)/obj/tests/exhaustive/screen.o $(B)/obj/tests/exhaustive/sweep.o: WARN += -Wno-unknown-pragmas

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
