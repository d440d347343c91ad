// SPDX-License-Identifier: Apache-2.0
// One instruction for every rule of legality, which breaks that rule alone on
// "tiny" with half of its queues. An engine after "bare": on a target without
// any feature and with generators of one word.
#ifndef SY_TESTS_ISA_ILLEGAL_H
#define SY_TESTS_ISA_ILLEGAL_H

typedef struct {
    const char *engine, *text, *rule; // rule: "C1", or "P1 dst"
} illegal_insn;

#define DST  "dst=sbuf[0,0x0]f32{(1,4)} "
#define A    "a=sbuf[0,0x40]f32{(1,4)} "
#define B    "b=sbuf[0,0x80]f32{(1,4)} "
#define P    "parts=8"
#define A3   "a=sbuf[0,0x40]f32{(1,3)} "
#define A9   "a=sbuf[0,0x40]f32{(1,9)} "
#define B8   "b=sbuf[0,0x80]u8{(1,4)} "
#define DST8 "dst=sbuf[0,0x0]f32{(1,8)} "
#define DST9 "dst=sbuf[0,0x0]f32{(1,9)} "
#define IDX8 "dst=sbuf[0,0x0]u32{(1,8)} "
#define VALS "s1=sbuf[0,0x100]f32 "
#define RED  "red=sbuf[0,0xc0]f32 "
#define G    "dma_gather queue=1 "
#define GD   "dst=sbuf[0,0x0]f32{(1,4)} "
#define GA   "a=hbm[0,0x0,2]f32{(1,2)} "
#define GB   "b=sbuf[0,0x40]i32{(1,2)} "
#define S    "dma_scatter queue=1 "
#define SD   "dst=hbm[0,0x0,2]f32{(1,2)} "
#define SA   "a=sbuf[0,0x0]f32{(1,4)} "

#define T "dst=sbuf[0,0x0]bf16{} a=sbuf[0,0x40]bf16{} dst2=sbuf[0,0x80]u32{} "

