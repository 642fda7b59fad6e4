//! The host's back end: a core that does nothing and remembers everything.
//!
//! Each [`Machine`] is a value with its own clock, FPU registers, ports and event log, so a test may run several cores or
//! several instances side by side. Effects are recorded where the bare machine would have one: an address space that is
//! already current, bases that are already loaded, and an FPU that is already on leave no event.
//!
//! Tests: `tests.rs` beside this file.

mod event;
mod ports;
#[cfg(test)]
mod tests;

pub use event::Event;

use crate::mitigation::Decision;
use crate::space::Met;
use crate::{AddressSpace, FpuState, Needs, Polarity, Trigger};
use core::cell::{Cell, RefCell};
use core::fmt;
use ipi::route::Summons;
use ports::Ports;

/// What no address space has in CR3.
const NO_ADDRESS_SPACE: u64 = 1 << 51;

/// One modelled core.
#[derive(Debug)]
pub struct Machine {
    events: RefCell<Vec<Event>>,
    console: RefCell<Vec<u8>>,
    ports: Ports,
    now: Cell<u64>,
    ticks_per_us: Cell<u64>,
    deadline: Cell<u64>,
    met: Cell<Met>,
    mitigations: Cell<Decision>,
    nobody: Cell<u64>,
    bases: Cell<(u64, u64)>,
    can_lend_bases: Cell<bool>,
    are_bases_lent: Cell<bool>,
    fpu_words: Cell<[u64; 64]>,
    pending_interrupt: Cell<bool>,
    fault_address: Cell<u64>,
    current: Cell<u64>,
    breakpoints: Cell<([u64; 4], u64)>,
    debug_status: Cell<u64>,
    on_interrupt_core: Responder,
}

/// What the other cores do when this one interrupts them.
#[derive(Default)]
struct Responder(RefCell<Option<Respond>>);
type Respond = Box<dyn Fn(usize, Summons)>;

impl fmt::Debug for Responder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Responder")
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// The part every back end has.
impl Machine {
    /// TSC ticks since the machine started.
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// TSC ticks per microsecond.
    pub fn ticks_per_us(&self) -> u64 {
        self.ticks_per_us.get()
    }

    /// Arms the one-shot timer for TSC value `at`; `u64::MAX` disarms.
    pub fn set_deadline(&self, at: u64) {
        self.deadline.set(at);
        self.log(Event::Deadline { at });
    }

    /// Makes sure that the timer fires at `at` or before.
    pub fn set_deadline_by(&self, at: u64) {
        if self.deadline.get() > at {
            self.set_deadline(at);
        }
    }

    /// Makes the tables at `top_table_phys` current.
    pub fn set_address_space(&self, top_table_phys: u64, asid: u16) {
        self.load(self.address_space(top_table_phys, asid));
    }

    /// The tables at `top_table_phys` as [`Machine::load`] takes them.
    pub fn address_space(&self, top_table_phys: u64, asid: u16) -> AddressSpace {
        AddressSpace::new(top_table_phys, asid)
    }

    /// As [`Machine::set_address_space`], prepared.
    pub fn load(&self, space: AddressSpace) {
        let met = self.met.get();
        if met.space() != space {
            self.met.set(met.with_space(space));
            self.log(Event::AddressSpace { top_table_phys: space.table(), asid: space.tag() });
            self.guard_switch(space);
        }
    }

    fn guard_switch(&self, space: AddressSpace) {
        let switch = self.mitigations.get().switch();
        if space.table() == self.nobody.get() {
            return;
        }
        if switch.predictor {
            self.log(Event::PredictorBarrier);
        }
        if switch.return_stack {
            self.log(Event::ReturnStackFilled);
        }
    }

    /// The mitigations that this core uses, and why.
    pub fn mitigations(&self) -> Decision {
        self.mitigations.get()
    }

    /// Meets `needs` if no more is missing than an address space; otherwise does nothing and says `false`.
    pub fn meet(&self, needs: Needs) -> bool {
        let met = self.met.get();
        if met.meets(needs) || met.meets_elsewhere(needs) {
            self.load(needs.space());
            return true;
        }
        false
    }

    /// Physical address of the current top-level table.
    pub fn current_address_space(&self) -> u64 {
        self.met.get().space().table()
    }

    /// Forgets the translation of one page.
    pub fn flush_page(&self, vaddr: u64, asid: u16) {
        self.log(Event::FlushPage { vaddr, asid });
    }

    /// Forgets all translations of one address space.
    pub fn flush_asid(&self, asid: u16, top_table_phys: u64) {
        self.log(Event::FlushAsid { asid, top_table_phys });
    }

    /// Tells the local APIC that the interrupt in service is done.
    pub fn end_of_interrupt(&self) {
        self.log(Event::EndOfInterrupt);
    }

