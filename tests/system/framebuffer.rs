//! The framebuffer: where the boot loader sets one up its owner is told of it and maps it, and nobody else. The root task
//! `skerry-painter` says what it was given and paints; QEMU's monitor says where the display's memory is and what is on the
//! screen.

use crate::Pace::{Quick, Slow};
use crate::Tests;
use anyhow::{Context, Result, ensure};
use partition_config::Plan;
use partition_config::size::Extent;
use std::ops::Range;
use std::time::Duration;
use tests::isolation::Rule;
use tests::lab::{Lab, PATIENCE, Run, examine};
use xtask::artifacts::PAINTER;
use xtask::engine::qmp::Inspector;
use xtask::engine::{Engine, Inspection};
use xtask::launch::{Medium, Start, Started, finite_members};
use xtask::session::{Until, watch};
use xtask::workspace::Scratch;

/// Firmware and GRUB take their time under emulation.
const FIRMWARE_PATIENCE: Duration = Duration::from_secs(300);
/// Red, green, blue: upper left, upper right, lower left, lower right.
const PAINTED: [[u8; 3]; 4] = [[0xff, 0, 0], [0, 0xff, 0], [0, 0, 0xff], [0xff, 0xff, 0xff]];

pub fn add(tests: &mut Tests) {
    tests.add("framebuffer/bios", Quick, |lab| its_owner_paints(lab, Medium::Iso, PATIENCE));
    tests.add("framebuffer/uefi", Slow, |lab| its_owner_paints(lab, Medium::IsoUefi, FIRMWARE_PATIENCE));
    tests.add("framebuffer/refused_on_a_device_of_another", Quick, refused_on_a_device_of_another);
    tests.add("framebuffer/text_if_nobody_owns_it", Quick, text_if_nobody_owns_it);
    tests.add("framebuffer/none_without_a_boot_loader", Quick, none_without_a_boot_loader);
}

/// Two painters, of which one owns this.
fn system(lab: &Lab, owns: &str) -> Result<Plan> {
    let painter = lab.root_task(PAINTER)?;
    let partition = |name: &str, owns: &str| {
        format!("[[partition]]\nname = {name:?}\nmemory = \"32M\"\nowns = [{owns}]\nroot-task = {painter:?}\n")
    };
    lab.text(&format!("{}{}", partition("owner", owns), partition("neighbour", "")))
}

/// A machine with a display that can be examined.
fn machine(medium: Medium) -> Start {
    let extra = ["-device", "VGA"].map(String::from).to_vec();
    Start { medium, inspection: Inspection::On, extra, ..Start::on(Engine::Qemu) }
}

/// Boots `plan` on a machine with a display until both painters are done; the machine is still there.
fn boot(lab: &Lab, plan: &Plan, medium: Medium, patience: Duration) -> Result<(Started, Run)> {
    let mut started = lab.start(plan, &machine(medium))?;
    let members = finite_members(plan);
    let report = watch(&mut started.running, &members, &started.consoles, patience, Until::Finished, |_, _| {})?;
    let run = Run { members, report };
    run.succeeded()?;
    Ok((started, run))
}

fn monitor(started: &mut Started) -> Result<&mut Inspector> {
    started.running.inspector().context("the machine has no monitor")
}

fn its_owner_paints(lab: &Lab, medium: Medium, patience: Duration) -> Result<()> {
    let plan = system(lab, "\"framebuffer\"")?;
    let (mut started, run) = boot(lab, &plan, medium, patience)?;
    let monitor = monitor(&mut started)?;
    let memory = display_memory(monitor)?;
    let (width, height, screen) = screen(monitor)?;
    eprintln!("{width} x {height} pixels at {:#x}", memory.start);
    let wanted =
        format!("painter: framebuffer {:#x} {width} {height} pitch {} bits 32 kind 1", memory.start, width * 4);
    ensure!(run.lines("owner")?.contains(&wanted), run.failure(&format!("no `{wanted}`")));
    let told = Some("painter: no framebuffer".to_owned());
    ensure!(run.lines("neighbour")?.last() == told.as_ref(), run.failure("the neighbour was told of the framebuffer"));
    let pages = (width * height * 4).next_multiple_of(4096) as u64;
    ensure!(shown(&run, "owner", &memory)? == pages, run.failure("the owner's untypeds do not cover the framebuffer"));
    ensure!(shown(&run, "neighbour", &memory)? == 0, run.failure("the neighbour has untypeds of the display's memory"));

    for (index, pixel) in screen.chunks_exact(3).enumerate() {
        let (y, x) = (index / width, index % width);
        let colour = PAINTED[usize::from(y >= height / 2) * 2 + usize::from(x >= width / 2)];
        ensure!(pixel == colour, "pixel {x}, {y} of {width} x {height} is {pixel:?}, not {colour:?}");
    }

    // Mapped by its owner, as page tables say, and by it alone.
    let frames = Extent { base: memory.start, size: pages };
    let with = |partition: usize| {
        let mut plan = plan.clone();
        plan.partitions[partition].mmio.push(frames);
        plan
    };
    let found = examine(monitor, &with(0), 3)?.violations;
    ensure!(found.is_empty(), "isolation is broken: {found:?}");
    for wrong in [&plan, &with(1)] {
        let found = examine(monitor, wrong, 1)?.violations;
        let noticed = found.iter().any(|it| it.rule == Rule::UserInPartition && it.partitions == ["owner"]);
        ensure!(noticed, "nobody noticed that the owner maps the framebuffer: {found:?}");
    }
    Ok(())
}

