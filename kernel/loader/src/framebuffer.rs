//! The framebuffer that a boot loader says it has set up, for the partition that owns it.
//!
//! What it says is an allegation, and the loader has no way to ask the display: a framebuffer that could be anything but
//! a device's own memory is a lie (`check`), and nobody gets a page of it.

use crate::physical::{word32, word64};
use crate::{PAGE, Refusal, Span, refuse};
use core::fmt;
use manifest::handoff::WINDOW_PHYS_LIMIT;

/// Bytes of the description: the part of multiboot2's tag 8 that is the same for every type.
const BYTES: usize = 22;

/// A linear framebuffer, as the boot loader describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framebuffer {
    address: u64,
    pitch: u32,
    height: u32,
    description: [u64; 3],
}

impl Framebuffer {
    /// Reads the body of multiboot2's tag 8. `None` if it is cut short, or describes a text screen: there are no pixels in
    /// that, and its memory is device `vga`'s.
    pub fn read(body: &[u8]) -> Option<Self> {
        const PALETTE: u8 = 0;
        const DIRECT: u8 = 1;
        let fields: &[u8; BYTES] = body.first_chunk()?;
        if ![PALETTE, DIRECT].contains(fields.last()?) {
            return None;
        }
        let mut padded = [0; 24];
        padded.iter_mut().zip(fields).for_each(|(to, from)| *to = *from);
        let mut description = [0; 3];
        for (word, bytes) in description.iter_mut().zip(padded.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Some(Self { address: word64(fields, 0)?, pitch: word32(fields, 8)?, height: word32(fields, 16)?, description })
    }

    /// As the handoff page has it.
    pub fn description(&self) -> [u64; 3] {
        self.description
    }

    /// The whole pages it lies in; refuses what is empty, begins within a page, or ends where no kernel could name it.
    pub fn pages(&self) -> Result<Span, Refusal> {
        let lie = |what: &str| refuse!(BootInfo, "the boot loader's framebuffer {self} {what}");
        // Two 32-bit factors: 64 bits hold the product.
        let size = u64::from(self.pitch) * u64::from(self.height);
        if size == 0 {
            return Err(lie("is empty"));
        }
        if self.address == 0 || !self.address.is_multiple_of(PAGE) {
            return Err(lie("does not begin at a page"));
        }
        let span = Span::new(self.address, size).filter(|span| span.end() <= WINDOW_PHYS_LIMIT);
        span.map(|span| span.grow(PAGE)).ok_or_else(|| lie("ends beyond what a kernel can name"))
    }
}

impl fmt::Display for Framebuffer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at {:#x}, {} lines of {} bytes,", self.address, self.height, self.pitch)
    }
}

/// The body of multiboot2's tag 8 for tests: 32 bits a pixel, direct colour, and behind it what only that type has.
#[cfg(test)]
pub fn tag(address: u64, pitch: u32, height: u32) -> Vec<u8> {
    let sizes = [pitch, pitch / 4, height];
    let mut body = address.to_le_bytes().to_vec();
    sizes.iter().for_each(|size| body.extend(size.to_le_bytes()));
    body.extend([32, 1, 0, 0, 16, 8, 8, 8, 0, 8]);
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn pages(address: u64, pitch: u32, height: u32) -> Result<Span, Refusal> {
        Framebuffer::read(&tag(address, pitch, height)).unwrap().pages()
    }

    #[test]
    fn whole_pages_cover_every_line() {
        assert_eq!(pages(0xfd00_0000, 5120, 800).unwrap(), Span::between(0xfd00_0000, 0xfd3e_8000));
        assert_eq!(pages(0xfd00_0000, 1, 1).unwrap(), Span::between(0xfd00_0000, 0xfd00_1000));
        assert_eq!(pages(WINDOW_PHYS_LIMIT - PAGE, 64, 64).unwrap().end(), WINDOW_PHYS_LIMIT);
    }

    #[test]
    fn what_cannot_be_device_memory_is_refused() {
        for (address, pitch, height, words) in [
            (0xfd00_0000, 0, 800, "is empty"),
            (0xfd00_0000, 5120, 0, "is empty"),
            (0, 5120, 800, "does not begin at a page"),
            (0xfd00_0800, 5120, 800, "does not begin at a page"),
            (WINDOW_PHYS_LIMIT - PAGE, 65, 64, "ends beyond"),
            (0xfd00_0000, u32::MAX, u32::MAX, "ends beyond"),
            (u64::MAX - 4095, u32::MAX, u32::MAX, "ends beyond"),
            (u64::MAX - 4095, 1, 1, "ends beyond"),
        ] {
            let refusal = pages(address, pitch, height).unwrap_err();
            assert_eq!(refusal.code(), Code::BootInfo);
            assert!(refusal.text().contains(words), "{refusal}");
            assert!(refusal.text().contains(&format!("{address:#x}")), "{refusal}");
        }
    }

    #[test]
    fn the_description_is_the_tags_own_bytes() {
        let body = tag(0xfd00_0000, 5120, 800);
        let words = Framebuffer::read(&body).unwrap().description();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!((&bytes[..BYTES], &bytes[BYTES..]), (&body[..BYTES], &[0; 2][..]));
    }

    #[test]
    fn text_screens_and_cut_tags_are_no_framebuffer() {
        let mut body = tag(0xb_8000, 160, 25);
        assert_eq!(Framebuffer::read(&body[..BYTES - 1]), None);
        for kind in [2, 3, 0xff] {
            body[BYTES - 1] = kind;
            assert_eq!(Framebuffer::read(&body), None, "type {kind}");
        }
        body[BYTES - 1] = 0;
        assert!(Framebuffer::read(&body).is_some(), "a palette's indices are pixels too");
    }
}
