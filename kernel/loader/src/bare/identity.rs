//! Physical memory, mapped one to one: the real [`PhysicalView`] and [`PhysicalMemory`], and the tables that map it.
//!
//! The loader keeps W^X itself: its text is read-only, all else not executable, page 0 absent. RAM above 4 GiB is
//! mapped as far as the boot loader lists it.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use heapless::Vec;
use loader::memory_map::{MAX_PIECES, MemoryMap};
use loader::tables::{Builder, Lifetime, PageSize, Rights};
use loader::{CONTROLLERS, PAGE, PhysicalMemory, PhysicalView, Refusal, Span, refuse};
use manifest::handoff::{TRAMPOLINE_VIRT, features};
use x86_64::PhysAddr;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

const GIB_4: u64 = 4 << 30;
/// Pages for the loader's own tables: with pages of 2 MiB they reach some 480 GiB of RAM, with 1 GiB pages all.
const POOL_PAGES: usize = 512;

/// Reserved for tables; only ever used by address.
#[repr(C, align(4096))]
struct Pool([[AtomicU8; PAGE as usize]; POOL_PAGES]);
static POOL: Pool = Pool([const { [const { AtomicU8::new(0) }; PAGE as usize] }; POOL_PAGES]);
static BUILT: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    static loader_start: u8;
    static loader_text_end: u8;
    static loader_rodata_end: u8;
    static loader_end: u8;
    static switch_page: [u8; PAGE as usize];
}

/// The memory the loader itself occupies.
pub fn loader_span() -> Span {
    Span::between((&raw const loader_start).addr() as u64, (&raw const loader_end).addr() as u64)
}

/// Physical address of the top table that [`Identity::build`] will make.
pub fn top_table() -> u64 {
    pool().start()
}

fn pool() -> Span {
    let start = (&raw const POOL).addr() as u64;
    Span::between(start, start + size_of::<Pool>() as u64)
}

/// The page that switches address spaces.
pub fn switch_code() -> &'static [u8; PAGE as usize] {
    // SAFETY: defined in `cores.rs`, a page of read-only text.
    unsafe { &switch_page }
}

/// Memory that is mapped one to one.
#[derive(Clone)]
pub struct Identity {
    reach: Vec<Span, { MAX_PIECES + 1 }>,
}

impl Identity {
    /// What the entry code has mapped.
    pub fn early() -> Self {
        let mut reach = Vec::new();
        // An empty list has room for one.
        let _ = reach.push(Span::between(1, GIB_4));
        Self { reach }
    }

    /// Maps the first 4 GiB and all of `ram` by new tables, and switches to them. `start_page` stays executable: other
    /// cores start there.
    pub fn build(ram: &MemoryMap, start_page: Option<u64>, found: u32) -> Result<Self, Refusal> {
        if BUILT.swap(true, Ordering::Relaxed) {
            return Err(refuse!(Internal, "the loader's tables are built twice"));
        }
        let mut early = Self::early();
        let mut tables = Builder::new(&mut early, pool(), Lifetime::AddressSpace)?;
        let largest = if found & features::HUGE_PAGES != 0 { PageSize::Huge } else { PageSize::Large };
        let end = |symbol: *const u8| symbol.addr() as u64;
        let start_page = start_page.unwrap_or(PAGE);
        let sections = [
            (start_page, Rights::ReadWrite),
            (start_page + PAGE, if start_page == PAGE { Rights::ReadWrite } else { Rights::ReadExecute }),
            (loader_span().start(), Rights::ReadWrite),
            (end(&raw const loader_text_end), Rights::ReadExecute),
            (end(&raw const loader_rodata_end), Rights::Read),
            (CONTROLLERS.start(), Rights::ReadWrite),
            (CONTROLLERS.end(), Rights::Device),
            (GIB_4, Rights::ReadWrite),
        ];
        let mut start = PAGE;
        for (end, rights) in sections {
            tables.map(start, Span::between(start, end), rights, largest)?;
            start = end;
        }
        let mut reach = Vec::new();
        let full = || refuse!(MemoryMap, "RAM lies in too many places");
        reach.push(Span::between(PAGE, GIB_4)).map_err(|_| full())?;
        // Rounding out to large pages is harmless: the processor's own memory types keep devices uncached.
        for piece in ram.pieces().iter().filter(|piece| piece.end() > GIB_4) {
            let span = piece.grow(largest.bytes());
            let span = Span::between(span.start().max(start), span.end());
            tables.map(span.start(), span, Rights::ReadWrite, largest).map_err(|_| {
                refuse!(MemoryMap, "RAM at {piece} is out of the loader's reach: the processor has no 1 GiB pages")
            })?;
            start = start.max(span.end());
            reach.push(Span::between(piece.start().max(GIB_4), piece.end())).map_err(|_| full())?;
        }
        let switch = switch_code().as_ptr().addr() as u64;
        tables.map(TRAMPOLINE_VIRT, Span::between(switch, switch + PAGE), Rights::ReadExecute, PageSize::Small)?;
        let top = PhysFrame::containing_address(PhysAddr::new_truncate(tables.top_table()));
        // SAFETY: the tables map everything the loader uses at the addresses it uses: its sections, its stack in
        // `.bss`, and all memory it may look at.
        unsafe { Cr3::write(top, Cr3Flags::empty()) };
        Ok(Self { reach })
    }

