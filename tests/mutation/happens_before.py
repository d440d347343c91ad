#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""happens_before.py FILE.sys...: which conflicting accesses a program orders, and
which of its semaphore waits that order needs.

Written from docs/isa.md and docs/design/machine.md alone and sharing nothing
with runtime/: it reads the text of `systole disasm`, executes each engine's
control, paints the bytes of every operand, hands out tokens and compares all
conflicting accesses. Prints, per file, the races of the program as it stands,
and each wait: `needed`, with two accesses that its deletion leaves unordered,
or `redundant`.

All variants of a program (as it stands, and without one wait each) are computed
in one pass: a clock is a table with one row a variant. That works because
deleting a wait never blocks anyone, so the steps of the original run, in their
order, are a legal run of every variant too."""
import re
import sys

import numpy as np

ENGINES = ["tensor", "vector", "scalar", "gpsimd", "sync"]
BYTES = {"f32": 4, "tf32": 4, "f16": 2, "bf16": 2, "f8e4m3": 1, "f8e5m2": 1, "f8e3m4": 1,
         "i8": 1, "i16": 2, "i32": 4, "u8": 1, "u16": 2, "u32": 4, "bool": 1}
READ, WRITE = 0, 1


class Bad(Exception):
    """The text is not a program, or the program cannot run to its end."""


# ---- reading the text ------------------------------------------------------------

DIM = re.compile(r"\((-?\d+),(?:r(\d+)<=)?(\d+)\)")
PLACE = re.compile(r"(sbuf|psum|hbm)\[(\d+),(-?0x[0-9a-f]+|-?\d+)(?:\+r(\d+))?(?:,(-?\d+))?\]"
                   r"([a-z0-9]+)(\{[^}]*\})?$")
WAIT = re.compile(r" wait s(\d+):(\d+)")
POST = re.compile(r" post s(\d+):(\d+)@(read|complete)")
MICRO = re.compile(r"r(\d+)=(\w+)\(([^)]*)\)")
HEAD = re.compile(r'\.tensor (\w+) (\w+) \[([\d,]*)\] "((?:[^"\\]|\\.)*)"')


WRITTEN = ("dst", "dst2", "red")
ROLES = WRITTEN + ("a", "b", "s0", "s1")
# The operand that an index places, anywhere in its tensor.
INDEXED = {"dma_gather": "a", "dma_scatter": "dst"}
COMPARE = {"always": lambda a, b: True, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
           "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "ge": lambda a, b: a >= b,
           "gt": lambda a, b: a > b}


class Operand:
    """A pattern as written; `role` is one of ROLES."""

    def __init__(self, role, text):
        m = PLACE.match(text)
        if not m:
            raise Bad(f"operand {text}")
        mem, first, offset, reg, pstep, dtype, dims = m.groups()
        self.role = role
        self.mem = mem if mem != "hbm" else int(first)  # a tensor's number
        self.part = 0 if mem == "hbm" else int(first)
        self.offset = int(offset, 0)
        self.reg = int(reg or 0)
        self.size = BYTES[dtype]
        self.pstep = int(pstep or 0) * self.size
        self.dims = [(int(s) * self.size, int(r or 0), int(n)) for s, r, n in DIM.findall(dims or "")]


class Insn:
    """One static instruction."""

    def __init__(self, engine, line, text):
        self.engine, self.line, self.text = engine, line, text
        words = text.split()
        self.op = words[0].split(".")[0]
        self.waits = [(int(s), int(k)) for s, k in WAIT.findall(text)]
        self.posts = [(int(s), int(k), w) for s, k, w in POST.findall(text)]
        fields = dict(w.split("=", 1) for w in words[1:] if "=" in w)

        def number(name):
            return int(fields.get(name, "0").lstrip("r"))
        self.queue = number("queue")
        self.parts, self.parts_reg = number("parts"), number("parts_reg")
        self.dst_parts, self.dst_parts_reg = number("dst_parts"), number("dst_parts_reg")
        self.count, self.count_reg = number("count"), number("count_reg")
        combines = self.queue and {"add", "max", "min", "skip"} & set(words)
        self.adds = ("accumulate" in words or number("first_mask") != 0 or bool(combines)
                     or self.op in ("select", "scatter", "dma_scatter"))
        self.condition = [w for w in words[1:] if w in COMPARE] if self.op == "branch" else []
        self.compare = [number("ra"), number("rb"), int(fields.get("imm", 0)), int(fields.get("to", 0))]
        self.operands = [Operand(r, fields[r]) for r in ROLES
                         if re.match(r"(sbuf|psum|hbm)\[", fields.get(r, ""))]
        self.micro = [self.parse_micro(*m) for m in MICRO.findall(text)] if self.op == "reg" else []

    @staticmethod
    def parse_micro(rd, op, args):
        args = args.split(",")
        regs = [int(a[1:]) if a.strip().startswith("r") else None for a in args]
        return int(rd), op, regs, [0 if r is not None else int(a, 0) for r, a in zip(regs, args)]


class Program:
    def __init__(self, text):
        self.lines = text.splitlines()
        self.tensors = []  # (kind, name, bytes)
        self.sems = []     # (producer, consumer, credits)
        self.code = {e: [] for e in ENGINES}
        engine = None
        for number, line in enumerate(self.lines):
            if line.startswith("    ") and engine:
                self.code[engine].append(Insn(engine, number, line.strip()))
            elif line.startswith(".tensor "):
                kind, dtype, shape, name = HEAD.match(line).groups()
                size = BYTES[dtype]
                for n in shape.split(","):
                    size *= int(n) if n else 1
                self.tensors.append((kind, name, size))
            elif line.startswith(".sem "):
                _, producer, consumer, credits = line.split()
                self.sems.append((producer, consumer, int(credits)))
            elif line.startswith(".stream "):
                engine = line.split()[1]
        if not any(self.code.values()):
            raise Bad("no streams")

    def waits(self):
        """Every static wait: (instruction, which of its waits)."""
        return [(i, k) for e in ENGINES for i in self.code[e] for k in range(len(i.waits))]

    def without(self, insn, k):
        """The text without one wait."""
        at = list(WAIT.finditer(self.lines[insn.line]))[k]
        line = self.lines[insn.line]
        return "\n".join(self.lines[:insn.line] + [line[:at.start()] + line[at.end():]]
                         + self.lines[insn.line + 1:]) + "\n"


# ---- bytes -------------------------------------------------------------------------

class Painter:
    """Footprints, each painted once: where it lies (SBUF, PSUM or a tensor's
    number), first and last partition, first and last byte, and the bytes from
    the first on as bits. HBM has no partitions."""

    def __init__(self):
        self.known, self.list = {}, []

    def number(self, key):
        if key not in self.known:
            self.known[key] = len(self.list)
            self.list.append(self.paint(*key))
        return self.known[key]

    @staticmethod
    def paint(mem, part, parts, base, size, pstep, dims):
        at = np.zeros(1, np.int64) + base
        for step, count in dims + (((pstep, parts),) if isinstance(mem, int) else ()):
            at = (at[:, None] + step * np.arange(count)).ravel()
        low = int(at.min())
        if low < 0:
            raise Bad("an address below 0")
        bits = np.zeros(int(at.max()) - low + size, bool)
        for i in range(size):
            bits[at - low + i] = True
        mask = int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
        first, last = (0, 0) if isinstance(mem, int) else (part, part + parts - 1)
        return mem, first, last, low, low + len(bits) - 1, mask

    def conflicts(self):
        """Of each footprint the numbers of those that share a byte with it."""
        spaces = {}
        for i, f in enumerate(self.list):
            spaces.setdefault(f[0], []).append(i)
        out = [None] * len(self.list)
        for members in spaces.values():
            boxes = np.array([self.list[i][1:5] for i in members], np.int64)
            for i in members:
                _, first, last, low, high, mask = self.list[i]
                near = np.flatnonzero((boxes[:, 0] <= last) & (boxes[:, 1] >= first)
                                      & (boxes[:, 2] <= high) & (boxes[:, 3] >= low))
                out[i] = np.array([j for j in (members[n] for n in near) if self.shares(low, mask, j)], np.int64)
        return out

    def shares(self, low, mask, j):
        other, bits = self.list[j][3], self.list[j][5]
        return (mask & bits << (other - low) if other >= low else mask << (low - other) & bits) != 0


# ---- one engine's control ----------------------------------------------------------------

def signed(x):
    return (x + 2 ** 63) % 2 ** 64 - 2 ** 63


def compute(op, x):
    if op == "mov":
        return x[0]
    if op == "add":
        return signed(x[0] + x[1])
    if op == "sub":
        return signed(x[0] - x[1])
    if op == "mul":
        return signed(x[0] * x[1])
    if op == "madd":
        return signed(x[0] + x[1] * x[2])
    if op in ("min", "max"):
        return (min if op == "min" else max)(x)
    if op == "wrap":
        return x[0] - x[1] if x[0] >= x[1] else x[0]
    if op in ("div", "mod") and x[1] > 0:
        return x[0] // x[1] if op == "div" else x[0] % x[1]
    raise Bad(f"micro-operation {op}")


class Step:
    """One executed instruction: what it takes, touches and gives."""

    def __init__(self, insn, touches):
        self.insn, self.touches = insn, touches  # (footprint, READ or WRITE)


class Engine:
    def __init__(self, program, engine, painter, steps_max):
        self.code, self.painter, self.left = program.code[engine], painter, steps_max
        # Nobody may write these, so nobody conflicts on them.
        self.constant = {n for n, (kind, _, _) in enumerate(program.tensors) if kind in ("input", "const")}
        self.bytes = [size for _, _, size in program.tensors]
        self.reg = [0] * 64

    def steps(self):
        loops, pc = [], 0  # (first instruction of the body, iterations)
        while True:
            i = self.code[pc]
            self.left -= 1
            if self.left < 0:
                raise Bad("the program is too long")
            pc += 1
            if i.op == "reg":
                for rd, op, regs, imm in i.micro:
                    self.reg[rd] = compute(op, [v if r is None else self.reg[r] for r, v in zip(regs, imm)])
            elif i.op == "loop":
                count = self.reg[i.count_reg] if i.count_reg else i.count
                if count > 0:
                    self.reg[56 + len(loops)] = 0
                    loops.append((pc, count))
                else:
                    pc = self.after_loop(pc)
            elif i.op == "endloop":
                counter = 56 + len(loops) - 1
                self.reg[counter] += 1
                if self.reg[counter] < loops[-1][1]:
                    pc = loops[-1][0]
                else:
                    self.reg[counter] = 0
                    loops.pop()
            elif i.op == "branch":
                ra, rb, imm, to = i.compare
                pc += to if COMPARE[i.condition[0]](self.reg[ra], self.reg[rb] if rb else imm) else 0
            elif i.op == "reg_load":
                raise Bad("control or addresses depend on data")
            elif i.op == "end":
                return
            else:
                yield Step(i, self.touches(i))

    def after_loop(self, pc):
        depth = 1
        while depth:
            depth += {"loop": 1, "endloop": -1}.get(self.code[pc].op, 0)
            pc += 1
        return pc

    def touches(self, i):
        out = []
        for o in i.operands:
            own = o.role == "dst" and i.op in ("matmul", "preduce")
            parts, reg = (i.dst_parts, i.dst_parts_reg) if own else (i.parts, i.parts_reg)
            parts = self.reg[reg] if reg else parts
            dims = tuple((s, self.reg[r] if r else n) for s, r, n in o.dims)
            if parts == 0 or any(n == 0 for _, n in dims):
                return []
            if o.mem in self.constant:
                continue
            key = (o.mem, o.part, parts, o.offset + (self.reg[o.reg] if o.reg else 0),
                   o.size, o.pstep, dims)
            if INDEXED.get(i.op) == o.role:
                key = (o.mem, 0, 1, 0, 1, 0, ((1, self.bytes[o.mem]),))
            f = self.painter.number(key)
            if o.role not in WRITTEN:
                out.append((f, READ))
            else:
                # A matmul that adds in some iterations only is taken to read in all:
                # whoever conflicts with that read conflicts with the write beside it.
                out += [(f, READ)] if i.adds else []
                out.append((f, WRITE))
        return out


# ---- a legal run -----------------------------------------------------------------------------

def run(program, steps_max=2_000_000):
    """The steps of all engines in an order that the semaphores allow, and the
    painter of their footprints."""
    painter = Painter()
    source = {e: Engine(program, e, painter, steps_max).steps() for e in ENGINES if program.code[e]}
    tokens = [credits for _, _, credits in program.sems]
    nexts = {e: next(s, None) for e, s in source.items()}
    order, moved = [], True
    while moved:
        moved = False
        for e in source:
            while nexts[e] is not None:
                insn = nexts[e].insn
                need = {}
                for s, k in insn.waits:
                    need[s] = need.get(s, 0) + k
                if any(tokens[s] < k for s, k in need.items()):
                    break
                for s, k in insn.waits:
                    tokens[s] -= k
                for s, k, _ in insn.posts:
                    tokens[s] += k
                order.append(nexts[e])
                nexts[e] = next(source[e], None)
                moved = True
    if any(n is not None for n in nexts.values()):
        raise Bad("deadlock")
    return order, painter


# ---- who conflicts with whom -------------------------------------------------------------------

class Needs:
    """For each access of the run: the latest conflicting access of every stream
    and kind before it. Knowing that one is done includes all older ones."""

    def __init__(self, painter, columns):
        self.conflicts = painter.conflicts()
        self.last = np.zeros((len(painter.list), columns), np.int64)

    def before(self, f, kind):
        need = self.last[self.conflicts[f]].max(axis=0)
        if kind == READ:
            need[READ::2] = 0  # two reads do not conflict
        return need

    def note(self, f, column, seq):
        self.last[f, column] = seq


# ---- what each stream knows ----------------------------------------------------------------------

class Clocks:
    """Vector clocks of all variants at once: arrays [variant, 2 * stream + kind].
    An array is never changed once made, so tokens share them."""

    def __init__(self, program, deleted):
        self.streams = {}
        for e in ENGINES:
            for i in program.code[e]:
                self.streams.setdefault(e, len(self.streams))
                if i.queue:
                    self.streams.setdefault(f"q{i.queue}", len(self.streams))
        self.columns = 2 * len(self.streams)
        self.variants = 1 + len(deleted)
        self.rows = {}  # (instruction, which wait) -> its variant
        self.same_sem = {}  # semaphore -> variants in which a wait on it is missing
        for v, (insn, k) in enumerate(deleted, 1):
            self.rows[id(insn), k] = v
            self.same_sem.setdefault(insn.waits[k][0], []).append(v)
        zero = np.zeros((self.variants, self.columns), np.int64)
        self.known = {s: zero for s in self.streams}
        self.seq = {s: 0 for s in self.streams}
        self.given = [[zero] * credits for _, _, credits in program.sems]
        self.taken = [np.zeros(self.variants, np.int64) for _ in program.sems]

    def take(self, insn):
        """Joins the tokens of an instruction's waits into what its engine knows."""
        e = insn.engine
        for k, (sem, count) in enumerate(insn.waits):
            mine = self.rows.get((id(insn), k), 0)
            for _ in range(count):
                at = self.taken[sem][0]
                token = self.given[sem][at]
                moved = [v for v in self.same_sem.get(sem, ()) if v != mine and self.taken[sem][v] != at]
                if moved or mine:
                    token = token.copy()
                for v in moved:
                    token[v] = self.given[sem][self.taken[sem][v]][v]
                if mine:
                    token[mine] = 0
                    self.taken[sem][mine] -= 1
                self.taken[sem] += 1
                self.known[e] = np.maximum(self.known[e], token)

    def stamp(self, clock, stream, kinds, seq):
        clock = clock.copy()
        for kind in kinds:
            clock[:, 2 * self.streams[stream] + kind] = seq
        return clock

    def start(self, insn):
        """The instruction begins: (stream of its accesses, number, clock)."""
        e = insn.engine
        self.take(insn)
        self.seq[e] += 1
        if not insn.queue:
            return e, self.seq[e], self.known[e]
        q = f"q{insn.queue}"
        self.seq[q] += 1
        knows = self.stamp(self.known[e], e, (READ, WRITE), self.seq[e] - 1)
        # What the earlier transfers knew; of their own accesses nothing.
        self.known[q] = np.maximum(self.known[q], knows)
        return q, self.seq[q], knows

    def give(self, insn, stream, seq):
        for sem, count, when in insn.posts:
            kinds = (READ,) if when == "read" else (READ, WRITE)
            self.given[sem] += [self.stamp(self.known[stream], stream, kinds, seq)] * count


