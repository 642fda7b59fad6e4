"""Leaves of the release kernel's machine code, each equal to a specification for all inputs.

    leaves.py KERNEL-ELF [NAME ...]

Every path of a leaf is executed symbolically from its symbol; at each end the solver is asked for an input with which the
result differs from the specification. Nothing is sampled: no such input exists, or the leaf fails. Each leaf also has a
wrong specification, which must be refuted: a leaf whose paths contradict themselves would meet any.

Prints one line a leaf: `NAME holds|fails WHAT`. A leaf whose symbol is gone fails. Trusted: angr's lifter and engine, z3.
"""

import logging
import sys

import angr
import claripy

logging.disable(logging.CRITICAL)

CONTEXT = 0xFFFF_8000_0100_0000
CPU = 0xFFFF_8000_0200_0000
STACK = 0xFFFF_FFFF_A000_F000
RETURN = 0xDEAD_0000
SLOTS = ["rdi", "rsi", "rax", "rbx", "rbp", "r12", "r13", "r14", "rdx", "r10", "r8", "r9", "r15", "rflags", "next",
         "error", "rsp", "fault", "r11", "rcx", "cs", "ss", "fs", "gs"]
ENDPOINT, NOTIFICATION, REPLY, FRAME, CNODE = 4, 6, 8, 1, 10


class Leaf(Exception):
    """A leaf that does not hold, and why."""


def word(name):
    return claripy.BVS(name, 64)


def const(value):
    return claripy.BVV(value & (1 << 64) - 1, 64)


class Kernel:
    def __init__(self, path):
        self.project = angr.Project(path, auto_load_libs=False)
        self.symbols = {}
        self.skipped = set()
        for symbol in self.project.loader.main_object.symbols:
            if symbol.name and symbol.rebased_addr:
                self.symbols.setdefault(symbol.name, symbol.rebased_addr)

    def symbol(self, *parts):
        """The only symbol whose mangled name holds all of `parts`."""
        exact = self.symbols.get(parts[0]) if len(parts) == 1 else None
        found = {at for name, at in self.symbols.items() if all(part in name for part in parts)}
        if exact is None and len(found) != 1:
            raise Leaf(f"{len(found)} symbols match {' '.join(parts)}")
        return exact if exact is not None else found.pop()

    def state(self, at, **registers):
        options = {angr.options.SYMBOL_FILL_UNCONSTRAINED_MEMORY, angr.options.SYMBOL_FILL_UNCONSTRAINED_REGISTERS}
        state = self.project.factory.call_state(at, ret_addr=RETURN, stack_base=STACK, add_options=options)
        for name, value in registers.items():
            setattr(state.regs, name, value)
        return state

    def ends(self, state, stops=(), limit=4000):
        """Every state in which a path returns or comes to one of `stops`."""
        stops, ends, open_states, steps = set(stops) | {RETURN}, [], [state], 0
        while open_states:
            state = open_states.pop()
            if state.addr in stops:
                ends.append(state)
                continue
            steps += 1
            if steps > limit:
                raise Leaf("the leaf has a loop")
            # A block ends before the next stop, whatever the lifter would take together.
            size = min((at - state.addr for at in stops | self.skipped if at > state.addr), default=400)
            result = self.project.factory.successors(state, size=min(size, 400))
            if result.unconstrained_successors:
                raise Leaf(f"control is lost behind {state.addr:#x}")
            open_states += result.flat_successors
        if not ends:
            raise Leaf("no path ends")
        return ends

    def find(self, start, mnemonic, count=1, within=800):
        """Addresses of the first `count` instructions `mnemonic` from `start` on, by linear sweep."""
        found, at = [], start
        while at < start + within and len(found) < count:
            code = self.project.loader.memory.load(at, 16)
            for instruction in self.project.arch.capstone.disasm(code, at, 1):
                if instruction.mnemonic == mnemonic:
                    found.append(at)
                at += instruction.size
                break
            else:
                raise Leaf(f"no instruction at {at:#x}")
        if len(found) < count:
            raise Leaf(f"no {mnemonic} behind {start:#x}")
        return found


    def skip(self, start, end):
        """Leaves out what the lifter does not know and no register depends on: the address space, and `verw`."""
        for instruction in self.project.arch.capstone.disasm(self.project.loader.memory.load(start, end - start), start):
            if instruction.mnemonic == "verw" or instruction.op_str.startswith("cr3, "):
                self.skipped.add(instruction.address)
                self.project.hook(instruction.address, lambda state: None, length=instruction.size, replace=True)


