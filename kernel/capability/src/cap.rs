//! The capability: two words. Constructors and accessors per kind; no kind's meaning.
//!
//! ```text
//! word   63..59 kind | 58..46 small (rights, sizes) | 45..0 physical address of the object
//! extra  badge, guard, free offset, mapping …
//! ```

use crate::Rights;
use memory::{Object, Phys, Ref};

/// What a capability names. The numbers are seL4's, because `DebugCapIdentify` shows them; a doorbell has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    Null = 0,
    Frame = 1,
    Untyped = 2,
    PageTable = 3,
    Endpoint = 4,
    PageDirectory = 5,
    Notification = 6,
    Pdpt = 7,
    Reply = 8,
    Pml4 = 9,
    CNode = 10,
    AsidControl = 11,
    Thread = 12,
    AsidPool = 13,
    IrqControl = 14,
    IrqHandler = 16,
    Zombie = 18,
    IoPort = 19,
    Domain = 20,
    SchedContext = 22,
    SchedControl = 24,
    Doorbell = 30,
    IoPortControl = 31,
}

const KINDS: [Kind; 32] = {
    use Kind::*;
    let known = [
        Frame,
        Untyped,
        PageTable,
        Endpoint,
        PageDirectory,
        Notification,
        Pdpt,
        Reply,
        Pml4,
        CNode,
        AsidControl,
        Thread,
        AsidPool,
        IrqControl,
        IrqHandler,
        Zombie,
        IoPort,
        Domain,
        SchedContext,
        SchedControl,
        Doorbell,
        IoPortControl,
    ];
    let mut kinds = [Null; 32];
    let mut index = 0;
    while index < known.len() {
        kinds[known[index] as usize] = known[index];
        index += 1;
    }
    kinds
};

/// Size of a page frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameSize {
    /// 4 KiB.
    Small = 0,
    /// 2 MiB.
    Large = 1,
    /// 1 GiB.
    Huge = 2,
}

impl FrameSize {
    /// log2 of the size in bytes.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        12 + 9 * self as u32
    }
}

/// What a zombie is the rest of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zombie {
    /// First slot of the dead object.
    pub slots: Ref<crate::Slot>,
    /// Slots that may still hold capabilities: `0 .. remaining`.
    pub remaining: u64,
    /// log2 of the number of slots, or `None` for a thread.
    pub radix: Option<u32>,
}

/// A capability.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cap {
    word: u64,
    extra: u64,
}

const ADDRESS: u64 = (1 << 46) - 1;
const SMALL_SHIFT: u32 = 46;
const SMALL: u64 = (1 << 13) - 1;
const KIND_SHIFT: u32 = 59;
const THREAD_ZOMBIE: u64 = 63;
/// Top bit of the small field, right below the kind, where fast paths test both at once: of a CNode, see
/// [`Cap::is_whole_cnode`]; of an endpoint, see [`Cap::is_callable`].
const SPECIAL: u64 = 1 << 12;

impl Cap {
    /// No capability.
    pub const NULL: Cap = Cap { word: 0, extra: 0 };

    const fn new(kind: Kind, small: u64, address: u64, extra: u64) -> Cap {
        Cap { word: (kind as u64) << KIND_SHIFT | (small & SMALL) << SMALL_SHIFT | address & ADDRESS, extra }
    }

    /// What it names.
    #[inline(always)]
    pub const fn kind(self) -> Kind {
        KINDS[(self.word >> KIND_SHIFT) as usize & 31]
    }

    /// Whether it is of `kind`.
    #[inline(always)]
    pub const fn is(self, kind: Kind) -> bool {
        self.word >> KIND_SHIFT == kind as u64
    }

    /// Whether this is [`Cap::NULL`].
    #[inline(always)]
    pub const fn is_null(self) -> bool {
        self.word == 0
    }

    /// Physical address of the object (0 for kinds without one).
    #[inline(always)]
    pub const fn phys(self) -> Phys {
        Phys(self.word & ADDRESS)
    }

