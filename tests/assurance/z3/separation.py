"""Separation of a configuration, asked of a solver about the manifest that is in an image.

    separation.py ARCHIVE ...

For each kind of resource the question is one formula over *every* address, port, core, pin, or core and vector: can two
owners have it? The manifest is read here from its bytes, by the layout that `partition-config/manifest` documents; no code
is shared with what writes, checks or loads it. Then each overlap is planted in what was read, and must be found: a
question that cannot be answered "yes" shows nothing.

Prints `holds|fails WHAT`.
"""

import struct
import sys

from z3 import And, BitVec, BitVecVal, Distinct, Not, Or, Solver, ULE, ULT, sat, unsat

TABLES = ["partitions", "cores", "memory", "devices", "ports", "irqs", "programs", "channels", "ends", "doorbells",
          "files", "grants", "strings"]
LOADER = (0, 16 << 20)
LOCAL_APIC, IO_APIC = (0xFEE0_0000, 0x1000), (0xFEC0_0000, 0x1000)
PIN, MESSAGE, USER_FIRST, DOORBELL_FIRST, DOORBELL_LAST = 0, 1, 0x30, 0xA0, 0xDF
LOCAL, NONE, OWNS_IO_APIC = 0xFFFF_FFFE, 0xFFFF_FFFF, 1


class Broken(Exception):
    """Why a configuration is not separate."""


class Manifest:
    def __init__(self, data):
        if data[:8] != b"SKERRYMF" or struct.unpack_from("<I", data, 8)[0] != 3:
            raise Broken("no manifest of the version that is known here")
        self.data, self.name = data, data[32:64].split(b"\0")[0].decode()
        self.at = {name: struct.unpack_from("<II", data, 64 + 8 * index) for index, name in enumerate(TABLES)}

    def table(self, name, form):
        offset, count = self.at[name]
        size = struct.calcsize("<" + form)
        return [struct.unpack_from("<" + form, self.data, offset + size * index) for index in range(count)]


class System:
    """Who has what: ranges with their owner."""

    def __init__(self, data):
        manifest = Manifest(data)
        partitions = manifest.table("partitions", "32s26I")
        tables = {name: manifest.table(name, form) for name, form in
                  [("cores", "II"), ("memory", "QQ"), ("devices", "QQ"), ("ports", "HHI"), ("irqs", "II")]}
        channels, ends = manifest.table("channels", "32sQQ"), manifest.table("ends", "6I")
        doorbells = manifest.table("doorbells", "4I")
        self.name, self.partitions = manifest.name, [row[0].split(b"\0")[0].decode() for row in partitions]
        # (owner, first, behind the last)
        self.memory = [("the loader", *LOADER)]
        self.kernel_devices = []
        self.ports, self.cores, self.pins, self.heard, self.rung = [], [], [], [], []
        for owner, row in zip(self.partitions, partitions):
            part = lambda name, field: tables[name][row[field]:row[field] + row[field + 1]]
            self.memory += [(owner, base, base + size) for base, size in part("memory", 11)]
            self.memory += [(owner, base, base + size) for base, size in part("devices", 13) if base >= LOADER[1]]
            self.ports += [(owner, first, last + 1) for first, last, _ in part("ports", 15)]
            own = [core for core, _ in part("cores", 9)]
            self.cores += [(owner, core, core + 1) for core in own]
            irqs = part("irqs", 17)
            self.pins += [(owner, number, number + 1) for kind, number in irqs if kind == PIN]
            # Any core of the partition may have a message-signalled vector.
            self.heard += [("a message to " + owner, core, USER_FIRST + number)
                           for kind, number in irqs if kind == MESSAGE for core in own]
            if row[1] & OWNS_IO_APIC:
                self.kernel_devices.append((owner, IO_APIC[0], sum(IO_APIC)))
            mine = ends[row[21]:row[21] + row[22]]
            for core, vector, channel, _ in doorbells[row[23]:row[23] + row[24]]:
                self.rung.append((owner, core, vector, channel, {end[0] for end in mine if end[4] not in (NONE, LOCAL)}))
        self.listeners = {}
        for owner, row in zip(self.partitions, partitions):
            for channel, _, _, _, _, hears in ends[row[21]:row[21] + row[22]]:
                if hears not in (NONE, LOCAL):
                    self.listeners.setdefault((channel, hears), set()).add(owner)
        self.memory += [("channel " + row[0].split(b"\0")[0].decode(), row[1], row[1] + row[2])
                        for row in channels if row[1] != 0]
        self.memory.append(("the local APICs", LOCAL_APIC[0], sum(LOCAL_APIC)))


