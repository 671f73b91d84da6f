#!/usr/bin/env python3
"""check_includes.py: compiles sources one by one, so that each includes what it uses of this project.

    tools/dev/check_includes.py [FILE...]      every source of src/ and tools/ without FILE

Other builds compile several files of a folder as one unit, where one file's include serves the next. Nothing is
generated: clang only reads them. Exit status: 0 all can be compiled, 1 some cannot.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "includes"


def configure():
    subprocess.run(["cmake", "--preset", "clang", "-B", BUILD, "-DHALFSTEP_UNITY=OFF"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    names = subprocess.run(["ninja", "-C", BUILD, "-t", "targets", "all"], check=True, capture_output=True,
                           text=True).stdout
    headers = [line.split(":")[0] for line in names.splitlines() if line.split(":")[0].endswith("cmake_pch.hxx.pch")]
    subprocess.run(["ninja", "-C", BUILD, *headers], check=True, stdout=subprocess.DEVNULL)
    return json.loads((BUILD / "compile_commands.json").read_text())


def check(entry):
    command = entry["command"].split(" -o ")[0] + " -fsyntax-only " + entry["file"]
    done = subprocess.run(command, shell=True, cwd=entry["directory"], capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def main():
    wanted = {str(pathlib.Path(name).resolve()) for name in sys.argv[1:]}
    entries = [entry for entry in configure() if entry["file"] in wanted or not wanted]
    entries = [entry for entry in entries if "/build/" not in entry["file"]]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for good, text in pool.map(check, entries):
            if not good:
                failed += 1
                print(text, end="")
    print(f"{len(entries)} files, {failed} cannot be compiled alone")
    sys.exit(1 if failed else 0)


main()
