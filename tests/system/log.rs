//! The logical log of a running machine: what a debugger sees of each instance's entries and exits, and of the rings between
//! them, replayed against the automaton of doorbells.
//!
//! Nothing of the kernels is changed: the debugger stops the machine where the release kernel takes an interrupt, a wait or a
//! poll, where it writes the interrupt command register, and, from there on, where it leaves to the user.

use crate::Pace::Quick;
use crate::Tests;
use abi::syscall::Syscall;
use anyhow::{Context, Result, anyhow, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};
use partition_config::Plan;
use tests::automaton::{Event, Instance, replay};
use tests::debugger::{Debugger, register};
use tests::lab::{Lab, PATIENCE};
use xtask::artifacts::KERNEL;

/// Rings that the sender makes, and how many of them are logged: at least so many, and until so many waits and polls
/// were answered at once. On a busy host many rings come to one answer.
const RINGS: u64 = 10_000;
const LOGGED: u64 = 150;
const ANSWERS: u64 = 30;
/// Where programs have the notification that hears their channels (`runtime::layout::slot`).
const NOTIFICATION: u64 = 4;
/// Slots of a context (`machine::context`), and the bytes of a `syscall` instruction.
const RDX: u64 = 8;
const NEXT_IP: u64 = 14;
const SYSCALL_BYTES: u64 = 2;
/// Vectors of doorbells, and the bytes of a vector's entry.
const DOORBELLS: std::ops::RangeInclusive<u8> = 0xa0..=0xdf;
const VECTOR_BYTES: u64 = 16;

/// What happened, and at which instance.
type Log = Vec<(usize, Event)>;

pub fn add(tests: &mut Tests) {
    // In the system's file the sender comes first.
    const RECEIVER: usize = 1;
    tests.add("log/replayed", Quick, |lab| {
        let log = logged(lab)?;
        let ends = replay(2, &log).map_err(|why| anyhow!("the log does not fit the automaton: {why}\n{log:x?}"))?;
        let (rung, taken) = ends.get(RECEIVER).map(|end| (end.rung, end.taken)).context("two instances")?;
        eprintln!("{} events; the receiver was rung {rung} times and heard {taken} times", log.len());
        let rings = log.iter().filter(|(_, event)| matches!(event, Event::Ring(_))).count() as u64;
        ensure!(rings >= LOGGED && rung == rings && taken > 10 && taken <= rung, "that is hardly a storm");
        // An arrival that was not is noticed. So is one that is left out, if a wait returned for it alone.
        let states: Vec<Instance> =
            (0..=log.len()).filter_map(|at| Some(replay(2, &log[..at]).ok()?.swap_remove(RECEIVER))).collect();
        let heard_alone = |at: usize| {
            let later = log[at + 1..].iter().zip(&states[at + 2..]);
            let mut until =
                later.take_while(|((who, event), _)| *who != RECEIVER || !matches!(event, Event::Arrive(_)));
            !states[at].has_noted() && until.any(|(_, state)| state.taken > states[at].taken)
        };
        let is_noticed = |change: &dyn Fn(&mut Log)| {
            let mut log = log.clone();
            change(&mut log);
            replay(2, &log).is_err()
        };
        let mut alone = 0;
        for (at, event) in log.iter().enumerate().filter(|(_, (_, event))| matches!(event, Event::Arrive(_))) {
            ensure!(is_noticed(&|log| log.insert(at, *event)), "event {at}, {event:?}, may come twice");
            if heard_alone(at) {
                alone += 1;
                let left_out = is_noticed(&|log| {
                    log.remove(at);
                });
                ensure!(left_out, "event {at}, {event:?}, may be left out");
            }
        }
        ensure!(alone > 10, "{alone} arrivals were heard alone");
        Ok(())
    });
}

/// Where the kernel is stopped.
struct Places {
    /// A system call other than the frequent ones; RDI is the capability's address, RDX the thread.
    other_call: u64,
    /// Where the processor comes to with vector 0; each further vector has [`VECTOR_BYTES`] of its own.
    vectors: u64,
    /// RSI and RDX are the command.
    command: u64,
    /// All registers but GS are the user's; at `iret` RCX is too, and the stack says where it goes on.
    exits: Vec<u64>,
    iret: u64,
    /// Where the core's current thread is named.
    current: u64,
    /// Where in a thread its context is.
    context: u64,
}