def shared(ranges, bits):
    """A resource that two of the owners have, if there is one; and the number of pairs that the question is about."""
    at = BitVec("at", bits)
    owners = sorted({owner for owner, _, _ in ranges})
    has = {owner: Or(*(And(ULE(BitVecVal(first, bits), at), ULT(at, BitVecVal(end, bits)))
                       for name, first, end in ranges if name == owner and first < end)) for owner in owners}
    for _, first, end in ranges:
        if not 0 <= first <= end < 1 << bits:
            raise Broken(f"{first:#x} to {end:#x} leaves its space")
    solver = Solver()
    solver.add(Or(*(And(has[a], has[b]) for i, a in enumerate(owners) for b in owners[:i])))
    if len(owners) > 1 and solver.check() != unsat:
        if solver.check() != sat:
            raise Broken("not decided")
        model = solver.model()
        both = [owner for owner in owners if model.eval(has[owner], model_completion=True)]
        raise Broken(f"{' and '.join(both)} have {model[at].as_long():#x}")
    return len(owners) * (len(owners) - 1) // 2


def rings(system):
    """Every doorbell goes to a listed vector of a core whose owner hears that channel there, and nobody else rings it."""
    core, vector, one, other = (BitVec(name, 32) for name in ("core", "vector", "one", "other"))
    solver, at = Solver(), lambda bell: And(core == bell[1], vector == bell[2])
    rung = Or(*(And(at(bell), one == index) for index, bell in enumerate(system.rung)))
    again = Or(*(And(at(bell), other == index) for index, bell in enumerate(system.rung)))
    listed = And(ULE(DOORBELL_FIRST, vector), ULE(vector, DOORBELL_LAST))
    message = Or(*(And(core == to, vector == number) for _, to, number in system.heard))
    solver.add(Or(And(rung, again, Distinct(one, other)), And(rung, Not(listed)), And(rung, message)))
    if system.rung and solver.check() != unsat:
        raise Broken(f"two have core {solver.model()[core]}, vector {solver.model()[vector]}, or it is no doorbell's")
    owner_of = {first: owner for owner, first, _ in system.cores}
    for owner, to, number, channel, known in system.rung:
        there = system.listeners.get((channel, number), set())
        if channel not in known:
            raise Broken(f"{owner} rings for a channel it has no end of")
        if owner_of.get(to) not in there:
            raise Broken(f"a doorbell of {owner} goes to core {to}, whose owner does not hear it")
        if owner_of.get(to) == owner:
            raise Broken(f"{owner} rings itself through another's interrupt controller")
    return len(system.rung)


QUESTIONS = {
    "memory": lambda system: shared(system.memory, 64),
    "I/O APIC": lambda system: shared(system.kernel_devices, 64),
    "kernel and user devices": lambda system: shared(
        [("a kernel", first, end) for _, first, end in system.kernel_devices] + system.memory, 64),
    "ports": lambda system: shared(system.ports, 32),
    "cores": lambda system: shared(system.cores, 32),
    "pins": lambda system: shared(system.pins, 32),
    "doorbells": rings,
}


def plants(system):
    """Overlaps, each as the question that must find it and a change of what was read."""
    partitions = system.partitions
    if len(partitions) < 2:
        return
    first, second = partitions[0], partitions[1]
    own = [range_ for range_ in system.memory if range_[0] == first]
    yield "memory", "one page of two", lambda it: it.memory.append((second, own[0][2] - 0x1000, own[0][2]))
    channels = [range_ for range_ in system.memory if range_[0].startswith("channel")]
    if channels:
        yield "memory", "a channel in a slice", lambda it: it.memory.append((first, *channels[0][1:]))
    yield "I/O APIC", "two owners", lambda it: it.kernel_devices.extend([(first, IO_APIC[0], IO_APIC[0] + 8),
                                                                      (second, IO_APIC[0] + 4, IO_APIC[0] + 12)])
    yield "ports", "a port of two", lambda it: it.ports.extend([(first, 0x3F8, 0x400), (second, 0x3FF, 0x401)])
    yield "cores", "a core of two", lambda it: it.cores.append((second, it.cores[0][1], it.cores[0][2]))
    yield "pins", "a pin of two", lambda it: it.pins.extend([(first, 4, 5), (second, 4, 5)])
    if system.rung:
        bell = system.rung[0]
        yield "doorbells", "a doorbell of two", lambda it: it.rung.append(bell)
        yield "doorbells", "a doorbell to another core", lambda it: it.rung.__setitem__(0, (bell[0], bell[1] + 1, *bell[2:]))
        yield "doorbells", "a vector that is no doorbell", lambda it: it.rung.__setitem__(0, (bell[0], bell[1], 0x9D, *bell[3:]))


def main(paths):
    pairs = planted = systems = 0
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        name = path
        try:
            system = System(data)
            name = system.name
            for what, question in QUESTIONS.items():
                try:
                    pairs += question(system)
                except Broken as why:
                    raise Broken(f"{what}: {why}") from None
            for what, why, change in plants(system):
                copy = System(data)
                change(copy)
                try:
                    QUESTIONS[what](copy)
                except Broken:
                    planted += 1
                    continue
                raise Broken(f"planted: {why} is not found")
            systems += 1
        except (Broken, struct.error) as why:
            print(f"fails {name}: {why}")
            return 1
    if systems == 0 or planted == 0:
        print("fails nothing was compared")
        return 1
    print(f"holds {pairs} pairs of owners in {systems} systems, over every address; {planted} planted overlaps found")
    return 0


sys.exit(main(sys.argv[1:]))