def refuted(ends, wanted):
    """Whether some input of some path breaks `wanted(state)`; which."""
    for state in ends:
        broken = claripy.Not(wanted(state))
        if state.solver.satisfiable(extra_constraints=[broken]):
            return state
    return None


def proved(name, ends, wanted, wrong):
    """`wanted` holds at each end for all inputs, `wrong` does not; every end can be reached."""
    if not all(state.solver.satisfiable() for state in ends):
        raise Leaf("a path contradicts itself")
    if (state := refuted(ends, wanted)) is not None:
        raise Leaf(f"differs from its specification on a path that ends at {state.addr:#x}")
    for index, specification in enumerate(wrong):
        if refuted(ends, specification) is None:
            raise Leaf(f"wrong specification {index} is met too")
    return f"{len(ends)} paths, all inputs; {len(wrong)} wrong specifications refuted"


def kind(cap):
    return cap[63:59]


def is_any(value, kinds):
    return claripy.Or(*(value == claripy.BVV(one, 5) for one in kinds))


def mask_rights(kernel):
    cap, extra, mask = word("cap"), word("extra"), word("mask")
    state = kernel.state(kernel.symbol("capability", "derive", "mask_rights"), rdi=cap, rsi=extra, rdx=mask)
    state.solver.add(claripy.ULE(mask, 15))

    def specification(flaw=None):
        rights = cap[49:46] & (mask[3:0] if flaw != "all" else claripy.BVV(15, 4))
        # Write, and one of grant and grant-reply: what a call needs.
        callable_ = claripy.If(claripy.And(is_any(kind(cap), [ENDPOINT]), rights[0:0] == 1, rights[3:2] != 0),
                               claripy.BVV(1, 1), claripy.BVV(0, 1))
        message = claripy.Concat(kind(cap), callable_, claripy.BVV(0, 8), rights, cap[45:0])
        frame = claripy.Concat(cap[63:50], cap[49:48] & mask[1:0], cap[47:0])
        if flaw == "frame":
            frame = cap
        result = claripy.If(is_any(kind(cap), [ENDPOINT, NOTIFICATION, REPLY]), message,
                            claripy.If(is_any(kind(cap), [FRAME]), frame, cap))
        return lambda end: claripy.And(end.regs.rax == result, end.regs.rdx == extra)

    return proved("mask", kernel.ends(state), specification(), [specification("all"), specification("frame")])


def update_data(kernel):
    cap, extra, data, preserve = word("cap"), word("extra"), word("data"), word("preserve")
    state = kernel.state(kernel.symbol("capability", "derive", "update_data"), rdi=cap, rsi=extra, rdx=data, rcx=preserve)
    state.solver.add(claripy.ULE(preserve, 1))

    def specification(flaw=None):
        badged = claripy.And(preserve == 0, extra == 0) if flaw != "again" else preserve == 0
        bits, radix = claripy.ZeroExt(58, data[5:0]), claripy.ZeroExt(58, cap[51:46])
        fits = claripy.ULE(bits + radix, 64)
        guard = claripy.If(bits == 0, const(0), claripy.LShR(data, 6) & claripy.LShR(const(-1), 64 - bits))
        whole = claripy.If(claripy.And(guard == 0, bits + radix == 64), claripy.BVV(1, 1), claripy.BVV(0, 1))
        if flaw == "whole":
            whole = claripy.BVV(0, 1)
        cnode = claripy.Concat(kind(cap), whole, data[5:0], cap[51:46], cap[45:0])
        message = is_any(kind(cap), [ENDPOINT, NOTIFICATION])
        isc = is_any(kind(cap), [CNODE])
        first = claripy.If(message, claripy.If(badged, cap, const(0)),
                           claripy.If(isc, claripy.If(fits, cnode, const(0)), cap))
        second = claripy.If(message, claripy.If(badged, data, const(0)),
                            claripy.If(isc, claripy.If(fits, guard, const(0)), extra))
        return lambda end: claripy.And(end.regs.rax == first, end.regs.rdx == second)

    return proved("badge", kernel.ends(state), specification(), [specification("again"), specification("whole")])


# Registers by what an answer to each kind of fault may name, in order: unknown system call, user exception, timeout.
ANSWERS = {
    2: ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "fault",
        "rsp", "rflags"],
    3: ["fault", "rsp", "rflags"],
    5: ["fault", "rsp", "rflags", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13",
        "r14", "r15", "fs"],
}
LONGEST, IN_REGISTERS = 120, ["r10", "r8", "r9", "r15"]
THREAD, HANDLER, BUFFER = 0xFFFF_8000_0400_0000, 0xFFFF_8000_0500_0000, 0x0600_0400


