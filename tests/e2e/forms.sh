#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# forms.sh SYSTOLE TEMP FILE OPTION...: every form of a program leads back to
# itself, the same input gives the same bytes, and readelf reads the object.
set -eu
systole=$1 t=$2 file=$3
shift 3
rm -rf "$t"
mkdir -p "$t"

"$systole" build "$file" "$@" -o "$t/a.syo"
"$systole" build "$file" "$@" -o "$t/b.syo"
cmp "$t/a.syo" "$t/b.syo"

"$systole" disasm "$t/a.syo" -o "$t/a.sys"
"$systole" build "$file" "$@" --emit=asm | cmp - "$t/a.sys"
"$systole" asm "$t/a.sys" -o "$t/c.syo"
cmp "$t/a.syo" "$t/c.syo"
"$systole" disasm - < "$t/c.syo" | cmp - "$t/a.sys"

readelf -h "$t/a.syo" > "$t/head" 2> "$t/warnings"
readelf -S "$t/a.syo" > "$t/sections" 2>> "$t/warnings"
grep -q 'ELF64' "$t/head"
for s in .text.tensor .text.vector .text.scalar .text.gpsimd .text.sync \
  .systole.tensors .systole.sems .systole.lines .systole.hash; do
  grep -q -F "$s" "$t/sections" || { echo "no section $s"; exit 1; }
done
test ! -s "$t/warnings" || { cat "$t/warnings"; exit 1; }

for level in tensor tile; do
  "$systole" build "$file" "$@" --emit=$level > "$t/1.$level"
  "$systole" build "$t/1.$level" --emit=$level > "$t/2.$level" ||
    "$systole" build "$t/1.$level" --emit=$level
  diff "$t/1.$level" "$t/2.$level"
done
