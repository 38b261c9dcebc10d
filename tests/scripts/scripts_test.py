#!/usr/bin/env python3
"""Claims about the scripts and the recorded goldens that need no build: python3 tests/scripts/scripts_test.py"""

import base64
import gzip
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

RESULTS = """<testsuite>
  <testcase name="a" status="run"><system-out>fine</system-out></testcase>
  <testcase name="b" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
    <system-out>[ RUN ] b\n/x/b_test.cpp:5: Skipped\nno browser is installed\n\n[  SKIPPED ] b</system-out></testcase>
  %s
</testsuite>"""


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"), **options)


def summarise(extra_case):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(RESULTS % extra_case)
        file.flush()
        return run(sys.executable, ROOT / "scripts/summarise_tests.py", file.name)


class Summary(unittest.TestCase):
    def test_counts_and_tells_the_reason_of_a_skip(self):
        done = summarise("")
        self.assertEqual(done.returncode, 0)
        self.assertIn("skipped, no browser is installed: b", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "1 passed, 0 failed, 1 skipped")

    def test_names_what_failed_and_fails(self):
        done = summarise('<testcase name="c" status="fail"><failure message=""/></testcase>')
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: c", done.stdout)

    def test_a_missing_result_file_is_a_failure(self):
        self.assertEqual(run(sys.executable, ROOT / "scripts/summarise_tests.py", "/nonexistent.xml").returncode, 1)