def analyse(program, deleted):
    """The run, and for the program as it stands and without each of the waits
    `deleted` the first unordered conflict: (place in the run, footprint, kind,
    column of the other) or None."""
    order, painter = run(program)
    clocks = Clocks(program, deleted)
    needs = Needs(painter, clocks.columns)
    found = [None] * clocks.variants
    for place, step in enumerate(order):
        stream, seq, knows = clocks.start(step.insn)
        own = 2 * clocks.streams[stream]
        for f, kind in step.touches:
            need = needs.before(f, kind)
            if not step.insn.queue:
                need[own:own + 2] = 0  # an engine's own accesses are in order
            short = knows < need
            for v in np.flatnonzero(short.any(axis=1)):
                if found[v] is None:
                    found[v] = (place, f, kind, int(np.flatnonzero(short[v])[0]))
        for f, kind in step.touches:
            needs.note(f, own + kind, seq)
        clocks.give(step.insn, stream, seq)
    return order, painter, clocks, found


def place_text(program, painter, f):
    mem, first, last, low, high, _ = painter.list[f]
    if isinstance(mem, int):
        return f"tensor '{program.tensors[mem][1]}', bytes {low} to {high}"
    return f"{mem}, partitions {first} to {last}, bytes {low} to {high}"


class Report:
    """What one wait is worth."""

    def __init__(self, insn, k, needed, why):
        self.insn, self.k, self.needed, self.why = insn, k, needed, why

    def __str__(self):
        sem = self.insn.waits[self.k][0]
        return (f"line {self.insn.line + 1}: {self.insn.engine} {self.insn.op} wait s{sem}: "
                f"{'needed' if self.needed else 'redundant'}{self.why}")


def explain(program, order, painter, clocks, finding):
    if finding is None:
        return ""
    place, f, kind, column = finding
    stream = list(clocks.streams)[column // 2]
    insn = order[place].insn
    return (f": {insn.engine} line {insn.line + 1} {'writes' if kind else 'reads'} {place_text(program, painter, f)}, "
            f"which {stream} {'writes' if column % 2 else 'reads'} unordered")


def judge(program):
    """(race of the program as it stands or '', a Report for each wait, number
    of executed steps)."""
    deleted = program.waits()
    order, painter, clocks, found = analyse(program, deleted)
    reports = [Report(i, k, f is not None, explain(program, order, painter, clocks, f))
               for (i, k), f in zip(deleted, found[1:])]
    return explain(program, order, painter, clocks, found[0]), reports, len(order)


def main():
    bad = False
    for name in sys.argv[1:]:
        with open(name) as f:
            race, reports, steps = judge(Program(f.read()))
        bad = bad or bool(race)
        print(f"{name}: {steps} steps; {'races' + race if race else 'no race'}")
        for r in reports:
            print(r)
        print(f"{sum(r.needed for r in reports)} waits needed, {sum(not r.needed for r in reports)} redundant")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
