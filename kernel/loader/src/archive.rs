//! The archive: a system manifest and the files it lists, each found, bounded and checked against its checksum.

use crate::refuse;
use crate::span::align_up;
use crate::{PAGE, PhysicalView, Refusal, Span};
use core::fmt::Write;
use heapless::{String, Vec};
use manifest::{DecodeError, File, Manifest};

/// Files that are remembered as checked, so that one listed by many partitions is read once.
const REMEMBERED: usize = 1024;

/// A decoded archive; borrows its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    manifest: Manifest<'a>,
}

/// The module among `modules` that begins like an archive.
pub fn find_module(view: &impl PhysicalView, modules: &[Span]) -> Option<Span> {
    modules.iter().copied().find(|module| {
        module.size() >= 8 && view.view(module.start(), 8).is_some_and(|bytes| *bytes == manifest::MAGIC)
    })
}

impl<'a> Archive<'a> {
    /// Decodes the manifest at the start of `bytes`, which hold the archive and perhaps more.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let manifest = Manifest::decode(bytes).map_err(|error| match error {
            DecodeError::Version(_) => refuse!(ManifestVersion, "{error}"),
            error => refuse!(ArchiveDamaged, "{error}"),
        })?;
        Ok(Self { bytes, manifest })
    }

    /// The system manifest.
    pub fn manifest(&self) -> &Manifest<'a> {
        &self.manifest
    }

    /// Size in bytes of manifest and files together; what follows in memory is not the archive's.
    pub fn size(&self) -> u64 {
        let files = self.manifest.files().iter().map(|file| file.offset.saturating_add(file.size));
        files.max().unwrap_or(0).max(self.manifest.bytes().len() as u64)
    }

    /// Checks every file against its checksum.
    pub fn verify(&self) -> Result<(), Refusal> {
        let mut seen: Vec<(u64, u64, u64), REMEMBERED> = Vec::new();
        for file in self.manifest.files() {
            let key = (file.offset, file.size, file.checksum);
            if seen.contains(&key) {
                continue;
            }
            if manifest::checksum(self.bytes_of(file)?) != file.checksum {
                return Err(refuse!(ArchiveDamaged, "file \"{}\" of the archive is damaged", file.name.as_str()));
            }
            // Once the list is full, files are checked as often as they are listed.
            let _ = seen.push(key);
        }
        Ok(())
    }

    /// The bytes of `file`.
    pub fn bytes_of(&self, file: &File) -> Result<&'a [u8], Refusal> {
        let range = usize::try_from(file.offset).ok().zip(usize::try_from(file.size).ok());
        range
            .and_then(|(start, size)| self.bytes.get(start..)?.get(..size))
            .ok_or_else(|| refuse!(ArchiveDamaged, "file \"{}\" lies outside the archive", file.name.as_str()))
    }

    /// The bytes of the file with number `index`, which partition `owner` calls its `what`.
    pub fn file(&self, index: u32, what: &str, owner: &str) -> Result<&'a [u8], Refusal> {
        let file = self
            .manifest
            .file(index)
            .ok_or_else(|| refuse!(ArchiveDamaged, "partition \"{owner}\" has no {what} in the archive"))?;
        self.bytes_of(file)
    }

    /// The partition manifest of partition number `partition`: its bytes and its decoded form.
    pub fn partition_manifest(&self, partition: usize) -> Result<Manifest<'a>, Refusal> {
        let mut name: String<32> = String::new();
        // 9 letters and at most 20 digits fit.
        let _ = write!(name, "manifest:{partition}");
        let file = self
            .manifest
            .files()
            .iter()
            .find(|file| file.name.as_str() == name.as_str())
            .ok_or_else(|| refuse!(ArchiveDamaged, "the archive has no file \"{name}\""))?;
        let decoded = Manifest::decode(self.bytes_of(file)?)
            .map_err(|error| refuse!(ArchiveDamaged, "file \"{name}\": {error}"))?;
        if decoded.partitions().len() != 1 {
            return Err(refuse!(ArchiveDamaged, "file \"{name}\" does not describe exactly one partition"));
        }
        Ok(decoded)
    }
}