    /// The object as a `T`; the caller has checked the kind.
    #[inline(always)]
    pub fn object<T: Object>(self) -> Ref<T> {
        Ref::at(self.phys())
    }

    #[inline(always)]
    const fn small(self) -> u64 {
        self.word >> SMALL_SHIFT & SMALL
    }

    #[inline(always)]
    const fn with_small(self, small: u64) -> Cap {
        Cap { word: self.word & !(SMALL << SMALL_SHIFT) | (small & SMALL) << SMALL_SHIFT, ..self }
    }

    const fn with_extra(self, extra: u64) -> Cap {
        Cap { extra, ..self }
    }

    // ---- kinds without an object ----

    /// A control capability: `SchedControl` of core `index`, or `Domain`, `IrqControl`, `AsidControl`, `IoPortControl`.
    pub const fn control(kind: Kind, index: u64) -> Cap {
        Cap::new(kind, 0, 0, index)
    }

    /// The number in `extra`: core of a SchedControl, interrupt of an IrqHandler, route of a Doorbell.
    #[inline(always)]
    pub const fn index(self) -> u64 {
        self.extra
    }

    /// I/O ports `first ..= last`.
    pub const fn io_port(first: u16, last: u16) -> Cap {
        Cap::new(Kind::IoPort, 0, 0, first as u64 | (last as u64) << 16)
    }

    /// First and last port of an `IoPort`.
    pub const fn ports(self) -> (u16, u16) {
        (self.extra as u16, (self.extra >> 16) as u16)
    }

    // ---- untyped ----

    /// Untyped memory with nothing allocated.
    pub const fn untyped(base: Phys, size_bits: u32, device: bool) -> Cap {
        Cap::new(Kind::Untyped, size_bits as u64 | (device as u64) << 6, base.0, 0)
    }

    /// log2 of the size: untyped memory, scheduling contexts.
    #[inline(always)]
    pub const fn size_bits(self) -> u32 {
        (self.small() & 63) as u32
    }

    /// Whether untyped memory or a frame is device memory, which the kernel never touches.
    #[inline(always)]
    pub const fn is_device(self) -> bool {
        self.small() >> 6 & 1 != 0
    }

    /// Bytes of untyped memory that are in use, from its base.
    #[inline(always)]
    pub const fn used(self) -> u64 {
        self.extra
    }

    /// The same untyped memory with `bytes` in use.
    pub const fn with_used(self, bytes: u64) -> Cap {
        self.with_extra(bytes)
    }

    // ---- endpoints, notifications, replies ----

    /// An endpoint, notification or reply capability.
    pub const fn message_object(kind: Kind, object: Phys, rights: Rights, badge: u64) -> Cap {
        Cap::new(kind, 0, object.0, badge).with_rights(rights)
    }

    /// Rights of an endpoint, notification or reply capability.
    #[inline(always)]
    pub const fn rights(self) -> Rights {
        Rights::from_word(self.small())
    }

    /// The same capability with `rights`.
    pub const fn with_rights(self, rights: Rights) -> Cap {
        let may_answer = rights.allow(Rights::GRANT) || rights.allow(Rights::GRANT_REPLY);
        let callable = self.is(Kind::Endpoint) && rights.allow(Rights::WRITE) && may_answer;
        self.with_small(rights.word() | if callable { SPECIAL } else { 0 })
    }

    /// Whether this is an endpoint that may be sent to, and whose receiver may be given a reply capability.
    #[inline(always)]
    pub const fn is_callable(self) -> bool {
        self.is_special(Kind::Endpoint)
    }

    /// Whether this is an endpoint that may be received from.
    #[inline(always)]
    pub const fn is_receivable(self) -> bool {
        const KIND: u64 = 31 << KIND_SHIFT;
        const READ: u64 = Rights::READ.word() << SMALL_SHIFT;
        self.word & (KIND | READ) == (Kind::Endpoint as u64) << KIND_SHIFT | READ
    }

