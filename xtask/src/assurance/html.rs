//! The report as one page for a browser: no script, no other file. Tests: below.

use super::ledger::{Class, LEVELS};
use super::report::{Entry, Status, first_gap, title};
use std::fmt::Write;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\
h1,h2{line-height:1.2}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;\
border-bottom:1px solid #ddd;vertical-align:top}.bar{display:flex;height:1.4rem;border-radius:4px;overflow:hidden}\
.bar span{color:#fff;text-align:center;font-size:.8rem;line-height:1.4rem;min-width:1.2rem}.P{background:#14532d}\
.E{background:#15803d}.R{background:#0369a1}.D{background:#7e22ce}.open{background:#9ca3af}.fails{background:#b91c1c}\
.not-run{background:#d97706}.tag{color:#fff;border-radius:4px;padding:0 .4rem;font-size:.85rem}\
details{border-bottom:1px solid #ddd;padding:.4rem 0}summary{cursor:pointer}dl{margin:.5rem 0 .5rem 1.5rem}\
dt{font-weight:600}dd{margin:0 0 .4rem 0}code{background:#f3f4f6;padding:0 .2rem}small{color:#666}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What an entry counts as: its class if it holds, its state if it does not.
fn kind(entry: &Entry) -> &str {
    match entry.status {
        Status::Holds => &entry.class,
        Status::Open => "open",
        Status::Fails => "fails",
        Status::NotRun => "not-run",
    }
}

/// The page.
pub fn page(entries: &[Entry], seconds: f64) -> String {
    let mut text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Skerry: assurance</title><style>{STYLE}</style>\
         <h1>Skerry: assurance</h1>\n"
    );
    let holds = entries.iter().filter(|entry| entry.status == Status::Holds).count();
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "<p>{holds} of {} obligations hold; the run took {seconds:.0} s. A claim holds because its check ran and passed \
         in this run. The kernel is not proved correct: small functions are (P), and models are (D).",
        entries.len()
    );
    if let Some(gap) = first_gap(entries) {
        let (id, status, why) = (&gap.id, gap.status, escape(&gap.gap));
        let _ = writeln!(text, "<p>First gap from below: <a href=\"#{id}\">{id}</a> ({status}). {why}");
    }
    let classes = [
        ("P", "machine-checked on the code for all values of a stated size"),
        ("E", "exhaustive within a bound"),
        ("R", "randomised or sampled"),
        ("D", "a theorem or search about a design model, linked to the code by reading"),
        ("open", "nothing is claimed"),
    ];
    text += "<p>";
    for (class, meaning) in classes {
        let _ = writeln!(text, "<span class=\"tag {class}\">{class}</span> {meaning}<br>");
    }
    text += "<h2>The ladder</h2><table>";
    for level in (1..=LEVELS).rev() {
        let _ = write!(text, "<tr><td><a href=\"#level-{level}\">{level}</a><td>{}<td width=\"50%\">", title(level));
        bar(&mut text, entries, level);
    }
    text += "</table>";
    for level in 1..=LEVELS {
        let _ = writeln!(text, "<h2 id=\"level-{level}\">Level {level}: {}</h2>", title(level));
        entries.iter().filter(|entry| entry.level == level).for_each(|entry| section(&mut text, entry));
    }
    text + "</html>\n"
}

/// The entries of a level, by kind, as wide as they are many.
fn bar(text: &mut String, entries: &[Entry], level: u32) {
    text.push_str("<div class=\"bar\">");
    let kinds = Class::ALL.map(|class| class.to_string()).into_iter().chain(["fails".into(), "not-run".into()]);
    for name in kinds {
        let count = entries.iter().filter(|entry| entry.level == level && kind(entry) == name).count();
        if count > 0 {
            let _ =
                write!(text, "<span class=\"{name}\" style=\"flex:{count}\" title=\"{name}\">{count} {name}</span>");
        }
    }
    text.push_str("</div>\n");
}

fn section(text: &mut String, entry: &Entry) {
    let (id, kind, statement) = (&entry.id, kind(entry), escape(&entry.statement));
    let _ = writeln!(
        text,
        "<details id=\"{id}\"><summary><span class=\"tag {kind}\">{kind}</span> <b>{id}</b> {statement}</summary><dl>"
    );
    let mut item = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "<dt>{name}<dd>{}", escape(value));
        }
    };
    item("within", &entry.bound);
    item("check", &entry.command);
    item("said", &entry.note);
    item("mistakes made in the model", &entry.mistakes.join("; "));
    item(if entry.status == Status::Open { "why" } else { "gap" }, &entry.gap);
    item("about", &entry.code.join(", "));
    let _ = writeln!(text, "</dl><small>{} s</small></details>", entry.seconds);
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::*;

    #[test]
    fn every_obligation_is_on_the_page_and_text_is_text() {
        let ledger = Ledger::load().unwrap();
        let new = |status| move |it| Entry::new(it, status, "a < b & c".into(), 1.0);
        let entries: Vec<_> = ledger.obligations.iter().map(new(Status::Holds)).collect();
        let page = page(&entries, 2.0);
        for entry in &entries {
            assert!(page.contains(&format!("<details id=\"{}\">", entry.id)), "{}", entry.id);
        }
        assert!(page.contains("a &lt; b &amp; c") && !page.contains("a < b"));
    }

    #[test]
    fn what_was_not_run_looks_like_nothing_else() {
        let ledger = Ledger::load().unwrap();
        let entries = [Entry::new(&ledger.obligations[0], Status::NotRun, String::new(), 0.0)];
        assert!(page(&entries, 1.0).contains("<span class=\"not-run\" style=\"flex:1\""));
    }
}
