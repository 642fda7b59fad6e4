//! The system file, key by key. Doc comments of the fields are the descriptions of the published JSON schema.
//!
//! Only form is read here; what the values mean to each other is checked under `check/`.

use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use crate::read::{Read, Spot, nearest, table, wrong_type};
use crate::size::{Extent, PortExtent, Size, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

table! {
    /// A Skerry system: partitions of one machine, their programs, and the channels between them.
    File {
        /// The system as a whole.
        optional system "system": System,
        /// The partitions. The order decides default cores and consoles.
        optional partition "partition": Vec<Spot<Partition>>,
        /// The channels.
        optional channel "channel": Vec<Spot<Channel>>,
    }
}

table! {
    /// The system as a whole.
    System {
        /// Name of the system, at most 32 bytes. Default: the name of the file.
        optional name "name": String,
        /// Values for what a partition, program or channel does not say itself.
        optional defaults "defaults": Defaults,
    }
}

table! {
    /// Values for what a partition, program or channel does not say itself.
    Defaults {
        /// Memory of a partition. Default: what its kernel, programs and files need, and some room.
        optional memory "memory": Size,
        /// Mitigations of a partition. Default: "auto".
        optional mitigations "mitigations": Mitigations,
        /// Priority of a program. Default: 100.
        optional priority "priority": Spot<u32>,
        /// Time a program may run in each period. Default: the period.
        optional budget "budget": Time,
        /// Period of a program. Default: its budget, or 10ms.
        optional period "period": Time,
        /// Stack of a program. Default: 64K.
        optional stack "stack": Size,
        /// Heap of a program. Default: 256K.
        optional heap "heap": Size,
        /// Size of a channel. Default: 64K.
        optional channel_size "channel-size": Size,
    }
}

table! {
    /// A named slice of the machine, run by its own kernel.
    Partition {
        /// Name, unique in the system, at most 32 bytes.
        required name "name": String,
        /// Logical cores: 0 is the boot processor, then the order of the ACPI MADT. Default: the first free core.
        optional cores "cores": Vec<Spot<u32>>,
        /// A size, placed automatically, or a list of physical ranges. Multiples of 2M.
        optional memory "memory": MemoryChoice,
        /// Scheduling domains, 1 to 16. Default: 1, as in a stock seL4.
        optional domains "domains": u32,
        /// log2 of the slots of the root task's CNode, 13 to 20. Default: 13, or more if its image has many pages.
        optional root_cnode_bits "root-cnode-bits": u32,
        /// Against leaks through speculation: "auto", what the processor needs; "none"; "all"; or a list of "kpti", "ibrs",
        /// "stibp", "ibpb", "rsb" and "verw". Default: "auto".
        optional mitigations "mitigations": Mitigations,
        /// Devices by name.
        optional owns "owns": Vec<Spot<String>>,
        /// I/O ports, beside those of `owns`.
        optional ports "ports": Vec<Spot<PortExtent>>,
        /// Device memory in whole 4K pages, beside that of `owns`.
        optional mmio "mmio": Vec<Spot<Extent>>,
        /// Interrupts, beside those of `owns`: "pin 11" of the I/O APIC, or "msi 0", "msi 4-7".
        optional interrupts "interrupts": Vec<Spot<String>>,
        /// "com1" to "com4", "debugcon", "debugcon@0x2e00", "uart@0x3220" or "none".
        /// Default: com1 to com4 for the first four partitions, then a debugcon each.
        optional console "console": String,
        /// Path of an ELF: any seL4-style root task, which gets the whole partition. Then there are no programs.
        optional root_task "root-task": String,
        /// The programs.
        optional program "program": Vec<Spot<Program>>,
    }
}

table! {
    /// A program that the root task of a partition starts.
    Program {
        /// Name, unique in the partition, at most 32 bytes. Default: the name of the image.
        optional name "name": String,
        /// A program of the workspace by name, or the path of an ELF (with a `/`, or ending in `.elf`). Default: the name.
        optional image "image": String,
        /// The core it runs on, one of its partition's. Default: the partition's cores in turn.
        optional core "core": u32,
        /// Priority, 0 to 254.
        optional priority "priority": Spot<u32>,
        /// Time it may run in each period.
        optional budget "budget": Time,
        /// The period.
        optional period "period": Time,
        /// Stack size, a multiple of 4K.
        optional stack "stack": Size,
        /// Heap size, a multiple of 4K; 0 for none.
        optional heap "heap": Size,
        /// Arguments.
        optional args "args": Vec<Spot<String>>,
        /// Data files, mapped read-only into the program.
        optional files "files": Vec<Spot<FileGrant>>,
        /// Runs for ever: the system is finished without it. Default: false.
        optional service "service": bool,
        /// Gets the capabilities for the partition's devices, ports and interrupts. Default: false.
        optional driver "driver": bool,
    }
}

table! {
    /// A data file and the name a program knows it by.
    NamedFile {
        /// Name for the program, at most 32 bytes.
        required name "name": String,
        /// Path, relative to the system file.
        required from "from": String,
    }
}

table! {
    /// A shared-memory region between two programs, mapped by no kernel.
    Channel {
        /// Name, unique in the system, at most 32 bytes.
        required name "name": String,
        /// Two ends, each `partition/program`.
        required ends "ends": Vec<Spot<String>>,
        /// Size, a multiple of 4K. Default: 64K.
        optional size "size": Size,
        /// Access of each end, "rw" or "r". Default: both "rw".
        optional access "access": Vec<Spot<Access>>,
        /// Which doorbells the channel has: "forward" is rung by the first end and heard by the second. Default: "both".
        optional doorbells "doorbells": Doorbells,
        /// CPU vector of the forward doorbell, 0xa0 to 0xdf. Default: the first free one of the core that hears it.
        optional forward_vector "forward-vector": u32,
        /// CPU vector of the backward doorbell, 0xa0 to 0xdf. Default: the first free one of the core that hears it.
        optional backward_vector "backward-vector": u32,
    }
}

/// Memory of a partition.
#[derive(Clone, Debug)]
pub enum MemoryChoice {
    /// So much, anywhere.
    Size(Size),
    /// Exactly these.
    Ranges(Vec<Spot<Extent>>),
}

impl JsonSchema for MemoryChoice {
    fn schema_name() -> Cow<'static, str> {
        "Memory".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (size, ranges) = (generator.subschema_for::<Size>(), generator.subschema_for::<Vec<Extent>>());
        json_schema!({ "anyOf": [size, ranges] })
    }
}

