#!/usr/bin/env python3
"""What `cmake --install` puts somewhere works from there: install_test.py BUILD"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv.pop(1)).resolve()


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          **options)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.prefix = pathlib.Path(cls.folder.name) / "a prefix"
        done = run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        if done.returncode:
            raise AssertionError(done.stderr)
        cls.bin = cls.prefix / "bin"
        cls.share = cls.prefix / "share"
        cls.programs = sorted(path.name for path in cls.bin.iterdir())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def answer(self, program, *arguments, **options):
        done = run(self.bin / program, *arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def helps(self):
        """(program, command or None, its --help)"""
        for program in self.programs:
            yield program, None, self.answer(program, "--help")
            for command in self.answer(program, "--completion", "commands").split():
                yield program, command, self.answer(program, command, "--help")

    def test_every_program_of_the_readme_is_there_and_answers(self):
        named = set(re.findall(r"^\| `(xrai_\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
        self.assertEqual(named, set(self.programs))
        for program in self.programs:
            self.assertIn(program, self.answer(program, "--version"))

    def test_models_and_recipes_are_found_from_there(self):
        for kind in ("models", "recipes"):
            self.assertEqual(sorted(path.name for path in (ROOT / kind).glob("*.toml")),
                             sorted(path.name for path in (self.share / "xrai" / kind).iterdir()))
        with tempfile.TemporaryDirectory() as folder:
            self.answer("xrai_dataset", "synth", "d.h5", "--images", "40", "--size", "32", "-q", cwd=folder)
            for name, model in (("named", "lenet"), ("file", self.share / "xrai/models/lenet.toml")):
                self.answer("xrai_gpu_train", "--data", "d.h5", "--out", name, "--model", model, "--recipe",
                            self.share / "xrai/recipes/fast.toml" if name == "file" else "fast", "--members", "1",
                            "--max-steps", "1", "--threads", "1", "-q", cwd=folder)
            self.answer("xrai_explain", "filter", "d.h5", "--size", "32", cwd=folder)
            self.assertTrue((pathlib.Path(folder) / "d-0-edge.png").exists())

    def test_links_of_the_installed_readme_lead_somewhere(self):
        documents = self.share / "doc/xrai"
        links = re.findall(r"\]\(([^)#:]+)\)", (documents / "README.md").read_text())
        self.assertTrue(links)
        for link in links:
            self.assertTrue((documents / link).exists(), link)

    def test_the_plug_in_is_where_the_programs_look(self):
        if not (BUILD / "lib/libxrai_cuda.so").exists():
            self.skipTest("this build has no CUDA device")
        self.assertTrue((self.prefix / "lib/libxrai_cuda.so").exists())

    def test_every_program_and_command_has_a_manual_page(self):
        if not shutil.which("help2man"):
            self.skipTest("no manual pages without help2man: apt-get install help2man")
        for program, command, help_page in self.helps():
            name = f"{program}-{command}" if command else program
            page = (self.share / f"man/man1/{name}.1").read_text()
            self.assertIn(f".TH {name.upper()} ", page)
            self.assertIn(f"\n{name} \\- ", page)
            self.assertIn('.SH SYNOPSIS', page)
            for option in re.findall(r"^  (?:-\w, )?--(?:\[no-\])?([a-z][a-z-]*)", help_page, re.MULTILINE):
                self.assertIn(option.replace("-", "\\-"), page)

    def complete(self, program, *words):
        """What bash offers for the last word."""
        script = (f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _{program}; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = run("bash", "-c", script, "bash", self.share / f"bash-completion/completions/{program}", program, *words)
        return set(done.stdout.split())

    def test_bash_completes_every_option_that_help_lists(self):
        for program, command, help_page in self.helps():
            words = [command] if command else []
            offered = self.complete(program, *words, "-")
            listed = re.findall(r"^  (?:-(\w), )?--(\[no-\])?([a-z][a-z-]*)", help_page, re.MULTILINE)
            self.assertTrue(listed, program)
            for short, negated, name in listed:
                expected = {f"--{name}"} | ({f"--no-{name}"} if negated else set())
                expected |= {f"-{short}"} if short and name != "help" else set()
                if command or "COMMAND" not in help_page.split("\n\n")[1]:
                    self.assertLessEqual(expected, offered, f"{program} {command}")

    def test_bash_completes_commands_and_choices(self):
        self.assertEqual(self.complete("xrai_explain", "f"), {"filter"})
        self.assertEqual(self.complete("xrai_explain", "filter", "--pool", ""), {"max", "average"})
        self.assertEqual(self.complete("xrai_explain", "filter", "--nu"), {"--numbers"})
        self.assertEqual(self.complete("xrai_explain", "filter", "--size", ""), set())

    def test_completion_of_zsh_is_zsh(self):
        if not shutil.which("zsh"):
            self.skipTest("no zsh to read it: apt-get install zsh")
        for program in self.programs:
            file = self.share / f"zsh/site-functions/_{program}"
            self.assertTrue(file.read_text().startswith(f"#compdef {program}\n"))
            done = run("zsh", "-n", file)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_another_shell_is_refused(self):
        done = run(self.bin / "xrai_info", "--completion", "fish")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there are bash and zsh", done.stderr)


if __name__ == "__main__":
    unittest.main()
