//! What `cargo xtask bench` is made of: figures, what they are compared with, and the report.
//!
//! ```text
//! machine: boots the measuring root task, reads its lines ─▶ figures ─▶ report (JSON, Markdown), plot (SVG)
//! reference: seL4's figures and ours to reach ────────────────────────┘      compare: against a baseline
//! ```

pub mod compare;
pub mod figures;
pub mod footprint;
pub mod machine;
pub mod plot;
pub mod reference;
pub mod report;
