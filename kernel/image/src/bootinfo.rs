//! Writing the bootinfo page as words, in `abi::bootinfo::BootInfo`'s layout.

use abi::bootinfo::{BootInfo, SlotRegion, UntypedDesc};
use core::cell::Cell;
use core::mem::offset_of;
use memory::Ref;

/// A page of words.
#[repr(C, align(4096))]
pub(crate) struct Page {
    words: [Cell<u64>; 512],
}

memory::object!(Page);

impl Page {
    fn set(&self, byte_offset: usize, value: u64) {
        if let Some(word) = self.words.get(byte_offset / 8) {
            word.set(value);
        }
    }
}

/// Writes `info` into the zeroed page.
pub(crate) fn write(page: Ref<Page>, info: &BootInfo) {
    page.set(offset_of!(BootInfo, extra_len), info.extra_len);
    page.set(offset_of!(BootInfo, node_id), info.node_id);
    page.set(offset_of!(BootInfo, num_nodes), info.num_nodes);
    page.set(offset_of!(BootInfo, num_iopt_levels), info.num_iopt_levels);
    page.set(offset_of!(BootInfo, ipc_buffer), info.ipc_buffer);
    let region = |offset: usize, region: SlotRegion| {
        page.set(offset, region.start);
        page.set(offset + 8, region.end);
    };
    region(offset_of!(BootInfo, empty), info.empty);
    region(offset_of!(BootInfo, shared_frames), info.shared_frames);
    region(offset_of!(BootInfo, user_image_frames), info.user_image_frames);
    region(offset_of!(BootInfo, user_image_paging), info.user_image_paging);
    region(offset_of!(BootInfo, io_space_caps), info.io_space_caps);
    region(offset_of!(BootInfo, extra_bi_pages), info.extra_bi_pages);
    page.set(offset_of!(BootInfo, init_thread_cnode_size_bits), info.init_thread_cnode_size_bits);
    page.set(offset_of!(BootInfo, init_thread_domain), info.init_thread_domain);
    region(offset_of!(BootInfo, schedcontrol), info.schedcontrol);
    region(offset_of!(BootInfo, untyped), info.untyped);
    for (index, untyped) in info.untyped_list.iter().enumerate() {
        let offset = offset_of!(BootInfo, untyped_list) + index * size_of::<UntypedDesc>();
        page.set(offset, untyped.paddr);
        page.set(offset + 8, u64::from(untyped.size_bits) | u64::from(untyped.is_device) << 8);
    }
}
