//! From rounds to figures, and from figures to charts and tables: everything about scaling can be drawn again from a
//! `report.json`. Tests: below.

use super::curves::{Chart, Curve, Scale, Stroke, crossing};
use super::figures::Figure;
use super::lockstep::{LOCKSTEP, PER_TICKS, Round, Setup};
use super::model::{Lock, Model, Variation};
use super::reference::{LOCKSTEP_CORES, SEL4_LOCKSTEP};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Unit of throughput.
pub const RATE: &str = "operations per 10^9 ticks";
/// Unit of how long something took.
pub const TICKS: &str = "ticks";
/// Cores up to which the model is drawn, by doublings.
const MODEL_DOUBLINGS: u32 = 8;
/// Lines of kernel data that an operation touches while it holds the lock: a guess, stated where it is used.
const LINES: f64 = 8.0;
/// Ticks that a cache line may take from core to core: none (lockstep), within a socket, between sockets.
const TRANSFERS: [f64; 3] = [0.0, 60.0, 200.0];

/// A chart of the report: file, title, and its curves' scenarios.
struct Plot {
    name: &'static str,
    title: &'static str,
    scenarios: &'static [&'static str],
}

const PLOTS: [Plot; 11] = [
    Plot {
        name: "ipc-0",
        title: "Independent Call/ReplyRecv pairs, one per core, no think time",
        scenarios: &["ipc.0"],
    },
    Plot { name: "ipc-500", title: "The same, both ends think 500 instructions", scenarios: &["ipc.500"] },
    Plot { name: "ipc-4000", title: "The same, both ends think 4000 instructions", scenarios: &["ipc.4000"] },
    Plot { name: "ipc-32000", title: "The same, both ends think 32000 instructions", scenarios: &["ipc.32000"] },
    Plot { name: "server", title: "One server, asked by all other cores", scenarios: &["server"] },
    Plot { name: "storm", title: "All other cores signal one waiter", scenarios: &["storm"] },
    Plot { name: "map", title: "Map and unmap a page in an address space of its own", scenarios: &["map"] },
    Plot { name: "map-shared", title: "Map and unmap in the program's own address space", scenarios: &["map.shared"] },
    Plot { name: "create", title: "Create and destroy an endpoint", scenarios: &["create"] },
    Plot { name: "lock", title: "The shortest exclusive system call: lock throughput", scenarios: &["lock"] },
    Plot {
        name: "cross",
        title: "Round trips between two cores, all pairs at once",
        scenarios: &["cross.channel", "cross.doorbell", "cross.endpoint", "cross.notification"],
    },
];

/// The figures of a round.
pub fn figures(setup: Setup, cores: u32, round: &Round) -> [Figure; 2] {
    let figure = |id: String, unit: &str, median, min, max| Figure {
        id,
        configuration: setup.name.to_owned(),
        engine: LOCKSTEP.to_owned(),
        unit: unit.to_owned(),
        cores,
        median,
        min,
        max,
        samples: round.cores.len() as u64,
        command: setup.command(cores),
        spread: Vec::new(),
    };
    let (min, max) = round.extremes();
    let (shortest, longest) = (round.cores.iter().map(|&(_, longest)| longest).min().unwrap_or(0), round.longest());
    [
        figure(format!("scale.{}", round.id), RATE, round.throughput(), min, max),
        figure(format!("scale.{}.longest", round.id), TICKS, longest, shortest, longest),
    ]
}

/// The configurations that have lockstep figures, in the order of the report.
fn configurations(all: &[Figure]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for figure in all.iter().filter(|figure| figure.engine == LOCKSTEP) {
        if !names.contains(&figure.configuration.as_str()) {
            names.push(&figure.configuration);
        }
    }
    names
}

/// A configuration's figures of one scenario, by cores.
fn by_cores<'f>(all: &'f [Figure], scenario: &str, configuration: &str) -> Vec<&'f Figure> {
    let id = format!("scale.{scenario}");
    let mut found: Vec<_> = all
        .iter()
        .filter(|figure| figure.engine == LOCKSTEP && figure.id == id && figure.configuration == configuration)
        .collect();
    found.sort_by_key(|figure| figure.cores);
    found
}

/// Cores and thousands of operations per 10^9 ticks.
fn points(all: &[Figure], scenario: &str, configuration: &str) -> Vec<(u32, f64)> {
    let found = by_cores(all, scenario, configuration);
    found.iter().map(|figure| (figure.cores, figure.median as f64 / 1e3)).collect()
}