    fn reaches(&self, address: u64, size: u64) -> Option<usize> {
        let span = Span::new(address, size)?;
        let inside = self.reach.iter().any(|reach| reach.contains(span));
        (inside && address != 0).then_some(address as usize)
    }

    /// The bytes of `span`, for as long as nobody writes there.
    ///
    /// # Safety
    ///
    /// The caller writes to none of it while the slice is used.
    pub unsafe fn bytes(&self, span: Span) -> Option<&'static [u8]> {
        let address = self.reaches(span.start(), span.size())?;
        // SAFETY: mapped one to one and readable, as `reaches` says; not written meanwhile, as the caller says.
        Some(unsafe { core::slice::from_raw_parts(address as *const u8, span.size() as usize) })
    }

    /// Copies `from` to `to`, which may overlap.
    ///
    /// # Safety
    ///
    /// `to` is RAM that nothing else uses.
    pub unsafe fn relocate(&mut self, from: Span, to: u64) -> Result<(), Refusal> {
        let places = self.reaches(from.start(), from.size()).zip(self.reaches(to, from.size()));
        let (source, target) = places.ok_or_else(|| refuse!(Internal, "cannot move {from} to {to:#x}"))?;
        // SAFETY: both are mapped one to one; the target is free, as the caller says.
        unsafe { core::ptr::copy(source as *const u8, target as *mut u8, from.size() as usize) };
        Ok(())
    }
}

impl PhysicalView for Identity {
    fn view(&self, address: u64, size: u64) -> Option<&[u8]> {
        let span = Span::new(address, size)?;
        // SAFETY: who parses boot information or tables writes nothing while it borrows this view.
        unsafe { self.bytes(span) }
    }
}

impl PhysicalMemory for Identity {
    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let size = bytes.len() as u64;
        let target = self.reaches(address, size).ok_or_else(|| refuse!(Internal, "write to {address:#x}"))?;
        // SAFETY: mapped one to one; the loader's own sections and the archive are outside every range that its checks
        // let a builder write to.
        unsafe { core::ptr::copy(bytes.as_ptr(), target as *mut u8, bytes.len()) };
        Ok(())
    }

    fn zero(&mut self, span: Span) -> Result<(), Refusal> {
        if span.is_empty() {
            return Ok(());
        }
        let target = self.reaches(span.start(), span.size()).ok_or_else(|| refuse!(Internal, "zeroing of {span}"))?;
        // SAFETY: as for `write`.
        unsafe { core::ptr::write_bytes(target as *mut u8, 0, span.size() as usize) };
        Ok(())
    }

    fn read_word(&self, address: u64) -> Result<u64, Refusal> {
        self.word64(address).ok_or_else(|| refuse!(Internal, "read of {address:#x}"))
    }
}
