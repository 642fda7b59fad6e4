//! `irq.user`: a device interrupts a thread that reads the clock all the time; a thread of higher priority waits for the
//! interrupt. From the interrupt until `Wait` has returned.
//!
//! The device is the programmable interval timer, counting down once, on its pin of the I/O APIC. When it interrupts is not
//! known, only the last time that the thread read before: up to two instructions of its loop are in the figure.

use crate::run::Out;
use crate::stage::{Actor, Faults, PROPS, Place, Role, Stage, finish, step};
use crate::timed::{Registers, system_call};
use crate::trace::{CLIENT, RUNS, SERVER, Stamps};
use abi::syscall::Syscall;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use root_task::RootError;
use root_task::objects::place;
use sel4::{IoApicPin, IoPort, IrqHandler, Polarity, Trigger, initial};

/// Ports of the timer: its first counter, and its command register.
const COUNTER: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Counter 0, low and high byte, mode 0: the output rises when it has counted down.
const COUNT_DOWN: u8 = 0x30;
/// Where its output goes on every PC's I/O APIC.
const PIN: IoApicPin = IoApicPin { io_apic: 0, pin: 2, trigger: Trigger::Edge, polarity: Polarity::ActiveHigh };
/// Timer ticks to an interrupt, 84 µs: longer than arming it takes.
const TICKS: u8 = 100;
/// What lies between two readings of the clock beside the kernel: one `rdtsc`, and one move in the waiter's stub.
const AROUND: u32 = 2;

/// The low half of the clock when the interrupted thread last read it.
static TICK: AtomicU32 = AtomicU32::new(0);
static HANDLER: AtomicU64 = AtomicU64::new(0);
static PORTS: AtomicU64 = AtomicU64::new(0);

/// Measures it.
pub fn measure(stage: &mut Stage, out: &mut Out<'_>) -> Result<(), RootError> {
    stage.fresh_props(0)?;
    let (handler, ports) = (stage.objects.slots(1)?, stage.objects.slots(1)?);
    step("have the timer's ports", initial::IO_PORT_CONTROL.issue(COUNTER, COMMAND, place(ports)))?;
    step("have the timer's interrupt", initial::IRQ_CONTROL.issue_io_apic(place(handler), PIN, 0))?;
    step("hear the timer", IrqHandler::new(handler).set_notification(PROPS.notification()))?;
    HANDLER.store(handler, Relaxed);
    PORTS.store(ports, Relaxed);
    let faults = Faults::Unheard;
    let [same, other] = [Place::Same, Place::Other];
    for (place, id) in [(same, "irq.user"), (other, "irq.user.other")] {
        let waiter = stage.start(Actor { role: Role::Server, place, priority: 101, faults, entry: wait_often })?;
        let reader =
            stage.start(Actor { role: Role::Client, place: same, priority: 100, faults, entry: read_clock })?;
        stage.wait();
        reader.stop()?;
        waiter.stop()?;
        // Of the interrupted thread only the low half is known.
        let ticks = |run| u64::from((SERVER.end(run) as u32).wrapping_sub(CLIENT.end(run) as u32).wrapping_sub(AROUND));
        out.raw(id, ticks);
    }
    Ok(())
}

extern "C" fn wait_often() -> ! {
    let (handler, timer) = (IrqHandler::new(HANDLER.load(Relaxed)), IoPort::new(PORTS.load(Relaxed)));
    let registers = Registers::plain(Syscall::Wait, PROPS.notification().cptr());
    for run in 0..RUNS {
        // A refusal would show as an interrupt that never comes.
        let _ = handler.ack();
        let _ = timer.out8(COMMAND, COUNT_DOWN);
        let _ = timer.out8(COUNTER, TICKS);
        let _ = timer.out8(COUNTER, 0);
        SERVER.set(run, system_call(&registers).0);
        let last = TICK.load(Relaxed).into();
        CLIENT.set(run, Stamps { start: last, end: last });
    }
    finish()
}

/// Keeps reading the clock.
#[unsafe(naked)]
extern "C" fn read_clock() -> ! {
    core::arch::naked_asm!("2:", "rdtsc", "mov [rip + {tick}], eax", "jmp 2b", tick = sym TICK)
}