/// Every chart for which there is something to draw.
pub fn charts(all: &[Figure]) -> Vec<Chart> {
    let mut charts: Vec<_> = PLOTS.iter().filter_map(|plot| chart(all, plot)).collect();
    charts.extend(efficiency(all));
    charts.extend(fairness(all));
    charts.extend(prediction(all));
    charts
}

fn chart(all: &[Figure], plot: &Plot) -> Option<Chart> {
    let configurations = configurations(all);
    let mut curves = Vec::new();
    for scenario in plot.scenarios {
        for configuration in &configurations {
            let points = points(all, scenario, configuration);
            let name = match plot.scenarios {
                [_] => (*configuration).to_owned(),
                _ => format!("{configuration}: {}", scenario.trim_start_matches("cross.")),
            };
            if !points.is_empty() {
                curves.push(Curve { name, colour: curves.len(), stroke: Stroke::Measured, points });
            }
        }
    }
    let first = curves.first()?;
    let own = first.points.clone();
    let crossings = match plot.scenarios {
        [_] => curves[1..].iter().filter_map(|other| crossing(&own, &other.points)).collect(),
        _ => Vec::new(),
    };
    if let (Some(&(1, alone)), [scenario]) = (own.first(), plot.scenarios) {
        let last = own.last().map_or(1, |(cores, _)| *cores);
        if let Some(theirs) = SEL4_LOCKSTEP.iter().find(|curve| *scenario == format!("ipc.{}", curve.think)) {
            let points = LOCKSTEP_CORES.iter().zip(theirs.thousands).map(|(&cores, value)| (cores, value as f64));
            let name = "seL4 16 SMP (reference)".to_owned();
            curves.push(Curve { name, colour: 6, stroke: Stroke::Measured, points: points.collect() });
        }
        let ideal = std::iter::successors(Some(1), |cores| Some(cores * 2)).take_while(|cores| *cores <= last);
        let points = ideal.map(|cores| (cores, f64::from(cores) * alone)).collect();
        curves.push(Curve { name: "ideal: one core times cores".into(), colour: 7, stroke: Stroke::Reference, points });
    }
    let unit = "thousand operations per 10^9 ticks";
    let title = format!("{} (Bochs lockstep)", plot.title);
    Some(Chart { name: plot.name, title, unit, scale: Scale::Linear, curves, crossings })
}

/// How much of the lock's throughput is left when many want it, as in CertiKOS's comparison of ticket and MCS.
fn efficiency(all: &[Figure]) -> Option<Chart> {
    let curve = |(colour, name): (usize, &str)| {
        let points = points(all, "lock", name);
        let (_, alone) = *points.first()?;
        let points = points.iter().map(|&(cores, value)| (cores, 100.0 * value / alone)).collect();
        Some(Curve { name: name.to_owned(), colour, stroke: Stroke::Measured, points })
    };
    let shared: Vec<_> =
        configurations(all).into_iter().enumerate().filter(|(_, name)| name.starts_with("smp")).collect();
    let curves: Vec<_> = shared.into_iter().filter_map(curve).collect();
    let title = "Efficiency of the lock: exclusive system calls of all cores, against one core (Bochs lockstep)".into();
    (!curves.is_empty()).then_some(Chart {
        name: "efficiency",
        title,
        unit: "per cent",
        scale: Scale::Linear,
        curves,
        crossings: vec![],
    })
}

/// Most over least acquisitions of a core.
fn fairness(all: &[Figure]) -> Option<Chart> {
    let mut curves = Vec::new();
    for (colour, configuration) in configurations(all).into_iter().enumerate() {
        let found = by_cores(all, "lock", configuration);
        let points = found.iter().map(|figure| (figure.cores, figure.max as f64 / figure.min.max(1) as f64)).collect();
        curves.push(Curve { name: configuration.to_owned(), colour, stroke: Stroke::Measured, points });
    }
    curves.retain(|curve| !curve.points.is_empty());
    let title = "Fairness of hand-over: most over least exclusive system calls of a core (Bochs lockstep)".into();
    (!curves.is_empty()).then_some(Chart {
        name: "fairness",
        title,
        unit: "max / min",
        scale: Scale::Linear,
        curves,
        crossings: vec![],
    })
}

/// The model of a scenario on one configuration, from its figures on one core and on the most.
fn fitted(all: &[Figure], scenario: &str, configuration: &str) -> Option<Model> {
    let points = points(all, scenario, configuration);
    let (&(1, alone), &(cores, together)) = (points.first()?, points.last()?) else { return None };
    (cores > 1).then(|| Model::fit(alone * 1e-6, f64::from(cores), together * 1e-6))
}

