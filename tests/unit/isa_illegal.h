// SPDX-License-Identifier: Apache-2.0
// One instruction for every rule of legality, which breaks that rule alone on
// "tiny" with half of its queues.
#ifndef SY_TESTS_ISA_ILLEGAL_H
#define SY_TESTS_ISA_ILLEGAL_H

typedef struct {
    const char *engine, *text, *rule; // rule: "C1", or "P1 dst"
} illegal_insn;

#define DST "dst=sbuf[0,0x0]f32{(1,4)} "
#define A   "a=sbuf[0,0x40]f32{(1,4)} "
#define B   "b=sbuf[0,0x80]f32{(1,4)} "
#define P   "parts=8"
#define G   "dma_gather queue=1 "
#define GD  "dst=sbuf[0,0x0]f32{(1,4)} "
#define GA  "a=hbm[0,0x0,2]f32{(1,2)} "
#define GB  "b=sbuf[0,0x40]i32{(1,2)} "
#define S   "dma_scatter queue=1 "
#define SD  "dst=hbm[0,0x0,2]f32{(1,2)} "
#define SA  "a=sbuf[0,0x0]f32{(1,4)} "

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

    {"tensor",
     "matmul dst=psum[0,0x2]f32{(1,2)} a=sbuf[0,0x0]bf16{(1,2)} "
     "parts=2 dst_parts=2",
     "P3 dst"},
    {"tensor",
     "matmul dst=psum[0,0x0]f32{(1,2)} a=psum[0,0x0]bf16{(1,2)} "
     "parts=2 dst_parts=2",
     "C1"},
    {"tensor",
     "matmul dst=sbuf[0,0x0]f32{(1,2)} a=sbuf[0,0x0]bf16{(1,2)} "
     "parts=2 dst_parts=2",
     "C2"},
    {"tensor",
     "matmul dst=psum[0,0x0]f32{(0,65)} a=sbuf[0,0x0]bf16{(1,65)} "
     "parts=2 dst_parts=2",
     "C5"},
    {"tensor",
     "matmul dst=psum[0,0x0]f32{(1,3)} a=sbuf[0,0x0]bf16{(1,2)} "
     "parts=2 dst_parts=2",
     "C6"},
    {"tensor",
     "matmul dst=psum[0,0xfc]f32{(1,2)} a=sbuf[0,0x0]bf16{(1,2)} "
     "parts=2 dst_parts=2",
     "C7"},
    {"tensor",
     "matmul dst=psum[0,0x0]f32{(1,2)} a=sbuf[0,0x0]i32{(1,2)} "
     "parts=2 dst_parts=2",
     "C8"},
    {"tensor",
     "matmul dst=psum[0,0x0]f16{(1,2)} a=sbuf[0,0x0]bf16{(1,2)} "
     "parts=2 dst_parts=2",
     "C9"},
    {"tensor",
     "matmul accumulate first_mask=1 dst=psum[0,0x0]f32{(1,2)} "
     "a=sbuf[0,0x0]bf16{(1,2)} parts=2 dst_parts=2",
     "C10"},

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
