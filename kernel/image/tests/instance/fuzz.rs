//! Random system calls of several threads against a whole instance, with every invariant checked after every entry.
//!
//! A run is a seed. The short version is part of every test run; `cargo test -p skerry-image --test instance --
//! --ignored fuzz` is the long one (`SKERRY_FUZZ_SECONDS`, default 60, from `SKERRY_FUZZ_SEED`). A failure prints its
//! seed.

mod apart;
mod run;

use abi::invocation::Invocation;
use run::{Random, Run, compare};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn run(cores: usize, seed: u64, steps: u64, counts: &mut BTreeMap<u64, (u64, u64)>) -> u64 {
    let mut run = Run::on_cores(cores, Random::of_seed(seed));
    let traced = std::env::var("SKERRY_FUZZ_TRACE").is_ok();
    run.traced = traced;
    let mut made = steps;
    for step in 0..steps {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run.step();
            run.system.audit_now();
        }));
        if let Err(panic) = result {
            eprintln!("seed {seed}, step {step}, after {}", run.last);
            std::panic::resume_unwind(panic);
        }
        if traced {
            eprintln!("seed {seed}, step {step}: {}, then {:?} runs", run.last, run.system.current());
        }
        if run.is_over() {
            made = step;
            break;
        }
    }
    for (label, (done, refused)) in run.counts {
        let count = counts.entry(label).or_default();
        *count = (count.0 + done, count.1 + refused);
    }
    made
}

#[test]
fn the_fast_paths_do_what_the_slow_path_does() {
    for seed in 1..8 {
        compare(&Random::of_seed(seed), 400);
    }
}

#[test]
fn random_system_calls_break_no_invariant() {
    for seed in 1..12 {
        // One core, or as many as the build has room for.
        run(1 + seed as usize % sync::CORES.min(4), seed, 400, &mut BTreeMap::new());
    }
}

/// The other end of a channel may write into it at any moment. No memory is behind the channel here: if the kernel looked
/// into it, whatever for, this process would end.
#[test]
fn what_a_kernel_does_depends_on_no_channel() {
    let mut of_channels = 0;
    for seed in 1..9 {
        let mut run = Run::beside_a_channel(Random::of_seed(seed));
        for _ in 0..400 {
            if run.is_over() {
                break;
            }
            run.step();
        }
        run.system.audit_now();
        of_channels += run.about_channels;
    }
    assert!(of_channels > 50, "only {of_channels} system calls were about memory of a channel");
}

#[test]
fn a_script_of_choices_ends_and_repeats() {
    let script: Vec<u8> = (0..=255).cycle().take(1500).collect();
    let ends = [(), ()].map(|()| {
        let mut run = Run::new(Random::of_script(&script));
        let mut steps = 0;
        while !run.is_over() {
            run.step();
            run.system.audit_now();
            steps += 1;
        }
        (steps, run.counts)
    });
    assert!(ends[0].0 > 10, "{} steps", ends[0].0);
    assert_eq!(ends[0], ends[1]);
}

#[test]
#[ignore = "as long as SKERRY_FUZZ_SECONDS says"]
fn fuzz_for_long() {
    let number = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let end = Instant::now() + Duration::from_secs(number("SKERRY_FUZZ_SECONDS", 60));
    let mut seed = number("SKERRY_FUZZ_SEED", 1000);
    let mut steps = 0;
    let compared = number("SKERRY_FUZZ_COMPARE", 0) == 1;
    let mut counts = BTreeMap::new();
    while Instant::now() < end {
        if compared {
            compare(&Random::of_seed(seed), 2000);
            seed += 1;
            continue;
        }
        steps += run(number("SKERRY_FUZZ_CORES", 1) as usize, seed, number("SKERRY_FUZZ_STEPS", 3000), &mut counts);
        seed += 1;
    }
    for (label, (done, refused)) in counts {
        println!(
            "{label:>6} {:<28} {done:>8} done {refused:>8} refused",
            Invocation::from_label(label).map_or("?", Invocation::name)
        );
    }
    println!("{steps} steps, up to seed {seed}");
}
