# SPDX-License-Identifier: Apache-2.0
"""What the tests of bad input share: a runner that holds every rejected command
to what is promised of it. It exits with the status, names the numbers, stays
under one second of processor time and 256 MB of address space, prints nothing
on standard output and leaves no file behind."""
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYSTOLE = os.path.abspath(sys.argv[1])
# Sanitised code reserves terabytes and is slow.
IS_ASAN = "/asan/" in SYSTOLE
MEGABYTES, SECONDS = 256, 1
COMPILE = ("build", "asm", "disasm")


class Bad:
    def __init__(self):
        self.passed = 0
        self.failures = []

    def limits(self, input_bytes):
        def apply():
            seconds = SECONDS * (20 if IS_ASAN else 1)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if not IS_ASAN:
                room = (MEGABYTES << 20) + input_bytes
                resource.setrlimit(resource.RLIMIT_AS, (room, room))
        return apply

    def run(self, args, files, stdin):
        """In a fresh directory with these files; gives status, standard output
        and error, and what is new in the directory."""
        d = tempfile.mkdtemp()
        try:
            for name, data in files.items():
                with open(f"{d}/{name}", "wb") as f:
                    f.write(data.encode() if isinstance(data, str) else data)
            size = sum(len(x) for x in files.values()) + len(stdin or b"")
            done = subprocess.run([SYSTOLE] + args, cwd=d, input=stdin, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=120, preexec_fn=self.limits(size))
            new = sorted(set(os.listdir(d)) - set(files))
            return done.returncode, done.stdout, done.stderr.decode(errors="replace"), new
        finally:
            shutil.rmtree(d)

    def fail(self, name, why, err=""):
        self.failures.append(name)
        print(f"{name}: {why}\n{err[:600]}")

    def reject(self, name, args, codes, status=1, files=None, stdin=None, says=None):
        """codes: every number expected, in order of appearance, as "E0123"; a
        number followed by +: and maybe more."""
        args = list(args)
        if args[0] in COMPILE and "-o" not in args and not any(a.startswith("--emit") for a in args):
            args += ["-o", "out"]
        got, out, err, new = self.run(args, files or {}, stdin)
        found = re.findall(r"\[([EW]\d{4})\]", err)
        want = codes.split()
        more = want and want[-1].endswith("+")
        want = [w.rstrip("+") for w in want]
        if got != status:
            return self.fail(name, f"exit status {got}, expected {status}", err)
        if (found[:len(want)] if more else found) != want:
            return self.fail(name, f"numbers {found}, expected {want}", err)
        if out:
            return self.fail(name, f"standard output: {out[:200]!r}")
        if new:
            return self.fail(name, f"left behind: {new}")
        if says and says not in err:
            return self.fail(name, f"does not say {says!r}", err)
        if not err:
            return self.fail(name, "says nothing")
        self.passed += 1
        return err

    def accept(self, name, args, files=None, stdin=None, says=""):
        """What must not be rejected, as the counterpart of what must."""
        got, out, err, _ = self.run(list(args), files or {}, stdin)
        if got != 0 or "[E" in err or says not in err + out.decode(errors="replace"):
            self.fail(name, f"exit status {got}, expected 0", err)
            return None
        self.passed += 1
        return out

    def make(self, args, files=None, stdin=None):
        """Standard output of a command that has to work, without limits."""
        d = tempfile.mkdtemp()
        try:
            for name, data in (files or {}).items():
                with open(f"{d}/{name}", "wb") as f:
                    f.write(data.encode() if isinstance(data, str) else data)
            return subprocess.run([SYSTOLE] + args, cwd=d, input=stdin, stdout=subprocess.PIPE,
                                  check=True).stdout
        finally:
            shutil.rmtree(d)

    def end(self):
        print(f"{self.passed} passed, {len(self.failures)} failed")
        sys.exit(1 if self.failures else 0)


def example(name):
    with open(f"{ROOT}/examples/{name}.tk") as f:
        return f.read()
