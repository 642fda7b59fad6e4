//! Reading TOML with a place for every value, and without stopping at the first mistake.
//!
//! [`Read`] turns one spanned value into a Rust value or a finding; `table!` declares a table once and derives from it
//! the struct, its reader (unknown and missing keys included) and its JSON schema, so that the three cannot differ.

use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use toml::Spanned;
use toml::de::DeValue;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Spot<T> {
    /// The value.
    pub value: T,
    /// Where, in bytes of the file.
    pub span: Span,
}

/// Values that a TOML value can become.
pub trait Read: Sized + JsonSchema {
    /// Whether an array of these is worth something when one of them cannot be read. Tables are; values are not: what is
    /// left of them would be judged for what is missing.
    const STANDS_ALONE: bool = false;

    /// The value, or `None` after adding findings.
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self>;
}

/// Adds "expected …, found …".
pub(crate) fn wrong_type(value: &Spanned<DeValue<'_>>, expected: &str, findings: &mut Findings) {
    let found = match value.get_ref() {
        DeValue::Integer(integer) => format!("the integer {}", integer.as_str()),
        other => with_article(other.type_str()),
    };
    let message = format!("expected {expected}, found {found}");
    let finding = Finding::new(Code::WrongType, message, &value.span(), format!("this is {found}"));
    findings.add(finding.help(format!("write {expected} here")));
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// The integer, if it is one that fits 64 bits without sign.
pub(crate) fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// The one of `known` that `word` most probably meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, ignoring `-` and `_`.
fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| text.chars().filter(|c| !matches!(c, '-' | '_')).take(64).collect::<Vec<_>>();
    let (left, right) = (letters(left), letters(right));
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&right) {
            let best = (diagonal + usize::from(a != b)).min(before + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            before = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

impl<T: JsonSchema> JsonSchema for Spot<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: Read> Read for Spot<T> {
    const STANDS_ALONE: bool = T::STANDS_ALONE;

    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        Some(Self { value: T::read(value, findings)?, span: value.span() })
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let Some(items) = value.get_ref().as_array() else {
            wrong_type(value, "an array", findings);
            return None;
        };
        let read: Vec<T> = items.iter().filter_map(|item| T::read(item, findings)).collect();
        (read.len() == items.len() || T::STANDS_ALONE).then_some(read)
    }
}

impl Read for String {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            wrong_type(value, "a string", findings);
        }
        text
    }
}

impl Read for bool {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong_type(value, "`true` or `false`", findings);
        }
        flag
    }
}

impl Read for u32 {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        let number = integer(value.get_ref()).and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            wrong_type(value, "a whole number that is not negative", findings);
        }
        number
    }
}

/// Declares a table of the file: every field is an `Option<Spot<_>>`, named in the file by the string before its type.
macro_rules! table {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $field_doc:literal])+ $need:ident $field:ident $key:literal : $ty:ty),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default)]
        pub struct $name { $($(#[doc = $field_doc])+ pub $field: Option<$crate::read::Spot<$ty>>),+ }

        impl $name {
            /// The keys of the table.
            pub const KEYS: &[&str] = &[$($key),+];
        }

        impl $crate::read::Read for $name {
            const STANDS_ALONE: bool = true;

            fn read(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                findings: &mut $crate::diagnostic::Findings,
            ) -> Option<Self> {
                let Some(table) = value.get_ref().as_table() else {
                    $crate::read::wrong_type(value, "a table", findings);
                    return None;
                };
                let mut read = Self::default();
                for (key, value) in table.iter() {
                    match key.get_ref().as_ref() {
                        $($key => read.$field = $crate::read::Read::read(value, findings),)+
                        _ => $crate::read::unknown_key(key, Self::KEYS, findings),
                    }
                }
                $($crate::read::$need(&value.span(), table, $key, findings);)+
                Some(read)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut properties = serde_json::Map::new();
                let mut required = Vec::<&str>::new();
                $(
                    let mut property = generator.subschema_for::<$ty>();
                    property.insert("description".into(), $crate::read::prose(&[$($field_doc),+]).into());
                    properties.insert($key.into(), property.to_value());
                    if stringify!($need) == "required" {
                        required.push($key);
                    }
                )+
                schemars::json_schema!({
                    "type": "object",
                    "description": $crate::read::prose(&[$($doc),+]),
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }
        }
    };
}
pub(crate) use table;

/// The lines of a doc comment as one paragraph.
pub(crate) fn prose(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn unknown_key(key: &Spanned<Cow<'_, str>>, known: &[&str], findings: &mut Findings) {
    let name = key.get_ref();
    let help = match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the keys of this table are: {}", known.join(", ")),
    };
    findings.add(
        Finding::new(Code::UnknownKey, format!("there is no key `{name}` here"), &key.span(), "unknown key").help(help),
    );
}

pub(crate) fn required(span: &Span, table: &toml::de::DeTable<'_>, key: &str, findings: &mut Findings) {
    if !table.contains_key(key) {
        findings.add(
            Finding::new(Code::MissingKey, format!("`{key}` is missing"), span, format!("this table needs `{key}`"))
                .help(format!("add a line `{key} = …`")),
        );
    }
}

pub(crate) fn optional(_: &Span, _: &toml::de::DeTable<'_>, _: &str, _: &mut Findings) {}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("root_task", "root-task"), 0);
    }

    #[test]
    fn nearest_offers_only_what_is_near() {
        assert_eq!(nearest("cors", ["cores", "name"]), Some("cores"));
        assert_eq!(nearest("zebra", ["cores", "name"]), None);
    }
}