def fields(kernel, entry, inside):
    """Which words of the two threads, besides their contexts, the code at `entry` begins by reading, in that order."""
    state, found = kernel.state(entry, rdi=const(THREAD), rsi=const(HANDLER), rdx=word("info")), []

    def note(state):
        address = state.inspect.mem_read_address
        if not address.symbolic and address.concrete_value not in found:
            found.append(address.concrete_value)

    state.inspect.b("mem_read", when=angr.BP_BEFORE, action=note)
    states = [state]
    for _ in range(40):
        state = states.pop(0)
        states += kernel.project.factory.successors(state).flat_successors if state.addr != RETURN else []
    outside = lambda base: [at - base for at in found if 0 <= at - base < 2048 and not inside <= at - base < inside + 192]
    return outside(THREAD), outside(HANDLER)


def answer_fault(kernel):
    """What a fault handler's answer puts into the registers of the thread that faulted."""
    entry = kernel.symbol("ipc", "fault", "answer_fault")
    inside = place_of_context(kernel)[1]
    of_thread, of_handler = fields(kernel, entry, inside)
    if len(of_thread) != 1 or len(of_handler) != 2:
        raise Leaf(f"it reads {of_thread} and {of_handler} of the threads, not a fault and a buffer")
    [fault], [frame, address] = of_thread, of_handler
    said = []
    for kind, order in ANSWERS.items():
        state = kernel.state(entry, rdi=const(THREAD), rsi=const(HANDLER), rdx=word("info"))
        info, has_buffer = state.regs.rdx, claripy.BoolS("has_buffer")
        was, answer = ({name: word(whose + name) for name in SLOTS} for whose in ("was_", "answer_"))
        for base, slots in (THREAD, was), (HANDLER, answer):
            for index, name in enumerate(SLOTS):
                state.memory.store(base + inside + 8 * index, slots[name], endness="Iend_LE")
        # An ordinary frame that may be read and written, or nothing; the buffer is at an offset in it.
        cap = claripy.If(has_buffer, const(FRAME << 59 | 3 << 48 | BUFFER & ~0xFFF), const(0))
        for base, offset, value in (THREAD, fault, const(kind)), (HANDLER, frame, cap), (HANDLER, address, const(BUFFER)):
            state.memory.store(base + offset, value, endness="Iend_LE")
        words = [word(f"word_{index}") for index in range(LONGEST)]
        for index, value in enumerate(words):
            state.memory.store(0xFFFF_8000_0000_0000 + BUFFER + 8 + 8 * index, value, endness="Iend_LE")
        words[:4] = [answer[name] for name in IN_REGISTERS]
        ends = kernel.ends(state)

        def specification(flaw=None):
            length = claripy.ZeroExt(57, info[6:0])
            most = claripy.If(claripy.And(has_buffer, claripy.UGT(length, 4)), const(LONGEST), const(4))
            count = claripy.If(claripy.ULT(length, most), length, most)
            names = lambda name: claripy.UGT(count, order.index(name)) if name in order else claripy.false()
            # In a system call four slots follow from others; they are written before one of them changes.
            lazy = claripy.And(was["error"] == const(-1), claripy.Or(*map(names, ["fault", "rflags", "rcx", "r11"])))
            follow = {"rcx": was["next"], "r11": was["rflags"], "fault": was["next"] - 2, "error": const(0)}

            def clean(name, value):
                if name in ("fault", "fs") and flaw != "canonical":
                    # Bits 63 to 47 all equal, or nothing.
                    high = value[63:47]
                    return claripy.If(claripy.Or(high == 0, high == 0x1FFFF), value, const(0))
                # CF PF AF ZF SF TF DF OF as asked; interrupts on; all else off.
                allowed = 0xDD5 if flaw != "privilege" else 0x3DD5
                return (value & allowed) | 0x202 if name == "rflags" else value

            def wanted(end):
                claims = [end.regs.al == claripy.If(info[63:12] == 0, claripy.BVV(1, 8), claripy.BVV(0, 8))]
                for index, name in enumerate(SLOTS):
                    after = end.memory.load(THREAD + inside + 8 * index, 8, endness="Iend_LE")
                    kept = claripy.If(lazy, follow[name], was[name]) if name in follow else was[name]
                    given = clean(name, words[order.index(name)]) if name in order else kept
                    claims.append(after == claripy.If(names(name), given, kept))
                return claripy.And(*claims)

            return wanted

        said.append(proved(f"kind {kind}", ends, specification(), [specification("privilege"), specification("canonical")]))
    return "; ".join(said)


