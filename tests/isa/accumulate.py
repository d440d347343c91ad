# SPDX-License-Identifier: Apache-2.0
"""Accumulators: what each command leaves there, and faults on undefined ones."""
import numpy as np

from machine import Machine, expect, expect_fault, f32, reduce32

STATE = 847
A = "a=sbuf[0,0x0]f32{(1,40)}"
DST = "dst=sbuf[0,0x100]bf16{(1,40)}"


def act(cmd, rest="", parts=2):
    return f"act.f32 square {cmd} {DST} {A} s0=2.0 s1=-1.0 {rest}parts={parts}"


def main():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 40)).astype(np.float32)
    y = (x * np.float32(2) + np.float32(-1)) ** 2
    total = reduce32(np.add, np.float32(0), y)

    def scalar():
        return Machine("scalar").put(0, x)
    got = scalar().do(act("reset_reduce"), act("reduce", "red=sbuf[0,0x200]f32 "),
                      "act_read negate dst=sbuf[0,0x210]f32{} parts=2",
                      act("reset"), "act_read dst=sbuf[0,0x220]f32{} parts=2",
                      ).get(0x200, "f4", 2, 1).get(0x210, "f4", 2, 1).get(0x220, "f4", 2, 1).run()
    expect("sum of two", got[0][:, 0], total + total)
    expect("negated", got[1][:, 0], -(total + total))
    expect("reset", got[2][:, 0], f32(0, 0))
    got = scalar().do(act("reset_reduce", "red=sbuf[0,0x200]bf16 negate ")
                      ).get(0x200, "u2", 2, 1).run()[0]
    t = -total
    u = t.view(np.uint32)
    expect("rounded", got[:, 0], ((u + 0x7fff + (u >> 16 & 1)) >> 16).astype(np.uint16))
    # An instruction without a command leaves them; others' lanes are undefined.
    scalar().do(act("reset"), act(""), act("reduce"), act("reduce", parts=1)).run()
    expect_fault("never set", scalar().do(act("reduce")), STATE)
    expect_fault("other lane", scalar().do(act("reset", parts=1), act("reduce")), STATE)
    expect_fault("read out", scalar().do("act_read dst=sbuf[0,0x210]f32{} parts=2"), STATE)
    expect_fault("other engine", Machine("vector").do(
        "act_read dst=sbuf[0,0x210]f32{} parts=2"), STATE)
    text = Machine("vector").do("act_read dst=sbuf[4,0x0]f32{} parts=2").fault()
    assert "lane 4" in text and "act_read" in text, text
    # Results and destinations share no byte.
    expect_fault("red on dst", scalar().do(act("reset_reduce", "red=sbuf[0,0x100]f32 ")), 844)
    expect_fault("red in a", scalar().do(act("reset_reduce", "red=sbuf[0,0x4]f32 ")), 841)


main()
