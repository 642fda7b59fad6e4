//! How fast the TSC and the local APIC timer run, and waiting by them.
//!
//! Sources in order: CPUID (leaf 0x15, then a hypervisor's leaf), else counter 2 of the PIT. The PIT is not waited for
//! to end but read: pairs of (TSC, count) taken close together give the rate whatever held the core up in between.
//! Every loop ends: by count, by time, or by number of turns.

use super::apic::LocalApic;
use super::port;
use core::arch::x86_64::_rdtsc;
use loader::{Refusal, refuse};
use raw_cpuid::CpuId;

const PIT_HZ: u64 = 1_193_182;
/// 10 ms.
const WINDOW_TICKS: u16 = 11_932;
/// Turns of one attempt: a turn is at least a microsecond of port accesses on real hardware.
const WINDOW_TURNS: u32 = 2_000_000;
const ATTEMPTS: u32 = 20;

/// The clocks, calibrated once for the machine.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    tsc_hz: u64,
    apic_timer_hz: u64,
}

/// The TSC now.
pub fn now() -> u64 {
    // SAFETY: every processor with long mode has it.
    unsafe { _rdtsc() }
}

impl Clock {
    /// Measures both clocks on this core, whose local APIC is enabled.
    pub fn calibrate(local_apic: LocalApic) -> Result<Self, Refusal> {
        let (tsc_hz, apic_timer_hz) = match stated() {
            Some(found) => found,
            None => (measured()?, None),
        };
        let mut clock = Self { tsc_hz, apic_timer_hz: 0 };
        clock.apic_timer_hz = apic_timer_hz.unwrap_or_else(|| clock.measure_apic_timer(local_apic));
        if clock.tsc_mhz() == 0 || clock.apic_timer_mhz_x1024() == 0 {
            return Err(refuse!(
                NoClock,
                "TSC at {tsc_hz} Hz and local APIC timer at {} Hz are of no use",
                clock.apic_timer_hz
            ));
        }
        Ok(clock)
    }

    /// TSC ticks per microsecond, rounded.
    pub fn tsc_mhz(&self) -> u32 {
        ((self.tsc_hz + 500_000) / 1_000_000) as u32
    }

    /// Local APIC timer ticks per microsecond, times 1024.
    pub fn apic_timer_mhz_x1024(&self) -> u32 {
        u32::try_from(self.apic_timer_hz.saturating_mul(1024) / 1_000_000).unwrap_or(u32::MAX)
    }

    /// Waits until `done`, at most `limit_us` microseconds; was it done?
    pub fn wait_until(&self, limit_us: u64, done: impl Fn() -> bool) -> bool {
        let (start, limit) = (now(), limit_us.saturating_mul(self.tsc_hz / 1_000_000 + 1));
        loop {
            if done() {
                return true;
            }
            if now().wrapping_sub(start) >= limit {
                return done();
            }
            core::hint::spin_loop();
        }
    }

    /// Waits `time_us` microseconds.
    pub fn wait(&self, time_us: u64) {
        self.wait_until(time_us, || false);
    }

    fn measure_apic_timer(&self, local_apic: LocalApic) -> u64 {
        let sample = || {
            let (before, count, after) = (now(), local_apic.count(), now());
            (after.wrapping_sub(before), after, count)
        };
        let best = || (0..4).map(|_| sample()).min_by_key(|(gap, ..)| *gap).unwrap_or_default();
        local_apic.start_count();
        let (_, start, first) = best();
        self.wait(5_000);
        let (_, end, last) = best();
        local_apic.stop_count();
        let (ticks, time) = (u64::from(first.saturating_sub(last)), end.wrapping_sub(start).max(1));
        ticks.saturating_mul(self.tsc_hz) / time
    }
}

/// What CPUID says: TSC frequency, and that of the local APIC timer if it is said too.
fn stated() -> Option<(u64, Option<u64>)> {
    let cpuid = CpuId::new();
    if let Some(info) = cpuid.get_tsc_info()
        && info.nominal_frequency() != 0
        && let Some(tsc) = info.tsc_frequency().filter(|tsc| *tsc > 0)
    {
        // With this leaf the timer runs at the crystal's frequency (Intel SDM, volume 3, "APIC timer").
        return Some((tsc, Some(u64::from(info.nominal_frequency()))));
    }
    let hypervisor = cpuid.get_hypervisor_info()?;
    let tsc = u64::from(hypervisor.tsc_frequency().filter(|khz| *khz > 0)?) * 1000;
    Some((tsc, hypervisor.apic_frequency().filter(|khz| *khz > 0).map(|khz| u64::from(khz) * 1000)))
}

/// The TSC against the PIT; against the processor's nominal frequency if there is no PIT.
fn measured() -> Result<u64, Refusal> {
    if let Some(found) = (0..ATTEMPTS).find_map(|_| measure_window()) {
        return Ok(found);
    }
    let nominal = CpuId::new().get_processor_frequency_info().map_or(0, |it| u64::from(it.processor_base_frequency()));
    if nominal == 0 {
        return Err(refuse!(NoClock, "neither CPUID nor the PIT tells how fast the TSC runs"));
    }
    Ok(nominal * 1_000_000)
}

mod pit {
    use super::port;

    const COUNTER_2: u16 = 0x42;
    const MODE: u16 = 0x43;
    const GATE: u16 = 0x61;

    /// Starts counter 2 at 0xffff, falling, one-shot; the speaker stays silent.
    pub fn start() {
        let gate = port::read8(GATE) & !3;
        port::write8(GATE, gate | 1);
        port::write8(MODE, 0b1011_0000);
        port::write8(COUNTER_2, 0xff);
        port::write8(COUNTER_2, 0xff);
    }

    /// The count.
    pub fn count() -> u16 {
        port::write8(MODE, 0b1000_0000);
        u16::from_le_bytes([port::read8(COUNTER_2), port::read8(COUNTER_2)])
    }

    /// Did it reach zero? From then on the count means nothing.
    pub fn has_ended() -> bool {
        port::read8(GATE) & 0x20 != 0
    }
}

/// TSC ticks per second over one window; `None` if the counter does not run or the core was held up too long.
fn measure_window() -> Option<u64> {
    let sample = || {
        let (before, count, after) = (now(), pit::count(), now());
        (after.wrapping_sub(before), before, count)
    };
    // Of some readings the one that took least time is least disturbed.
    let best = || (0..4).map(|_| sample()).min_by_key(|(gap, ..)| *gap).unwrap_or_default();
    pit::start();
    // The first count appears with the counter's next clock.
    (0..WINDOW_TURNS).find(|_| (1..0xfff0).contains(&pit::count()))?;
    let (_, start, first) = best();
    let goal = first.checked_sub(WINDOW_TICKS)?;
    (0..WINDOW_TURNS).find(|_| pit::count() <= goal)?;
    let (_, end, last) = best();
    if pit::has_ended() {
        return None;
    }
    let (time, ticks) = (end.checked_sub(start)?, u64::from(first.checked_sub(last)?));
    (time > 0 && ticks > 0).then(|| time.saturating_mul(PIT_HZ) / ticks)
}