    /// Writes the interrupt command register.
    pub fn ring(&self, command: ipi::route::Command) {
        self.log(Event::Ring { command });
    }

    /// Interrupts another core of the instance: calls what [`Machine::on_interrupt_core`] was given.
    pub fn interrupt_core(&self, index: usize, why: Summons) {
        self.log(Event::InterruptCore { index, why });
        if let Some(respond) = &*self.on_interrupt_core.0.borrow() {
            respond(index, why);
        }
    }

    /// Points an I/O APIC pin at `vector` of this core and leaves it masked.
    pub fn route_pin(&self, pin: u32, vector: u8, trigger: Trigger, polarity: Polarity) {
        self.log(Event::RoutePin { pin, vector, trigger, polarity });
    }

    /// Silences an I/O APIC pin.
    pub fn mask_pin(&self, pin: u32) {
        self.log(Event::MaskPin { pin });
    }

    /// Lets an I/O APIC pin interrupt.
    pub fn unmask_pin(&self, pin: u32) {
        self.log(Event::UnmaskPin { pin });
    }

    /// Sends a byte to the partition's console.
    pub fn put_byte(&self, byte: u8) {
        self.console.borrow_mut().push(byte);
    }

    /// Loads the user's FS and GS bases.
    pub fn load_bases(&self, fs: u64, gs: u64) {
        self.are_bases_lent.set(false);
        self.met.set(self.met.get().with_gs_base(gs));
        if self.bases.replace((fs, gs)) != (fs, gs) {
            self.log(Event::LoadBases { fs, gs });
        }
    }

    /// Loads the user's FS base, where GS needs no change.
    pub fn load_fs_base(&self, fs: u64) -> bool {
        self.load_bases(fs, self.bases.get().1);
        true
    }

    /// Whether the processor has instructions that read and write the bases.
    pub fn can_lend_bases(&self) -> bool {
        self.can_lend_bases.get()
    }

    /// Lets the user execute these instructions, if there are any.
    pub fn lend_bases(&self) {
        if self.can_lend_bases() {
            self.are_bases_lent.set(true);
            self.met.set(self.met.get().with_gs_base(1));
        }
    }

    /// FS and GS base as the user left them; `None` if they were not lent.
    pub fn take_bases(&self) -> Option<[u64; 2]> {
        let (fs, gs) = self.bases.get();
        let was_lent = self.are_bases_lent.get();
        self.load_bases(fs, gs);
        was_lent.then_some([fs, gs])
    }

    /// Saves the FPU's registers to `state`; the FPU must be enabled.
    pub fn fpu_save(&self, state: &FpuState) {
        assert!(self.met.get().fpu_is_on(), "fpu_save with CR0.TS set raises #NM in the kernel");
        state.overwrite(&self.fpu_words.get());
        self.log(Event::FpuSave);
    }

    /// Loads the FPU's registers from `state`; the FPU must be enabled.
    pub fn fpu_restore(&self, state: &FpuState) {
        assert!(self.met.get().fpu_is_on(), "fpu_restore with CR0.TS set raises #NM in the kernel");
        self.fpu_words.set(state.words());
        self.log(Event::FpuRestore);
    }

    /// Lets FPU instructions run.
    pub fn fpu_enable(&self) {
        if !self.met.get().fpu_is_on() {
            self.met.set(self.met.get().with_fpu_on());
            self.log(Event::FpuEnable);
        }
    }

    /// Makes the next FPU instruction raise #NM.
    pub fn fpu_disable(&self) {
        if self.met.get().fpu_is_on() {
            self.met.set(self.met.get().with_fpu_off());
            self.log(Event::FpuDisable);
        }
    }

    /// Whether an interrupt waits for this core.
    pub fn pending_interrupt(&self) -> bool {
        self.pending_interrupt.get()
    }

    /// Loads the breakpoints of the thread that runs next.
    pub fn load_breakpoints(&self, addresses: [u64; 4], control: u64) {
        self.met.set(self.met.get().with_breakpoints(control));
        self.breakpoints.set((addresses, control));
    }

    /// What debug exceptions since the last question were about.
    pub fn take_debug_status(&self) -> u64 {
        self.debug_status.take()
    }

    /// What the hardware did by itself: nothing, here.
    pub fn mishaps(&self) -> [u64; 2] {
        [0; 2]
    }

    /// Linear address of the last page fault.
    pub fn fault_address(&self) -> u64 {
        self.fault_address.get()
    }

    /// Stops this core for ever.
    ///
    /// # Panics
    /// Always: the host's way to stop.
    pub fn park(&self) -> ! {
        self.log(Event::Park);
        panic!("the modelled core parks");
    }

    /// Names the thread, by its address, that the next kernel entry saves to and the next exit restores from.
    pub fn set_current(&self, thread: u64) {
        self.current.set(thread);
    }
}

