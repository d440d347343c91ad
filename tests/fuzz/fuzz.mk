# SPDX-License-Identifier: Apache-2.0
# make fuzz: every libFuzzer target for FUZZ_SECONDS each. make check: the same
# targets over seeds and deterministic mutations (replay.c).
FUZZ_SECONDS ?= 30
FUZZ_TARGETS ?= tk tensor tile asm object npy target
FUZZ := $(BUILD)/fuzz
FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
  -fno-omit-frame-pointer
# The command's own reader of arrays belongs to no library.
FUZZ_TOOL := tools/npy.c

# ---- libFuzzer: the library once more, with clang and coverage ------------------

FUZZ_OBJ := $(LIB_SRC:%.c=$(FUZZ)/obj/%.o) $(GEN_SRC:$(G)/%.c=$(FUZZ)/obj/gen/%.o) \
  $(FUZZ_TOOL:%.c=$(FUZZ)/obj/%.o) $(FUZZ)/obj/tests/fuzz/fuzz_compile.o $(FUZZ)/obj/tests/fuzz/mutate.o
FUZZ_BIN := $(FUZZ_TARGETS:%=$(FUZZ)/fuzz_%)

$(FUZZ)/obj/%.o: %.c Makefile | $(GEN_HDR)
	@mkdir -p $(@D)
	$(call say,FUZZ  $<)
	$(Q)$(CLANG) -std=c17 $(FUZZ_FLAGS) -ffp-contract=off $(INCLUDES) -MMD -MP -c $< -o $@
$(FUZZ)/obj/gen/%.o: $(G)/%.c Makefile | $(GEN_HDR)
	@mkdir -p $(@D)
	$(call say,FUZZ  $<)
	$(Q)$(CLANG) -std=c17 $(FUZZ_FLAGS) -ffp-contract=off $(INCLUDES) -Ifrontend -MMD -MP -c $< -o $@
$(FUZZ)/library.a: $(FUZZ_OBJ)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^
$(FUZZ)/fuzz_%: $(FUZZ)/obj/tests/fuzz/fuzz_%.o $(FUZZ)/library.a
	$(call say,LINK  $@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
-include $(FUZZ_OBJ:.o=.d)
.PRECIOUS: $(FUZZ)/obj/%.o

.PHONY: fuzz fuzz-build
fuzz-build: $(COMMAND) $(FUZZ_BIN)

# Inputs that crash are left in $(FUZZ); they belong into tests/fuzz/regress/.
fuzz: deps
	+@$(SUBMAKE) fuzz-build
	@$(PYTHON) tests/fuzz/seeds.py $(COMMAND) $(FUZZ)/seeds
	@set -e; for t in $(FUZZ_TARGETS); do echo "fuzz_$$t"; \
	  mkdir -p $(FUZZ)/corpus/$$t tests/fuzz/regress/$$t; \
	  $(FUZZ)/fuzz_$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=32768 \
	    -artifact_prefix=$(FUZZ)/$$t- -print_final_stats=1 -verbosity=0 \
	    $(FUZZ)/corpus/$$t $(FUZZ)/seeds/$$t tests/fuzz/regress/$$t; \
	done

# ---- replay: as part of make check, in the variant's own flags -------------------

REPLAY := $(FUZZ_TARGETS:%=$(B)/fuzz/replay_%)

$(B)/fuzz/replay_%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/obj/tests/fuzz/replay.o \
  $(B)/obj/tests/fuzz/fuzz_compile.o $(B)/obj/tests/fuzz/mutate.o $(B)/obj/tools/npy.o $(STATIC)
	@mkdir -p $(@D)
	$(call say,LINK  $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.PRECIOUS: $(B)/obj/%.o
-include $(wildcard $(B)/obj/tests/fuzz/*.d)

test-build: $(REPLAY)