impl Places {
    /// As the kernel's ELF has them; what has no symbol is read off the way out.
    fn of(kernel: &[u8]) -> Result<Self> {
        let file = object::File::parse(kernel)?;
        let symbol = |name: &str| {
            let mut found =
                file.symbols().filter(|symbol| symbol.name().is_ok_and(|it| it == name || it.contains(name)));
            let exact = file.symbols().find(|symbol| symbol.name() == Ok(name));
            exact.or_else(|| found.next()).map(|symbol| symbol.address()).with_context(|| format!("no {name}"))
        };
        let sections = file.sections().filter(|section| section.kind() == SectionKind::Text);
        let sections = sections.map(|section| Ok((section.address(), section.data()?))).collect::<Result<Vec<_>>>()?;
        let code = |at: u64, length: usize| {
            let inside = |(start, bytes): &(u64, &'_ [u8])| {
                let from = usize::try_from(at.checked_sub(*start)?).ok()?;
                bytes.get(from..from + length).map(<[u8]>::to_vec)
            };
            sections.iter().find_map(inside).with_context(|| format!("no code at {at:#x}"))
        };
        // `mov r11, gs:[current]`, and `mov rdi, [r11 + context]`.
        let displacement = |at: u64, opcode: &[u8]| {
            let bytes = code(at, opcode.len() + 4)?;
            let (found, word) = bytes.split_at(opcode.len());
            ensure!(found == opcode, "the way out begins with {bytes:x?}");
            Ok(u64::from(u32::from_le_bytes(word.try_into()?)))
        };
        let current = displacement(symbol("skerry_restore")?, &[0x65, 0x4c, 0x8b, 0x1c, 0x25])?;
        let context = displacement(symbol("skerry_restore_thread")?, &[0x49, 0x8b, 0xbb])?;
        // `swapgs` and `sysretq`; and `iretq`.
        let leaves = |bytes: &[u8]| bytes == [0x0f, 0x01, 0xf8, 0x48, 0x0f, 0x07];
        let at = |&(start, bytes): &(u64, &[u8])| {
            let places =
                bytes.windows(6).enumerate().filter(|(_, bytes)| leaves(bytes)).map(|(at, _)| start + at as u64);
            places.collect::<Vec<u64>>()
        };
        let mut exits: Vec<u64> = sections.iter().flat_map(at).collect();
        let iret = symbol("skerry_iret")?;
        exits.push(iret);
        Ok(Self {
            other_call: symbol("skerry_syscall")?,
            vectors: symbol("skerry_vectors")?,
            command: symbol("9LocalApic7command")?,
            exits,
            iret,
            current: symbol("4CPUS17h")? + current,
            context,
        })
    }

    /// Where a doorbell's vector begins.
    fn vector(&self, vector: u8) -> u64 {
        self.vectors + VECTOR_BYTES * u64::from(vector)
    }

    /// The doorbell whose vector begins there.
    fn doorbell(&self, at: u64) -> Option<u8> {
        DOORBELLS.into_iter().find(|&vector| self.vector(vector) == at)
    }
}

/// A storm's events, up to the [`LOGGED`]th ring and the [`ANSWERS`]th answer at once, or nearly its end.
fn logged(lab: &Lab) -> Result<Log> {
    let lab = lab.with_release_kernel()?;
    let text = std::fs::read_to_string(xtask::workspace::root().join("tests/systems/doorbell-storm.toml"))?;
    let plan = lab.text(&text.replace("1000000", &RINGS.to_string()))?;
    // The image has it without its symbols.
    let kernel = std::fs::read(lab.artifacts().path(KERNEL).context("the kernel is not built")?)?;
    let places = Places::of(&kernel)?;
    let (started, mut debugger) = Debugger::start(&lab, &plan)?;
    let doorbells = DOORBELLS.map(|vector| places.vector(vector));
    let entries: Vec<u64> = doorbells.chain([places.other_call, places.command]).collect();
    entries.iter().try_for_each(|&at| debugger.stop_at(at))?;
    let mut log = Vec::new();
    let (mut rung, mut answered) = (0, 0);
    // Cores that are at a doorbell's vector already, which is logged, and have not been reported.
    let mut arrived = Vec::new();
    while rung < LOGGED || answered < ANSWERS && rung < RINGS - LOGGED {
        let core = debugger.run()?.core;
        let at = debugger.registers(core)?;
        let here = instance(&plan, core)?;
        let [rdi, rsi, rdx] = [register::RDI, register::RSI, register::RDX].map(|register| at.general[register]);
        if at.rip == places.command {
            let there = usize::try_from(rdx & 0xffff_ffff)?;
            // Where two cores come to such a place at once, one is reported first; what interrupts comes before the ring.
            if let Some(vector) = places.doorbell(debugger.registers(there)?.rip).filter(|_| !arrived.contains(&there))
            {
                log.push((instance(&plan, there)?, Event::Arrive(vector)));
                arrived.push(there);
            }
            log.push((instance(&plan, there)?, Event::Ring(rsi as u8)));
            rung += 1;
            // It is rung when the command returns.
            let back = word(&mut debugger, core, at.general[register::RSP])?;
            alone(&mut debugger, core, &[back])?;
        } else if let Some(vector) = places.doorbell(at.rip) {
            match arrived.iter().position(|&other| other == core) {
                Some(place) => drop(arrived.swap_remove(place)),
                None => log.push((here, Event::Arrive(vector))),
            }
            log.push((here, left(&mut debugger, &places, core)?.event));
        } else if let Some(question) = question(&mut debugger, &places, core, (rdi, rdx))? {
            let left = left(&mut debugger, &places, core)?;
            // Or it has to ask again: its budget is used up, or somebody else comes first.
            let puts_off = left.thread == rdx && left.next + SYSCALL_BYTES == question.next;
            if !puts_off {
                answered += u64::from(matches!(left.event, Event::Leave(_, badge) if badge != 0));
                log.extend([(here, question.event), (here, left.event)]);
            }
        } else {
            pass_by(&mut debugger, core)?;
        }
    }
    entries.iter().try_for_each(|&at| debugger.pass(at))?;
    debugger.detach()?;
    Lab::follow(started, &plan, PATIENCE)?.succeeded()?;
    Ok(log)
}

