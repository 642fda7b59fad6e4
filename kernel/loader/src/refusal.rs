//! Why the loader does not boot: a stable code and a text that names the culprit. `docs/boot.md` explains each code.

use core::fmt::{self, Write};
use heapless::String;

/// Longest text of a refusal in bytes; what is longer is cut.
pub const TEXT_BYTES: usize = 200;

/// The stable codes. The text form is what consoles and tests see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Boot information is missing, or damaged.
    BootInfo,
    /// No archive was found.
    ArchiveMissing,
    /// Archive, manifest or file does not match its checksum or its description.
    ArchiveDamaged,
    /// The archive lies on memory of a partition and there is no room to move it to.
    ArchiveNoRoom,
    /// The manifest has another version.
    ManifestVersion,
    /// Parts of the manifest contradict each other.
    ManifestConflict,
    /// The processor lacks something.
    CpuFeature,
    /// No usable ACPI tables.
    NoAcpi,
    /// A core that the manifest names does not exist.
    CoreMissing,
    /// A core did not start.
    CoreSilent,
    /// RAM that the manifest names does not exist.
    RamMissing,
    /// The memory map cannot be used.
    MemoryMap,
    /// A slice cannot hold kernel, root task and files.
    SliceTooSmall,
    /// The kernel ELF cannot be used.
    KernelElf,
    /// The root task ELF cannot be used.
    RootElf,
    /// A device that the manifest names does not exist.
    DeviceMissing,
    /// More of something than a kernel instance can be told.
    TooMany,
    /// No clock to calibrate timers with.
    NoClock,
    /// An exception inside the loader.
    Fault,
    /// A bug in the loader.
    Internal,
}

impl Code {
    /// The text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BootInfo => "loader::boot-info",
            Self::ArchiveMissing => "loader::archive-missing",
            Self::ArchiveDamaged => "loader::archive-damaged",
            Self::ArchiveNoRoom => "loader::archive-no-room",
            Self::ManifestVersion => "loader::manifest-version",
            Self::ManifestConflict => "loader::manifest-conflict",
            Self::CpuFeature => "loader::cpu-feature",
            Self::NoAcpi => "loader::no-acpi",
            Self::CoreMissing => "loader::core-missing",
            Self::CoreSilent => "loader::core-silent",
            Self::RamMissing => "loader::ram-missing",
            Self::MemoryMap => "loader::memory-map",
            Self::SliceTooSmall => "loader::slice-too-small",
            Self::KernelElf => "loader::kernel-elf",
            Self::RootElf => "loader::root-elf",
            Self::DeviceMissing => "loader::device-missing",
            Self::TooMany => "loader::too-many",
            Self::NoClock => "loader::no-clock",
            Self::Fault => "loader::fault",
            Self::Internal => "loader::internal",
        }
    }
}

/// A reason not to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    text: String<TEXT_BYTES>,
}

impl Refusal {
    /// A refusal with `text`, cut to [`TEXT_BYTES`]; control characters become spaces, so it stays one line.
    pub fn new(code: Code, text: fmt::Arguments<'_>) -> Self {
        let mut cut = Cut(String::new());
        // `Cut` never fails.
        let _ = cut.write_fmt(text);
        Self { code, text: cut.0 }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Says who and what.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.code.as_str(), self.text)
    }
}

/// Takes what fits.
struct Cut(String<TEXT_BYTES>);

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            let printable = if letter.is_control() { ' ' } else { letter };
            if self.0.push(printable).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// `refuse!(CoreMissing, "core {number} …")`: a [`Refusal`] from a code and a format string.
#[macro_export]
macro_rules! refuse {
    ($code:ident, $($text:tt)+) => {
        $crate::Refusal::new($crate::Code::$code, format_args!($($text)+))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_of_bounded_length() {
        let refusal = refuse!(Internal, "one\ntwo\x1e{}", "x".repeat(999));
        assert!(refusal.text().starts_with("one two x"));
        assert_eq!(refusal.text().len(), TEXT_BYTES);
        assert!(refusal.to_string().starts_with("loader::internal one"));
    }
}
