#!/usr/bin/env python3
"""Runs a share of a GoogleTest program's tests in one process, and says of each how it ended.

usage: run_shard.py --name NAME --prefix PREFIX --shard K/N --results FOLDER [--filter FILTER] [--alone PATTERNS]
                    [--seconds S] PROGRAM

Sanitizer builds do not give each test a process of its own: starting one takes longer there than most tests. What a process of
its own tells is told all the same. The test that was running when the process ended or when S seconds had passed failed, and the
tests behind it run in a new process; a sanitizer's report belongs to the test during which it was printed. Tests whose name
matches one of PATTERNS (Suite.*:Suite.Name) have a process to themselves.

PREFIX and a test's name are its name in the results, FOLDER/NAME.xml ('/' in NAME becomes '-'), which
scripts/summarise_tests.py reads. The output is that of failed tests. Exit 1 when a test failed or none ran.
"""

import argparse
import fnmatch
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

BEGIN = re.compile(r"\[ RUN      \] (\S+)\n")
REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|: runtime error: ")
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Result:
    """status is 'run', 'notrun' (skipped) or 'fail'."""

    def __init__(self, name, status, output, seconds=0.0):
        self.name, self.status, self.output, self.seconds = name, status, output, seconds


class Run:
    """One process and what its output says of the tests."""

    def __init__(self, program, names, limit):
        self.results, self.rest, self.running = [], "", None
        self.limit, self.too_long = limit, False
        self.reported, self.failed = [], False
        self.process = subprocess.Popen([program, "--gtest_color=no", "--gtest_filter=" + ":".join(names)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)
        self.began = time.monotonic()

    def finish(self):
        """Reads to the end; what is left of the process and its children is ended with it."""
        pipe = self.process.stdout.fileno()
        is_open = True
        while is_open or self.process.poll() is None:
            if is_open and select.select([pipe], [], [], 0.5)[0]:
                piece = os.read(pipe, 1 << 16)
                is_open = piece != b""
                self.take(piece.decode(errors="replace"))
            elif self.process.poll() is not None:
                break  # a child of its keeps the pipe open
            elif not is_open:
                time.sleep(0.01)
            if time.monotonic() - self.began > self.limit:
                self.too_long = True
                break
        self.end_all()
        self.process.wait()
        self.process.stdout.close()
        self.blame_reports()

    def blame_reports(self):
        """The thread sanitizer goes on behind a report, and ends the process with an exit code of its own."""
        self.reported = [result for result in self.results if self.process.returncode != 0 and REPORT.search(result.output)]
        self.failed = any(result.status == "fail" for result in self.results)
        for result in self.reported:
            result.status = "fail"

    def ended_as_its_tests_say(self):
        expected = self.reported or self.process.returncode == (1 if self.failed else 0)
        return expected and not self.too_long and not REPORT.search(self.rest)

    def end_all(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def take(self, text):
        self.rest += text
        while True:
            if self.running is None:
                begin = BEGIN.search(self.rest)
                if not begin:
                    return
                self.running, self.rest, self.began = begin[1], self.rest[begin.start():], time.monotonic()
            end = re.search(r"\[(       OK |  FAILED  |  SKIPPED )\] " + re.escape(self.running) + r"(?:,| \().*\n", self.rest)
            if not end:
                return
            output, self.rest = self.rest[:end.end()], self.rest[end.end():]
            status = {"O": "run", "F": "fail", "S": "notrun"}[end[1].strip()[0]]
            self.results.append(Result(self.running, status, output, time.monotonic() - self.began))
            self.running, self.began = None, time.monotonic()

    def how_it_ended(self):
        if self.too_long:
            return f"took more than {self.limit:g} s"
        code = self.process.returncode
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def run_in_one_process(program, names, limit):
    """The results of all the names, in as many processes as it takes, and of the processes themselves."""
    results, left = [], list(names)
    while left:
        run = Run(program, left, limit)
        run.finish()
        results += run.results
        done = {result.name for result in run.results}
        left = [name for name in left if name not in done]
        if run.running is not None:
            results.append(Result(run.running, "fail", f"{run.rest}\nThe process {run.how_it_ended()} in this test.\n",
                                  time.monotonic() - run.began))
            left.remove(run.running)
        elif left:
            results.append(Result("before " + left[0], "fail", f"{run.rest}\nThe process {run.how_it_ended()} between tests; "
                                  f"{len(left)} were not run.\n"))
            return results
        elif not run.ended_as_its_tests_say():
            results.append(Result("after " + run.results[-1].name, "fail",
                                  f"{run.rest}\nThe process {run.how_it_ended()} behind its last test.\n"))
    return results


def names_of(program, chosen):
    listed = subprocess.run([program, "--gtest_list_tests"] + ([f"--gtest_filter={chosen}"] if chosen else []),
                            capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if listed.returncode != 0:
        raise SystemExit(f"{program} does not list its tests (exit code {listed.returncode}):\n{listed.stdout}{listed.stderr}")
    names, suite = [], None
    for line in listed.stdout.splitlines():
        word = line.split("#")[0].strip()
        if line.startswith("  ") and suite:
            names.append(suite + word)
        else:
            suite = word if word.endswith(".") else None
    return [name for name in names if "DISABLED_" not in name]


def write(results, prefix, path):
    suite = xml.Element("testsuite")
    for result in results:
        case = xml.SubElement(suite, "testcase", name=prefix + result.name, status=result.status, time=f"{result.seconds:.3f}")
        if result.status == "fail":
            xml.SubElement(case, "failure", message="")
        elif result.status == "notrun":
            xml.SubElement(case, "skipped", message="")
        if result.status != "run":
            xml.SubElement(case, "system-out").text = NOT_XML.sub("?", result.output)
    path.parent.mkdir(parents=True, exist_ok=True)
    xml.ElementTree(suite).write(path, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--shard", required=True, help="K/N, K from 1")
    parser.add_argument("--results", required=True, type=pathlib.Path)
    parser.add_argument("--filter", default="")
    parser.add_argument("--alone", default="")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("program")
    given = parser.parse_args()
    shard, shards = map(int, given.shard.split("/"))

    path = given.results / (given.name.replace("/", "-") + ".xml")
    path.unlink(missing_ok=True)
    names = names_of(given.program, given.filter)[shard - 1::shards]
    patterns = [pattern for pattern in given.alone.split(":") if pattern]
    alone = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    results = run_in_one_process(given.program, [name for name in names if name not in alone], given.seconds)
    for name in alone:
        results += run_in_one_process(given.program, [name], given.seconds)
    write(results, given.prefix, path)

    for result in results:
        if result.status == "fail":
            print(f"{result.output}failed: {given.prefix}{result.name}\n")
    counts = [sum(result.status == status for result in results) for status in ("run", "fail", "notrun")]
    print("{} passed, {} failed, {} skipped".format(*counts))
    sys.exit(1 if counts[1] or not results else 0)


if __name__ == "__main__":
    main()