/// A thread's question, or that it is left to the user; and its next instruction there.
struct Crossing {
    thread: u64,
    event: Event,
    next: u64,
}

/// What a thread asks that comes with a system call whose first register and thread are these.
fn question(debugger: &mut Debugger, places: &Places, core: usize, call: (u64, u64)) -> Result<Option<Crossing>> {
    let (cptr, thread) = call;
    if cptr != NOTIFICATION {
        return Ok(None);
    }
    let mut saved = |slot| word(debugger, core, thread + places.context + 8 * slot);
    let event = match Syscall::from_number(saved(RDX)? as i64) {
        Some(Syscall::Wait) => Event::Wait(thread),
        Some(Syscall::NBWait) => Event::Poll(thread),
        _ => return Ok(None),
    };
    Ok(Some(Crossing { thread, event, next: saved(NEXT_IP)? }))
}

/// Lets a core go to its way out, whatever the others do meanwhile: they stand still.
fn left(debugger: &mut Debugger, places: &Places, core: usize) -> Result<Crossing> {
    alone(debugger, core, &places.exits)?;
    let thread = word(debugger, core, places.current)?;
    let registers = debugger.registers(core)?;
    let [rcx, stack, returned] = [register::RCX, register::RSP, register::RDI].map(|it| registers.general[it]);
    let next = if registers.rip == places.iret { word(debugger, core, stack)? } else { rcx };
    Ok(Crossing { thread, event: Event::Leave(thread, returned), next })
}

/// Lets a core go to one of the places `ends`, while the others stand still.
fn alone(debugger: &mut Debugger, core: usize, ends: &[u64]) -> Result<()> {
    pass_by(debugger, core)?;
    ends.iter().try_for_each(|&at| debugger.stop_at(at))?;
    debugger.run_alone(core)?;
    let at = debugger.registers(core)?.rip;
    ensure!(ends.contains(&at), "core {core} is at {at:#x} instead of {ends:x?}");
    ends.iter().try_for_each(|&at| debugger.pass(at))
}

/// Lets a core execute the instruction at which it was stopped. A step may end before it, to be made again.
fn pass_by(debugger: &mut Debugger, core: usize) -> Result<()> {
    let from = debugger.registers(core)?.rip;
    for _ in 0..100 {
        debugger.step(core)?;
        if debugger.registers(core)?.rip != from {
            return Ok(());
        }
    }
    Err(anyhow!("core {core} does not get beyond {from:#x}"))
}

/// The instance of a core; QEMU numbers APICs as it does cores.
fn instance(plan: &Plan, core: usize) -> Result<usize> {
    let mut partitions = plan.partitions.iter();
    let place = partitions.position(|it| it.cores.iter().any(|&it| it as usize == core));
    place.with_context(|| format!("core {core} is nobody's"))
}

fn word(debugger: &mut Debugger, core: usize, at: u64) -> Result<u64> {
    let bytes = debugger.memory(core, at, 8)?;
    Ok(u64::from_le_bytes(bytes.as_slice().try_into()?))
}
