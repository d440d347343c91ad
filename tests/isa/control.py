# SPDX-License-Identifier: Apache-2.0
# Branches, and what a stream with branches may not do.
import sys

import numpy as np

from oneengine import Program, faults, finish, same

systole = sys.argv[1]

HOLDS = {"lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
         "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
         "ge": lambda a, b: a >= b, "gt": lambda a, b: a > b}


def put(p, slot):
    """r2 into word `slot` of partition 0."""
    p.do(f"iota dst=sbuf[0,{4 * slot}]i32{{}} iota_reg=r2 parts=1")


def conditions():
    """Each condition, both kinds of operand: 1 where it is taken."""
    pairs = [(0, 0), (-1, 0), (0, -1), (2**62, -2**62), (-2**63, 2**63 - 1),
             (5, 4), (4, 5)]
    p, want = Program(systole), []
    y = p.output("y", "i32", (1, 2 * len(pairs) * len(HOLDS) + 1))
    for name, holds in HOLDS.items():
        for a, b in pairs:
            for rb in (False, True):
                other = f"rb=r3 " if rb else f"imm={b} "
                p.do(f"reg r1=mov({a}) r3=mov({b}) r2=mov(1)",
                     f"branch {name} ra=r1 {other}to=1", "reg r2=mov(0)")
                put(p, len(want))
                want.append(int(holds(a, b)))
    p.do("reg r2=mov(7)", "branch always to=1", "reg r2=mov(8)")
    put(p, len(want))
    want.append(7)
    p.store(y, 0, 0, len(want), 1)
    same("conditions", p.run()[1]["y"], np.array([want], np.int32))


def backward():
    """A loop made of a branch, inside a loop: sum of 0..n for n below 6; a
    branch to an endloop goes on with the next iteration."""
    p = Program(systole)
    y = p.output("y", "i32", (1, 6))
    p.do("loop count=6 body=8",
         "reg r4=mul(r56,4) r2=mov(0) r1=mov(0)",
         "reg r2=add(r2,r1)", "reg r1=add(r1,1)",
         "branch le ra=r1 rb=r56 to=-3",
         "iota dst=sbuf[0,0+r4]i32{} iota_reg=r2 parts=1",
         "branch ne ra=r56 imm=3 to=1",
         "iota dst=sbuf[0,0+r4]i32{} iota_base=-1 parts=1",
         "drain",
         "endloop")
    p.store(y, 0, 0, 6, 1)
    same("backward", p.run()[1]["y"],
         np.array([[0, 1, 3, -1, 10, 15]], np.int32))
    p = Program(systole)
    y = p.output("y", "i32", (1, 4))
    p.do("loop count=4 body=4", "reg r4=mul(r56,4) r2=mov(r56)",
         "branch eq ra=r56 imm=2 to=2", "reg r2=add(r56,100)",
         "branch always to=0", "endloop")
    p.lines[0] = "loop count=4 body=5"
    p.lines.insert(5, "iota dst=sbuf[0,0+r4]i32{} iota_reg=r2 parts=1")
    p.store(y, 0, 0, 4, 1)
    same("to the end of the body", p.run()[1]["y"],
         np.array([[100, 101, 2, 103]], np.int32))


def rejected():
    for lines in (["branch always to=-2"], ["branch always to=9"],
                  ["branch always to=1", "loop count=2 body=1", "drain",
                   "endloop"],
                  ["loop count=2 body=2", "branch always to=2", "drain",
                   "endloop"],
                  ["loop count=2 body=3", "loop count=2 body=1",
                   "branch always to=0", "endloop", "endloop"]):
        p = Program(systole)
        p.do(*lines)
        good = lines == ["loop count=2 body=3", "loop count=2 body=1",
                         "branch always to=0", "endloop", "endloop"]
        faults(str(lines), p.run(), 0 if good else 1, None if good else "E0807")
    p = Program(systole)
    p.do("branch always to=-1")
    faults("for ever", p.run("--limit-instructions=100000"), 5, "E0890")
    p = Program(systole)
    p.do("loop count=1000000000000 body=2", "branch always to=-1", "drain",
         "endloop")
    faults("for ever in a loop", p.run("--limit-instructions=100000"), 5,
           "E0890")


conditions()
backward()
rejected()
finish()
