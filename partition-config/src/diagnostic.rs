//! Refusals as values: a [`Finding`] says what, where, why and what to do; a [`Report`] is all findings of one file.

use crate::code::Code;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Bytes of the source text.
pub type Span = std::ops::Range<usize>;

/// One refusal.
#[derive(Debug)]
pub struct Finding {
    code: Code,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    source: Option<Arc<NamedSource<String>>>,
}

impl Finding {
    /// A refusal that underlines `span` with the words of `label`.
    pub fn new(code: Code, message: impl Into<String>, span: &Span, label: impl Into<String>) -> Self {
        let labels = vec![LabeledSpan::new_primary_with_span(Some(label.into()), span.clone())];
        Self { code, message: message.into(), help: None, labels, source: None }
    }

    /// Underlines another place that explains the refusal.
    #[must_use]
    pub fn also(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.labels.push(LabeledSpan::new_with_span(Some(label.into()), span.clone()));
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Where the main label starts, in bytes.
    pub fn offset(&self) -> usize {
        self.labels.first().map_or(0, LabeledSpan::offset)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code.as_str()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// Findings being collected.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The report, in the order of the text.
    pub(crate) fn into_report(mut self, source_name: &str, text: &str) -> Report {
        let source = Arc::new(NamedSource::new(source_name, text.to_owned()).with_language("toml"));
        self.0.sort_by_key(Finding::offset);
        for finding in &mut self.0 {
            finding.source = Some(Arc::clone(&source));
        }
        Report { source_name: source_name.to_owned(), findings: self.0 }
    }
}

/// Everything that is wrong with one system file; never empty.
#[derive(Debug)]
pub struct Report {
    source_name: String,
    findings: Vec<Finding>,
}

impl Report {
    /// The findings, in the order of the text.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The distinct codes.
    pub fn codes(&self) -> BTreeSet<Code> {
        self.findings.iter().map(Finding::code).collect()
    }

    /// The report as plain text: no colours, 100 columns. For transcripts and tests.
    pub fn to_plain_text(&self) -> String {
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
        // Writing to a string does not fail.
        let _ = handler.render_report(&mut text, self);
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.len() {
            1 => write!(out, "{} is refused", self.source_name),
            count => write!(out, "{} is refused for {count} reasons", self.source_name),
        }
    }
}

impl std::error::Error for Report {}

impl Diagnostic for Report {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.findings.iter().map(|finding| finding as &dyn Diagnostic)))
    }
}
