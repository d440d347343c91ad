# SPDX-License-Identifier: Apache-2.0
# The only build file. Output goes to build/<variant>/, generated sources to
# build/gen/.  make | check | asan | demo | install | deps | lint | docs
VARIANT ?= release
BUILD ?= build
B := $(BUILD)/$(VARIANT)
G := $(BUILD)/gen
CC ?= gcc
CLANG ?= clang-19
PYTHON ?= /usr/bin/python3
JOBS ?= 2
PREFIX ?= /usr/local
VERSION := 0.1.0
SOVERSION := 0

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla \
  -Wdouble-promotion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
  -Wcast-qual -Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough -Wredundant-decls -fno-common
# Warnings are errors with the compiler whose warnings are known; sanitised
# code has spurious ones.
WERROR ?= $(if $(filter 12-release,$(shell $(CC) -dumpversion)-$(VARIANT)),-Werror)
OPT_release := -O2 -g
OPT_debug := -O0 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
INCLUDES := -D_GNU_SOURCE -I. -I$(G) -Iinclude
CFLAGS = -std=c17 $(OPT_$(VARIANT)) $(WARN) $(WERROR) -fPIC -fvisibility=hidden -ffp-contract=off \
  $(INCLUDES)
LDFLAGS := $(filter -fsanitize%,$(OPT_$(VARIANT)))
LDLIBS := -lelf -lxxhash -ljansson -lm
TEST_LDLIBS := -lcmocka -lmpfr -lgmp

# A line a file; V=1 shows the commands.
Q := $(if $(V),,@)
say = @$(if $(V),:,echo '  $(1)')

# ---- sources: whatever is in the folders -------------------------------------

