# SPDX-License-Identifier: Apache-2.0
# The only build file. Output goes to build/<variant>/, generated sources to
# build/gen/.  make | check | asan | demo | install | deps
VARIANT ?= release
B := build/$(VARIANT)
G := build/gen
CC ?= gcc

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla \
  -Wdouble-promotion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
  -Wcast-qual -Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough -Wredundant-decls -fno-common
OPT_release := -O2 -g
OPT_debug := -O0 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS := -std=c17 $(OPT_$(VARIANT)) $(WARN) $(WERROR) -fPIC -fvisibility=hidden -ffp-contract=off \
  -D_GNU_SOURCE -I. -I$(G) -Iinclude
LDLIBS := -lelf -lxxhash -ljansson
