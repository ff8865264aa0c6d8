#!/usr/bin/env python3
"""The unit for systemd (standard library only): that systemd reads it where there is one, and what it must hold anywhere.

    systemd_unit.py SOURCE_FOLDER
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

# What keeps prompts and keys from others on the machine, and the service from the rest of it.
HELD = """LimitCORE=0 KeyringMode=private UMask=0077 NoNewPrivileges=yes CapabilityBoundingSet= AmbientCapabilities= ProtectSystem=strict
ProtectHome=yes PrivateTmp=yes PrivateDevices=yes PrivateUsers=yes ProtectProc=invisible ProtectKernelTunables=yes RestrictNamespaces=yes
MemoryDenyWriteExecute=yes SystemCallFilter=@system-service SystemCallFilter=~@privileged Type=exec User=minnow""".split()
SECTIONS = ["[Unit]", "[Service]", "[Install]"]


def lines_of(unit):
    return [line.strip() for line in unit.read_text().splitlines() if line.strip() and not line.startswith("#")]


def plain_faults(unit):
    lines = lines_of(unit)
    faults = [f"{directive} is missing" for directive in HELD if directive not in lines]
    if [line for line in lines if line.startswith("[")] != SECTIONS:
        faults.append(f"its sections are not {' '.join(SECTIONS)}")
    return faults + [f"not a directive: {line}" for line in lines if not line.startswith("[") and "=" not in line]


def systemd_faults(unit):
    """What systemd-analyze says about it; programs that the unit starts need not be installed here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / unit.name
        copy.write_text(unit.read_text().replace("/usr/bin/minnow", shutil.which("true")))
        r = subprocess.run([program, "verify", "--man=no", copy], capture_output=True, text=True, timeout=60)
    said = [line for line in (r.stdout + r.stderr).splitlines() if unit.name in line]
    return said + ([f"systemd-analyze ends with {r.returncode}"] if said and r.returncode else [])


def main():
    unit = pathlib.Path(sys.argv[1]) / "packaging/minnow.service"
    faults = plain_faults(unit) + systemd_faults(unit)
    for fault in faults:
        print(f"FAILED {unit.name}: {fault}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
