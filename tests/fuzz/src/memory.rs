//! Physical memory whose contents the fuzzer chose.

use loader::PhysicalView;
use std::rc::Rc;

/// `bytes` at address `base`; nothing else can be read.
#[derive(Clone)]
pub struct Memory {
    pub base: u64,
    pub bytes: Rc<Vec<u8>>,
}

impl PhysicalView for Memory {
    fn view(&self, address: u64, size: u64) -> Option<&[u8]> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        self.bytes.get(start..start.checked_add(usize::try_from(size).ok()?)?)
    }
}
