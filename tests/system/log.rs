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
use tests::automaton::{Event, replay};
use tests::debugger::{Debugger, register};
use tests::lab::{Lab, PATIENCE};
use xtask::artifacts::KERNEL;
use xtask::engine::Engine;
use xtask::launch::Start;
use xtask::workspace::Scratch;

/// Rings that the sender makes, and how many of them are logged.
const RINGS: u64 = 2_000;
const LOGGED: u64 = 150;
/// Where programs have the notification that hears their channels (`runtime::layout::slot`).
const NOTIFICATION: u64 = 4;
/// Slots of a context (`machine::context`).
const RDX: u64 = 8;
/// Vectors of doorbells.
const DOORBELLS: std::ops::RangeInclusive<u64> = 0xa0..=0xdf;

pub fn add(tests: &mut Tests) {
    tests.add("log/replayed", Quick, |lab| {
        let log = logged(lab)?;
        let ends = replay(2, &log).map_err(|why| anyhow!("the log does not fit the automaton: {why}\n{log:x?}"))?;
        let (rung, taken) = ends.get(1).map(|end| (end.rung, end.taken)).context("two instances")?;
        eprintln!("{} events; the receiver was rung {rung} times and heard {taken} times", log.len());
        ensure!(rung == LOGGED && taken > 10 && taken <= rung, "that is hardly a storm");
        // An arrival that was not is always noticed; one that is left out, unless another came before the next wait.
        let is_noticed = |change: &dyn Fn(&mut Vec<(usize, Event)>, usize)| {
            let changed = |at: usize| {
                let mut log = log.clone();
                change(&mut log, at);
                replay(2, &log).is_err()
            };
            let arrivals = log.iter().enumerate().filter(|(_, (_, event))| matches!(event, Event::Arrive(_)));
            // The last is not heard within the log.
            let all: Vec<usize> = arrivals.map(|(at, _)| at).collect();
            let all = all.split_last().map_or(&[][..], |(_, all)| all);
            (all.iter().filter(|&&at| changed(at)).count(), all.len())
        };
        let (left_out, of) = is_noticed(&|log, at| {
            log.remove(at);
        });
        let (doubled, _) = is_noticed(&|log, at| log.insert(at, log[at]));
        ensure!(
            left_out == of && doubled == of,
            "of {of} arrivals {left_out} left out and {doubled} doubled are noticed"
        );
        Ok(())
    });
}

/// Where the kernel is stopped.
struct Places {
    /// A system call other than the frequent ones; RDI is the capability's address, RDX the thread.
    other_call: u64,
    /// RSI is the vector.
    interrupt: u64,
    /// RSI and RDX are the command.
    command: u64,
    /// All registers but GS are the user's.
    exits: Vec<u64>,
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
        exits.push(symbol("skerry_iret")?);
        Ok(Self {
            other_call: symbol("skerry_syscall")?,
            interrupt: symbol("skerry_interrupt")?,
            command: symbol("9LocalApic7command")?,
            exits,
            current: symbol("4CPUS17h")? + current,
            context,
        })
    }
}

/// A storm's events, up to the [`LOGGED`]th ring.
fn logged(lab: &Lab) -> Result<Vec<(usize, Event)>> {
    let lab = lab.with_release_kernel()?;
    let text = std::fs::read_to_string(xtask::workspace::root().join("tests/systems/doorbell-storm.toml"))?;
    let plan = lab.text(&text.replace("1000000", &RINGS.to_string()))?;
    // The image has it without its symbols.
    let kernel = std::fs::read(lab.artifacts().path(KERNEL).context("the kernel is not built")?)?;
    let places = Places::of(&kernel)?;
    let scratch = Scratch::new()?;
    let socket = scratch.path().join("gdb");
    let started = lab.start(&plan, &Start { extra: Debugger::arguments(&socket), ..Start::on(Engine::Qemu) })?;
    let mut debugger = Debugger::connect(&socket)?;
    let entries = [places.other_call, places.interrupt, places.command];
    entries.iter().try_for_each(|&at| debugger.stop_at(at))?;
    let mut log = Vec::new();
    let mut rung = 0;
    while rung < LOGGED {
        let core = debugger.run()?.core;
        let event = entered(&mut debugger, &places, &plan, core)?;
        if let Some((_, Event::Ring(_))) = event {
            rung += 1;
        }
        let asks = matches!(event, Some((_, Event::Arrive(_) | Event::Wait(_) | Event::Poll(_))));
        log.extend(event);
        debugger.step(core)?;
        if asks {
            // To its way out, whatever the others do meanwhile: they stand still.
            places.exits.iter().try_for_each(|&at| debugger.stop_at(at))?;
            debugger.run_alone(core)?;
            let registers = debugger.registers(core)?;
            ensure!(places.exits.contains(&registers.rip), "core {core} is at {:#x} instead of leaving", registers.rip);
            let thread = word(&mut debugger, core, places.current)?;
            log.push((instance(&plan, core)?, Event::Leave(thread, registers.general[register::RDI])));
            places.exits.iter().try_for_each(|&at| debugger.pass(at))?;
        }
    }
    entries.iter().try_for_each(|&at| debugger.pass(at))?;
    debugger.detach()?;
    Lab::follow(started, &plan, PATIENCE)?.succeeded()?;
    Ok(log)
}

/// What it means that a core comes to one of the entries.
fn entered(debugger: &mut Debugger, places: &Places, plan: &Plan, core: usize) -> Result<Option<(usize, Event)>> {
    let at = debugger.registers(core)?;
    let (rdi, rsi, rdx) = (at.general[register::RDI], at.general[register::RSI], at.general[register::RDX]);
    let here = instance(plan, core)?;
    Ok(match at.rip {
        rip if rip == places.command => {
            Some((instance(plan, usize::try_from(rdx & 0xffff_ffff)?)?, Event::Ring(rsi as u8)))
        }
        rip if rip == places.interrupt => DOORBELLS.contains(&rsi).then_some((here, Event::Arrive(rsi as u8))),
        rip if rip == places.other_call && rdi == NOTIFICATION => {
            let number = word(debugger, core, rdx + places.context + 8 * RDX)? as i64;
            match Syscall::from_number(number) {
                Some(Syscall::Wait) => Some((here, Event::Wait(rdx))),
                Some(Syscall::NBWait) => Some((here, Event::Poll(rdx))),
                _ => None,
            }
        }
        rip if rip == places.other_call => None,
        rip => return Err(anyhow!("core {core} stops at {rip:#x}")),
    })
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
