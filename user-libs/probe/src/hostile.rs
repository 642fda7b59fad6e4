//! A root task whose threads make random system calls: random registers, capabilities and messages, from several threads
//! at a time, with authority over each other, over memory, and over their own capability space.
//!
//! They have a capability space of their own, without what keeps the first thread alive; that one starts them again and
//! again, with other seeds, and in the end revokes everything. Each run differs, by the clock. Run by the system tests
//! (`hostile/…`), which watch what the partition beside it notices.

use crate::stage::{Stage, step};
use alloc::vec::Vec;
use core::arch::x86_64::_rdtsc;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use root_task::RootError;
use root_task::console::{Console, Record};
use root_task::objects::place;
use sel4::{
    BootInfo, Budget, CNode, CNodeGuard, CapRights, ObjectType, Page, ResumeTarget, Slot, Space, buffer, initial,
};

/// Threads.
const CREW: usize = 3;
/// How long they run, in microseconds.
const DURATION_US: u64 = 3_000_000;
/// Priority of the first thread while it starts the others.
const ABOVE: u8 = crate::stage::PRIORITY + 1;
/// Turns that the threads get between two starts.
const TURNS: u64 = 8;
/// Slots of their capability space, as bits.
const RADIX: u32 = 6;
const SLOTS: u64 = 1 << RADIX;
/// Memory that they may make objects of, as bits.
const MEMORY_BITS: u32 = 16;
/// System calls by register `rdx`; calls and receives are the most likely. Nothing that stops or prints.
const NUMBERS: [i64; 16] = [-1, -1, -1, -1, -1, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11];

/// What they are lent of the first thread's, beside memory. (Paging structures and interrupt control cannot be copied.)
const LENT: [ObjectType; 4] = [ObjectType::Endpoint, ObjectType::Notification, ObjectType::Reply, ObjectType::Page4K];

/// System calls made.
static MADE: AtomicU64 = AtomicU64::new(0);
/// Must stay as it is.
static CANARY: [AtomicU64; 512] = [const { AtomicU64::new(0x5ee5_5ee5_5ee5_5ee5) }; 512];

/// Runs the threads, says `done`, and stops.
pub fn run(info: &BootInfo<'_>, console: &mut Console) -> ! {
    let code = match storm(info) {
        Ok(()) => i32::from(CANARY.iter().any(|word| word.load(Relaxed) != 0x5ee5_5ee5_5ee5_5ee5)),
        Err(error) => {
            let _ = writeln!(console, "hostile: {error}");
            1
        }
    };
    let _ = writeln!(console, "hostile: {} system calls", MADE.load(Relaxed));
    console.record(Record::Done { code });
    loop {
        let _ = initial::TCB.suspend();
    }
}

/// Registers of a system call.
#[repr(C)]
struct Registers {
    rdi: u64,
    rsi: u64,
    rdx: u64,
    r10: u64,
    r8: u64,
    r9: u64,
    r15: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    rbx: u64,
    rbp: u64,
}

/// Makes the system call, and forgets what comes of it.
#[unsafe(naked)]
unsafe extern "C" fn fire(registers: *const Registers) {
    core::arch::naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov rax, rdi",
        "mov rsi, [rax + 8]",
        "mov rdx, [rax + 16]",
        "mov r10, [rax + 24]",
        "mov r8, [rax + 32]",
        "mov r9, [rax + 40]",
        "mov r15, [rax + 48]",
        "mov r12, [rax + 56]",
        "mov r13, [rax + 64]",
        "mov r14, [rax + 72]",
        "mov rbx, [rax + 80]",
        "mov rbp, [rax + 88]",
        "mov rdi, [rax]",
        "syscall",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn cptr(&mut self) -> u64 {
        if self.below(50) == 0 { self.next() } else { self.below(SLOTS) }
    }

    /// A word that means something to somebody.
    fn word(&mut self) -> u64 {
        match self.below(10) {
            0 => self.next(),
            1 => 1 << self.below(64),
            2 => u64::from(RADIX),
            3 => 64,
            4 => 0x7000_0000 + self.below(64) * 4096,
            5..8 => self.below(SLOTS),
            _ => self.below(300),
        }
    }
}

