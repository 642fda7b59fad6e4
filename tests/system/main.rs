//! The system tests: every test boots a machine of its own and judges it by what its consoles say.
//!
//! Tests marked as ignored are slow; `cargo xtask test` runs them too, `--quick` leaves them out. Most run in several
//! forms ([`forms`]), with the same expectations; the form ends their names.
//! The module says what is tested; the systems are in `../systems/`.

mod boot;
mod commands;
mod examples;
mod forms;
mod framebuffer;
mod hostile;
mod iso;
mod isolation;
mod layer;
mod loader;
mod log;
mod messages;
mod probe;
mod refusals;
mod secrets;
mod storms;
mod walks;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use std::sync::Arc;
use tests::lab::Lab;
use xtask::form::Form;

/// How long a test takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Seconds.
    Quick,
    /// Longer: left out by `--quick`.
    Slow,
}

/// A test: boots what it needs, fails with a reason and a transcript.
type Body = Box<dyn FnOnce(&Lab) -> anyhow::Result<()> + Send>;

/// Tests being collected, with the laboratory they share.
struct Tests {
    lab: Arc<Lab>,
    trials: Vec<Trial>,
}

impl Tests {
    fn add(
        &mut self,
        name: impl Into<String>,
        pace: Pace,
        body: impl FnOnce(&Lab) -> anyhow::Result<()> + Send + 'static,
    ) {
        self.add_to(Arc::clone(&self.lab), name.into(), pace, Box::new(body));
    }

    /// A test in each of `forms` that this run is to see.
    fn add_in<B>(&mut self, forms: &[Form], name: impl Into<String>, pace: Pace, body: B)
    where
        B: FnOnce(&Lab) -> anyhow::Result<()> + Clone + Send + 'static,
    {
        let name = name.into();
        for &form in forms.iter().filter(|form| forms::is_wanted(**form, pace)) {
            let name = if form == Form::default() { name.clone() } else { format!("{name}/{form}") };
            self.add_to(Arc::new(self.lab.in_form(form)), name, pace, Box::new(body.clone()));
        }
    }

    fn add_to(&mut self, lab: Arc<Lab>, name: String, pace: Pace, body: Body) {
        let run = move || body(&lab).map_err(|error| Failed::from(format!("{error:#}")));
        self.trials.push(Trial::test(name, run).with_ignored_flag(pace == Pace::Slow));
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let lab = match Lab::new() {
        Ok(lab) => Arc::new(lab),
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut tests = Tests { lab, trials: Vec::new() };
    refusals::add(&mut tests);
    boot::add(&mut tests);
    examples::add(&mut tests);
    messages::add(&mut tests);
    isolation::add(&mut tests);
    layer::add(&mut tests);
    loader::add(&mut tests);
    log::add(&mut tests);
    probe::add(&mut tests);
    secrets::add(&mut tests);
    storms::add(&mut tests);
    hostile::add(&mut tests);
    walks::add(&mut tests);
    iso::add(&mut tests);
    framebuffer::add(&mut tests);
    commands::add(&mut tests);
    libtest_mimic::run(&arguments, tests.trials).exit_code()
}
