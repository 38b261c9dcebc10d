#!/usr/bin/env python3
"""Says of a ctest result file (--output-junit) how many tests passed, failed and were skipped, and why they were.

An entry that stands for many tests (tests/run_shard.py) left their results in the folder shards beside the file, and is counted as
they are.
The last line reads "N passed, N failed, N skipped". Exit 1 when a test failed or none ran.
"""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def reason_of(case):
    """The sentence given to GTEST_SKIP(), or the last line that a skipped script printed."""
    output = (case.findtext("system-out") or "").strip()
    told = re.search(r"^.*: Skipped\n(.+)$", output, re.MULTILINE)
    if told:
        return told.group(1).strip()
    lines = [line for line in output.splitlines() if line.strip()]
    if lines:
        return lines[-1].strip()
    skipped = case.find("skipped")
    return (skipped.get("message") if skipped is not None else None) or "no reason given"


def has_failed(case):
    return case.find("failure") is not None or case.get("status") == "fail"


def cases_of(path):
    """The single tests. An entry that failed though none of its tests did counts beside them."""
    for case in xml.parse(path).getroot().iter("testcase"):
        shard = pathlib.Path(path).parent / "shards" / (case.get("name").replace("/", "-") + ".xml")
        if not shard.exists():
            yield case
            continue
        tests = list(xml.parse(shard).getroot().iter("testcase"))
        yield from tests
        if has_failed(case) and not any(map(has_failed, tests)):
            yield case


def summarise(path):
    passed, failed, reasons = 0, [], collections.defaultdict(list)
    for case in cases_of(path):
        status = case.get("status")
        if has_failed(case):
            failed.append(case.get("name"))
        elif case.find("skipped") is not None or status in ("notrun", "disabled"):
            reasons[reason_of(case)].append(case.get("name"))
        else:
            passed += 1
    for reason, names in sorted(reasons.items()):
        print(f"skipped, {reason}: {', '.join(sorted(names)[:4])}" + (" ..." if len(names) > 4 else ""))
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed, {sum(map(len, reasons.values()))} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: summarise_tests.py RESULTS.xml")
    try:
        sys.exit(summarise(sys.argv[1]))
    except (OSError, xml.ParseError) as error:
        sys.exit(f"cannot read the test results {sys.argv[1]}: {error}")
