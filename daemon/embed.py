"""Writes a file as a C string: embed.py SOURCE TARGET NAME."""

import sys

source, target, name = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read() + b"\0"
with open(target, "w", encoding="ascii") as out:
    out.write(f"static const char {name}[] = {{\n")
    for i in range(0, len(data), 12):
        out.write("\t" + "".join(f"{b}," for b in data[i:i + 12]) + "\n")
    out.write("};\n")