class Scripts(unittest.TestCase):
    def test_an_unknown_argument_is_refused_before_anything_is_done(self):
        for script in ("setup", "run", "format", "cuda_coverage", "plant_faults", "fuzz", "manual_figures"):
            self.assertEqual(run(ROOT / "scripts" / script, "--no-such-option").returncode, 2, script)

    def test_fuzz_takes_a_number_of_seconds_and_words_for_libfuzzer(self):
        for arguments in (["--seconds"], ["--seconds", "none"], ["--seconds", "0"], ["60"], ["--seconds", "9", "runs=3"],
                          ["--same", "--seconds"], ["--same", "fast"], ["--jobs"], ["--jobs", "0"]):
            done = run(ROOT / "scripts/fuzz", *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn("usage: scripts/fuzz", done.stderr)

    def test_seeds_of_fuzzing_are_whole_files_and_the_same_each_time(self):
        if run("/usr/bin/python3", "-c", "import h5py").returncode:
            self.skipTest("/usr/bin/python3 has no h5py")
        with tempfile.TemporaryDirectory() as folder:
            done = run("/usr/bin/python3", ROOT / "tests/fuzz/make_seeds.py", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            seeds = sorted(pathlib.Path(folder).glob("*.h5"))
            self.assertGreaterEqual(len(seeds), 20)
            for seed in seeds:
                self.assertLess(seed.stat().st_size, 65536, f"{seed.name}: scripts/fuzz cuts what is longer")
                self.assertIn(b"\x89HDF\r\n\x1a\n", seed.read_bytes()[:520], seed.name)
            written = {seed.name: seed.read_bytes() for seed in seeds}
            time.sleep(max(0, 1.01 - (time.time() - seeds[0].stat().st_mtime)))  # HDF5 counts time in seconds
            self.assertEqual(run("/usr/bin/python3", ROOT / "tests/fuzz/make_seeds.py", folder).returncode, 0)
            for seed in seeds:
                self.assertEqual(seed.read_bytes(), written[seed.name], f"{seed.name} holds the time")

    def test_files_that_once_crashed_a_reader_can_be_unpacked(self):
        for text in (ROOT / "tests/fuzz/found").glob("*.b64"):
            self.assertGreater(len(gzip.decompress(base64.b64decode(text.read_text()))), 8, text.name)

    def test_the_recipe_in_pytorch_names_what_it_lacks(self):
        script = ROOT / "profiling/recipe_pytorch.py"
        if run("/usr/bin/python3", "-c", "import torch, h5py").returncode:
            done = run("/usr/bin/python3", script, "xrays.h5")
            self.assertEqual(done.returncode, 77)
            self.assertIn("apt-get install python3-torch", done.stderr)
            return
        with tempfile.TemporaryDirectory() as folder:
            recipe = pathlib.Path(folder) / "slow.toml"
            recipe.write_text("[training]\nlr = 0.001\n")
            for arguments, code, words in ((["x.h5", "--recipe", "none"], 2, "none.toml"), (["x.h5", "--recipe", recipe], 2, "lr of the recipe"),
                                           (["/nonexistent.h5"], 3, "/nonexistent.h5")):
                done = run("/usr/bin/python3", script, *map(str, arguments))
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_a_build_without_counters_is_not_taken_for_a_covered_one(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run(ROOT / "scripts/cuda_coverage", folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("-DXRAI_COVERAGE=ON", done.stderr)

    def test_every_fault_of_the_list_still_finds_its_place(self):
        done = run(ROOT / "scripts/plant_faults", "--list")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.splitlines()[-1], r"^\d+ faults$")

    def test_setup_and_cmake_name_the_same_libraries(self):
        named = (ROOT / "cmake/Dependencies.cmake").read_text()
        installed = (ROOT / "scripts/setup").read_text()
        packages = {word.strip('"') for line in named.splitlines() if line.strip().startswith("xrai_need(")
                    for word in line.split() if word.strip('"').endswith("-dev")}
        self.assertTrue(packages)
        for package in packages:
            self.assertIn(package, installed)


class Nsight(unittest.TestCase):
    """The recipes with stand-ins for the tools and the programs, which say how they were called."""

    def record(self, script, *arguments, tool=None):
        with tempfile.TemporaryDirectory() as folder:
            tools, programs = pathlib.Path(folder) / "tools", pathlib.Path(folder) / "programs"
            tools.mkdir()
            programs.mkdir()
            for name in ("bash", "dirname", "cat", "mkdir", "rm"):  # and no other tool, whatever is installed
                (tools / name).symlink_to(shutil.which(name))
            stand_ins = [programs / "xrai_gpu_train", programs / "xrai_dataset"]
            for place in stand_ins + ([tools / tool] if tool else []):
                place.write_text(f"#!/bin/sh\necho called {place.name} \"$@\"\n")
                place.chmod(0o755)
            return subprocess.run([str(ROOT / "profiling" / script), "--bin", str(programs), "--out",
                                   str(pathlib.Path(folder) / "out"), *arguments], capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, env=dict(os.environ, PATH=str(tools)))

    def called(self, done, tool):
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in done.stdout.splitlines() if line.startswith(f"called {tool} ")]
        self.assertTrue(lines, done.stdout)
        return lines[0]

    def test_systems_records_the_window_and_lets_the_program_go_on(self):
        line = self.called(self.record("nsight_systems.sh", "--steps", "7", "--start", "5", "--", "--model", "resnet18",
                                       tool="nsys"), "nsys")
        for words in ("--capture-range cudaProfilerApi", "--capture-range-end stop", "--trace cuda,nvtx",
                      "--profile-start-step 5 --profile-steps 7", "--device cuda", "--max-steps 15",
                      "--model resnet18"):
            self.assertIn(words, line)

    def test_compute_waits_for_the_window_and_takes_the_kernels_named(self):
        line = self.called(self.record("nsight_compute.sh", "--kernel", "batch_norm", tool="ncu"), "ncu")
        for words in ("--profile-from-start off", "--kernel-name regex:batch_norm", "--profile-steps 1 "):
            self.assertIn(words, line + " ")

    def test_a_missing_tool_is_named_with_where_to_get_it(self):
        for script, tool in (("nsight_systems.sh", "nsys"), ("nsight_compute.sh", "ncu")):
            done = self.record(script)
            self.assertEqual(done.returncode, 77)
            self.assertIn(f"{tool} is not on PATH", done.stderr)
            self.assertIn("developer.nvidia.com", done.stderr)

    def test_what_they_do_not_know_is_refused(self):
        for arguments in (["--no-such-option"], ["--steps", "none"], ["--steps", "0"], ["--steps"]):
            self.assertEqual(self.record("nsight_systems.sh", *arguments, tool="nsys").returncode, 2, arguments)
        self.assertEqual(self.record("nsight_systems.sh", "--kernel", "x", tool="nsys").returncode, 2)


class Goldens(unittest.TestCase):
    folder = ROOT / "tests/goldens/layers"

    def test_every_tensor_is_finite_and_has_as_many_values_as_its_shape_says(self):
        files = sorted(self.folder.glob("*.json"))
        self.assertGreaterEqual(len(files), 18)
        for file in files:
            for case in json.loads(file.read_text())["cases"]:
                for name, tensor in case["tensors"].items():
                    where = f"{file.name}, {case['name']}, {name}"
                    self.assertEqual(math.prod(tensor["shape"]), len(tensor["values"]), where)
                    self.assertTrue(all(map(math.isfinite, tensor["values"])), where)

    def test_they_are_what_torch_computes(self):
        recorded = json.loads((self.folder / "convolution.json").read_text())["recorded_with"]
        probe = run("/usr/bin/python3", "-c", "import torch; print(torch.__version__.split('+')[0])")
        if f"torch {probe.stdout.strip()}, float64" != recorded:
            self.skipTest(f"/usr/bin/python3 has no PyTorch of the version that recorded them ({recorded})")
        done = run("/usr/bin/python3", ROOT / "tests/goldens/make_layer_goldens.py", "--check")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