    #[inline(always)]
    const fn is_special(self, kind: Kind) -> bool {
        self.word >> (KIND_SHIFT - 1) == (kind as u64) << 1 | 1
    }

    /// Badge of an endpoint or notification capability.
    #[inline(always)]
    pub const fn badge(self) -> u64 {
        self.extra
    }

    /// The same capability with `badge`.
    pub const fn with_badge(self, badge: u64) -> Cap {
        self.with_extra(badge)
    }

    // ---- CNodes, threads, scheduling contexts ----

    /// A CNode of 2^`radix` slots with an empty guard.
    pub const fn cnode(base: Phys, radix: u32) -> Cap {
        Cap::new(Kind::CNode, radix as u64, base.0, 0)
    }

    /// log2 of the slots of a CNode.
    #[inline(always)]
    pub const fn radix(self) -> u32 {
        (self.small() & 63) as u32
    }

    /// Guard of a CNode: its value and its size in bits.
    #[inline(always)]
    pub const fn guard(self) -> (u64, u32) {
        (self.extra, (self.small() >> 6 & 63) as u32)
    }

    /// The same CNode capability with another guard.
    pub const fn with_guard(self, guard: u64, bits: u32) -> Cap {
        let whole = if guard == 0 && self.radix() + bits == u64::BITS { SPECIAL } else { 0 };
        self.with_small(self.small() & 63 | (bits as u64) << 6 | whole).with_extra(guard)
    }

    /// Whether this is a CNode that resolves a whole CPtr in one step with a guard of zeros: then a CPtr below the number of
    /// slots *is* the index.
    #[inline(always)]
    pub const fn is_whole_cnode(self) -> bool {
        self.is_special(Kind::CNode)
    }

    /// A thread.
    pub const fn thread(object: Phys) -> Cap {
        Cap::new(Kind::Thread, 0, object.0, 0)
    }

    /// A scheduling context of 2^`size_bits` bytes.
    pub const fn sched_context(object: Phys, size_bits: u32) -> Cap {
        Cap::new(Kind::SchedContext, size_bits as u64, object.0, 0)
    }

    // ---- zombies ----

    /// What is left of a CNode (`radix`) or a thread (`None`) that is being deleted.
    pub fn zombie(slots: Phys, radix: Option<u32>, remaining: u64) -> Cap {
        Cap::new(Kind::Zombie, radix.map_or(THREAD_ZOMBIE, u64::from), slots.0, remaining)
    }

    /// The zombie's parts; the caller has checked the kind.
    pub fn as_zombie(self) -> Zombie {
        let radix = self.small() & 63;
        Zombie { slots: self.object(), remaining: self.extra, radix: (radix != THREAD_ZOMBIE).then_some(radix as u32) }
    }

    // ---- memory ----

    /// An unmapped frame with `rights`.
    pub const fn frame(base: Phys, size: FrameSize, rights: Rights, device: bool) -> Cap {
        Cap::new(Kind::Frame, size as u64 | (rights.word() & 3) << 2 | (device as u64) << 6, base.0, 0)
    }

    /// Size of a frame.
    #[inline(always)]
    pub const fn frame_size(self) -> FrameSize {
        match self.small() & 3 {
            0 => FrameSize::Small,
            1 => FrameSize::Large,
            _ => FrameSize::Huge,
        }
    }

    /// Whether this is a 4 KiB page of memory, mapped or not, that may be read and written.
    #[inline(always)]
    pub const fn is_plain_page(self) -> bool {
        let rights = Rights::READ.or(Rights::WRITE).word();
        self.word >> SMALL_SHIFT == (Kind::Frame as u64) << (KIND_SHIFT - SMALL_SHIFT) | rights << 2
    }

    /// Rights of a frame: read, write.
    #[inline(always)]
    pub const fn frame_rights(self) -> Rights {
        Rights::from_word(self.small() >> 2 & 3)
    }