/// What no check of a file can know: the display's memory is where another partition has a device. To the loader that is a
/// lie, and nobody starts.
fn refused_on_a_device_of_another(lab: &Lab) -> Result<()> {
    let mut plan = system(lab, "\"framebuffer\"")?;
    // Where this machine's firmware puts the display, and far beyond.
    plan.partitions[1].mmio.push(Extent { base: 0xf000_0000, size: 0xe00_0000 });
    let run = lab.boot_with(&plan, &machine(Medium::Iso), PATIENCE)?;
    let refusal = run.report.refusal.as_ref().with_context(|| run.failure("the loader did not refuse"))?;
    let words = "which \"owner\" owns, overlaps a device of partition \"neighbour\"";
    ensure!(refusal.code == "loader::boot-info" && refusal.text.contains(words), run.failure("it said something else"));
    let nobody = run.report.partitions.iter().all(|it| it.done.is_none() && it.ready.is_none());
    ensure!(nobody, run.failure("somebody started"));
    // The same system in text mode has nothing to refuse.
    plan.partitions[0].owns.clear();
    boot(lab, &plan, Medium::Iso, PATIENCE).map(drop)
}

/// The loader can do with a framebuffer, and yet the screen is as it was.
fn text_if_nobody_owns_it(lab: &Lab) -> Result<()> {
    let (mut started, run) = boot(lab, &system(lab, "\"vga\"")?, Medium::Iso, PATIENCE)?;
    let monitor = monitor(&mut started)?;
    let (width, height, _) = screen(monitor)?;
    ensure!((width, height) == (720, 400), "the screen has {width} x {height} pixels: no text of 80 x 25 letters");
    told_nothing(&run)
}

fn none_without_a_boot_loader(lab: &Lab) -> Result<()> {
    told_nothing(&boot(lab, &system(lab, "\"framebuffer\"")?, Medium::Kernel, PATIENCE)?.1)
}

fn told_nothing(run: &Run) -> Result<()> {
    for partition in ["owner", "neighbour"] {
        let is_told = run.lines(partition)?.iter().any(|line| line.starts_with("painter: framebuffer"));
        ensure!(!is_told, run.failure(&format!("{partition} was told of a framebuffer")));
    }
    Ok(())
}

/// Bytes of `memory` that a painter has device untypeds of.
fn shown(run: &Run, partition: &str, memory: &Range<u64>) -> Result<u64> {
    let mut bytes = 0;
    for line in run.lines(partition)?.iter().filter_map(|line| line.strip_prefix("painter: device ")) {
        let numbers = line.split_once(' ').context("two numbers")?;
        let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16);
        let (base, size) = (number(numbers.0)?, number(numbers.1)?);
        bytes += memory.end.min(base + size).saturating_sub(memory.start.max(base));
    }
    Ok(bytes)
}

/// Where the display adapter's memory is: its first base address register.
fn display_memory(monitor: &mut Inspector) -> Result<Range<u64>> {
    let text = monitor.human("info pci")?;
    let range = text.split_once("VGA controller").and_then(|(_, rest)| {
        let (_, rest) = rest.split_once("BAR0:")?;
        let (base, rest) = rest.split_once(" at 0x")?.1.split_once(" [0x")?;
        let last = rest.split_once(']')?.0;
        Some(u64::from_str_radix(base, 16).ok()?..u64::from_str_radix(last, 16).ok()? + 1)
    });
    range.with_context(|| format!("no display adapter in\n{text}"))
}

/// What is on the screen: width and height in pixels, and the pixels, three bytes each (red, green, blue).
fn screen(monitor: &mut Inspector) -> Result<(usize, usize, Vec<u8>)> {
    let scratch = Scratch::new()?;
    let path = scratch.path().join("screen.ppm");
    let answer = monitor.human(&format!("screendump \"{}\"", path.display()))?;
    ensure!(answer.is_empty(), "QEMU's monitor: {answer}");
    let bytes = std::fs::read(&path)?;
    // `P6`, width and height, the highest value; then the pixels.
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().context("the picture is cut short");
    ensure!(line()? == b"P6", "not a picture");
    let sizes = std::str::from_utf8(line()?)?.split_once(' ').context("no size")?;
    let (width, height) = (sizes.0.parse()?, sizes.1.parse()?);
    ensure!(line()? == b"255", "other values than bytes");
    let pixels = line()?.to_vec();
    ensure!(pixels.len() == width * height * 3, "{} bytes for {width} x {height} pixels", pixels.len());
    Ok((width, height, pixels))
}
