//! A root task that shows what of a screen it was given: it prints the device memory it has untypeds of, and the framebuffer
//! that bootinfo describes; if there is one it maps it and paints each quarter in a colour of its own.
//!
//! Run by the system tests (`tests/system/framebuffer.rs`), which look at the screen.

use crate::{Complaint, Verdict};
use alloc::format;
use core::fmt::Write;
use root_task::console::{Console, Record};
use root_task::objects::Objects;
use root_task::vspace::VSpace;
use sel4::bootinfo::Framebuffer;
use sel4::{BootInfo, CapRights, VmAttributes};

/// Where the framebuffer is mapped: behind everything else of a root task.
const CANVAS: u64 = 0x70_0000_0000;
const PAGE_BYTES: u64 = 1 << abi::object::PAGE_BITS;
const LARGE_PAGE_BYTES: u64 = 1 << abi::object::LARGE_PAGE_BITS;
/// Blue, green, red, and a byte without meaning: upper left, upper right, lower left, lower right.
const COLOURS: [[u8; 4]; 4] = [[0, 0, 0xff, 0], [0, 0xff, 0, 0], [0xff, 0, 0, 0], [0xff, 0xff, 0xff, 0]];

/// Shows and paints, says `done`, and stops.
pub fn run(info: &BootInfo<'_>, console: &mut Console) -> ! {
    for (_, device) in info.untypeds().filter(|(_, untyped)| untyped.is_device == 1) {
        let _ = writeln!(console, "painter: device {:#x} {:#x}", device.paddr, 1_u64 << device.size_bits);
    }
    let verdict = match info.framebuffer() {
        None => {
            let _ = writeln!(console, "painter: no framebuffer");
            Ok(())
        }
        Some(screen) => {
            let Framebuffer { address, pitch, width, height, bits_per_pixel, kind } = screen;
            let _ = writeln!(
                console,
                "painter: framebuffer {address:#x} {width} {height} pitch {pitch} bits {bits_per_pixel} kind {kind}"
            );
            paint(info, &screen)
        }
    };
    let _ = match &verdict {
        Ok(()) => Ok(()),
        Err(Complaint::Setup(error)) => writeln!(console, "painter: {error}"),
        Err(Complaint::Saw(what)) => writeln!(console, "painter: {what}"),
    };
    console.record(Record::Done { code: verdict.is_err().into() });
    loop {
        let _ = sel4::initial::TCB.suspend();
    }
}

fn paint(info: &BootInfo<'_>, screen: &Framebuffer) -> Verdict {
    let pixel_bytes = u64::from(screen.bits_per_pixel / 8);
    let (width, height, pitch) = (u64::from(screen.width), u64::from(screen.height), u64::from(screen.pitch));
    if screen.kind != 1 || !matches!(pixel_bytes, 3 | 4) || pixel_bytes * width > pitch {
        return Err(Complaint::Saw(format!("pixels it has no brush for: {screen:?}")));
    }
    let mut objects = Objects::new(info);
    let mut space = VSpace::own();
    let canvas = CANVAS + screen.address % LARGE_PAGE_BYTES;
    let mut at = canvas;
    for run in objects.device_frames(screen.address, screen.size().next_multiple_of(PAGE_BYTES))? {
        for frame in run.first..run.first + run.count {
            let (rights, memory) = (CapRights::READ_WRITE, VmAttributes::WRITE_COMBINING);
            space.map(&mut objects, frame, run.bits, at, rights, memory)?;
            at += 1 << run.bits;
        }
    }
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let quarter = usize::from(y >= height / 2) * 2 + usize::from(x >= width / 2);
        let pixel = canvas + y * pitch + x * pixel_bytes;
        for (byte, value) in (pixel..pixel + pixel_bytes).zip(COLOURS[quarter]) {
            // SAFETY: inside the lines that have just been mapped, and nobody's memory but the display's.
            unsafe { (byte as *mut u8).write_volatile(value) };
        }
    }
    Ok(())
}
