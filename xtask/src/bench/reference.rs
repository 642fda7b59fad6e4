//! What our figures stand next to: seL4's, measured the same way, and what Skerry sets out to reach.
//!
//! seL4 16 (MCS and not), its own benchmark suite, QEMU 7.2 TCG with `-icount shift=0`: medians, spread 0. The suite
//! subtracts its stub as ours does, so both are instructions from `syscall` to the return to user mode.

/// One operation's figures elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// Our figure's id.
    pub id: &'static str,
    /// The operation in words.
    pub what: &'static str,
    /// seL4, MCS.
    pub sel4_mcs: Option<u64>,
    /// seL4 without MCS.
    pub sel4: Option<u64>,
    /// The most that Skerry is to need.
    pub target: Option<u64>,
}

const fn row(
    id: &'static str,
    what: &'static str,
    sel4_mcs: Option<u64>,
    sel4: Option<u64>,
    target: Option<u64>,
) -> Reference {
    Reference { id, what, sel4_mcs, sel4, target }
}

/// Every operation that has figures elsewhere, in the report's order.
pub const REFERENCES: [Reference; 19] = [
    row("ipc.call.same", "`Call`, same address space", Some(210), Some(182), Some(140)),
    row("ipc.call.other", "`Call`, other address space", Some(212), Some(184), Some(140)),
    row("ipc.replyrecv.same", "`ReplyRecv`, same address space", Some(275), Some(209), Some(175)),
    row("ipc.replyrecv.other", "`ReplyRecv`, other address space", Some(277), Some(211), Some(175)),
    row("ipc.call.10", "`Call`, 10 words", None, Some(802), Some(300)),
    row("ipc.replyrecv.10", "`ReplyRecv`, 10 words", None, Some(770), Some(300)),
    row("ipc.call.10.active", "`Call`, 10 words, to a server with time of its own", Some(992), None, Some(300)),
    row("ipc.replyrecv.10.active", "`ReplyRecv`, 10 words, of such a server", Some(1166), None, Some(300)),
    row("ipc.send.other", "`Send` to a higher-priority receiver, other address space", Some(853), Some(700), Some(250)),
    row("signal.high", "signal to a higher-priority waiter", Some(688), Some(509), Some(220)),
    row("signal.low", "signal, nobody to switch to", Some(435), Some(353), Some(100)),
    row("irq.user", "interrupt to a higher-priority waiter, with switch", None, Some(356), Some(220)),
    row("fault.to_handler", "fault to handler", Some(697), Some(606), None),
    row("fault.to_faulter", "handler to faulter", Some(1242), Some(704), None),
    row("fault.roundtrip", "fault round trip", Some(1932), Some(1303), Some(450)),
    row("syscall.null", "cheapest system call that needs no build option", None, Some(89), Some(50)),
    row("yield.thread", "`Yield` to a thread of the same priority", None, Some(268), Some(130)),
    row("map.page", "map a page", None, Some(720), None),
    row("retype.page", "create a page", None, Some(900), None),
];

/// One operation of seL4's benchmark suite, the same binary on both kernels: instructions, medians, which are also the least
/// and the greatest.
///
/// The suite was built outside this repository for seL4 16 MCS and booted as a root task, in QEMU 7.2 with
/// `-icount shift=0,sleep=off` and one processor, a Nehalem. The emulator counts no events for a guest, so the suite's `rdpmc`
/// was replaced by zeroes; its cycle counter is the time-stamp counter. The processor has CPUID leaves up to 9 only: with
/// leaf 10, where the emulator says that there are no counters, the suite divides by their number. Its own overhead is
/// subtracted, as the suite does.
#[derive(Clone, Copy, Debug)]
pub struct SameBinary {
    /// The operation in words.
    pub what: &'static str,
    /// seL4.
    pub sel4: u64,
    /// Skerry.
    pub skerry: u64,
}

const fn same(what: &'static str, sel4: u64, skerry: u64) -> SameBinary {
    SameBinary { what, sel4, skerry }
}

/// What that suite said.
pub const SAME_BINARY: [SameBinary; 14] = [
    same("`Call`, same address space", 220, 124),
    same("`ReplyRecv`, same address space", 289, 160),
    same("`Call`, other address space", 217, 130),
    same("`Call`, other address space, with FPU", 227, 130),
    same("`ReplyRecv`, other address space", 286, 166),
    same("`ReplyRecv`, other address space, with FPU", 298, 166),
    same("`Send` to a higher-priority receiver", 889, 208),
    same("`Call`, 10 words, to a server with time of its own", 1030, 251),
    same("`ReplyRecv`, 10 words, of such a server", 1236, 295),
    same("signal to a higher-priority waiter", 721, 195),
    same("signal, nobody to switch to", 458, 74),
    same("fault to handler", 717, 187),
    same("handler to faulter", 1324, 219),
    same("fault round trip", 2034, 399),
];

/// Figures that are asked for and not measured, and why.
pub const MISSING: [(&str, &str); 1] = [(
    "real hardware and KVM",
    "never run there so far. `cargo xtask bench --only machine` runs under KVM where the processor has vmx or svm, and \
     writes an ISO for a PC, whose recorded serial output `--serial FILE` turns into figures",
)];

/// Cores of [`SEL4_LOCKSTEP`].
pub const LOCKSTEP_CORES: [u32; 4] = [1, 2, 4, 8];

/// One curve of seL4's SMP kernel.
#[derive(Clone, Copy, Debug)]
pub struct Lockstep {
    /// Instructions that client and server think, each.
    pub think: u64,
    /// Thousands of round trips per 10^9 ticks, by [`LOCKSTEP_CORES`].
    pub thousands: [u64; 4],
}

/// seL4 16 (SMP, big lock, not MCS), its own SMP benchmark, in Bochs as ours: one pair per core.
pub const SEL4_LOCKSTEP: [Lockstep; 5] = [
    Lockstep { think: 0, thousands: [1566, 2276, 2285, 2285] },
    Lockstep { think: 500, thousands: [614, 1228, 2286, 2288] },
    Lockstep { think: 1000, thousands: [380, 760, 1520, 2296] },
    Lockstep { think: 2000, thousands: [216, 432, 865, 1729] },
    Lockstep { think: 4000, thousands: [116, 232, 463, 927] },
];
