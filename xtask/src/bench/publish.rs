//! Puts a run's tables into `docs/performance.md`, between marks, and its charts beside it.
//!
//! A section that the run measured nothing of stays as it is. Tests: below.

use super::figures::{BYTES, Figure, ICOUNT, INSTRUCTIONS};
use super::host::BETWEEN;
use super::{curves, report, scaling};
use anyhow::{Context, Result, bail};
use std::path::Path;

/// The folder of charts, beside the page.
const CHARTS: &str = "performance/";

/// Renews the page `performance.md` in `docs`, and its charts.
///
/// # Errors
/// When the page has lost a mark, or a file cannot be written.
pub fn publish(docs: &Path, figures: &[Figure]) -> Result<()> {
    let page = docs.join("performance.md");
    let mut text = std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    for (name, content) in sections(figures) {
        text = replace(&text, name, &content).with_context(|| format!("in {}", page.display()))?;
    }
    for chart in scaling::charts(figures) {
        let path = docs.join(CHARTS).join(format!("{}.svg", chart.name));
        std::fs::write(&path, curves::svg(&chart)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    std::fs::write(&page, text).with_context(|| format!("cannot write {}", page.display()))
}

/// What there is to say, by section.
fn sections(figures: &[Figure]) -> Vec<(&'static str, String)> {
    let has = |unit: &str| figures.iter().any(|figure| figure.unit == unit);
    let mut sections = Vec::new();
    // Lockstep has instructions to tell of too, but not these.
    if figures.iter().any(|figure| figure.engine == ICOUNT && figure.unit == INSTRUCTIONS) {
        sections.push(("operations", report::operations(figures)));
        sections.push(("same binary", report::same_binary()));
    }
    if has(BYTES) {
        sections.push(("footprint", report::footprint(figures)));
    }
    // Times between threads are the host's as much as the rings'.
    let rings: Vec<_> = figures.iter().filter(|figure| figure.engine != BETWEEN).cloned().collect();
    sections.push(("rings", report::rings(&rings)));
    let scaled = report::scaled(figures);
    if !scaled.is_empty() {
        sections.push(("scaling", format!("{scaled}\n{}", report::charts(figures, CHARTS))));
    }
    sections.retain(|(_, content)| !content.is_empty());
    sections
}

/// `text` with `content` between the two marks of `name`.
fn replace(text: &str, name: &str, content: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- measured: {name} -->\n"), format!("<!-- end: {name} -->"));
    let Some((before, rest)) = text.split_once(&begin) else { bail!("there is no line {}", begin.trim_end()) };
    let Some((_, after)) = rest.split_once(&end) else { bail!("there is no line {end}") };
    Ok(format!("{before}{begin}{}\n{end}{after}", content.trim_matches('\n')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::ICOUNT;

    const PAGE: &str = "a\n<!-- measured: operations -->\nold\n<!-- end: operations -->\nb\n\
                        <!-- measured: same binary -->\n<!-- end: same binary -->\n<!-- measured: scaling -->\n\
                        kept\n<!-- end: scaling -->\n";

    #[test]
    fn only_what_was_measured_is_renewed() {
        let docs = tempfile::tempdir().unwrap();
        std::fs::write(docs.path().join("performance.md"), PAGE).unwrap();
        publish(docs.path(), &[Figure::single("ipc.call.same", ICOUNT, INSTRUCTIONS, 123)]).unwrap();
        let text = std::fs::read_to_string(docs.path().join("performance.md")).unwrap();
        assert!(text.starts_with("a\n") && text.contains("| `ipc.call.same` | 123 |"), "{text}");
        assert!(text.contains("kept") && !text.contains("old"), "{text}");
        publish(docs.path(), &[Figure::single("doorbell.sender", "bochs-lockstep", INSTRUCTIONS, 5)]).unwrap();
        assert_eq!(std::fs::read_to_string(docs.path().join("performance.md")).unwrap(), text);
    }

    #[test]
    fn a_page_without_marks_is_refused() {
        assert!(replace("text", "operations", "x").is_err());
        assert!(replace("<!-- measured: rings -->\n", "rings", "x").is_err());
    }

    #[test]
    fn the_page_of_this_repository_has_every_mark() {
        let page = crate::workspace::root().join("docs/performance.md");
        let text = std::fs::read_to_string(page).unwrap();
        for name in ["operations", "same binary", "footprint", "rings", "scaling"] {
            replace(&text, name, "").unwrap();
        }
    }
}