/// The part only a test has.
impl Machine {
    /// A core at time 0 with a 1000 MHz clock, the FPU off, no address space and no device.
    pub fn new() -> Self {
        Self {
            events: RefCell::default(),
            console: RefCell::default(),
            ports: Ports::default(),
            now: Cell::new(0),
            ticks_per_us: Cell::new(1000),
            deadline: Cell::new(u64::MAX),
            met: Cell::new(Met::at_start(NO_ADDRESS_SPACE)),
            bases: Cell::new((0, 0)),
            can_lend_bases: Cell::new(false),
            are_bases_lent: Cell::new(false),
            mitigations: Cell::new(Decision::new(0, 0)),
            nobody: Cell::new(NO_ADDRESS_SPACE),
            fpu_words: Cell::new([0; 64]),
            pending_interrupt: Cell::new(false),
            fault_address: Cell::new(0),
            current: Cell::new(0),
            breakpoints: Cell::default(),
            debug_status: Cell::default(),
            on_interrupt_core: Responder::default(),
        }
    }

    /// Uses these mitigations from now on; the table at `nobody` is no program's.
    pub fn set_mitigations(&self, decision: Decision, nobody: u64) {
        self.mitigations.set(decision);
        self.nobody.set(nobody);
    }

    /// Says what happens when this core interrupts core `index` of the instance.
    pub fn on_interrupt_core(&self, respond: impl Fn(usize, Summons) + 'static) {
        *self.on_interrupt_core.0.borrow_mut() = Some(Box::new(respond));
    }

    pub(crate) fn log(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    /// Everything that happened, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.events.borrow().clone()
    }

    /// Everything that happened since the last call, oldest first.
    pub fn take_events(&self) -> Vec<Event> {
        self.events.take()
    }

    /// What was written to the console, lossily as text.
    pub fn console_text(&self) -> String {
        String::from_utf8_lossy(&self.console.borrow()).into_owned()
    }

    /// Sets the clock.
    pub fn set_now(&self, ticks: u64) {
        self.now.set(ticks);
    }

    /// Moves the clock forward.
    pub fn advance(&self, ticks: u64) {
        self.now.set(self.now.get().saturating_add(ticks));
    }

    /// Sets the clock's rate.
    pub fn set_ticks_per_us(&self, ticks: u64) {
        self.ticks_per_us.set(ticks);
    }

    /// The armed deadline, `u64::MAX` if there is none.
    pub fn deadline(&self) -> u64 {
        self.deadline.get()
    }

    /// Whether the timer would interrupt now.
    pub fn is_deadline_due(&self) -> bool {
        self.deadline.get() <= self.now.get()
    }

    /// The current address-space identifier.
    pub fn current_asid(&self) -> u16 {
        self.met.get().space().tag()
    }

    /// The loaded FS and GS bases.
    pub fn bases(&self) -> (u64, u64) {
        self.bases.get()
    }

    /// Has instructions that read and write the bases from now on.
    pub fn set_base_instructions(&self) {
        self.can_lend_bases.set(true);
    }

    /// Writes the bases, as a user program would; says `false` if the instructions are illegal at the moment.
    pub fn write_bases(&self, fs: u64, gs: u64) -> bool {
        if self.are_bases_lent.get() {
            self.bases.set((fs, gs));
        }
        self.are_bases_lent.get()
    }

    /// Whether FPU instructions run.
    pub fn is_fpu_enabled(&self) -> bool {
        self.met.get().fpu_is_on()
    }

    /// The FPU's registers.
    pub fn fpu_words(&self) -> [u64; 64] {
        self.fpu_words.get()
    }

    /// Changes the FPU's registers, as a user program would.
    pub fn set_fpu_words(&self, words: [u64; 64]) {
        self.fpu_words.set(words);
    }

    /// What [`Machine::pending_interrupt`] answers.
    pub fn set_pending_interrupt(&self, pending: PendingInterrupt) {
        self.pending_interrupt.set(pending == PendingInterrupt::Waiting);
    }

    /// What [`Machine::take_debug_status`] answers next.
    pub fn set_debug_status(&self, status: u64) {
        self.debug_status.set(status);
    }

    /// The breakpoints in force.
    pub fn breakpoints(&self) -> ([u64; 4], u64) {
        self.breakpoints.get()
    }

    /// What [`Machine::fault_address`] answers.
    pub fn set_fault_address(&self, address: u64) {
        self.fault_address.set(address);
    }

    /// What [`Machine::set_current`] was given last.
    pub fn current(&self) -> u64 {
        self.current.get()
    }
}

/// Whether an interrupt waits, for [`Machine::set_pending_interrupt`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PendingInterrupt {
    /// None does.
    None,
    /// One does.
    Waiting,
}

impl fmt::Write for &Machine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.put_byte(byte));
        Ok(())
    }
}