    /// The same frame with `rights`.
    pub const fn with_frame_rights(self, rights: Rights) -> Cap {
        self.with_small(self.small() & !(3 << 2) | (rights.word() & 3) << 2)
    }

    /// An unmapped paging structure: `PageTable`, `PageDirectory`, `Pdpt`, `Pml4`.
    pub const fn table(kind: Kind, base: Phys) -> Cap {
        Cap::new(kind, 0, base.0, 0)
    }

    /// Where a frame or paging structure is mapped: ASID and virtual address (4 KiB-aligned); `None` if it is not.
    #[inline(always)]
    pub const fn mapping(self) -> Option<(u16, u64)> {
        let asid = (self.extra & 0xfff) as u16;
        if asid == 0 { None } else { Some((asid, self.extra & !0xfff)) }
    }

    /// The same capability, mapped at `vaddr` in the address space `asid` (0: not mapped).
    pub const fn with_mapping(self, asid: u16, vaddr: u64) -> Cap {
        self.with_extra(if asid == 0 { 0 } else { vaddr & !0xfff | (asid & 0xfff) as u64 })
    }

    /// An ASID pool whose first ASID is `base`.
    pub const fn asid_pool(object: Phys, base: u16) -> Cap {
        Cap::new(Kind::AsidPool, 0, object.0, base as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_do_not_disturb_each_other(address in 0u64..1 << 46, rights in 0u64..16, badge: u64) {
            let cap = Cap::message_object(Kind::Endpoint, Phys(address), Rights::from_word(rights), badge);
            prop_assert_eq!(cap.kind(), Kind::Endpoint);
            prop_assert_eq!(cap.phys(), Phys(address));
            prop_assert_eq!(cap.rights().word(), rights);
            prop_assert_eq!(cap.with_rights(Rights::READ).badge(), badge);
            prop_assert_eq!(cap.is_callable(), rights & 1 != 0 && rights & 0b1100 != 0);
            prop_assert_eq!(cap.is_receivable(), cap.rights().allow(Rights::READ));
            prop_assert!(!Cap::message_object(Kind::Notification, Phys(address), Rights::ALL, badge).is_receivable());
            prop_assert!(!cap.with_rights(Rights::READ).is_callable());
            prop_assert!(!Cap::message_object(Kind::Reply, Phys(address), Rights::ALL, badge).is_callable());
        }

        #[test]
        fn a_frame_keeps_its_mapping(page in 0u64..1 << 34, vpage in 1u64..1 << 35, asid in 1u16..4096, size in 0u8..3) {
            let size = [FrameSize::Small, FrameSize::Large, FrameSize::Huge][usize::from(size)];
            let cap = Cap::frame(Phys(page << 12), size, Rights::ALL, true).with_mapping(asid, vpage << 12);
            prop_assert_eq!(cap.mapping(), Some((asid, vpage << 12)));
            prop_assert_eq!(cap.frame_size(), size);
            prop_assert!(cap.is_device() && !cap.is_plain_page());
            let plain = Cap::frame(Phys(page << 12), size, Rights::ALL, false);
            prop_assert_eq!(plain.is_plain_page(), size == FrameSize::Small);
            prop_assert!(!plain.with_frame_rights(Rights::READ).is_plain_page());
            prop_assert_eq!(cap.frame_rights(), Rights::READ.or(Rights::WRITE));
            prop_assert_eq!(cap.with_mapping(0, 0).mapping(), None);
        }

        #[test]
        fn a_guard_survives_a_radix(radix in 0u32..64, bits in 0u32..64, guard: u64) {
            let cap = Cap::cnode(Phys(0x1000), radix).with_guard(guard, bits);
            prop_assert_eq!(cap.radix(), radix);
            prop_assert_eq!(cap.guard(), (guard, bits));
        }

        #[test]
        fn any_word_has_a_kind(word: u64, extra: u64) {
            let _ = Cap { word, extra }.kind();
        }
    }
}