/// Independent pairs that think 500 instructions, to 256 cores.
fn prediction(all: &[Figure]) -> Option<Chart> {
    let mut curves = Vec::new();
    let cores = || (0..=MODEL_DOUBLINGS).map(|doubling| 1u32 << doubling);
    for (colour, configuration) in configurations(all).into_iter().enumerate() {
        let Some(model) = thinking(all, configuration, 500) else { continue };
        let lock = if configuration.contains("mcs") { Lock::Mcs } else { Lock::Ticket };
        curves.push(Curve {
            name: format!("{configuration}, measured"),
            colour,
            stroke: Stroke::Measured,
            points: points(all, "ipc.500", configuration),
        });
        for &transfer in if model.hold > 0.0 { &TRANSFERS[..] } else { &TRANSFERS[..1] } {
            let model = model.with_transfer(transfer, LINES, lock);
            let points = cores().map(|cores| (cores, model.throughput(cores) * 1e6)).collect();
            let name = format!("{configuration}, model, {transfer:.0} ticks a line");
            curves.push(Curve { name, colour, stroke: Stroke::Predicted, points });
        }
    }
    if let Some(theirs) = SEL4_LOCKSTEP.iter().find(|curve| curve.think == 500).filter(|_| !curves.is_empty()) {
        let measured: Vec<_> =
            LOCKSTEP_CORES.iter().zip(theirs.thousands).map(|(&cores, value)| (cores, value as f64)).collect();
        let [first, .., last] = SEL4_LOCKSTEP[0].thousands.map(|thousands| thousands as f64 * 1e-6);
        let fitted = Model::fit(first, f64::from(LOCKSTEP_CORES[3]), last);
        let model = Model { work: 1e6 / measured[0].1 - fitted.hold, ..fitted };
        let name = "seL4 16 SMP, measured".to_owned();
        curves.push(Curve { name, colour: 6, stroke: Stroke::Measured, points: measured });
        for transfer in TRANSFERS {
            let model = model.with_transfer(transfer, LINES, Lock::Mcs);
            let points = cores().map(|cores| (cores, model.throughput(cores) * 1e6)).collect();
            let name = format!("seL4 16 SMP, model, {transfer:.0} ticks a line");
            curves.push(Curve { name, colour: 6, stroke: Stroke::Predicted, points });
        }
    }
    let title = "Model to 256 cores: independent pairs, both ends think 500 instructions".into();
    let unit = "thousand operations per 10^9 ticks";
    (!curves.is_empty()).then_some(Chart {
        name: "model",
        title,
        unit,
        scale: Scale::Doublings,
        curves,
        crossings: vec![],
    })
}

/// The model of pairs that think: hold time from pairs that do not, work from one core that does.
fn thinking(all: &[Figure], configuration: &str, think: u64) -> Option<Model> {
    let fitted = fitted(all, "ipc.0", configuration)?;
    let &(1, alone) = points(all, &format!("ipc.{think}"), configuration).first()? else { return None };
    Some(Model { work: 1e6 / alone - fitted.hold, ..fitted })
}

/// The tables: every scenario by cores and configuration, then the model against what was measured.
pub fn markdown(all: &[Figure]) -> String {
    let configurations = configurations(all);
    let cores: BTreeSet<u32> =
        all.iter().filter(|figure| figure.id == "scale.ipc.0" && figure.engine == LOCKSTEP).map(|f| f.cores).collect();
    if cores.is_empty() {
        return String::new();
    }
    let mut text = String::from("| scenario | configuration |");
    for cores in &cores {
        let _ = write!(text, " {cores} |");
    }
    text += " max/min per core | longest |\n|---|---|";
    text += &"--:|".repeat(cores.len() + 2);
    text += "\n";
    for scenario in PLOTS.iter().flat_map(|plot| plot.scenarios) {
        for configuration in &configurations {
            let found = by_cores(all, scenario, configuration);
            let Some(last) = found.last() else { continue };
            let _ = write!(text, "| `scale.{scenario}` | {configuration} |");
            let alone = found.first().filter(|first| first.cores == 1).map(|first| first.median as f64);
            for cores in &cores {
                let Some(figure) = found.iter().find(|figure| figure.cores == *cores) else {
                    text += " – |";
                    continue;
                };
                let _ = write!(text, " {}", figure.median / 1000);
                if let Some(alone) = alone.filter(|_| *cores > 1) {
                    let _ = write!(text, " ({:.2})", figure.median as f64 / alone);
                }
                text += " |";
            }
            let longest = by_cores(all, &format!("{scenario}.longest"), configuration);
            let longest = longest.last().map_or(0, |figure| figure.median);
            let _ = writeln!(text, " {:.2} | {longest} |", last.max as f64 / last.min.max(1) as f64);
        }
    }
    text + &model_table(all, &configurations)
}

