//! Processors and I/O APICs, from the ACPI tables.
//!
//! Crate `acpi` follows root pointer → root table → MADT and checks the checksums. It trusts the lengths it reads, so
//! its handler here ([`Guarded`]) shows it only headers whose length is possible and whose bytes can be read; anything
//! else it sees as zeros, which no signature matches. The MADT's entries are walked here, with bounds.

use crate::physical::word32;
use crate::refuse;
use crate::{PhysicalView, Refusal};
use acpi::madt::Madt;
use acpi::sdt::SdtHeader;
use acpi::{AcpiHandler, AcpiTables, PhysicalMapping};
use core::mem::size_of;
use core::ptr::NonNull;
use heapless::Vec;

/// Most processors that are kept.
pub const MAX_PROCESSORS: usize = 512;
/// Most I/O APICs that are kept.
pub const MAX_IO_APICS: usize = 16;

const HEADER_BYTES: usize = size_of::<SdtHeader>();
/// No sane table is larger.
const MAX_TABLE_BYTES: usize = 1 << 20;
/// The MADT's own fields, in front of its entries.
const MADT_FIXED_BYTES: usize = 44;
const ROOT_SIGNATURE: &[u8] = b"RSD PTR ";

/// One I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Physical address of its registers.
    pub address: u64,
    /// Its first global system interrupt.
    pub gsi_base: u32,
}

/// What the MADT says.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Local APIC ids of the usable processors; the boot processor first, then in the order of the table.
    pub apic_ids: Vec<u32, MAX_PROCESSORS>,
    /// I/O APICs, ascending by interrupt.
    pub io_apics: Vec<IoApic, MAX_IO_APICS>,
}

impl Topology {
    /// Follows the root pointer at physical address `rsdp`; `boot_apic_id` is the running processor.
    pub fn find(view: &impl PhysicalView, rsdp: u64, boot_apic_id: u32) -> Result<Self, Refusal> {
        let handler = Guarded(view.clone());
        let address = usize::try_from(rsdp).map_err(|_| refuse!(NoAcpi, "the ACPI root pointer lies at {rsdp:#x}"))?;
        // SAFETY: `Guarded` shows the crate readable memory with possible lengths, whatever the addresses are.
        let tables = unsafe { AcpiTables::from_rsdp(handler.clone(), address) }
            .or_else(|error| {
                // A root pointer of the newer form whose newer table is missing still has the older one.
                let rsdt = rsdp.checked_add(16).and_then(|at| view.word32(at)).unwrap_or(0);
                // SAFETY: as above.
                unsafe { AcpiTables::from_rsdt(handler, 0, rsdt as usize) }.map_err(|_| error)
            })
            .map_err(|error| refuse!(NoAcpi, "the ACPI tables at {rsdp:#x} cannot be used: {error:?}"))?;
        let madt = tables
            .find_table::<Madt>()
            .map_err(|error| refuse!(NoAcpi, "the ACPI tables list no processors: {error:?}"))?;
        let bytes = view
            .view(madt.physical_start() as u64, madt.region_length() as u64)
            .ok_or_else(|| refuse!(NoAcpi, "the ACPI table of processors cannot be read"))?;
        Self::parse(bytes, boot_apic_id)
    }

    /// Reads a whole MADT.
    fn parse(table: &[u8], boot_apic_id: u32) -> Result<Self, Refusal> {
        let mut found = Self::default();
        let mut rest = table.get(MADT_FIXED_BYTES..).unwrap_or(&[]);
        while let [kind, length, ..] = *rest {
            let Some((entry, behind)) = rest.split_at_checked(usize::from(length)).filter(|_| length >= 2) else {
                return Err(refuse!(NoAcpi, "the ACPI table of processors has an entry of {length} bytes"));
            };
            found.read_entry(kind, entry)?;
            rest = behind;
        }
        let Some(position) = found.apic_ids.iter().position(|&id| id == boot_apic_id) else {
            return Err(refuse!(NoAcpi, "the ACPI tables do not list the boot processor (APIC id {boot_apic_id})"));
        };
        if let Some(front) = found.apic_ids.get_mut(..=position) {
            front.rotate_right(1);
        }
        found.io_apics.sort_unstable_by_key(|io_apic| io_apic.gsi_base);
        Ok(found)
    }

