//! Where the ACPI tables lie, for the partition that owns them: its programs map the pages and read them as firmware wrote
//! them. The loader itself reads only the MADT (`madt`).
//!
//! Everything read here is an allegation: lengths are bounded, what cannot be read is left out, RAM is never included.

use crate::physical::{word32, word64};
use crate::span::{align_down, align_up};
use crate::{PAGE, PhysicalView, Span};
use heapless::Vec;

/// Most separate ranges reported.
pub const MAX_SPANS: usize = 12;
/// Most tables the root table may list.
const MAX_TABLES: u64 = 64;
/// Longest table believed.
const MAX_LENGTH: u64 = 1 << 20;
const HEADER_BYTES: u64 = 36;

/// The pages of all tables, page-aligned, merged where they touch.
pub type Spans = Vec<Span, MAX_SPANS>;

/// Finds the pages of the tables that the root pointer `root` (its bytes) leads to. Pages for which `is_taken` holds (RAM,
/// interrupt controllers, devices of the manifest) are left out: a table pointer is no way to get at them.
pub fn find<V: PhysicalView>(view: &V, root: &[u8], is_taken: impl Fn(Span) -> bool) -> Spans {
    let mut search = Search { view, is_taken, spans: Spans::new() };
    let revision = root.get(15).copied().unwrap_or(0);
    // Both root tables may be listed; programs read whichever they know.
    if let Some(rsdt) = word32(root, 16) {
        search.collect(rsdt.into(), 4);
    }
    if let Some(xsdt) = word64(root, 24).filter(|_| revision >= 2) {
        search.collect(xsdt, 8);
    }
    search.spans
}

struct Search<'v, V, F> {
    view: &'v V,
    is_taken: F,
    spans: Spans,
}

impl<V: PhysicalView, F: Fn(Span) -> bool> Search<'_, V, F> {
    /// Adds the root table at `table` and what it lists.
    fn collect(&mut self, table: u64, entry_bytes: u64) {
        let Some(length) = self.add(table) else { return };
        let entries = length.saturating_sub(HEADER_BYTES) / entry_bytes;
        for index in 0..entries.min(MAX_TABLES) {
            let place = table.saturating_add(HEADER_BYTES + index * entry_bytes);
            let entry = if entry_bytes == 4 { self.view.word32(place).map(u64::from) } else { self.view.word64(place) };
            let Some(entry) = entry else { return };
            self.add(entry);
            // The fixed description table names two more: FACS at byte 36 and DSDT at byte 40.
            if self.view.view(entry, 4) == Some(b"FACP") {
                for offset in [36, 40] {
                    if let Some(other) = self.view.word32(entry.saturating_add(offset)) {
                        self.add(u64::from(other));
                    }
                }
            }
        }
    }

    /// Adds the pages of the table at `address`; its length.
    fn add(&mut self, address: u64) -> Option<u64> {
        let length = u64::from(self.view.word32(address.checked_add(4)?)?).clamp(8, MAX_LENGTH);
        let pages = Span::between(align_down(address, PAGE), align_up(address.checked_add(length)?, PAGE)?);
        if address == 0 || (self.is_taken)(pages) {
            return None;
        }
        let mut merged = pages;
        let touches = |span: &Span, merged: Span| span.start() <= merged.end() && merged.start() <= span.end();
        while let Some(index) = self.spans.iter().position(|span| touches(span, merged)) {
            let other = self.spans.swap_remove(index);
            merged = Span::between(merged.start().min(other.start()), merged.end().max(other.end()));
        }
        // A machine with more ranges than fit shows the first ones.
        let _ = self.spans.push(merged);
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Firmware(std::rc::Rc<std::vec::Vec<u8>>);

    const BASE: u64 = 0x7f00_0000;

    impl PhysicalView for Firmware {
        fn view(&self, address: u64, size: u64) -> Option<&[u8]> {
            let start = address.checked_sub(BASE)? as usize;
            self.0.get(start..start + size as usize)
        }
    }

    fn firmware() -> (Firmware, std::vec::Vec<u8>) {
        let mut bytes = std::vec![0; 0x6000];
        let mut put = |offset: usize, data: &[u8]| bytes[offset..offset + data.len()].copy_from_slice(data);
        put(0, b"RSDT");
        put(4, &44_u32.to_le_bytes());
        put(36, &(BASE as u32 + 0x1000).to_le_bytes());
        put(40, &(BASE as u32 + 0x4000).to_le_bytes());
        put(0x1000, b"FACP");
        put(0x1004, &116_u32.to_le_bytes());
        put(0x1000 + 40, &(BASE as u32 + 0x5ff0).to_le_bytes());
        put(0x4000, b"HPET");
        put(0x4004, &56_u32.to_le_bytes());
        put(0x5ff4, &8_u32.to_le_bytes());
        let mut root = std::vec![0; 36];
        root[16..20].copy_from_slice(&(BASE as u32).to_le_bytes());
        (Firmware(std::rc::Rc::new(bytes)), root)
    }

    #[test]
    fn the_pages_of_every_table_are_found_and_merged() {
        let (view, root) = firmware();
        let mut spans: std::vec::Vec<_> =
            find(&view, &root, |_| false).iter().map(|it| (it.start(), it.end())).collect();
        spans.sort_unstable();
        assert_eq!(spans, [(BASE, BASE + 0x2000), (BASE + 0x4000, BASE + 0x6000)]);
    }

    #[test]
    fn a_table_that_claims_to_lie_in_a_device_is_left_out() {
        let (view, root) = firmware();
        let device = Span::between(BASE + 0x4000, BASE + 0x5000);
        assert!(find(&view, &root, |span| span.overlaps(device)).iter().all(|span| !span.overlaps(device)));
    }
}
