// SPDX-License-Identifier: Apache-2.0
// The host's floating-point mode while our arithmetic runs.
#include "numerics/numerics.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

num_env
num_env_enter(void)
{
    num_env saved = {_mm_getcsr()};
    _mm_setcsr(0x1f80); // no traps, nearest-even, no flushing of subnormals
    return saved;
}

void
num_env_leave(num_env saved)
{
    _mm_setcsr(saved.mxcsr);
}

void
num_env_forget(void)
{
    _mm_setcsr(_mm_getcsr() & ~(unsigned)_MM_EXCEPT_MASK);
}

bool
num_env_rounded(void)
{
    return _mm_getcsr() & _MM_EXCEPT_INEXACT;
}
#else
// Elsewhere the ABI's default mode is what we need.
num_env
num_env_enter(void)
{
    return (num_env){0};
}

void
num_env_leave(num_env saved)
{
    (void)saved;
}

void
num_env_forget(void)
{
}

bool
num_env_rounded(void)
{
    return true;
}
#endif
