//! Any file is refused or is an image that its reader can lay out: the loader's, the check's, and the root task's.

use loader::elf_image::Image;
use partition_config::elf::{Kind, examine};
use root_task::elf::Elf;

/// Reads `bytes` in every way there is.
pub fn run(bytes: &[u8]) {
    for image in [Image::kernel(bytes, "a"), Image::root_task(bytes, "a")].into_iter().flatten() {
        for segment in &image.segments {
            assert!(image.virt.contains(segment.virt) && segment.data.len() as u64 <= segment.virt.size());
        }
    }
    for kind in [Kind::Kernel, Kind::RootTask, Kind::Program] {
        if let Ok(image) = examine(bytes, kind) {
            assert!(examine(&image.content, kind).is_ok(), "what is left of an image is one");
        }
    }
    if let Ok(elf) = Elf::parse(bytes) {
        let mut page = [0; 4096];
        // An image may be large; its first pages tell.
        for image_page in elf.pages().iter().take(8) {
            assert!(elf.fill(image_page.vaddr, &mut page) || !elf.has_contents(image_page.vaddr));
        }
    }
}
