"""Makes a C++ compiler for libFuzzer of zig, which is pinned and brought along: `python fuzz/compiler.py DIRECTORY`.

The directory then holds `c++` and the library that it compiles against, where rustc's linker finds it (CXXSTDLIB=c++ LIBRARY_PATH=DIRECTORY). That is
LLVM's libc++, which zig builds from source for the first program that needs it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import ziglang

ZIG = Path(ziglang.__file__).parent / "zig"
# cc-rs passes rustc's name of the target, which zig does not know; without a name zig compiles for this machine. By default zig checks unoptimised code
# for undefined behaviour, with a library that rustc does not link.
WRAPPER = """#!/bin/sh
for argument; do
    shift
    case "$argument" in --target=*) ;; *) set -- "$@" "$argument" ;; esac
done
ZIG_GLOBAL_CACHE_DIR="{cache}" ZIG_LOCAL_CACHE_DIR="{cache}" exec "{zig}" c++ -fno-sanitize=undefined "$@"
"""
PROGRAM = "#include <string>\n#include <stdexcept>\nint main(int n, char **) { if (n > 9) throw std::runtime_error(std::to_string(n)); }\n"
LIBRARIES = ("libc++.a", "libc++abi.a")


def main(directory: str) -> None:
    place = Path(directory).resolve()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    compiler = place / "partial"
    compiler.write_text(WRAPPER.format(cache=place / "cache", zig=ZIG))
    compiler.chmod(0o755)
    source = place / "program.cpp"
    source.write_text(PROGRAM)
    compiled = subprocess.run([compiler, source, "-o", place / "program"], capture_output=True, text=True, check=False)
    if compiled.returncode != 0:
        sys.exit(f"compiler: zig compiles no C++: {compiled.stderr}")
    for library in LIBRARIES:
        found = list((place / "cache").glob(f"o/*/{library}"))
        if len(found) != 1:
            sys.exit(f"compiler: zig made {len(found)} of {library}, and one was expected.")
        shutil.copy(found[0], place / f"zig-{library}")
    # One name for both: rustc asks for libc++ alone.
    (place / "libc++.so").write_text(f"INPUT({' '.join(f'-l:zig-{library}' for library in LIBRARIES)})\n")
    compiler.rename(place / "c++")


if __name__ == "__main__":
    main(*sys.argv[1:])