/// Where one file goes inside a partition's file area.
#[derive(Clone, Copy, Debug)]
pub struct PlacedFile<'a> {
    /// Contents.
    pub bytes: &'a [u8],
    /// Offset from the start of the area.
    pub offset: u64,
}

/// The files of partition number `partition` with their places; ascending, not overlapping.
pub fn files_of<'a>(
    archive: &Archive<'a>,
    partition: usize,
) -> Result<impl Iterator<Item = Result<PlacedFile<'a>, Refusal>> + use<'a>, Refusal> {
    let owner = archive
        .manifest
        .partitions()
        .get(partition)
        .ok_or_else(|| refuse!(Internal, "there is no partition {partition}"))?;
    let name = owner.name.as_str();
    let sources = archive.manifest.files_of(owner);
    let own = archive.partition_manifest(partition)?;
    let places = own.partitions().first().map_or(&[][..], |partition| own.files_of(partition));
    if places.len() != sources.len() {
        return Err(refuse!(ArchiveDamaged, "the two manifests list different files for partition \"{name}\""));
    }
    let archive = *archive;
    let mut reached = 0;
    Ok(sources.iter().zip(places).map(move |(source, place)| {
        if place.size != source.size || place.offset < reached {
            return Err(refuse!(
                ArchiveDamaged,
                "file \"{}\" of partition \"{name}\" is misplaced",
                place.name.as_str()
            ));
        }
        reached = align_up(place.offset.saturating_add(place.size), PAGE).unwrap_or(u64::MAX);
        Ok(PlacedFile { bytes: archive.bytes_of(source)?, offset: place.offset })
    }))
}

/// Size in bytes of the file area of partition number `partition`: whole pages, zero without files.
pub fn file_area_bytes(archive: &Archive<'_>, partition: usize) -> Result<u64, Refusal> {
    let mut end = 0;
    for file in files_of(archive, partition)? {
        let file = file?;
        end = align_up(file.offset.saturating_add(file.bytes.len() as u64), PAGE)
            .ok_or_else(|| refuse!(ArchiveDamaged, "the files of partition {partition} have no end"))?;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::physical::Simulated;
    use crate::test_system::System;

    #[test]
    fn an_archive_that_was_not_touched_verifies() {
        let system = System::two_partitions();
        let archive = system.archive();
        archive.verify().unwrap();
        assert!(archive.size() <= system.bytes().len() as u64);
        assert_eq!(archive.partition_manifest(1).unwrap().partitions().len(), 1);
        let placed: std::vec::Vec<_> = files_of(&archive, 0).unwrap().map(Result::unwrap).collect();
        assert_eq!(placed.len(), 2);
        assert_eq!(placed[1].bytes, b"data of one");
        assert_eq!(file_area_bytes(&archive, 0).unwrap(), 0x2000);
    }

    #[test]
    fn every_damaged_byte_of_a_file_is_noticed_and_the_file_named() {
        let system = System::two_partitions();
        let at = system.bytes().windows(11).position(|window| window == b"data of one").unwrap();
        let damaged = system.with(|bytes| bytes[at + 3] ^= 1);
        let refusal = damaged.archive().verify().unwrap_err();
        assert_eq!(refusal.code(), Code::ArchiveDamaged);
        assert!(refusal.text().contains("\"data\""), "{refusal}");
    }

    #[test]
    fn another_version_and_a_cut_archive_have_their_own_codes() {
        let system = System::two_partitions();
        let newer = system.with(|bytes| bytes[8] = 9);
        assert_eq!(newer.open().unwrap_err().code(), Code::ManifestVersion);
        let cut = system.with(|bytes| bytes.truncate(bytes.len() - 8192));
        assert_eq!(cut.archive().verify().unwrap_err().code(), Code::ArchiveDamaged);
    }

    #[test]
    fn the_module_that_begins_like_an_archive_is_taken() {
        let mut memory = Simulated { base: 0x1000, bytes: vec![0; 0x3000] };
        memory.bytes[0x2000..0x2008].copy_from_slice(&manifest::MAGIC);
        let modules = [Span::between(0x1000, 0x1800), Span::between(0x3000, 0x4000), Span::between(0, 0x100)];
        assert_eq!(find_module(&memory, &modules), Some(modules[1]));
        assert_eq!(find_module(&memory, &modules[..1]), None);
    }
}
