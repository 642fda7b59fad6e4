//! One module per command; what they share is here.

pub mod assure;
pub mod bench;
pub mod check;
pub mod doctor;
pub mod fuzz;
pub mod generate;
pub mod image;
pub mod mutate;
pub mod run;
pub mod show;
pub mod test;

use anstyle::{AnsiColor, Reset, Style};
use std::process::ExitCode;

/// Exit status of a refused system file.
pub const REFUSED: u8 = 2;
/// Style of what went wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Style of what went right.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Style of remarks.
pub const QUIET: Style = Style::new().dimmed();
/// Back to normal.
pub const PLAIN: Reset = Reset;

/// Prints a refused file's report.
pub fn print_refusal(report: partition_config::Report) -> ExitCode {
    eprintln!("{:?}", miette::Report::new(report));
    ExitCode::from(REFUSED)
}
