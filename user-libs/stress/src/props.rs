//! The capabilities that workers use, where they find them; made by the first thread before any of them starts.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use root_task::RootError;
use root_task::objects::Objects;
use root_task::vspace::VSpace;
use sel4::{
    CPtr, CapRights, Endpoint, Notification, ObjectType, Page, SchedContext, SchedControl, Untyped, VmAttributes,
};

/// Most cores.
pub const MAX_CORES: usize = 16;
/// Most scheduling contexts that migrate.
pub const MAX_NOMADS: usize = 16;
/// Slots that a storm may fill by itself.
pub const OWN_SLOTS: u64 = 16;
/// Bits of the untyped memory that a storm has for itself.
pub const OWN_BITS: u32 = 16;
/// Where the page of [`crate::storms::mappings`] is.
pub const WINDOW: u64 = 0x70_0000_0000;

/// A capability that is stored once and read by everybody.
#[derive(Debug)]
pub struct Prop(AtomicU64);

impl Prop {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Where it is.
    pub fn get(&self) -> CPtr {
        self.0.load(Relaxed)
    }

    /// Puts it there.
    pub fn set(&self, at: CPtr) {
        self.0.store(at, Relaxed);
    }
}

/// Memory and slots of one storm.
#[derive(Debug)]
pub struct Own {
    untyped: Prop,
    slots: Prop,
}

impl Own {
    const fn new() -> Self {
        Self { untyped: Prop::new(), slots: Prop::new() }
    }

    /// Its memory, `1 <<` [`OWN_BITS`] bytes.
    pub fn untyped(&self) -> Untyped {
        Untyped::new(self.untyped.get())
    }

    /// The memory's capability as a place, for revoking.
    pub fn untyped_slot(&self) -> sel4::Slot {
        root_task::objects::place(self.untyped.get())
    }

    /// First of its [`OWN_SLOTS`] slots.
    pub fn slots(&self) -> CPtr {
        self.slots.get()
    }

    fn fill(&self, objects: &mut Objects) -> Result<(), RootError> {
        self.untyped.set(objects.create(ObjectType::Untyped, OWN_BITS)?);
        self.slots.set(objects.slots(OWN_SLOTS)?);
        Ok(())
    }
}

/// Everything.
pub struct Props {
    calls: Prop,
    faults: Prop,
    /// For [`crate::storms::objects`], by worker of that storm.
    pub objects: [Own; 2],
    /// For [`crate::storms::revocation`].
    pub revocation: Own,
    bell: Prop,
    pages: [Prop; 2],
    controls: [Prop; MAX_CORES],
    nomads: [Prop; MAX_NOMADS],
}

/// The only ones.
pub static PROPS: Props = Props {
    calls: Prop::new(),
    faults: Prop::new(),
    objects: [const { Own::new() }; 2],
    revocation: Own::new(),
    bell: Prop::new(),
    pages: [const { Prop::new() }; 2],
    controls: [const { Prop::new() }; MAX_CORES],
    nomads: [const { Prop::new() }; MAX_NOMADS],
};

impl Props {
    /// The endpoint that everybody calls.
    pub fn calls(&self) -> Endpoint {
        Endpoint::new(self.calls.get())
    }

    /// Where faults arrive.
    pub fn faults(&self) -> Endpoint {
        Endpoint::new(self.faults.get())
    }

    /// What is signalled.
    pub fn bell(&self) -> Notification {
        Notification::new(self.bell.get())
    }

    /// The two pages that take turns in the window.
    pub fn page(&self, which: usize) -> Page {
        Page::new(self.pages[which & 1].get())
    }

    /// Time of core `core`.
    pub fn control(&self, core: usize) -> SchedControl {
        SchedControl::new(self.controls[core].get())
    }

    /// Names a scheduling context that may be moved; false if there is no room for it.
    pub fn add_nomad(&self, context: SchedContext) {
        if let Some(free) = self.nomads.iter().find(|nomad| nomad.get() == 0) {
            free.set(sel4::Capability::cptr(context));
        }
    }

    /// Scheduling context number `index` of those that may be moved.
    pub fn nomad(&self, index: usize) -> Option<SchedContext> {
        let count = self.nomads.iter().filter(|nomad| nomad.get() != 0).count();
        Some(SchedContext::new(self.nomads[index.checked_rem(count)?].get()))
    }

    /// Makes all of it.
    pub fn fill(&self, objects: &mut Objects, own: &mut VSpace, controls: &[SchedControl]) -> Result<(), RootError> {
        for (prop, kind) in [
            (&self.calls, ObjectType::Endpoint),
            (&self.faults, ObjectType::Endpoint),
            (&self.bell, ObjectType::Notification),
        ] {
            prop.set(objects.create(kind, 0)?);
        }
        for storm in self.objects.iter().chain([&self.revocation]) {
            storm.fill(objects)?;
        }
        for page in &self.pages {
            page.set(objects.create(ObjectType::Page4K, 0)?);
        }
        for (prop, control) in self.controls.iter().zip(controls) {
            prop.set(sel4::Capability::cptr(*control));
        }
        // Makes the tables, and gives each page its mark.
        for (page, mark) in self.pages.iter().zip(crate::storms::mappings::MARKS) {
            let (bits, rights) = (abi::object::PAGE_BITS, CapRights::READ_WRITE);
            own.map(objects, page.get(), bits, WINDOW, rights, VmAttributes::WRITE_BACK)?;
            // SAFETY: mapped here just now, writable, and nobody else runs yet.
            unsafe { (WINDOW as *mut u64).write_volatile(mark) };
            Page::new(page.get()).unmap().map_err(|error| RootError::Kernel { step: "unmap a page", error })?;
        }
        Ok(())
    }
}
