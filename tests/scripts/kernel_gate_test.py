#!/usr/bin/env python3
"""The gate reports each fault that it is there for: python3 tests/scripts/kernel_gate_test.py [NVCC]

Kernels with one planted fault each are compiled and judged; one without fault must pass. Needs the CUDA toolkit.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NVCC = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"

# A kernel that PROMISES knows: two 16-byte loads and a 16-byte store, no double precision.
RIGHT = """
#include "kernels/element.h"
namespace xrai::kernels::cuda {
__global__ void BOUNDS map_two_kernel(const float* a, const float* b, float* y, int* count) {
  const int i = 4 * threadIdx.x;
  float4 x = *reinterpret_cast<const float4*>(a + i);
  const float4 z = *reinterpret_cast<const float4*>(b + i);
  x.x += z.x, x.y += z.y, x.z += z.z, x.w += z.w;
  BODY
  *reinterpret_cast<float4*>(y + i) = x;
}
}
"""


def judge(body="", bounds="__launch_bounds__(256)", change=("", "")):
    source = RIGHT.replace(*change).replace("BODY", body).replace("BOUNDS", bounds)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "planted.cu").write_text(source)
        return subprocess.run([str(ROOT / "scripts" / "kernel_gate"), "--kernels", folder, "--architectures", "80",
                               "--nvcc", NVCC], capture_output=True, text=True,
                              env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))


class KernelGate(unittest.TestCase):
    def expect_fault(self, words, **planted):
        done = judge(**planted)
        self.assertIn(words, done.stdout, done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_a_kernel_without_fault_passes(self):
        done = judge()
        self.assertEqual((done.returncode, done.stdout), (0, "kernels: 1, architectures: 1, faults: 0\n"), done.stderr)

    def test_local_memory_is_reported(self):
        self.expect_fault("local memory", body="float t[64]; for (int k = 0; k < 64; ++k) t[k * *count & 63] = b[k]; "
                                               "x.x += t[*count & 63];")

    def test_single_loads_where_vectors_were_promised_are_reported(self):
        whole, single = "*reinterpret_cast<const float4*>(b + i)", "make_float4(b[i], b[i + 1], b[i + 2], 0)"
        self.expect_fault("1 loads and 1 stores of 16 bytes", change=(whole, single))

    def test_double_precision_where_data_stream_is_reported(self):
        self.expect_fault("double precision", body="x.x = static_cast<float>(x.x * 1.1);")

    def test_float_atomics_are_reported(self):
        self.expect_fault("atomically", body="atomicAdd(y, x.x);")

    def test_integer_atomics_are_allowed(self):
        self.assertEqual(judge(body="atomicAdd(count, 1);").returncode, 0)

    def test_a_kernel_without_launch_bounds_is_reported(self):
        self.expect_fault("no __launch_bounds__", bounds="")

    def test_blocks_of_partial_warps_are_reported(self):
        self.expect_fault("not of whole warps", bounds="__launch_bounds__(100)")

    def test_an_unknown_kernel_is_reported(self):
        self.expect_fault("is not in PROMISES", change=("map_two_kernel", "new_kernel"))

    def test_a_nearly_empty_multiprocessor_is_reported(self):
        shared = "XRAI_SHARED(float, big, 11000); big[i] = x.x; __syncthreads(); x.y = big[i + 1];"
        self.expect_fault("% full", body=shared, bounds="__launch_bounds__(32)")

    def test_forbidden_words_are_reported(self):
        for word in ("__shared__ float t[4];", 'asm("exit;");', "__threadfence();"):
            self.expect_fault("planted.cu:9", body=word)

    def test_forbidden_words_in_comments_are_allowed(self):
        self.assertEqual(judge(body="// no __shared__ here, and no <<<>>>\n").returncode, 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        NVCC = sys.argv.pop(1)
    unittest.main()