def place_of_context(kernel):
    """Which of the core's words names the current thread, and where in a thread its context is: read off the first two
    instructions of `skerry_restore`, which load the thread and the first register."""
    at = kernel.symbol("skerry_restore")
    code = kernel.project.loader.memory.load(at, 32)
    first, second = list(kernel.project.arch.capstone.disasm(code, at, 2))
    if {first.mnemonic, second.mnemonic} != {"mov"}:
        raise Leaf("skerry_restore does not begin with the current thread")
    return first.operands[1].mem.disp, second.operands[1].mem.disp


def context(state):
    """A context with any registers, and a core whose words lead to it and to its stack."""
    slots = {name: word("slot_" + name) for name in SLOTS}
    for index, name in enumerate(SLOTS):
        state.memory.store(CONTEXT + 8 * index, slots[name], endness="Iend_LE")
    return slots


def core(kernel, state):
    """Gives the stubs' `gs:` words their values; the address of the current thread, whose context is at `CONTEXT`."""
    state.regs.gs_const = const(CPU)
    current, inside = place_of_context(kernel)
    for offset in range(0, 128, 8):
        state.memory.store(CPU + offset, const(STACK), endness="Iend_LE")
    state.memory.store(CPU + current, const(CONTEXT - inside), endness="Iend_LE")
    return CONTEXT - inside


def stored_registers(kernel):
    """From `syscall` to the handler of Call: each user register is in its own slot, and no other slot is written."""
    entry = kernel.symbol("skerry_syscall_entry")
    names = ["rdi", "rsi", "rax", "rbx", "rbp", "r12", "r13", "r14", "r10", "r8", "r9", "r15", "r11", "rcx", "rsp"]
    given = {name: word("user_" + name) for name in names}
    number = const(-1)
    # Behind the first instruction, `swapgs`, which is not modelled: GS is the kernel's.
    state = kernel.state(entry + 3, rdx=number, **given)
    slots = context(state)
    core(kernel, state)
    ends = kernel.ends(state, stops=[kernel.symbol("skerry_call")])

    def specification(next_ip=given["rcx"]):
        # `syscall` has put the instruction pointer into RCX and the flags into R11.
        saved = {name: given[name] for name in names if name not in ("r11", "rcx")}
        saved |= {"rdx": number, "rflags": given["r11"], "next": next_ip}

        def wanted(end):
            slot = lambda name: end.memory.load(CONTEXT + 8 * SLOTS.index(name), 8, endness="Iend_LE")
            return claripy.And(*(slot(name) == saved.get(name, slots[name]) for name in SLOTS))

        return wanted

    return proved("entry", ends, specification(), [specification(given["rcx"] - 2)])


def restored_registers(kernel):
    """`skerry_restore` after a system call: each user register is what its slot holds, up to `swapgs; sysretq`."""
    entry = kernel.symbol("skerry_restore")
    state = kernel.state(entry)
    slots = context(state)
    core(kernel, state)
    state.solver.add(slots["error"] == const(-1))
    ends = kernel.ends(state, stops=kernel.find(entry, "swapgs"))
    names = ["rdi", "rsi", "rax", "rbx", "rbp", "r12", "r13", "r14", "rdx", "r10", "r8", "r9", "r15", "rsp"]

    def specification(rip="next"):
        def wanted(end):
            claims = [getattr(end.regs, name) == slots[name] for name in names]
            return claripy.And(*claims, end.regs.rcx == slots[rip], end.regs.r11 == slots["rflags"])

        return wanted

    return proved("restore", ends, specification(), [specification("fault")])


def long_return(kernel):
    """The long way out: `iretq` gets a canonical RIP only, and the slots; anything else is refused as a fault."""
    return "; ".join(f"{which}: {long_return_of(kernel, which, suffix)}" for which, suffix in [("plain", ""), ("guarded", "_guarded")])


