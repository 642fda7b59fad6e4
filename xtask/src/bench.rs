//! What `cargo xtask bench` is made of: figures, what they are compared with, and the report.
//!
//! ```text
//! machine:  one core, counted in instructions (QEMU) ─┐
//! lockstep: 1 to 16 cores, in lockstep (Bochs) ───────┼▶ figures ─▶ report (JSON, Markdown), plot and curves (SVG)
//! footprint: the kernel's ELF ────────────────────────┤      model: past the machines at hand
//! host: our rings and others' on this host ───────────┤
//! hardware: the machine at hand, in cycles ───────────┘
//! reference: seL4's figures and ours to reach                compare: against a baseline
//! ```

pub mod compare;
pub mod curves;
pub mod figures;
pub mod footprint;
pub mod hardware;
pub mod host;
pub mod lockstep;
pub mod machine;
pub mod model;
pub mod plot;
pub mod publish;
pub mod reference;
pub mod report;
pub mod scaling;
