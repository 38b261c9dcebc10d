// One attribute: compile a loop for x86-64 baseline, AVX2 and AVX-512, choose when the program starts. One binary
// serves all machines. Goes on free functions that hold the hot loop themselves (a lambda inside would not inherit it).
#pragma once

#if defined(XRAI_MULTIVERSION)
#define XRAI_VECTORISE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define XRAI_VECTORISE
#endif