impl Read for MemoryChoice {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        match value.get_ref() {
            DeValue::Array(_) => Read::read(value, findings).map(Self::Ranges),
            DeValue::String(_) | DeValue::Integer(_) => Read::read(value, findings).map(Self::Size),
            _ => {
                wrong_type(value, "a size or an array of ranges", findings);
                None
            }
        }
    }
}

/// A data file granted to a program.
#[derive(Clone, Debug)]
pub struct FileGrant {
    /// Name for the program, and where it was written.
    pub name: Spot<String>,
    /// Path, and where it was written.
    pub from: Spot<String>,
}

impl JsonSchema for FileGrant {
    fn schema_name() -> Cow<'static, str> {
        "File".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let named = generator.subschema_for::<NamedFile>();
        let path =
            json_schema!({ "type": "string", "description": "A path; the program knows the file by its last part." });
        json_schema!({ "anyOf": [path, named] })
    }
}

impl Read for FileGrant {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(_) => {
                let NamedFile { name, from } = Read::read(value, findings)?;
                Some(Self { name: name?, from: from? })
            }
            DeValue::String(path) => {
                let name = path.rsplit('/').next().unwrap_or(path).to_owned();
                let span = value.span();
                Some(Self {
                    name: Spot { value: name, span: span.clone() },
                    from: Spot { value: path.clone().into_owned(), span },
                })
            }
            _ => {
                wrong_type(value, "a path, or a table with `name` and `from`", findings);
                None
            }
        }
    }
}

macro_rules! choice {
    ($(#[doc = $doc:literal])+ $name:ident, $code:ident { $($(#[doc = $value_doc:literal])+ $value:ident = $text:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $value_doc])+ $value),+ }

        impl $name {
            /// As written in the file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "enum": [$($text),+] })
            }
        }

        impl Read for $name {
            fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
                let text = <String as Read>::read(value, findings)?;
                match text.as_str() {
                    $($text => Some(Self::$value),)+
                    _ => {
                        findings.add(unknown_choice(Code::$code, &text, &value.span(), &[$($text),+]));
                        None
                    }
                }
            }
        }
    };
}

choice! {
    /// What an end of a channel may do with it.
    Access, ChannelAccess {
        /// Read only.
        Read = "r",
        /// Read and write.
        ReadWrite = "rw",
    }
}

