//! Whatever the bootinfo page and the chunks behind it say, the view over them stays inside.

use abi::bootinfo::{BootInfo as Page, SlotRegion};
use manifest::Manifest;
use sel4::BootInfo;

/// Four slot numbers of eight bytes, then the chunks.
pub fn run(bytes: &[u8]) {
    let Some((head, extra)) = bytes.split_at_checked(32) else { return };
    let words = head.as_chunks::<8>().0;
    let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
    let mut page = Page::EMPTY;
    page.untyped = SlotRegion { start: word(0), end: word(1) };
    page.schedcontrol = SlotRegion { start: word(2), end: word(3) };
    let info = BootInfo::from_parts(&page, extra);
    assert!(info.untypeds().count() <= page.untyped_list.len());
    assert!(info.chunks().map(|(_, contents)| contents.len()).sum::<usize>() <= extra.len());
    let _ = (info.instance(), info.tsc_mhz(), info.sched_control(word(1)), info.framebuffer().map(|it| it.size()));
    if let Some(manifest) = info.manifest() {
        let _ = Manifest::decode(manifest);
    }
}
