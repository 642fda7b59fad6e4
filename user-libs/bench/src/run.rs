//! The programme: every measurement in turn, each printed as it is there. Which programme, the system's name says.

use crate::scale::{self, Extent, Sample};
use crate::stage::Stage;
use crate::stats::{Histogram, Summary};
use crate::trace::{RUNS, WARM_UP};
use crate::{fault, ipc, irq, objects, sched, signal, timed};
use core::fmt::Write;
use manifest::Manifest;
use root_task::RootError;
use root_task::console::{Console, Record};
use sel4::{BootInfo, Page};

/// Name of a system whose partitions measure scaling …
const SCALE: &str = "scale";
/// … and of one where they do so quickly.
const SCALE_QUICK: &str = "scale-quick";

/// Name of a system of many partitions that only say when they came up.
const BOOT: &str = "boot";

/// Measures everything, says `done`, and stops.
pub fn run(info: &BootInfo<'_>, first_tsc: u64, console: &mut Console) -> ! {
    let mut out = Out { console, cost: timed::cost() };
    let code = match programme(info, first_tsc, &mut out) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(out.console, "bench: {error}");
            1
        }
    };
    out.console.record(Record::Done { code });
    loop {
        let _ = sel4::initial::TCB.suspend();
    }
}

fn programme(info: &BootInfo<'_>, first_tsc: u64, out: &mut Out<'_>) -> Result<(), RootError> {
    let words = root_task::manifest_words(info).ok_or(RootError::NoManifest)?;
    let manifest = Manifest::decode(zerocopy::IntoBytes::as_bytes(words.as_slice())).map_err(RootError::Manifest)?;
    match manifest.name() {
        SCALE => scale::measure(info, &manifest, Extent::Full, out),
        SCALE_QUICK => scale::measure(info, &manifest, Extent::Quick, out),
        BOOT => {
            describe(info, first_tsc, out);
            Ok(())
        }
        _ => {
            describe(info, first_tsc, out);
            measure(info, out)
        }
    }
}

/// What can be said without measuring.
fn describe(info: &BootInfo<'_>, first_tsc: u64, out: &mut Out<'_>) {
    let instance = info.instance().unwrap_or_default();
    out.one("boot.to_user", first_tsc.wrapping_sub(instance.loader_start_tsc));
    let free: u64 = info.untypeds().filter(|(_, desc)| desc.is_device == 0).map(|(_, desc)| 1 << desc.size_bits).sum();
    // The loader puts the root task right behind everything that is the kernel's.
    if let Ok(behind) = Page::new(info.page().user_image_frames.start).physical_address() {
        out.one("footprint.kernel.memory", behind.wrapping_sub(instance.slice_base));
    }
    out.one("footprint.slice", instance.slice_size);
    out.one("footprint.untyped", free);
    out.one("stub.instructions", out.cost);
}

fn measure(info: &BootInfo<'_>, out: &mut Out<'_>) -> Result<(), RootError> {
    let mut stage = Stage::new(info)?;
    objects::null(out);
    ipc::measure(&mut stage, out)?;
    signal::measure(&mut stage, out)?;
    irq::measure(&mut stage, out)?;
    fault::measure(&mut stage, out)?;
    sched::measure(&mut stage, out)?;
    objects::measure(&mut stage, out)
}

/// Where figures go.
#[derive(Debug)]
pub struct Out<'a> {
    console: &'a mut Console,
    cost: u64,
}

impl Out<'_> {
    /// Prints what the ticks of each run come to: warm-up left out, the stub subtracted. `ticks` has the run's number.
    pub fn runs(&mut self, id: &str, ticks: impl Fn(usize) -> u64) {
        self.range(id, WARM_UP..RUNS, ticks);
    }

    /// As [`runs`](Self::runs), for what spans two runs: a reply, and the call after it.
    pub fn pairs(&mut self, id: &str, ticks: impl Fn(usize) -> u64) {
        self.range(id, WARM_UP..RUNS - 1, ticks);
    }

    /// As [`runs`](Self::runs), where the stub is not between the stamps.
    pub fn raw(&mut self, id: &str, ticks: impl Fn(usize) -> u64) {
        self.summary(id, (WARM_UP..RUNS).map(&ticks));
    }

    fn range(&mut self, id: &str, runs: core::ops::Range<usize>, ticks: impl Fn(usize) -> u64) {
        let cost = self.cost;
        self.summary(id, runs.map(|run| ticks(run).wrapping_sub(cost)));
    }

    fn summary(&mut self, id: &str, samples: impl Iterator<Item = u64> + Clone) {
        let Some(summary) = Summary::of(samples.clone()) else { return };
        let _ = writeln!(self.console, "bench {id} {summary}");
        if summary.min != summary.max {
            let _ = writeln!(self.console, "spread {id}{}", Histogram::of(samples));
        }
    }

    /// Prints a single figure as it is.
    pub fn one(&mut self, id: &str, figure: u64) {
        let _ = writeln!(self.console, "bench {id} {figure} {figure} {figure} 1");
    }

    /// Prints what each core got done in a window of `window` ticks.
    pub fn scale(&mut self, id: &str, window: u64, samples: &[Sample]) {
        let _ = write!(self.console, "scale {id} {window}");
        for Sample { operations, longest } in samples {
            let _ = write!(self.console, " {operations}/{longest}");
        }
        let _ = writeln!(self.console);
    }

    /// Ticks that a stub takes by itself.
    pub fn cost(&self) -> u64 {
        self.cost
    }
}