choice! {
    /// Which doorbells a channel has.
    Doorbells, UnknownValue {
        /// One each way.
        Both = "both",
        /// From the first end to the second.
        Forward = "forward",
        /// From the second end to the first.
        Backward = "backward",
        /// None: both ends poll.
        None = "none",
    }
}

choice! {
    /// A choice of mitigations in one word.
    MitigationPolicy, UnknownValue {
        /// What the processor needs.
        Auto = "auto",
        /// None.
        None = "none",
        /// All that the processor can do.
        All = "all",
    }
}

choice! {
    /// A mitigation of leaks through speculation.
    Mitigation, UnknownValue {
        /// Page tables of programs do not map the kernel.
        Kpti = "kpti",
        /// Indirect branches of the kernel are restricted.
        Ibrs = "ibrs",
        /// Predictors are not shared by the threads of a core.
        Stibp = "stibp",
        /// Predictors forget between two address spaces.
        Ibpb = "ibpb",
        /// The return stack is filled between two address spaces.
        Rsb = "rsb",
        /// Buffers are overwritten on the way to a program.
        Verw = "verw",
    }
}

/// Mitigations of a partition, as bits of [`manifest::mitigations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mitigations(pub u32);

impl Default for Mitigations {
    fn default() -> Self {
        MitigationPolicy::Auto.into()
    }
}

impl From<MitigationPolicy> for Mitigations {
    fn from(policy: MitigationPolicy) -> Self {
        Self(match policy {
            MitigationPolicy::Auto => manifest::mitigations::AUTO,
            MitigationPolicy::None => 0,
            MitigationPolicy::All => manifest::mitigations::ALL,
        })
    }
}

impl FromIterator<Mitigation> for Mitigations {
    fn from_iter<I: IntoIterator<Item = Mitigation>>(named: I) -> Self {
        use manifest::mitigations as bit;
        let bits = named.into_iter().map(|mitigation| match mitigation {
            Mitigation::Kpti => bit::KPTI,
            Mitigation::Ibrs => bit::IBRS,
            Mitigation::Stibp => bit::STIBP,
            Mitigation::Ibpb => bit::IBPB,
            Mitigation::Rsb => bit::RSB,
            Mitigation::Verw => bit::VERW,
        });
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

impl JsonSchema for Mitigations {
    fn schema_name() -> Cow<'static, str> {
        "Mitigations".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let policy = generator.subschema_for::<MitigationPolicy>();
        let list = generator.subschema_for::<Vec<Mitigation>>();
        json_schema!({ "anyOf": [policy, list] })
    }
}

impl Read for Mitigations {
    fn read(value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> Option<Self> {
        match value.get_ref() {
            DeValue::Array(_) => Some(<Vec<Mitigation> as Read>::read(value, findings)?.into_iter().collect()),
            DeValue::String(_) => MitigationPolicy::read(value, findings).map(Into::into),
            _ => {
                wrong_type(value, "\"auto\", \"none\", \"all\" or an array of mitigations", findings);
                None
            }
        }
    }
}

/// A finding about a word that is none of `choices`.
pub(crate) fn unknown_choice(code: Code, word: &str, span: &Span, choices: &[&str]) -> Finding {
    let list = choices.iter().map(|choice| format!("\"{choice}\"")).collect::<Vec<_>>().join(", ");
    let help = match nearest(word, choices.iter().copied()) {
        Some(nearest) => format!("did you mean \"{nearest}\"? The choices are {list}"),
        None => format!("the choices are {list}"),
    };
    Finding::new(code, format!("`{word}` is not one of the choices"), span, "unknown value").help(help)
}

/// Reads the form of a file. `None`: it is not TOML, and nothing more can be said.
pub(crate) fn parse(text: &str, findings: &mut Findings) -> Option<File> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            findings.add(
                Finding::new(Code::Syntax, format!("this is not TOML: {}", error.message()), &span, "here")
                    .help("see https://toml.io/en/v1.0.0 for the syntax"),
            );
        }
        return None;
    }
    let span = document.span();
    File::read(&Spanned::new(span, DeValue::Table(document.into_inner())), findings)
}

/// The JSON schema of the file, pretty-printed, with a final newline.
pub fn schema_json() -> String {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>();
    schema.insert("title".into(), "Skerry system".into());
    // A schema is plain JSON: printing it does not fail.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
