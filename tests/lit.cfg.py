# SPDX-License-Identifier: Apache-2.0
# How lit runs the files under tests/: see tests/README.md.
import os
import lit.formats

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
build = os.path.abspath(lit_config.params.get("build", os.path.join(root, "build")))
variant = lit_config.params.get("variant", "release")
python = "/usr/bin/python3"

config.name = "systole"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".test", ".tk", ".tir", ".tile", ".sys"]
config.excludes = ["unit", "Inputs", "inputs"]
config.test_source_root = os.path.join(root, "tests")
config.test_exec_root = os.path.join(build, variant, "lit")

config.substitutions += [
    ("%systole", os.path.join(build, variant, "systole")),
    ("%expect", f"{python} {root}/tests/expect.py"),
    ("%python", python),
    ("%examples", os.path.join(root, "examples")),
    ("%root", root),
    ("%build", os.path.join(build, variant)),
    ("%gen", os.path.join(build, "gen")),
    (r"\bFileCheck\b", "FileCheck-19"),
]
config.available_features.add(variant)
if variant != "asan":
    config.available_features.add("memory-limit")
config.environment["NO_COLOR"] = "1"
config.environment["LC_ALL"] = "C.UTF-8"
config.environment["PYTHONPATH"] = os.path.join(root, "tests")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