FOLDERS := support numerics isa-spec frontend ir backend runtime api
LIB_SRC := $(sort $(wildcard $(FOLDERS:%=%/*.c)))
TOOL_SRC := $(sort $(wildcard tools/*.c))
GEN_SRC := $(G)/isa_tables.c $(G)/tk_lex.c $(G)/tk_parse.c $(G)/embedded_lib.c
GEN_HDR := $(G)/isa_gen.h $(G)/tk_parse.h $(G)/tk_lex.h
LIB_OBJ := $(LIB_SRC:%.c=$(B)/obj/%.o) $(GEN_SRC:$(G)/%.c=$(B)/obj/gen/%.o)
TOOL_OBJ := $(TOOL_SRC:%.c=$(B)/obj/%.o)
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
CLANG_OK := $(patsubst %.c,$(BUILD)/clang/%.ok,$(LIB_SRC) $(TOOL_SRC) $(UNIT_SRC))

COMMAND := $(B)/systole
STATIC := $(B)/libsystole.a
SHARED := $(B)/libsystole.so.$(VERSION)

# ---- what one types ------------------------------------------------------------

# Parallel unless the caller already said how.
SUBMAKE = $(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: all build check asan demo install deps build-deps demo-deps lint docs drift clean \
  test-build clang-check
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -r # no rules but those below: yacc's would overwrite a parse.c
.DEFAULT_GOAL := all

all: build-deps
	+@$(SUBMAKE) build

build: $(COMMAND) $(STATIC) $(SHARED) $(B)/systole.pc
ifeq ($(VARIANT),release)
	@ln -sf $(VARIANT)/systole $(BUILD)/systole
endif

check: deps
	+@$(SUBMAKE) test-build
	@$(PYTHON) tests/run.py --build $(BUILD) --variant $(VARIANT) --jobs $(JOBS) \
	  $(if $(filter release,$(VARIANT)),--step 'clang $(CLANG) without warnings') \
	  $(if $(filter release,$(VARIANT)),--step 'drift') $(T)

asan:
	+@$(MAKE) VARIANT=asan check

demo: demo-deps all
	@$(PYTHON) examples/demo.py $(COMMAND)

# ---- what must be installed ------------------------------------------------------

BUILD_DEPS := gcc libc6-dev flex bison libelf-dev libxxhash-dev libjansson-dev
CHECK_DEPS := clang-19 clang-format-19 llvm-19-tools libcmocka-dev libmpfr-dev libgmp-dev \
  python3 python3-numpy binutils pkg-config
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)

# Installs the packages that dpkg does not know as installed; elsewhere than on
# Debian it does nothing and the compiler will say what is missing.
define need
	@command -v dpkg-query >/dev/null || exit 0; missing=; \
	for p in $(1); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done; \
	test -z "$$missing" && exit 0; \
	echo "installing$$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -q -y --no-install-recommends $$missing
endef

build-deps:
	$(call need,$(BUILD_DEPS))
demo-deps:
	$(call need,$(BUILD_DEPS) python3 python3-numpy)
deps:
	$(call need,$(BUILD_DEPS) $(CHECK_DEPS))

# ---- generated sources -------------------------------------------------------------

# Programs that run during the build: never sanitised, the same in all variants.
HOST_CC := $(CC) -std=c17 -O1 $(WARN) -ffp-contract=off -D_GNU_SOURCE -I. -Iinclude
SUPPORT_SRC := $(wildcard support/*.c)

$(G)/isa-gen: $(wildcard isa-spec/gen/*.c isa-spec/gen/*.h support/*.[ch] support/*.def numerics/*.def numerics/*.h)
	$(call say,HOST  $@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -o $@ $(filter isa-spec/gen/%.c,$^) $(SUPPORT_SRC)

$(G)/embed: lib/gen/embed.c $(wildcard support/*.[ch] support/*.def)
	$(call say,HOST  $@)
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -o $@ $< $(SUPPORT_SRC)

$(G)/isa_gen.h: $(G)/isa-gen $(shell find isa-spec -name '*.isa' -o -name '*.target' -o -name '*.def')
	$(call say,GEN   $@)
	$(Q)$(G)/isa-gen isa-spec $(G)/isa_gen.h $(G)/isa_tables.c $(G)/isa.md
$(G)/isa_tables.c: $(G)/isa_gen.h
	@touch $@

$(G)/tk_lex.h: frontend/lex.l
	$(call say,GEN   $@)
	@mkdir -p $(@D)
	$(Q)flex --header-file=$(G)/tk_lex.h -o $(G)/tk_lex.c $<
$(G)/tk_lex.c: $(G)/tk_lex.h
	@touch $@
$(G)/tk_parse.h: frontend/parse.y
	$(call say,GEN   $@)
	@mkdir -p $(@D)
	$(Q)bison -Werror --defines=$(G)/tk_parse.h -o $(G)/tk_parse.c $<
$(G)/tk_parse.c: $(G)/tk_parse.h
	@touch $@

$(G)/embedded_lib.c: $(G)/embed $(sort $(wildcard lib/*.tk))
	$(call say,GEN   $@)
	$(Q)$(G)/embed $@ $(filter %.tk,$^)

# ---- compiling ----------------------------------------------------------------------

-include $(LIB_OBJ:.o=.d) $(TOOL_OBJ:.o=.d) $(UNIT:=.d)

# The inner loops of the arithmetic.
$(B)/obj/numerics/%.o $(B)/obj/runtime/interp.o: OPT_release := -O3 -g

$(B)/obj/%.o: %.c Makefile | $(GEN_HDR)
	$(call say,CC    $<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/gen/%.o: $(G)/%.c Makefile | $(GEN_HDR)
	$(call say,CC    $<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 $(OPT_$(VARIANT)) -Wall -Wno-unused-function -fPIC -fvisibility=hidden \
	  -ffp-contract=off $(INCLUDES) -Ifrontend -MMD -MP -c $< -o $@

$(STATIC): $(LIB_OBJ)
	$(call say,AR    $@)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(SHARED): $(LIB_OBJ)
	$(call say,LINK  $@)
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,libsystole.so.$(SOVERSION) -Wl,-z,defs -o $@ $^ $(LDLIBS)
	@ln -sf $(@F) $(B)/libsystole.so.$(SOVERSION)
	@ln -sf $(@F) $(B)/libsystole.so

$(COMMAND): $(TOOL_OBJ) $(STATIC)
	$(call say,LINK  $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/unit/%: tests/unit/%.c $(STATIC) Makefile | $(GEN_HDR)
	$(call say,TEST  $<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(filter %.o,$^) $(STATIC) \
	  $(TEST_LDLIBS) $(LDLIBS)
$(B)/unit/test_numerics $(B)/unit/test_numerics_func $(B)/unit/test_tile_bound: $(B)/obj/tests/exhaustive/oracle.o

test-build: build $(UNIT)
-include tests/fuzz/fuzz.mk
-include tests/exhaustive/exhaustive.mk

# The second compiler, for its warnings.
$(BUILD)/clang/%.ok: %.c Makefile | $(GEN_HDR)
	$(call say,CLANG $<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -std=c17 $(WARN) -Werror -fsyntax-only -ffp-contract=off $(INCLUDES) \
	  -MMD -MP -MF $(@:.ok=.d) -MT $@ $<
	@touch $@
-include $(CLANG_OK:.ok=.d)
clang-check: $(CLANG_OK)

# ---- tidiness -----------------------------------------------------------------------

lint:
	@$(PYTHON) tests/lint.py

$(G)/library.md: lib/gen/table.py $(sort $(wildcard lib/*.tk))
	@mkdir -p $(@D)
	$(Q)$(PYTHON) $< lib $@

docs: $(G)/isa_gen.h $(G)/library.md
	cp $(G)/isa.md $(G)/library.md docs/
drift: $(G)/isa_gen.h $(G)/library.md
	@cmp $(G)/isa.md docs/isa.md && cmp $(G)/library.md docs/library.md || { echo "run: make docs"; exit 1; }

# ---- installing ---------------------------------------------------------------------

$(B)/systole.pc: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: systole' 'Description: compiler and golden model of a systolic accelerator ISA' \
	  'Version: $(VERSION)' 'Libs: -L$${libdir} -lsystole' \
	  'Libs.private: $(LDLIBS)' 'Cflags: -I$${includedir}' > $@

install: all
	@rm -f $(B)/systole.pc
	+@$(MAKE) --no-print-directory $(B)/systole.pc
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	  $(DESTDIR)$(PREFIX)/include/systole $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(COMMAND) $(DESTDIR)$(PREFIX)/bin/systole
	install -m 644 $(STATIC) $(DESTDIR)$(PREFIX)/lib/libsystole.a
	install -m 755 $(SHARED) $(DESTDIR)$(PREFIX)/lib/
	ln -sf libsystole.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libsystole.so.$(SOVERSION)
	ln -sf libsystole.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib/libsystole.so
	install -m 644 include/systole/*.h $(DESTDIR)$(PREFIX)/include/systole/
	install -m 644 $(B)/systole.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	install -m 644 docs/systole.1 $(DESTDIR)$(PREFIX)/share/man/man1/

clean:
	rm -rf $(BUILD)