static const illegal_insn broken[] = {
    {"sync", "reg r56=mov(1)", "U1 uop[0]"},
    {"sync", "reg r1=mov(1) r2=div(r1,0)", "U2 uop[1]"},
    {"sync", "reg r1=mov(1) r2=mod(r1,-3)", "U2 uop[1]"},
    {"sync", "reg", "C1"},
    {"sync", "loop count=3", "C1"},
    {"sync", "mark queue=9", "C1"},
    {"sync", "mark queue=2 post s1:1@read", "C2"},
    {"sync", "mark queue=2 post s1:1@complete post s1:2@complete", "C3"},

    {"tensor", "ldw a=sbuf[8,0x0]bf16{(1,2)} parts=16", "P1 a"},
    {"tensor", "ldw a=sbuf[3,0x0]bf16{(1,2)} parts=2", "P2 a"},
    {"tensor", "ldw a=sbuf[4,0x0]bf16{(1,2)} parts=8", "P2 a"},
    {"tensor", "ldw a=psum[0,0x0]bf16{(1,2)} parts=2", "C1"},
    {"tensor", "ldw a=sbuf[0,0x0]bf16{(1,17)} parts=2", "C3"},
    {"tensor", "ldw a=sbuf[0,0x0]i8{(1,2)} parts=2", "C4"},

#define LDW_TILE "a=sbuf[4,0x0]bf16{(1,2)} parts=4"
    {"tensor", "ldw row0=4 tile_rows=2 " LDW_TILE, "T1 a"},
    {"tensor", "ldw row0=3 tile_rows=4 " LDW_TILE, "T1 a"},
    {"tensor", "ldw row0=16 tile_rows=4 " LDW_TILE, "T1 a"},
    {"tensor", "ldw row0=4 " LDW_TILE, "T1 a"},
    {"tensor", "ldw tile_rows=5 " LDW_TILE, "T1 a"},
    {"tensor", "ldw tile_rows=4 a=sbuf[0,0x0]bf16{(1,2)} parts=5", "T2 a"},
    {"tensor", "ldw row0=8 tile_rows=4 " LDW_TILE, "T3 a"},
    {"tensor", "ldw col0=2 tile_cols=4 " LDW_TILE, "C5"},
    {"tensor", "ldw tile_cols=4 a=sbuf[4,0x0]bf16{(1,5)} parts=4", "C6"},

#define MM_DST   "dst=psum[0,0x0]f32{(1,2)} "
#define MM_A     "a=sbuf[0,0x0]bf16{(1,2)} "
#define MM_PARTS "parts=2 dst_parts=2"
    {"tensor", "matmul dst=psum[0,0x2]f32{(1,2)} " MM_A MM_PARTS, "P3 dst"},
    {"tensor", "matmul " MM_DST "a=psum[0,0x0]bf16{(1,2)} " MM_PARTS, "C1"},
    {"tensor", "matmul dst=sbuf[0,0x0]f32{(1,2)} " MM_A MM_PARTS, "B1 dst"},
    {"tensor",
     "matmul dst=psum[0,0x0]f32{(0,65)} a=sbuf[0,0x0]bf16{(1,65)} " MM_PARTS,
     "C3"},
    {"tensor", "matmul dst=psum[0,0x0]f32{(1,3)} " MM_A MM_PARTS, "C4"},
    {"tensor", "matmul dst=psum[0,0xfc]f32{(1,2)} " MM_A MM_PARTS, "B3 dst"},
    {"tensor", "matmul " MM_DST "a=sbuf[0,0x0]i32{(1,2)} " MM_PARTS, "C5"},
    {"tensor", "matmul dst=psum[0,0x0]f16{(1,2)} " MM_A MM_PARTS, "C6"},
    {"tensor", "matmul accumulate first_mask=1 " MM_DST MM_A MM_PARTS, "C7"},
    {"tensor", "matmul col0=4 tile_cols=8 " MM_DST MM_A MM_PARTS, "T4 dst"},
    {"tensor", "matmul tile_cols=4 " MM_DST MM_A "parts=2 dst_parts=5",
     "T5 dst"},
    {"tensor", "matmul col0=4 tile_cols=4 " MM_DST MM_A MM_PARTS, "T6 dst"},

#define MX_A "a=sbuf[0,0x0]f8e4m3fnx4{(1,2)} "
#define MX_B "b=sbuf[0,0x40]e8m0{(1,2)} "
#define MX_P "parts=8"
    {"tensor",
     "ldw_mx a=sbuf[8,0x0]f4e2m1x4{(1,2)} b=sbuf[8,0x40]e8m0{(1,2)} parts=16",
     "M1 a"},
    {"tensor",
     "ldw_mx a=sbuf[4,0x0]f4e2m1x4{(1,2)} b=sbuf[4,0x40]e8m0{(1,2)} parts=8",
     "M2 a"},
    {"tensor", "ldw_mx a=sbuf[0,0xffe]f4e2m1x4{(1,2)} " MX_B MX_P, "M3 a"},
    {"tensor", "ldw_mx a=psum[0,0x0]f8e4m3fnx4{(1,2)} " MX_B MX_P, "C1"},
    {"tensor",
     "ldw_mx a=sbuf[0,0x0]f4e2m1x4{(1,18)} b=sbuf[0,0x40]e8m0{(1,18)} " MX_P,
     "C3"},
    {"tensor",
     "ldw_mx a=sbuf[0,0x0]f4e2m1x4{(1,3)} b=sbuf[0,0x40]e8m0{(1,3)} " MX_P,
     "C4"},
    {"tensor", "ldw_mx " MX_A "b=sbuf[0,0x40]e8m0{(1,1)} " MX_P, "C5"},
    {"tensor", "ldw_mx a=sbuf[0,0x0]f8e4m3fn{(1,2)} " MX_B MX_P, "C6"},
    {"tensor", "ldw_mx " MX_A "b=sbuf[4,0x40]e8m0{(1,2)} " MX_P, "C7"},
    {"tensor",
     "ldw_mx a=sbuf[4,0x0]f8e4m3fnx4{(1,2)} b=sbuf[4,0x40]e8m0{(1,2)} "
     "parts=4",
     "S4 b"},
    {"tensor", "ldw_mx " MX_A "b=psum[0,0x40]e8m0{(1,2)} " MX_P, "S1 b"},
    {"tensor", "ldw_mx " MX_A "b=sbuf[0,0xfff]e8m0{(1,2)} " MX_P, "S2 b"},
    {"tensor", "ldw_mx " MX_A "b=sbuf[0,0x40]i8{(1,2)} " MX_P, "S3 b"},
    {"tensor", "ldw_mx " MX_A MX_B "parts=4", "S4 b"},
    {"tensor",
     "matmul_mx " MM_DST "a=psum[0,0x0]f8e4m3fnx4{(1,2)} " MX_B MX_P
     " dst_parts=2",
     "C1"},
    {"tensor",
     "matmul_mx dst=psum[0,0x0]f32{(0,65)} a=sbuf[0,0x0]f4e2m1x4{(1,65)} "
     "b=sbuf[0,0x100]e8m0{(1,65)} " MX_P " dst_parts=2",
     "C3"},
    {"tensor",
     "matmul_mx " MM_DST MX_A "b=sbuf[0,0x40]e8m0{(1,1)} " MX_P " dst_parts=2",
     "C4"},
    {"tensor",
     "matmul_mx " MM_DST "a=sbuf[0,0x0]f8e5m2{(1,2)} " MX_B MX_P " dst_parts=2",
     "C5"},
    {"tensor",
     "matmul_mx dst=psum[0,0x0]f16{(1,2)} " MX_A MX_B MX_P " dst_parts=2",
     "C6"},
    {"tensor",
     "matmul_mx accumulate first_mask=1 " MM_DST MX_A MX_B MX_P " dst_parts=2",
     "C7"},
    {"tensor",
     "matmul_mx " MM_DST MX_A "b=sbuf[5,0x40]e8m0{(1,2)} " MX_P " dst_parts=2",
     "C8"},

    {"tensor",
     "matmul_mx dst=psum[0,0xfc]f32{(1,2)} " MX_A MX_B MX_P " dst_parts=2",
     "B3 dst"},

#define ROWS_A "a=sbuf[0,0x0]f8e4m3{(2,2)(1,2)} "
    {"tensor", "ldw_rows a=psum[0,0x0]f8e4m3{(1,4)} parts=2", "C1"},
    {"tensor", "ldw_rows a=sbuf[0,0x0]f8e4m3{(1,34)} parts=2", "C3"},
    {"tensor", "ldw_rows a=sbuf[0,0x0]f8e4m3{(1,3)} parts=2", "C4"},
    {"tensor", "ldw_rows a=sbuf[0,0x0]bf16{(1,4)} parts=2", "C5"},
    {"tensor", "matmul_rows " MM_DST "a=psum[0,0x0]f8e4m3{(1,4)} " MM_PARTS,
     "C1"},
    {"tensor",
     "matmul_rows dst=psum[0,0x0]f32{(0,65)} "
     "a=sbuf[0,0x0]f8e4m3{(1,130)} " MM_PARTS,
     "C3"},
    {"tensor", "matmul_rows " MM_DST "a=sbuf[0,0x0]f8e4m3{(1,2)} " MM_PARTS,
     "C4"},
    {"tensor", "matmul_rows " MM_DST "a=sbuf[0,0x0]bf16{(1,4)} " MM_PARTS,
     "C5"},
    {"tensor", "matmul_rows dst=psum[0,0x0]f16{(1,2)} " ROWS_A MM_PARTS, "C6"},
    {"tensor", "matmul_rows accumulate first_mask=1 " MM_DST ROWS_A MM_PARTS,
     "C7"},

    {"tensor", "matmul_rows dst=psum[0,0xfc]f32{(1,2)} " ROWS_A MM_PARTS,
     "B3 dst"},

#define T_DST "dst=psum[0,0x0]bf16{(1,2)} "
    {"tensor", "pe_transpose " T_DST "a=psum[0,0x0]bf16{(1,2)} " MM_PARTS,
     "C1"},
    {"tensor",
     "pe_transpose dst=psum[0,0x0]bf16{(1,65)} "
     "a=sbuf[0,0x0]bf16{(1,65)} " MM_PARTS,
     "C3"},
    {"tensor", "pe_transpose " T_DST "a=sbuf[0,0x0]bf16{(1,3)} " MM_PARTS,
     "C4"},
    {"tensor",
     "pe_transpose dst=psum[0,0x0]i32{(1,2)} a=sbuf[0,0x0]i32{(1,2)} " MM_PARTS,
     "C5"},
    {"tensor", "pe_transpose dst=psum[0,0x0]f32{(1,2)} " MM_A MM_PARTS, "C6"},
    {"tensor",
     "pe_transpose dst=psum[0,0x0]f8e5m2{(1,2)} "
     "a=sbuf[0,0x0]f8e5m2{(1,2)} " MM_PARTS,
     "C6"},

    {"tensor",
     "pe_transpose dst=psum[0,0xfc]bf16{(1,4)} "
     "a=sbuf[0,0x0]bf16{(1,4)} " MM_PARTS,
     "B3 dst"},

#define Q_DST "dst=sbuf[0,0x80]f8e5m2x4{(1,2)} "
#define Q_A   "a=sbuf[0,0x0]bf16{(1,8)} "
#define Q_S   "dst2=sbuf[0,0x40]e8m0{(1,2)} "
    {"vector", "quantize_mx " Q_DST "a=psum[0,0x0]bf16{(1,8)} " Q_S MX_P, "C1"},
    {"vector", "quantize_mx dst=psum[0,0x80]f8e5m2x4{(1,2)} " Q_A Q_S MX_P,
     "C1"},
    {"vector", "quantize_mx " Q_DST "a=sbuf[0,0x0]bf16{(1,9)} " Q_S MX_P, "C2"},
    {"vector", "quantize_mx " Q_DST Q_A "dst2=sbuf[0,0x40]e8m0{} " MX_P, "C2"},
    {"vector", "quantize_mx " Q_DST "a=sbuf[0,0x0]f32{(1,8)} " Q_S MX_P, "C3"},
    {"vector", "quantize_mx dst=sbuf[0,0x80]f4e2m1x4{(1,2)} " Q_A Q_S MX_P,
     "C4"},
    {"vector", "quantize_mx " Q_DST Q_A "dst2=sbuf[4,0x40]e8m0{(1,2)} " MX_P,
     "C5"},
    {"vector", "quantize_mx mode=2 " Q_DST Q_A Q_S MX_P, "C6"},

    {"vector", "copy " DST "a=sbuf[0,0xffc]f32{(1,4)} " P, "P4 a"},
    {"vector", "copy " DST "a=sbuf[0,0x0]f32{(-1,4)} " P, "P4 a"},
    {"vector", "copy " DST "a=sbuf[0,0x0+r3]f32{(1024,4)} " P, "P4 a"},
    {"gpsimd", "copy " DST "a=psum[0,0x0]f32{(1,4)} " P, "P5 a"},
    {"vector", "copy " DST "a=sbuf[0,0x0]f8e4m3fnx4{(1,4)} " P, "P6 a"},
    {"sync", "dma queue=1 dst=hbm[0,0x0,4]f4e2m1x4{} a=sbuf[0,0x0]f32{} " P,
     "D4 dst"},
    {"vector", "copy " DST "a=sbuf[0,0x0]f32{(1,3)} " P, "C1"},

    {"vector", "fill.f32 " DST "s0=sbuf[16,0x0]f32 " P, "V1 s0"},
    {"vector", "fill.f32 " DST "s0=sbuf[4,0x0]f32 " P, "V2 s0"},
    {"vector", "fill.f32 " DST "s0=psum[0,0x3]f32 " P, "V3 s0"},
    {"vector", "fill.f32 " DST "s0=sbuf[0,0xffd]f32 " P, "V4 s0"},
    {"vector", "fill.f32 " DST "s0=psum[0,0x1fe]f32 " P, "V3 s0"},
    {"gpsimd", "fill.f32 " DST "s0=psum[0,0x0]f32 " P, "V5 s0"},
    {"vector", "fill.f32 " DST "s0=sbuf[0,0x0]f8e5m2x4 " P, "V6 s0"},

    {"vector", "act.f32 neg " DST "a=sbuf[0,0x0]f32{(1,3)} " P, "C1"},
    {"vector", "act.f32 not " DST A P, "C2"},
    {"gpsimd", "act.i32 exp " DST A P, "C2"},
    {"scalar", "act.i32 neg " DST A P, "C3"},
    {"vector", "act.f32 exp " DST A P, "C4"},
    {"vector", "act.i32 neg " DST A P, "C5"},
    {"gpsimd", "act.i32 neg " DST A "s0=1 " P, "C6"},

    {"vector", "act.f32 neg reset " DST A P, "C7"},
    {"scalar", "act.f32 isnan reset " DST A P, "C8"},
    {"scalar", "act.f32 exp load_reduce " DST A P, "C9"},
    {"scalar", "act.f32 exp reset " DST A "red=sbuf[0,0xc0]f32 " P, "C10"},
    {"scalar", "act.f32 exp reduce " DST A "negate " P, "C11"},
    {"scalar", "act.f32 exp reduce " DST A "red=sbuf[16,0x0]f32 " P, "R1 red"},
    {"scalar", "act.f32 exp reduce " DST A "red=sbuf[4,0x0]f32 " P, "R2 red"},
    {"scalar", "act.f32 exp reduce " DST A "red=psum[0,0x2]f32 " P, "R3 red"},
    {"scalar", "act.f32 exp reduce " DST A "red=sbuf[0,0xffd]f32 " P, "R4 red"},
    {"gpsimd", "act.f32 exp " DST A "red=psum[0,0x0]f32 " P, "R5 red"},
    {"scalar", "act.f32 exp reduce " DST A "red=sbuf[0,0x0]f4e2m1x4 " P,
     "R6 red"},

    {"vector", "tt_scan.f32 add add " DST A "b=sbuf[0,0x0]f32{(1,3)} " P, "C1"},
    {"vector",
     "tt_scan.f32 add add " DST "a=psum[0,0x0]f32{(1,4)} "
     "b=psum[0,0x0]f32{(1,4)} " P,
     "C2"},
    {"vector", "tt_scan.f32 lt add " DST A B P, "C3"},
    {"vector", "tt_scan.f32 add and " DST A B P, "C4"},
    {"vector", "tt_scan.i32 add add " DST A B P, "C5"},
    {"vector", "act_read " DST P, "C1"},

    {"bare scalar", "act2.f32 exp " DST A P, "C1"},
    {"scalar", "act2.f32 exp " DST A3 P, "C2"},
    {"scalar", "act2.i32 neg " DST A P, "C3"},
    {"scalar", "act2.f32 isnan " DST A P, "C4"},
    {"scalar", "act2.f32 exp add add " DST A P, "C5"},
    {"scalar", "act2.f32 exp max " DST A P, "C5"},
    {"scalar", "act2.f32 exp " DST A "s0=1.0 " P, "C6"},
    {"scalar", "act2.f32 exp mul " DST A "rev1 " P, "C7"},
    {"scalar", "act2.f32 exp " DST A "s2=1.0 " P, "C8"},
    {"scalar", "act2.f32 exp reduce=sum cmd=load_reduce " DST A P, "C9"},
    {"scalar", "act2.f32 exp reduce=sum " DST A P, "C10"},
    {"scalar", "act2.f32 exp cmd=reset " DST A P, "C10"},
    {"scalar", "act2.f32 exp reduce=prod cmd=reset " DST A P, "C10"},
    {"scalar", "act2.f32 exp reduce=sum cmd=reset " DST A RED P, "C11"},
    {"scalar", "act2.f32 exp reduce=sum cmd=reduce negate " DST A P, "C12"},

    {"vector", "ts_reduce.f32 add sum reset " DST A3 P, "C1"},
    {"vector", "ts_reduce.i32 add sum reset " DST A P, "C2"},
    {"vector", "ts_reduce.f32 and sum reset " DST A P, "C3"},
    {"vector", "ts_reduce.f32 add any reset " DST A P, "C4"},
    {"vector", "ts_reduce.f32 add sum reset s1=1.0 " DST A P, "C5"},
    {"vector", "ts_reduce.f32 add sum reset " DST A RED P, "C6"},
    {"vector", "ts_reduce.f32 add sum reduce negate " DST A P, "C7"},

    {"vector", "ts_scan.f32 add add reduce " DST A3 P, "C1"},
    {"vector", "ts_scan.i32 add add reduce " DST A P, "C2"},
    {"vector", "ts_scan.f32 lt add reduce " DST A P, "C3"},
    {"vector", "ts_scan.f32 add div reduce " DST A P, "C4"},
    {"vector", "ts_scan.f32 add add reset " DST A P, "C5"},
    {"vector", "ts_scan.f32 add add reduce s1=1.0 " DST A P, "C6"},
    {"vector", "ts_scan.f32 add add reduce " DST "a=sbuf[0,0x0]i32{(1,4)} " P,
     "C7"},

    {"vector", "select_fill.f32 " DST "b=sbuf[0,0x0]u8{(1,3)} " P, "C1"},

    {"vector", "select_reduce.f32 " DST A "b=sbuf[0,0x0]u8{(1,3)} " P, "C1"},
    {"vector",
     "select_reduce.f32 " DST "a=psum[0,0x0]f32{(1,4)} "
     "b=psum[0,0x0]u8{(1,4)} " P,
     "C2"},
    {"vector", "select_reduce.i32 " DST A B8 P, "C3"},
    {"vector", "select_reduce.f32 " DST A B P, "C4"},
    {"vector", "select_reduce.f32 " DST "a=sbuf[0,0x0]i32{(1,4)} " B8 P, "C5"},
    {"vector", "select_reduce.f32 load_reduce " DST A B8 P, "C6"},
    {"vector", "select_reduce.f32 reset " DST A B8 RED P, "C7"},
    {"vector", "select_reduce.f32 reduce negate " DST A B8 P, "C8"},

    {"bare vector", "range_select.f32 ge lt " DST A P, "C1"},
    {"vector", "range_select.f32 ge lt " DST A3 P, "C2"},
    {"vector", "range_select.i32 ge lt " DST A P, "C3"},
    {"vector", "range_select.f32 add lt " DST A P, "C4"},
    {"vector", "range_select.f32 ge lt iota_base=-1 " DST A P, "C5"},
    {"vector", "range_select.f32 ge lt iota_base=16777213 " DST A P, "C5"},
    {"vector", "range_select.f32 ge lt load_reduce " DST A P, "C6"},
    {"vector", "range_select.f32 ge lt reset " DST A RED P, "C7"},
    {"vector", "range_select.f32 ge lt reduce negate " DST A P, "C8"},

    {"bare vector", "exponential.f32 " DST A P, "C1"},
    {"vector", "exponential.f32 " DST A3 P, "C2"},
    {"vector", "exponential.i32 " DST A P, "C3"},
    {"vector", "exponential.f32 " DST "a=sbuf[0,0x0]tf32{(1,4)} " P, "C4"},
    {"vector", "exponential.f32 dst=sbuf[0,0x0]u32{(1,4)} " A P, "C5"},
    {"vector",
     "exponential.f32 " DST "a=sbuf[0,0x0]f32{(0,1)(0,1)(0,1)(0,1)(1,4)} " P,
     "C6"},
    {"vector", "exponential.f32 reset " DST A P, "C7"},
    {"vector", "exponential.f32 reduce s1=1.0 " DST A P, "C8"},
    {"vector", "exponential.f32 " DST A RED P, "C9"},
    {"vector", "exponential.f32 reduce negate " DST A P, "C10"},

    {"vector", "bn_stats " DST A P, "C1"},
    {"vector",
     "bn_stats dst=sbuf[0,0x0]f32{(1,6)} a=sbuf[0,0x40]u8{(1,513)} " P, "C2"},
    {"vector", "bn_aggr " DST "a=sbuf[0,0x40]f32{(1,3)} " P, "C1"},
    {"vector", "bn_aggr dst=sbuf[0,0x0]f32{(1,2)} " A P, "C2"},
    {"vector",
     "bn_aggr dst=sbuf[0,0x0]f32{(1,2)} a=sbuf[0,0x40]f32{(1,r1<=3)} " P, "C2"},

    {"vector", "max8 " DST "a=sbuf[0,0x40]f32{(1,8)} " P, "C1"},
    {"vector", "max8 " DST8 "a=sbuf[0,0x40]f32{(1,7)} " P, "C2"},
    {"vector", "max8 " DST8 "a=sbuf[0,0x40]u8{(0,16385)} " P, "C2"},
    {"vector", "max8 " DST8 "a=sbuf[0,0x40]f32{(1,r1<=9)} " P, "C2"},
    {"vector", "find8 " DST8 VALS "a=sbuf[0,0x40]f32{(1,8)} " P, "C1"},
    {"vector", "find8 " IDX8 VALS "a=sbuf[0,0x40]f32{(1,7)} " P, "C2"},
    {"vector", "find8 " IDX8 A9 P, "V1 s1"},
    {"vector", "find8 " IDX8 A9 "s1=sbuf[16,0x0]f32 " P, "V2 s1"},
    {"vector", "find8 " IDX8 A9 "s1=sbuf[4,0x0]f32 " P, "V3 s1"},
    {"vector", "find8 " IDX8 A9 "s1=psum[0,0x2]f32 " P, "V4 s1"},
    {"vector", "find8 " IDX8 A9 "s1=sbuf[0,0xfe1]f32 " P, "V5 s1"},
    {"vector", "replace8.f32 " DST8 VALS A9 P, "C1"},
    {"vector", "replace8.i32 " DST9 VALS A9 P, "C2"},
    {"vector", "replace8.f32 " DST VALS A P, "C3"},
    {"vector", "replace8.f32 " DST9 VALS A9 "red=sbuf[0,0x200]i32 " P, "C4"},
    {"vector", "replace8.f32 " DST9 VALS A9 "red=sbuf[16,0x0]u32 " P, "R1 red"},
    {"vector", "replace8.f32 " DST9 VALS A9 "red=sbuf[4,0x0]u32 " P, "R2 red"},
    {"vector", "replace8.f32 " DST9 VALS A9 "red=psum[0,0x2]u32 " P, "R3 red"},
    {"vector", "replace8.f32 " DST9 VALS A9 "red=sbuf[0,0xfe1]u32 " P,
     "R4 red"},

    {"vector", "shuffle " DST A3 "mask=0 parts=8 dst_parts=8", "C1"},
    {"vector",
     "shuffle " DST "a=sbuf[0,0x40]u32{(1,4)} mask=0 parts=8 dst_parts=8",
     "C2"},
    {"vector", "shuffle " DST A "mask=8 parts=8 dst_parts=8", "C3"},
    {"vector", "shuffle " DST A "mask=32 parts=8 dst_parts=8", "C3"},
    {"vector", "shuffle " DST A "mask=0 parts=8", "C4"},
    {"vector", "transpose32 dst=sbuf[0,0x0]u32{(1,8)} " A "parts=8 dst_parts=4",
     "C1"},
    {"vector", "transpose32 " DST8 A "parts=7 dst_parts=4", "C2"},
    {"vector",
     "transpose32 " DST8 "a=sbuf[0,0x0]f32{(1,r1<=4)} parts=8 dst_parts=4",
     "C3"},

    {"vector", "dropout.f32 " DST A3 P, "C1"},
    {"vector", "dropout.i32 " DST A P, "C2"},
    {"vector", "dropout.f32 " DST "a=sbuf[0,0x0]u32{(1,4)} " P, "C3"},
    {"vector",
     "dropout.f32 dst=sbuf[0,0x0]u32{(1,4)} a=sbuf[0,0x0]u32{(1,4)} "
     "s0=sbuf[0,0x40]f16 " P,
     "C4"},
    {"vector", "rng " DST P, "C1"},
    {"bare gpsimd", "rng dst=sbuf[0,0x0]u32{} " P, "C2"},
    {"vector", "rng_set a=sbuf[0,0x0]f32{(1,24)} " P, "C1"},
    {"vector", "rng_set a=sbuf[0,0x0]u32{(1,r1<=24)} " P, "C1"},
    {"vector", "rng_set a=sbuf[0,0x0]u32{(1,6)} " P, "C2"},
    {"gpsimd", "rng_set a=sbuf[0,0x0]u32{(1,24)} " P, "C2"},
    {"bare gpsimd", "rng_set a=sbuf[0,0x0]u32{(1,6)} " P, "C3"},
    {"vector", "rng_get dst=sbuf[0,0x0]f32{(1,24)} " P, "C1"},
    {"vector", "rng_get dst=sbuf[0,0x0]u32{(1,6)} " P, "C2"},
    {"bare gpsimd", "rng_get dst=sbuf[0,0x0]u32{(1,6)} " P, "C3"},
    {"bare vector", "rng_get dst=sbuf[0,0x0]u32{(1,1)} " P, "C4"},
    {"bare vector", "rng_uniform.f32 " DST P, "C1"},
    {"vector", "rng_uniform.i32 " DST P, "C2"},

    {"vector", "tt.f32 add " DST A "b=sbuf[0,0x0]f32{(1,3)} " P, "C1"},
    {"vector",
     "tt.f32 add " DST "a=psum[0,0x0]f32{(1,4)} "
     "b=psum[0,0x0]f32{(1,4)} " P,
     "C2"},
    {"gpsimd", "tt.f32 and " DST A B P, "C3"},
    {"vector", "tt.i32 add " DST A B P, "C4"},

    {"vector", "ts.f32 add " DST "a=sbuf[0,0x0]f32{(1,3)} " P, "C1"},
    {"vector", "ts.f32 and " DST A P, "C2"},
    {"vector", "ts.f32 add and " DST A P, "C3"},
    {"scalar", "ts.f32 sub " DST A P, "C4"},
    {"scalar", "ts.f32 mul max " DST A P, "C4"},
    {"vector", "ts.i32 and add " DST A P, "C5"},

    {"vector", "stt.f32 add add " DST A "b=sbuf[0,0x0]f32{(1,3)} " P, "C1"},
    {"vector",
     "stt.f32 add add " DST "a=psum[0,0x0]f32{(1,4)} "
     "b=psum[0,0x0]f32{(1,4)} " P,
     "C2"},
    {"vector", "stt.f32 or add " DST A B P, "C3"},
    {"vector", "stt.f32 add or " DST A B P, "C4"},
    {"vector", "stt.u32 mul add " DST A B P, "C5"},

    {"vector", "select " DST A "b=sbuf[0,0x0]u8{(1,3)} " P, "C1"},
    {"vector",
     "select " DST "a=psum[0,0x0]f32{(1,4)} "
     "b=psum[0,0x0]f32{(1,4)} " P,
     "C2"},
    {"vector", "select " DST "a=sbuf[0,0x0]i32{(1,4)} " B P, "C3"},

    {"vector", "reduce.f32 sum " DST A P, "C1"},
    {"vector", "reduce.f32 sum reduce_dims=2 " DST A P, "C1"},
    {"vector", "reduce.f32 sum reduce_dims=1 " DST A P, "C2"},
    {"vector", "reduce.f32 any reduce_dims=1 dst=sbuf[0,0x0]f32{} " A P, "C3"},
    {"vector", "reduce.i32 max reduce_dims=1 dst=sbuf[0,0x0]f32{} " A P, "C4"},
    {"vector",
     "reduce.f32 absmax reduce_dims=1 negate dst=sbuf[0,0x0]f32{} " A P, "C5"},

    {"gpsimd", "preduce.f32 sum " DST A "dst_parts=2 " P, "C1"},
    {"gpsimd",
     "preduce.f32 sum " DST "a=sbuf[0,0x0]f32{(1,3)} "
     "dst_parts=1 " P,
     "C2"},
    {"gpsimd", "preduce.bool sum " DST A "dst_parts=1 " P, "C3"},

    {"sync", "dma queue=1 dst=psum[0,0x0]f32{} a=sbuf[0,0x0]f32{} " P,
     "D1 dst"},
    {"sync", "dma queue=1 dst=hbm[0,0x0,4]f32{} a=sbuf[9,0x0]f32{} " P, "D2 a"},
    {"sync", "dma queue=1 dst=hbm[0,0x0,4]f32{} a=sbuf[0,0x1000]f32{} " P,
     "D3 a"},
    {"sync", "dma dst=hbm[0,0x0,4]f32{} a=sbuf[0,0x0]f32{} " P, "C1"},
    {"sync", "dma queue=9 dst=hbm[0,0x0,4]f32{} a=sbuf[0,0x0]f32{} " P, "C1"},
    {"sync", "dma queue=1 dst=hbm[0,0x0,4]f32{(1,2)} a=sbuf[0,0x0]f32{} " P,
     "C2"},
    {"sync",
     "dma queue=1 dst=hbm[0,0x0,4]f32{} a=sbuf[0,0x0]f32{} " P
     " post s1:1@read",
     "C3"},
    {"sync",
     "dma queue=1 dst=hbm[0,0x0,4]f32{} a=sbuf[0,0x0]f32{} " P
     " post s1:1@complete post s1:2@complete",
     "C4"},
    {"sync", G "dst=psum[0,0x0]f32{(1,4)} " GA GB P, "D1 dst"},
    {"sync", G "dst=sbuf[9,0x0]f32{(1,4)} " GA GB P, "D2 dst"},
    {"sync", G GD GA "b=sbuf[0,0xffc]i32{(1,2)} " P, "D3 b"},
    {"sync", "dma_gather " GD GA GB P, "C1"},
    {"sync", "dma_gather queue=9 " GD GA GB P, "C1"},
    {"sync", G GD "a=sbuf[0,0x0]f32{(1,2)} " GB P, "C2"},
    {"sync", G GD GA "b=sbuf[0,0x40]i16{(1,2)} " P, "C3"},
    {"sync", G GD GA "b=sbuf[0,0x40]i32{(1,3)} " P, "C4"},
    {"sync", G GD GA GB P " post s1:1@read", "C5"},
    {"sync", G GD "a=hbm[0,0x0,2]f4e2m1x4{(1,2)} " GB P, "C7"},
    {"sync", G "dst=sbuf[0,0x0]f8e5m2x4{(1,4)} " GA GB P, "D4 dst"},
    {"sync", G GD GA GB P " post s1:1@complete post s1:2@complete", "C6"},
    {"sync", S SD "a=psum[0,0x0]f32{(1,4)} " GB P, "D1 a"},
    {"sync", S SD SA "b=sbuf[9,0x0]i32{(1,2)} " P, "D2 b"},
    {"sync", S SD "a=sbuf[0,0xff4]f32{(1,4)} " GB P, "D3 a"},
    {"sync", "dma_scatter " SD SA GB P, "C1"},
    {"sync", "dma_scatter queue=9 " SD SA GB P, "C1"},
    {"sync", S "dst=sbuf[0,0x0]f32{(1,2)} " SA GB P, "C2"},
    {"sync", S SD SA "b=sbuf[0,0x40]u8{(1,2)} " P, "C3"},
    {"sync", S SD SA "b=sbuf[0,0x40]i32{(1,1)} " P, "C4"},
    {"sync", S SD SA GB P " post s1:1@read", "C5"},
    {"sync", S "dst=hbm[0,0x0,2]f8e5m2x4{(1,2)} " SA GB P, "C7"},
    {"sync", S SD SA GB P " post s1:1@complete post s1:2@complete", "C6"},

    {"gpsimd", "affine_select.f32 ge " DST "a=sbuf[0,0x0]f32{(1,3)} s0=1.0 " P,
     "C1"},

    {"gpsimd", "local_gather per_index=1 " DST A "b=sbuf[0,0x80]u16{} parts=8",
     "C1"},
    {"gpsimd", "local_gather per_index=3 " DST A "b=sbuf[0,0x80]u16{} parts=16",
     "C2"},
    {"gpsimd", "local_gather per_index=8 " DST A "b=sbuf[0,0x80]u16{} parts=16",
     "C3"},
    {"gpsimd",
     "local_gather per_index=1 dst=sbuf[0,0x0]f32{(1,17)} " A
     "b=sbuf[0,0x80]u16{} parts=16",
     "C4"},
    {"gpsimd",
     "local_gather per_index=1 dst=sbuf[0,0x0]u8{(0,4097)} a=sbuf[0,0x0]u8{} "
     "b=sbuf[0,0x80]u16{(0,300)} parts=16",
     "C5"},
    {"gpsimd", "local_gather per_index=1 " DST A "b=sbuf[0,0x80]u8{} parts=16",
     "C6"},
    {"gpsimd",
     "local_gather per_index=1 " DST
     "a=sbuf[0,0x40]i32{(1,4)} b=sbuf[0,0x80]u16{} parts=16",
     "C7"},
    {"gpsimd",
     "local_gather per_index=1 dst=sbuf[0,0x0]f32{(1,r1<=4)} " A
     "b=sbuf[0,0x80]u16{} parts=16",
     "C8"},

    {"gpsimd", "gather " DST A "b=sbuf[0,0x80]i32{(1,3)} " P, "C1"},
    {"gpsimd", "gather " DST A "b=sbuf[0,0x80]u16{(1,4)} " P, "C2"},
    {"gpsimd",
     "gather " DST "a=sbuf[0,0x40]i32{(1,9)} b=sbuf[0,0x80]i32{(1,4)} " P,
     "C3"},
    {"gpsimd", "scatter " DST A "b=sbuf[0,0x80]i32{(1,3)} " P, "C1"},
    {"gpsimd", "scatter " DST A "b=sbuf[0,0x80]f32{(1,4)} " P, "C2"},
    {"gpsimd",
     "scatter " DST "a=sbuf[0,0x40]i32{(1,4)} b=sbuf[0,0x80]i32{(1,4)} " P,
     "C3"},

    {"gpsimd",
     "bounds.i32 dst=sbuf[0,0x0]i32{(1,8)} a=sbuf[0,0x40]i32{(1,4)} parts=2",
     "C1"},
    {"gpsimd",
     "bounds.i32 dst=sbuf[0,0x0]i32{(1,7)} a=sbuf[0,0x40]i32{(1,4)} parts=1",
     "C2"},
    {"gpsimd",
     "bounds.i32 dst=sbuf[0,0x0]u8{(0,2)(0,65535)(0,2)} "
     "a=sbuf[0,0x40]u8{(0,2)(0,65535)} parts=1",
     "C3"},
    {"gpsimd",
     "bounds.i32 dst=sbuf[0,0x0]i32{(1,8)} a=sbuf[0,0x40]i32{(1,r1<=4)} "
     "parts=1",
     "C4"},
    {"gpsimd", "nonzero dst=sbuf[0,0x0]i32{(1,4)} " A "s0=0 s1=0 " P, "C1"},
    {"gpsimd", "nonzero dst=sbuf[0,0x0]f32{(1,5)} " A "s0=0 s1=0 " P, "C2"},
    {"gpsimd",
     "nonzero dst=sbuf[0,0x0]i32{(0,3)(0,30001)} "
     "a=sbuf[0,0x0]u8{(0,2)(0,45001)} s0=0 s1=0 " P,
     "C3"},
    {"gpsimd", "nonzero dst=sbuf[0,0x0]i32{(1,r1<=5)} " A "s0=0 s1=0 " P, "C4"},

    {"gpsimd", "topk n=8 k=2 " T "parts=8", "C1"},
    {"gpsimd", "topk n=7 k=2 " T "parts=16", "C2"},
    {"gpsimd", "topk n=8 k=9 " T "parts=16", "C3"},
    {"gpsimd", "topk n=17 k=2 " T "parts=16", "C4"},
    {"gpsimd",
     "topk n=8 k=2 dst=sbuf[0,0x0]bf16{(1,2)} a=sbuf[0,0x40]bf16{} "
     "dst2=sbuf[0,0x80]u32{} parts=16",
     "C5"},
    {"gpsimd",
     "topk n=8 k=2 dst=sbuf[0,0x0]bf16{} a=sbuf[0,0x40]bf16{} "
     "dst2=sbuf[0,0x80]u32{(1,2)} parts=16",
     "C6"},
    {"gpsimd",
     "topk n=8 k=2 dst=sbuf[0,0x0]f16{} a=sbuf[0,0x40]bf16{} "
     "dst2=sbuf[0,0x80]u32{} parts=16",
     "C7"},
    {"gpsimd",
     "topk n=8 k=2 dst=sbuf[0,0x0]bf16{} a=sbuf[0,0x40]bf16{} "
     "dst2=sbuf[0,0x80]u16{} parts=16",
     "C8"},
    {"gpsimd",
     "topk n=8 k=2 dst=sbuf[0,0x0]bf16{} a=sbuf[0,0x40]bf16{(1,r1<=1)} "
     "dst2=sbuf[0,0x80]u32{} parts=16",
     "C9"},

    {"gpsimd", "sort dst=sbuf[0,0x0]i32{(1,4)} " A P, "C1"},
    {"gpsimd", "sort " DST A "dst2=sbuf[0,0x80]i16{(1,4)} " P, "C2"},
    {"gpsimd", "sort dst=sbuf[0,0x0]u8{} a=sbuf[0,0x40]u8{(0,2)(0,32769)} " P,
     "C3"},
    {"gpsimd", "sort dst=sbuf[0,0x0]f32{(1,5)} " A P, "C4"},
    {"gpsimd", "sort " A "dst2=sbuf[0,0x80]i32{(1,5)} " P, "C5"},
    {"gpsimd", "sort " DST "a=sbuf[0,0x40]f32{(1,r1<=4)} " P, "C6"},
    {"gpsimd", "sort " A P, "C7"},
    {"gpsimd",
     "topk n=8 k=2 dst=sbuf[0,0x0]bf16{} a=sbuf[0,0x40]bf16{} parts=16", "C10"},
    {"gpsimd",
     "nonzero dst=sbuf[0,0x0]i32{(1,5)} " A "s0=sbuf[0,0x0]i32 s1=0 " P, "C5"},
    {"gpsimd",
     "bounds.bool dst=sbuf[0,0x0]i32{(1,8)} a=sbuf[0,0x40]i32{(1,4)} parts=1",
     "C5"},
    {"gpsimd", "affine_select.f32 add " DST A "s0=1.0 " P, "C2"},
    {"gpsimd", "affine_select.f32 ge " DST A "s0=sbuf[0,0x0]f32 " P, "C3"},
    {"sync", "reg_load rd=r1 a=sbuf[0,0x0]i32{} parts=2", "C1"},
    {"sync", "reg_load rd=r1 a=sbuf[0,0x0]i32{(1,2)} parts=1", "C1"},
    {"sync", "reg_load rd=r1 a=sbuf[0,0x0]i32{(1,r2<=1)} parts=1", "C1"},
    {"sync", "reg_load rd=r1 a=sbuf[0,0x0]f32{} parts=1", "C2"},
    {"sync", "reg_load a=sbuf[0,0x0]i32{} parts=1", "C3"},
    {"sync", "reg_load rd=r56 a=sbuf[0,0x0]i32{} parts=1", "C3"},
    {"sync", "reg_store dst=sbuf[0,0x0]i32{} iota_reg=r1 parts=2", "C1"},
    {"sync", "reg_store dst=sbuf[0,0x0]i32{(1,2)} iota_reg=r1 parts=1", "C1"},
    {"sync", "reg_store dst=sbuf[0,0x0]f32{} iota_reg=r1 parts=1", "C2"},
    {"vector", "reg_load rd=r1 a=psum[0,0x0]i32{} parts=1", "D1 a"},
};

#endif