def long_return_of(kernel, which, suffix):
    entry = kernel.symbol("entry", which, "restore_all")
    refused, leave = kernel.symbol("skerry_refused" + suffix), kernel.symbol("skerry_iret" + suffix)
    swap = kernel.find(entry, "swapgs")
    given = {"rdi": word("rdi"), "rsi": word("rsi")}
    kernel.skip(entry, leave)
    state = kernel.state(entry, **given)
    slots = context(state)
    state.regs.r11 = const(core(kernel, state))
    # The frame is made on a stack of the core's; its other words may be anything.
    code = kernel.project.arch.capstone.disasm(kernel.project.loader.memory.load(entry, leave - entry), entry)
    frame_stack = next(it.operands[1].mem.disp for it in code if it.op_str.startswith("rsp, qword ptr gs:"))
    for offset in range(0, 128, 8):
        if offset not in (frame_stack, place_of_context(kernel)[0]):
            state.memory.store(CPU + offset, word(f"core_{offset}"), endness="Iend_LE")
    ends = kernel.ends(state, stops=[refused, leave, *swap])
    left = [end for end in ends if end.addr != refused]
    names = ["rax", "rbx", "rbp", "r12", "r13", "r14", "rdx", "r10", "r8", "r9", "r15", "r11", "rcx"]

    def specification(flaw=None):
        high = slots["next"][63:47] if flaw is None else slots["next"][63:48]
        canonical = claripy.Or(high == 0, high == (0x1FFFF if flaw is None else 0xFFFF))
        frame = ["next", "cs", "rflags", "rsp", "ss"]

        def wanted(end):
            if end.addr == refused:
                return claripy.Not(canonical)
            claims = [canonical, *(getattr(end.regs, name) == slots[name] for name in names)]
            claims += [end.regs.rdi == given["rdi"], end.regs.rsi == given["rsi"]]
            for index, name in enumerate(frame):
                claims.append(end.memory.load(end.regs.rsp + 8 * index, 8, endness="Iend_LE") == slots[name])
            # The next system call finds the mark that it does not write itself.
            claims.append(end.memory.load(CONTEXT + 8 * SLOTS.index("error"), 8, endness="Iend_LE") == const(-1))
            # GS is exchanged for users only.
            user = slots["cs"][1:0] != 0
            claims.append(user if end.addr in swap else claripy.Not(user))
            return claripy.And(*claims)

        return wanted

    if not left or len(left) == len(ends):
        raise Leaf("it does not both leave and refuse")
    return proved("long return", ends, specification(), [specification("canonical")])


def interrupt_command(kernel):
    """The interrupt command register gets exactly the command, and in its page nobody is rung for an id it cannot name."""
    apic, low, destination = 0xFFFF_8000_0300_0000, word("low"), word("destination")
    page = 0xFFFF_FFFF_BFE0_4300
    entry = kernel.symbol("local_apic", "LocalApic", "command")
    state = kernel.state(entry, rdi=const(apic), rsi=low, rdx=destination)
    # The last command was delivered: the wait for that is a loop.
    state.memory.store(page, const(0)[31:0], endness="Iend_LE")
    untouched = claripy.BVS("high", 32)
    state.memory.store(page + 0x10, untouched, endness="Iend_LE")
    stops = kernel.find(entry, "wrmsr", count=3, within=0x100)
    ends = kernel.ends(state, stops=stops)
    if not any(end.addr in stops for end in ends) or all(end.addr in stops for end in ends):
        raise Leaf("it is not seen to write the register and the page")

    def specification(most=0xFE):
        def wanted(end):
            if end.addr in stops:
                regs = end.regs
                return claripy.And(regs.ecx == 0x830, regs.eax == low[31:0], regs.edx == destination[31:0])
            written = end.memory.load(page, 4, endness="Iend_LE"), end.memory.load(page + 0x10, 4, endness="Iend_LE")
            names = claripy.ULE(destination[31:0], most)
            # A command of all zeros cannot be told from none; no command is.
            rung = claripy.And(written[0] == low[31:0], written[1] == destination[7:0].concat(claripy.BVV(0, 24)))
            return claripy.If(names, rung, claripy.And(written[0] == 0, written[1] == untouched))

        return wanted

    return proved("command", ends, specification(), [specification(0xFF), specification(0x7F)])


LEAVES = [mask_rights, update_data, answer_fault, stored_registers, restored_registers, long_return, interrupt_command]


def main(path, *names):
    kernel = Kernel(path)
    for leaf in LEAVES:
        if names and leaf.__name__ not in names:
            continue
        try:
            print(leaf.__name__, "holds", leaf(kernel), flush=True)
        except Leaf as why:
            print(leaf.__name__, "fails", why, flush=True)
        except Exception as error:  # An engine's own error shows nothing.
            print(leaf.__name__, "fails", f"{type(error).__name__}: {error}", flush=True)


main(*sys.argv[1:])