fn model_table(all: &[Figure], configurations: &[&str]) -> String {
    let mut text = String::new();
    for configuration in configurations {
        let Some(fitted) = fitted(all, "ipc.0", configuration) else { continue };
        for think in [0, 500, 4000, 32_000] {
            let Some(model) = thinking(all, configuration, think) else { continue };
            for (cores, measured) in points(all, &format!("ipc.{think}"), configuration) {
                let (predicted, pessimist) = (
                    model.throughput(cores) * 1e6,
                    Model { variation: Variation::Exponential, ..model }.throughput(cores) * 1e6,
                );
                let _ = writeln!(
                    text,
                    "| {configuration} | {think} | {:.0} | {cores} | {measured:.0} | {predicted:.0} | {:+.1} % | \
                     {pessimist:.0} |",
                    fitted.hold,
                    // Adding zero makes a zero that was rounded from below positive.
                    (1000.0 * (predicted / measured - 1.0)).round() / 10.0 + 0.0
                );
            }
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n### The model against the measured curves\n\nHold times come from one and from the most cores without think \
         time (ticks per 10^9 / throughput of the most, if less than all of them add up); the work of each core from one \
         core. Everything else in this table is predicted. Throughput in thousands per {PER_TICKS} ticks.\n\n\
         | configuration | think | hold | cores | measured | model | error | if times vary |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n{text}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::lockstep::{MULTIKERNEL, SETUPS};

    fn figures_of(id: &str, setup: Setup, rates: &[(u32, u64)]) -> Vec<Figure> {
        let round = |cores: u32, each: u64| Round {
            id: id.into(),
            window: 1_000_000,
            cores: vec![(each, 1000); cores as usize],
        };
        rates.iter().flat_map(|&(cores, each)| figures(setup, cores, &round(cores, each))).collect()
    }

    const SMP: Setup = SETUPS[3];

    fn sample() -> Vec<Figure> {
        let mut all = figures_of("ipc.0", MULTIKERNEL, &[(1, 2000), (2, 2000), (4, 2000)]);
        all.extend(figures_of("ipc.0", SMP, &[(1, 1600), (2, 1100), (4, 550)]));
        all.extend(figures_of("ipc.500", MULTIKERNEL, &[(1, 600), (2, 600), (4, 600)]));
        all.extend(figures_of("ipc.500", SMP, &[(1, 550), (2, 550), (4, 550)]));
        all
    }

    #[test]
    fn throughput_adds_up_and_a_cores_share_is_in_the_extremes() {
        let [rate, longest] = figures(SMP, 2, &Round { id: "x".into(), window: 1000, cores: vec![(3, 7), (1, 9)] });
        assert_eq!((rate.id.as_str(), rate.median, rate.min, rate.max), ("scale.x", 4_000_000, 1_000_000, 3_000_000));
        assert_eq!((longest.median, longest.unit.as_str()), (9, TICKS));
    }

    #[test]
    fn charts_show_what_was_measured_beside_the_ideal_and_sel4() {
        let charts = charts(&sample());
        let ipc = charts.iter().find(|chart| chart.name == "ipc-0").unwrap();
        let names: Vec<_> = ipc.curves.iter().map(|curve| curve.name.as_str()).collect();
        assert_eq!(names, ["multikernel", "smp-big", "seL4 16 SMP (reference)", "ideal: one core times cores"]);
        assert_eq!(ipc.curves[0].points, [(1, 2000.0), (2, 4000.0), (4, 8000.0)]);
        let model = charts.iter().find(|chart| chart.name == "model").unwrap();
        assert!(
            model.curves.iter().any(|curve| curve.stroke == Stroke::Predicted && curve.points.last().unwrap().0 == 256)
        );
    }

    #[test]
    fn tables_give_the_gain_over_one_core_and_the_models_error() {
        let text = markdown(&sample());
        assert!(text.contains("| `scale.ipc.0` | multikernel | 2000 | 4000 (2.00) | 8000 (4.00) | 1.00 |"), "{text}");
        // Hold 1/2200 of 10^6 ticks; four cores that think 500 are just at its limit.
        assert!(text.contains("| smp-big | 500 | 455 | 4 | 2200 | 2200 | +0.0 % |"), "{text}");
    }
}