/// Random system calls for ever; `seed` is not zero.
extern "C" fn wild(seed: u64) -> ! {
    let mut random = Random(seed);
    loop {
        for index in 4..12 {
            buffer::set_word(index, random.word());
        }
        for index in 0..3 {
            buffer::set_cap(index, random.cptr());
        }
        let root = CNode::new(random.below(4));
        buffer::set_receive_slot(Slot { root, index: random.below(SLOTS), depth: u64::from(RADIX) });
        let label = if random.below(8) == 0 { random.next() } else { random.below(64) };
        let info = label << 12 | random.below(4) << 7 | random.below(13);
        let number = NUMBERS[random.below(NUMBERS.len() as u64) as usize];
        let number = if random.below(300) == 0 { -200 } else { number };
        let registers = Registers {
            rdi: random.cptr(),
            rsi: if random.below(30) == 0 { random.next() } else { info },
            rdx: number as u64,
            r10: random.word(),
            r8: random.word(),
            r9: random.word(),
            r15: random.word(),
            r12: random.cptr(),
            r13: random.cptr(),
            r14: random.next(),
            rbx: random.next(),
            rbp: random.next(),
        };
        // SAFETY: only this thread's own objects can be harmed, and it is started anew if it is.
        unsafe { fire(&registers) };
        MADE.fetch_add(1, Relaxed);
    }
}

fn storm(info: &BootInfo<'_>) -> Result<(), RootError> {
    let mut stage = Stage::new(info)?;
    let home = CNode::new(stage.objects.create(ObjectType::CapTable, RADIX)?);
    let memory = place(stage.objects.create(ObjectType::Untyped, MEMORY_BITS)?);
    let mut crew = Vec::new();
    for seat in 0..CREW {
        crew.push(stage.enlist(seat)?);
    }
    let mut lent = Vec::new();
    for kind in LENT {
        lent.push(stage.objects.create(kind, 0)?);
    }
    let unheard = stage.objects.create(ObjectType::Endpoint, 0)?;
    let guard = CNodeGuard::for_root(RADIX);
    let control = info.sched_control(info.page().node_id).ok_or(RootError::NoManifest)?;
    let stop = now() + DURATION_US * u64::from(info.tsc_mhz().unwrap_or(1));
    let mut seed = now() | 1;
    while now() < stop {
        // Above them, so that none is in the midst of it all: they have authority over each other.
        step("raise a priority", initial::TCB.set_priority(initial::TCB, ABOVE))?;
        // Whatever they did to each other, their space and memory: again from the beginning. All of them first, since a
        // context may be bound to another thread than its own.
        for member in &crew {
            step("stop a thread", member.tcb.suspend())?;
            step("unbind a context", member.context.unbind())?;
        }
        step("revoke memory", memory.revoke())?;
        let slot = |index: u64| home.slot_at_depth(index, u64::from(RADIX));
        for index in 0..SLOTS {
            step("delete a capability", slot(index).delete())?;
        }
        let kept = [memory.index, initial::ASID_CONTROL.cptr(), initial::ASID_POOL.cptr(), control.cptr()];
        let members = crew.iter().flat_map(|member| [member.tcb.cptr(), member.context.cptr()]);
        step("give a capability space", slot(1).mint_guard_from(place(home.cptr()), guard))?;
        for (index, cptr) in (2..).zip(kept.into_iter().chain(lent.iter().copied()).chain(members)) {
            step("give a capability", slot(index).copy_from(place(cptr), CapRights::ALL))?;
        }
        for (seat, member) in crew.iter().enumerate() {
            let space = Space { cspace: home, guard, vspace: initial::VSPACE };
            step("set a budget", control.configure(member.context, Budget::round_robin(1_000)))?;
            step("configure a thread", member.tcb.configure(space, member.buffer, Page::new(member.page)))?;
            // Nobody hears their faults: they wait there until they are started anew.
            let (most, faults) = (crate::stage::PRIORITY, sel4::Endpoint::new(unheard));
            step("schedule a thread", member.tcb.set_sched_params(initial::TCB, most, most, member.context, faults))?;
            let mut registers = Stage::registers(seat, wild as *const () as u64);
            registers.rdi = seed.wrapping_mul(2 * seat as u64 + 3) | 1;
            step("start a thread", member.tcb.write_registers(ResumeTarget::Yes, &registers))?;
        }
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d) | 1;
        step("lower a priority", initial::TCB.set_priority(initial::TCB, crate::stage::PRIORITY))?;
        (0..TURNS).for_each(|_| sel4::yield_now());
    }
    step("raise a priority", initial::TCB.set_priority(initial::TCB, ABOVE))?;
    for member in &crew {
        step("stop a thread", member.tcb.suspend())?;
    }
    step("delete their capability space", place(home.cptr()).delete())?;
    step("revoke memory", memory.revoke())
}

fn now() -> u64 {
    // SAFETY: every x86-64 processor has a clock that users may read here.
    unsafe { _rdtsc() }
}
