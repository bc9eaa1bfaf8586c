#!/usr/bin/env python3
"""Makes C arrays of files: embed.py OUTPUT HEADER NAME=FILE ...

For each NAME the output defines `const unsigned char NAME[]` and `const size_t NAME_size`, which HEADER declares. Run by the
build; the output is never kept in the tree.
"""
import sys


def array(name, path):
    with open(path, "rb") as file:
        data = file.read()
    if not data:
        sys.exit(f"{path}: is empty; there is nothing to embed")
    lines = [f"const unsigned char {name}[] = {{"]
    for start in range(0, len(data), 24):
        lines.append("    " + ",".join(str(byte) for byte in data[start:start + 24]) + ",")
    lines += ["};", f"const size_t {name}_size = sizeof {name};", ""]
    return "\n".join(lines)


def main():
    output, header, *pairs = sys.argv[1:]
    text = f'/* Made by tools/embed.py. */\n#include "{header}"\n\n'
    for pair in pairs:
        name, path = pair.split("=", 1)
        text += array(name, path) + "\n"
    with open(output, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
