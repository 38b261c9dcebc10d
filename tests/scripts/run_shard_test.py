#!/usr/bin/env python3
"""Claims about tests/run_shard.py, on a stand-in for a GoogleTest program: python3 tests/scripts/run_shard_test.py"""

import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Tests are named after what they do. As GoogleTest, it writes a line before and behind each test.
PROGRAM = '''#!%s
import os, signal, sys, time
tests = {tests!r}
chosen = [word[len("--gtest_filter="):] for word in sys.argv if word.startswith("--gtest_filter=")]
if "--gtest_list_tests" in sys.argv:
    print("Running main() from somewhere")
    print("Suite.")
    for test in tests:
        print("  " + test + "  # GetParam() = 3")
    sys.exit(0)
say = lambda *words: print(*words, flush=True)
status, late = 0, 0
for test in tests:
    name = "Suite." + test
    if name not in chosen[0].split(":"):
        continue
    say("[ RUN      ] " + name)
    end = "       OK "
    if "Crashes" in test:
        os.kill(os.getpid(), signal.SIGSEGV)
    elif "Leaves" in test:
        sys.exit(0)
    elif "Hangs" in test:
        time.sleep(60)
    elif "Races" in test:
        say("WARNING: ThreadSanitizer: data race (pid=1)")
        late = 66
    elif "Leaks" in test:
        late = 23
    elif "Fails" in test:
        say("three is not four")
        end, status = "  FAILED  ", 1
    elif "Skips" in test:
        say("/x/y_test.cpp:3: Skipped\\nthere is no card\\n")
        end = "  SKIPPED "
    elif "NoNewline" in test:
        print("half a line", end="")
    elif "Process" in test:
        say("process", os.getpid())
        end, status = "  FAILED  ", 1
    say("[" + end + "] " + name + (", where GetParam() = 3" if "Fails" in test else "") + " (0 ms)")
if late == 23:
    say("ERROR: LeakSanitizer: detected memory leaks")
say("[  FAILED  ] 7 tests, listed below:")
sys.exit(late or status)
''' % sys.executable


class Shard(unittest.TestCase):
    def run_shard(self, *tests, shard="1/1", arguments=()):
        """Exit code, output, and (status, name) of each result."""
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program"
            program.write_text(PROGRAM.replace("{tests!r}", repr(list(tests))))
            program.chmod(0o755)
            done = subprocess.run([sys.executable, ROOT / "tests/run_shard.py", "--name", "test_room/1of1", "--prefix", "room/",
                                   "--shard", shard, "--results", folder, *arguments, program],
                                  capture_output=True, text=True, stdin=subprocess.DEVNULL)
            cases = xml.parse(pathlib.Path(folder) / "test_room-1of1.xml").getroot().iter("testcase")
            self.results = [(case.get("status"), case.get("name").replace("room/Suite.", "")) for case in cases]
        return done

    def test_tells_of_each_test_how_it_ended(self):
        done = self.run_shard("A", "Fails", "Skips", "NoNewline", "DISABLED_B")
        self.assertEqual(self.results, [("run", "A"), ("fail", "Fails"), ("notrun", "Skips"), ("run", "NoNewline")])
        self.assertEqual(done.returncode, 1)
        self.assertIn("three is not four", done.stdout)
        self.assertNotIn("half a line", done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "2 passed, 1 failed, 1 skipped")

    def test_all_passed_is_success_and_one_line(self):
        done = self.run_shard("A", "B")
        self.assertEqual((done.returncode, done.stdout), (0, "2 passed, 0 failed, 0 skipped\n"))

    def test_names_the_test_that_ended_the_process_and_runs_the_others(self):
        done = self.run_shard("A", "Crashes", "B", "Leaves", "C")
        self.assertEqual(self.results, [("run", "A"), ("fail", "Crashes"), ("run", "B"), ("fail", "Leaves"), ("run", "C")])
        self.assertIn("was ended by SIGSEGV in this test", done.stdout)
        self.assertIn("ended with exit code 0 in this test", done.stdout)

    def test_names_the_test_that_hangs_and_runs_the_others(self):
        done = self.run_shard("A", "Hangs", "B", arguments=("--seconds", "1"))
        self.assertEqual(self.results, [("run", "A"), ("fail", "Hangs"), ("run", "B")])
        self.assertIn("took more than 1 s in this test", done.stdout)

    def test_a_report_belongs_to_the_test_in_which_it_was_printed(self):
        self.assertEqual(self.run_shard("A", "Races", "B").returncode, 1)
        self.assertEqual(self.results, [("run", "A"), ("fail", "Races"), ("run", "B")])

    def test_what_fails_behind_the_last_test_fails(self):
        done = self.run_shard("A", "Leaks")
        self.assertEqual(self.results[-1], ("fail", "room/after Suite.Leaks"))
        self.assertIn("detected memory leaks", done.stdout)

    def test_a_leak_is_told_beside_a_failed_test(self):
        self.assertIn("detected memory leaks", self.run_shard("Fails", "Leaks").stdout)

    def test_shards_share_the_tests(self):
        taken = []
        for shard in ("1/3", "2/3", "3/3"):
            self.run_shard(*"ABCDEFGH", shard=shard)
            taken += [name for _, name in self.results]
        self.assertEqual(sorted(taken), list("ABCDEFGH"))

    def test_who_needs_a_process_has_one(self):
        done = self.run_shard("ProcessA", "ProcessB", "ProcessC", arguments=("--alone", "Suite.*C"))
        processes = [line for line in done.stdout.splitlines() if line.startswith("process ")]
        self.assertEqual([processes[0] == processes[1], processes[1] == processes[2]], [True, False])

    def test_a_share_without_tests_fails(self):
        self.assertEqual(self.run_shard().returncode, 1)


class Summary(unittest.TestCase):
    def summarise(self, entry, tests):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "shards").mkdir()
            (pathlib.Path(folder) / "shards/test_room-1of1.xml").write_text(f"<testsuite>{tests}</testsuite>")
            results = pathlib.Path(folder) / "tests.xml"
            results.write_text(f'<testsuite><testcase name="test_room/1of1" {entry}</testsuite>')
            return subprocess.run([sys.executable, ROOT / "scripts/summarise_tests.py", results], capture_output=True, text=True)

    def test_counts_the_tests_of_a_shard(self):
        done = self.summarise('status="fail"><failure/></testcase>', '<testcase name="a" status="run"/>'
                              '<testcase name="b" status="run"/><testcase name="c" status="fail"><failure/></testcase>')
        self.assertEqual(done.stdout, "failed: c\n2 passed, 1 failed, 0 skipped\n")
        self.assertEqual(done.returncode, 1)

    def test_a_shard_that_fails_without_a_failed_test_counts_as_one(self):
        done = self.summarise('status="fail"><failure/></testcase>', '<testcase name="a" status="run"/>')
        self.assertEqual(done.stdout, "failed: test_room/1of1\n1 passed, 1 failed, 0 skipped\n")


if __name__ == "__main__":
    unittest.main()