    fn read_entry(&mut self, kind: u8, entry: &[u8]) -> Result<(), Refusal> {
        const ENABLED: u32 = 1;
        match kind {
            0 => {
                if let (Some(&id), Some(flags)) = (entry.get(3), word32(entry, 4))
                    && flags & ENABLED != 0
                    && id != 0xff
                {
                    self.add_processor(u32::from(id))?;
                }
            }
            1 => {
                if let (Some(address), Some(gsi_base)) = (word32(entry, 4), word32(entry, 8)) {
                    // What comes after the sixteenth stays as the firmware left it.
                    let _ = self.io_apics.push(IoApic { address: u64::from(address), gsi_base });
                }
            }
            9 => {
                if let (Some(id), Some(flags)) = (word32(entry, 4), word32(entry, 8))
                    && flags & ENABLED != 0
                    && id != u32::MAX
                {
                    self.add_processor(id)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_processor(&mut self, apic_id: u32) -> Result<(), Refusal> {
        if self.apic_ids.contains(&apic_id) {
            return Ok(());
        }
        self.apic_ids
            .push(apic_id)
            .map_err(|_| refuse!(NoAcpi, "the ACPI tables list more than {MAX_PROCESSORS} processors"))
    }
}

/// Looks for the root pointer where a BIOS leaves it: the extended BIOS data area, and below 1 MiB.
pub fn scan_for_root_pointer(view: &impl PhysicalView) -> Option<u64> {
    let segment = view.view(0x40e, 2).and_then(|bytes| bytes.first_chunk()).map_or(0, |word| u16::from_le_bytes(*word));
    let extended = u64::from(segment) << 4;
    let extended = if (0x8_0000..0xa_0000).contains(&extended) { extended..extended + 1024 } else { 0..0 };
    extended.step_by(16).chain((0xe_0000..0x10_0000).step_by(16)).find(|&address| {
        view.view(address, 20).is_some_and(|bytes| {
            bytes.starts_with(ROOT_SIGNATURE) && bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) == 0
        })
    })
}

/// Shows crate `acpi` only what it can read safely.
#[derive(Clone)]
struct Guarded<V>(V);

#[repr(align(16))]
struct Zeros([u8; 64]);
static ZEROS: Zeros = Zeros([0; 64]);

impl<V: PhysicalView> Guarded<V> {
    /// The bytes at `address` if they start a root pointer or table that lies wholly in readable memory.
    fn table(&self, address: usize, size: usize) -> Option<&[u8]> {
        let bytes = self.0.view(address as u64, size as u64)?;
        if bytes.starts_with(ROOT_SIGNATURE) {
            let (revision, length) = (*bytes.get(15)?, word32(bytes, 20)?);
            return (revision == 0 || length == 36).then_some(bytes);
        }
        let length = word32(bytes, 4)? as usize;
        (HEADER_BYTES..=MAX_TABLE_BYTES).contains(&length).then_some(())?;
        self.0.view(address as u64, length.max(size) as u64)?;
        Some(bytes)
    }
}

impl<V: PhysicalView> AcpiHandler for Guarded<V> {
    unsafe fn map_physical_region<T>(&self, physical_address: usize, size: usize) -> PhysicalMapping<Self, T> {
        let wanted = size.max(size_of::<T>());
        let bytes = self.table(physical_address, wanted).unwrap_or(&ZEROS.0);
        let length = if bytes.len() >= wanted { size } else { bytes.len() };
        // SAFETY: the crate maps packed structures (alignment 1) of at most 64 bytes, then reads on only as far as the
        // length in a header that `table` has checked; in `ZEROS` no header is valid.
        unsafe { PhysicalMapping::new(physical_address, NonNull::from(bytes).cast(), length, length, self.clone()) }
    }

    fn unmap_physical_region<T>(_region: &PhysicalMapping<Self, T>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physical::Simulated;
    use proptest::prelude::*;

    const BASE: u64 = 0xe_0000;

    fn seal(bytes: &mut [u8], at: usize) {
        bytes[at] = 0;
        bytes[at] = 0_u8.wrapping_sub(bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)));
    }

    fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8, 512> {
        let mut bytes: Vec<u8, 512> = Vec::new();
        bytes.extend_from_slice(signature).unwrap();
        bytes.extend_from_slice(&(body.len() as u32 + 36).to_le_bytes()).unwrap();
        bytes.extend_from_slice(&[b' '; 28]).unwrap();
        bytes.extend_from_slice(body).unwrap();
        seal(&mut bytes, 9);
        bytes
    }

    fn local_apic(id: u8, flags: u8) -> [u8; 8] {
        [0, 8, id, id, flags, 0, 0, 0]
    }

    fn local_x2apic(id: u32) -> [u8; 16] {
        let mut entry = [0; 16];
        entry[0] = 9;
        entry[1] = 16;
        entry[4..8].copy_from_slice(&id.to_le_bytes());
        entry[8] = 1;
        entry
    }

    /// Root pointer at `BASE`, root table at +0x100, MADT at +0x200.
    fn firmware() -> Simulated {
        let mut memory = Simulated { base: BASE, bytes: vec![0; 0x2_0000] };
        let mut madt = vec![0_u8, 0, 0xe0, 0xfe, 1, 0, 0, 0];
        madt.extend(local_apic(0, 1));
        madt.extend(local_apic(2, 1));
        madt.extend(local_apic(4, 0));
        madt.extend([1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
        madt.extend(local_x2apic(2));
        madt.extend(local_x2apic(0x1_0000));
        let madt = table(b"APIC", &madt);
        let root = table(b"XSDT", &(BASE + 0x200).to_le_bytes());
        let mut rsdp = [0_u8; 36];
        rsdp[..8].copy_from_slice(ROOT_SIGNATURE);
        rsdp[15] = 2;
        rsdp[20..24].copy_from_slice(&36_u32.to_le_bytes());
        rsdp[24..32].copy_from_slice(&(BASE + 0x100).to_le_bytes());
        seal(&mut rsdp[..20], 8);
        seal(&mut rsdp, 32);
        for (at, bytes) in [(0, &rsdp[..]), (0x100, &root), (0x200, &madt)] {
            memory.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
        memory
    }

    #[test]
    fn enabled_processors_are_listed_once_with_the_boot_processor_first() {
        let found = Topology::find(&firmware(), BASE, 2).unwrap();
        assert_eq!(found.apic_ids.as_slice(), [2, 0, 0x1_0000]);
        assert_eq!(found.io_apics.as_slice(), [IoApic { address: 0xfec0_0000, gsi_base: 0 }]);
    }

    #[test]
    fn an_unlisted_boot_processor_is_refused() {
        assert!(Topology::find(&firmware(), BASE, 4).unwrap_err().text().contains("APIC id 4"));
    }

    #[test]
    fn the_root_pointer_is_found_below_one_mebibyte() {
        let mut memory = firmware();
        assert_eq!(scan_for_root_pointer(&memory), Some(BASE));
        memory.bytes[3] ^= 1;
        assert_eq!(scan_for_root_pointer(&memory), None);
    }

    #[test]
    fn an_entry_without_length_does_not_loop() {
        let mut madt = vec![0; MADT_FIXED_BYTES];
        madt.extend([0, 0, 0, 0]);
        assert!(Topology::parse(&madt, 0).is_err());
    }

    proptest! {
        #[test]
        fn any_damage_is_a_value_or_a_refusal(
            changes in proptest::collection::vec((0_usize..0x300, any::<u8>()), 1..4), address: u64,
        ) {
            let mut memory = firmware();
            for (at, byte) in changes {
                memory.bytes[at] = byte;
            }
            // Make damage survive the checksums now and then.
            let end = 0x200 + 36 + 8 + 8 * 3 + 12 + 32;
            seal(&mut memory.bytes[0x200..end], 9);
            let _ = Topology::find(&memory, BASE, 0);
            let _ = Topology::find(&memory, address, 0);
        }

        #[test]
        fn any_table_is_a_value_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Topology::parse(&bytes, 0);
        }
    }
}
