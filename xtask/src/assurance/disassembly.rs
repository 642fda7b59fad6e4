//! The machine code of an ELF, function by function.
//!
//! Each executable section is swept linearly, starting afresh at every function symbol; bytes between functions belong
//! to no function and are reported as such. What a jump into the middle of an instruction would execute is not seen.
//! Tests: below.

use anyhow::{Context, Result, ensure};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, Register};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::collections::BTreeMap;

/// The name under which code outside every function goes.
pub const NOWHERE: &str = "(outside every function)";

/// One instruction, where it is.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Demangled name of the function, without hash.
    pub function: String,
    /// The instruction; its address is in it.
    pub instruction: Instruction,
    /// For `wrmsr` and `rdmsr`: the register's number, if it is a constant beside the instruction.
    pub msr: Option<u32>,
}

/// All code of an executable.
///
/// # Errors
/// When it is no ELF, has no symbols, or holds bytes that are no instruction.
pub fn disassemble(elf: &[u8]) -> Result<Vec<Placed>> {
    let file = object::File::parse(elf).context("no ELF")?;
    let mut functions = BTreeMap::new();
    // Hand-written code has symbols without a type; a typed one at the same address says more.
    let kinds = [SymbolKind::Text, SymbolKind::Unknown, SymbolKind::Label];
    for kind in kinds {
        for symbol in file.symbols().filter(|symbol| symbol.kind() == kind && !symbol.is_undefined()) {
            let name = symbol.name()?.to_owned();
            functions.entry(symbol.address()).or_insert((symbol.size(), name));
        }
    }
    ensure!(!functions.is_empty(), "the executable has no function symbols");
    let mut placed = Vec::new();
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let (start, bytes) = (section.address(), section.data()?);
        let end = start + bytes.len() as u64;
        let slice = |from: u64, to: u64| &bytes[(from - start) as usize..(to - start) as usize];
        let mut at = start;
        for (&address, (size, name)) in functions.range(start..end) {
            if address > at {
                placed.extend(sweep(NOWHERE, slice(at, address), at)?);
            }
            let next = functions.range(address + 1..).next().map_or(end, |(next, _)| *next).min(end);
            // Hand-written stubs have no size: they reach to the next symbol. A label within a function begins another.
            let stop = if *size == 0 { next } else { (address + size).min(next) };
            let name = format!("{:#}", rustc_demangle::demangle(name));
            placed.extend(sweep(&name, slice(address, stop), address)?);
            at = stop.max(at);
        }
        placed.extend(sweep(NOWHERE, slice(at, end), at)?);
    }
    Ok(placed)
}

/// The instructions of `bytes`, one after the other.
///
/// # Errors
/// When a byte sequence is no instruction.
pub fn sweep(function: &str, bytes: &[u8], address: u64) -> Result<Vec<Placed>> {
    let mut placed: Vec<Placed> = Vec::new();
    for instruction in &mut Decoder::with_ip(64, bytes, address, DecoderOptions::NONE) {
        ensure!(!instruction.is_invalid(), "no instruction at {:#x} in {function}", instruction.ip());
        let names_register = matches!(instruction.mnemonic(), Mnemonic::Wrmsr | Mnemonic::Rdmsr);
        let msr = if names_register { constant_in_ecx(&placed) } else { None };
        placed.push(Placed { function: function.to_owned(), instruction, msr });
    }
    Ok(placed)
}

/// What was last put into ECX, if that was a constant, with nothing but straight code since.
fn constant_in_ecx(before: &[Placed]) -> Option<u32> {
    for Placed { instruction, .. } in before.iter().rev() {
        if instruction.op0_register().full_register() == Register::RCX
            && !matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test)
        {
            let constant = instruction.mnemonic() == Mnemonic::Mov && instruction.op0_register() == Register::ECX;
            return (constant && instruction.op_count() == 2)
                .then(|| instruction.try_immediate(1).ok())
                .flatten()
                .map(|value| value as u32);
        }
        if matches!(instruction.mnemonic(), Mnemonic::Jmp | Mnemonic::Ret | Mnemonic::Call | Mnemonic::Cpuid) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_of_a_wrmsr_is_the_constant_before_it() {
        // mov ecx, 0x830; mov eax, edx; wrmsr
        let code = [0xb9, 0x30, 0x08, 0, 0, 0x89, 0xd0, 0x0f, 0x30];
        assert_eq!(sweep("f", &code, 0).unwrap().last().unwrap().msr, Some(0x830));
    }

    #[test]
    fn a_computed_register_is_unknown() {
        // mov ecx, 0x830; mov ecx, edi; wrmsr
        let code = [0xb9, 0x30, 0x08, 0, 0, 0x89, 0xf9, 0x0f, 0x30];
        assert_eq!(sweep("f", &code, 0).unwrap().last().unwrap().msr, None);
    }

    #[test]
    fn bytes_that_are_no_instruction_are_noticed() {
        assert!(sweep("f", &[0x06], 0).is_err());
    }
}
