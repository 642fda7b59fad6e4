//! Rules about the release kernel's machine code: which functions may contain which instructions.
//!
//! A rule fails when an instruction is where it may not be, and also when it has nothing to say: no such instruction at
//! all, or a listed function without one (a list that outlived its code). Tests: below, with planted violations.

use super::disassembly::{NOWHERE, Placed};
use super::ledger::Rule;
use iced_x86::{CpuidFeature, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};
use std::collections::{BTreeMap, BTreeSet};

/// What a rule found: how often, or why it does not hold.
pub type Verdict = Result<String, String>;

/// Lower-case mnemonic.
fn mnemonic(instruction: &Instruction) -> String {
    format!("{:?}", instruction.mnemonic()).to_lowercase()
}

/// Whether the FPU's or a vector unit's state is involved.
fn touches_fpu(instruction: &Instruction, factory: &mut InstructionInfoFactory) -> bool {
    let vector = |register: Register| register.is_vector_register() || register.is_st() || register.is_mm();
    let used = factory.info(instruction).used_registers().iter().any(|used| vector(used.register()));
    let by_feature = instruction.cpuid_features().iter().any(|feature| {
        use CpuidFeature::{FPU, FPU287, FPU387, FXSR, MMX, XSAVE, XSAVEC, XSAVEOPT, XSAVES};
        matches!(feature, FPU | FPU287 | FPU387 | FXSR | MMX | XSAVE | XSAVEC | XSAVEOPT | XSAVES)
    });
    // FWAIT and NOPs named by newer features hold no state.
    (used || by_feature) && instruction.mnemonic() != Mnemonic::Nop
}

/// Whether the bus is locked: by prefix, or by exchanging with memory.
fn locks(instruction: &Instruction) -> bool {
    let memory = (0..instruction.op_count()).any(|index| instruction.op_kind(index) == OpKind::Memory);
    instruction.has_lock_prefix() || (instruction.mnemonic() == Mnemonic::Xchg && memory)
}

/// Whether control or debug register `wanted` is written.
fn writes(instruction: &Instruction, wanted: impl Fn(Register) -> bool) -> bool {
    instruction.mnemonic() == Mnemonic::Mov && wanted(instruction.op0_register())
}

/// Where a call or jump leads, if it says so itself.
fn target(instruction: &Instruction) -> Option<u64> {
    let direct = instruction.is_call_near() || instruction.is_jmp_short_or_near() || instruction.is_jcc_short_or_near();
    direct.then(|| instruction.near_branch_target())
}

/// Entries of the functions that lead to a panic: the panic handler, and what of `core` calls one of them.
pub(super) fn panics(code: &[Placed]) -> BTreeSet<u64> {
    let of_core = |function: &str| function.starts_with("core::") || function.starts_with("<core::");
    let mut entries = BTreeMap::new();
    for placed in code {
        entries.entry(placed.function.as_str()).or_insert(placed.instruction.ip());
    }
    let handlers = entries.iter().filter(|(function, _)| function.contains("rust_begin_unwind"));
    let mut found: BTreeSet<u64> = handlers.map(|(_, entry)| *entry).collect();
    loop {
        let leads = |placed: &&Placed| target(&placed.instruction).is_some_and(|target| found.contains(&target));
        let callers = code.iter().filter(|placed| of_core(&placed.function)).filter(leads);
        let new: Vec<u64> = callers.filter_map(|placed| entries.get(placed.function.as_str()).copied()).collect();
        let before = found.len();
        found.extend(new);
        if found.len() == before {
            return found;
        }
    }
}

/// Whether the rule is about this instruction; `panics` are the entries of what panics.
fn concerns(rule: &Rule, placed: &Placed, panics: &BTreeSet<u64>, factory: &mut InstructionInfoFactory) -> bool {
    let instruction = &placed.instruction;
    let in_core = || placed.function.starts_with("core::") || placed.function.starts_with("<core::");
    let named = rule.instructions.iter().any(|name| match name.as_str() {
        "panic" => target(instruction).is_some_and(|target| panics.contains(&target)) && !in_core(),
        "fpu" => touches_fpu(instruction, factory),
        "lock" => locks(instruction),
        "cr0" => writes(instruction, |register| register == Register::CR0),
        "cr2" => writes(instruction, |register| register == Register::CR2),
        "cr3" => writes(instruction, |register| register == Register::CR3),
        "cr4" => writes(instruction, |register| matches!(register, Register::CR4 | Register::CR8)),
        "debug" => writes(instruction, Register::is_dr),
        name => mnemonic(instruction) == name,
    });
    // A register number that is not known could be any.
    let narrowed = placed
        .msr
        .is_none_or(|msr| (rule.registers.is_empty() || rule.registers.contains(&msr)) && !rule.except.contains(&msr));
    (named && narrowed) || rule.addresses.iter().any(|range| writes_address(instruction, *range, factory))
}

/// Whether memory at an address in the range is written, or the address is loaded as a constant.
fn writes_address(instruction: &Instruction, [first, last]: [u64; 2], factory: &mut InstructionInfoFactory) -> bool {
    let inside = |address: u64| (first..=last).contains(&address);
    let immediate = (0..instruction.op_count()).any(|index| instruction.try_immediate(index).is_ok_and(inside));
    let written =
        factory.info(instruction).used_memory().iter().any(|memory| {
            inside(memory.displacement()) && !matches!(memory.access(), OpAccess::Read | OpAccess::CondRead)
        });
    immediate || written || (instruction.mnemonic() == Mnemonic::Lea && inside(instruction.memory_displacement64()))
}

fn allowed(pattern: &str, function: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == function, |prefix| function.starts_with(prefix))
}

/// Judges one rule.
///
/// # Errors
/// Why it does not hold.
pub fn judge(rule: &Rule, code: &[Placed]) -> Verdict {
    let mut factory = InstructionInfoFactory::new();
    let panics = panics(code);
    if rule.instructions.iter().any(|name| name == "panic") && panics.is_empty() {
        return Err("no panic handler was found".into());
    }
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for placed in code.iter().filter(|placed| concerns(rule, placed, &panics, &mut factory)) {
        let function = placed.function.as_str();
        if !rule.functions.iter().any(|pattern| allowed(pattern, function)) {
            let (instruction, at) = (mnemonic(&placed.instruction), placed.instruction.ip());
            let register = placed.msr.map(|msr| format!(" of register {msr:#x}")).unwrap_or_default();
            return Err(format!("`{instruction}`{register} at {at:#x} in {function}"));
        }
        *found.entry(function).or_default() += 1;
    }
    for pattern in &rule.functions {
        if !found.keys().any(|function| allowed(pattern, function)) {
            return Err(format!("{pattern} is listed and has none: the list is older than the code"));
        }
    }
    let is_written = |msr: u32| code.iter().any(|it| it.msr == Some(msr) && mnemonic(&it.instruction) == "wrmsr");
    if let Some(msr) = rule.except.iter().find(|msr| !is_written(**msr)) {
        return Err(format!("register {msr:#x} is listed and never written: the list is older than the code"));
    }
    let (count, all) = (found.values().sum::<usize>(), code.len());
    if !rule.except.is_empty() {
        return Ok(format!("{count} besides those of {} registers, among {all} instructions", rule.except.len()));
    }
    Ok(format!("{count} in {} functions, among {all} instructions", found.len()))
}

/// Judges the completeness rule: every privileged instruction is named by one of `rules`, and code outside every
/// function is padding.
///
/// # Errors
/// Why it does not hold.
pub fn judge_complete(rules: &[&Rule], code: &[Placed]) -> Verdict {
    let mut factory = InstructionInfoFactory::new();
    let mut kinds = BTreeSet::new();
    for placed in code {
        let instruction = &placed.instruction;
        let padding = matches!(instruction.mnemonic(), Mnemonic::Int3 | Mnemonic::Nop | Mnemonic::Ud2);
        if placed.function == NOWHERE && !padding {
            return Err(format!("`{}` at {:#x} is in no function", mnemonic(instruction), instruction.ip()));
        }
        if instruction.is_privileged() || instruction.is_stack_instruction() && mnemonic(instruction) == "iretq" {
            let reading = matches!(instruction.mnemonic(), Mnemonic::Rdmsr | Mnemonic::Rdtsc)
                || instruction.mnemonic() == Mnemonic::Mov && !writes(instruction, |it| it.is_cr() || it.is_dr());
            if !reading && !rules.iter().any(|rule| concerns(rule, placed, &BTreeSet::new(), &mut factory)) {
                return Err(format!("no rule names `{}` at {:#x}", mnemonic(instruction), instruction.ip()));
            }
            kinds.insert(mnemonic(instruction));
        }
    }
    if kinds.is_empty() {
        return Err("a kernel without a privileged instruction is not what was to be judged".into());
    }
    Ok(format!("{} kinds of privileged instructions, each with a rule or reading only", kinds.len()))
}

#[cfg(test)]
mod tests {
    use super::super::disassembly::sweep;
    use super::*;

    fn rule(instructions: &[&str], functions: &[&str]) -> Rule {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Rule { instructions: owned(instructions), functions: owned(functions), ..Rule::default() }
    }

    fn code(function: &str, bytes: &[u8]) -> Vec<Placed> {
        sweep(function, bytes, 0x1000).unwrap()
    }

    const WRITE_ICR: [u8; 7] = [0xb9, 0x30, 0x08, 0, 0, 0x0f, 0x30];
    const MOV_CR3: [u8; 3] = [0x0f, 0x22, 0xd8];
    const MOVUPS: [u8; 3] = [0x0f, 0x10, 0x07];
    const LOCK_ADD: [u8; 4] = [0xf0, 0xff, 0x07, 0x90];
    const XCHG_MEMORY: [u8; 2] = [0x87, 0x07];

    #[test]
    fn an_instruction_outside_the_listed_functions_is_noticed() {
        let planted = code("stray", &MOV_CR3);
        assert!(judge(&rule(&["cr3"], &["switch"]), &planted).unwrap_err().contains("in stray"));
        assert!(judge(&rule(&["cr3"], &["stray"]), &planted).is_ok());
        assert!(judge(&rule(&["cr0"], &[]), &planted).is_ok());
    }

    #[test]
    fn vector_code_and_locks_are_noticed_by_group() {
        assert!(judge(&rule(&["fpu"], &[]), &code("f", &MOVUPS)).is_err());
        assert!(judge(&rule(&["lock"], &[]), &code("f", &LOCK_ADD)).is_err());
        assert!(judge(&rule(&["lock"], &[]), &code("f", &XCHG_MEMORY)).is_err());
        assert!(judge(&rule(&["lock", "fpu"], &[]), &code("f", &MOV_CR3)).is_ok());
    }

    #[test]
    fn a_call_that_leads_to_a_panic_is_noticed_however_deep_in_core_and_not_in_core_itself() {
        let call = |to: i32| [vec![0xe8], to.to_le_bytes().to_vec()].concat();
        let place = |function: &str, bytes: &[u8], at: u64| sweep(function, bytes, at).unwrap();
        let mut code = place("__rustc::rust_begin_unwind", &[0x0f, 0x0b], 0x1000);
        code.extend(place("core::panicking::panic_fmt", &call(0x1000 - 0x2005), 0x2000));
        code.extend(place("core::option::expect_failed", &call(0x2000 - 0x3005), 0x3000));
        assert!(judge(&rule(&["panic"], &[]), &code).is_ok());
        code.extend(place("api::decode", &call(0x3000 - 0x4005), 0x4000));
        assert!(judge(&rule(&["panic"], &[]), &code).unwrap_err().contains("in api::decode"));
        assert!(judge(&rule(&["panic"], &["api::decode"]), &code).is_ok());
        assert!(judge(&rule(&["panic"], &[]), &place("api::decode", &[0x90], 0x4000)).is_err(), "no handler at all");
    }

    #[test]
    fn a_rule_about_a_register_takes_an_unknown_one_for_it() {
        let icr = Rule { registers: vec![0x830], ..rule(&["wrmsr"], &[]) };
        assert!(judge(&icr, &code("f", &WRITE_ICR)).is_err());
        assert!(judge(&icr, &code("f", &WRITE_ICR[5..])).is_err(), "its register is unknown");
        let other = Rule { registers: vec![0x6e0], ..rule(&["wrmsr"], &[]) };
        assert!(judge(&other, &code("f", &WRITE_ICR)).is_ok());
    }

    #[test]
    fn a_register_that_is_not_left_out_is_noticed_and_so_is_one_that_nobody_writes() {
        let left_out = |registers: &[u32]| Rule { except: registers.to_vec(), ..rule(&["wrmsr"], &[]) };
        assert!(judge(&left_out(&[0x830]), &code("f", &WRITE_ICR)).is_ok());
        assert!(judge(&left_out(&[]), &code("f", &WRITE_ICR)).is_err());
        assert!(judge(&left_out(&[0x830, 0x6e0]), &code("f", &WRITE_ICR)).unwrap_err().contains("never written"));
        assert!(judge(&left_out(&[0x830]), &code("f", &WRITE_ICR[5..])).is_err(), "its register is unknown");
    }

    #[test]
    fn a_list_older_than_the_code_is_noticed() {
        assert!(judge(&rule(&["hlt"], &["idle"]), &code("f", &MOV_CR3)).unwrap_err().contains("older than the code"));
    }

    #[test]
    fn a_write_to_an_address_is_noticed_and_a_read_is_not() {
        let page = Rule { addresses: vec![[0xffff_ffff_bfe0_4300, 0xffff_ffff_bfe0_431f]], ..Rule::default() };
        // mov [0xffffffffbfe04300], eax; and the other way round
        let write = [0x89, 0x04, 0x25, 0x00, 0x43, 0xe0, 0xbf];
        let read = [0x8b, 0x04, 0x25, 0x00, 0x43, 0xe0, 0xbf];
        assert!(judge(&page, &code("f", &write)).is_err());
        assert!(judge(&page, &code("f", &read)).is_ok());
    }

    #[test]
    fn a_privileged_instruction_without_a_rule_is_noticed() {
        let found = code("f", &MOV_CR3);
        assert!(judge_complete(&[], &found).is_err());
        assert!(judge_complete(&[&rule(&["cr3"], &["f"])], &found).is_ok());
        assert!(judge_complete(&[], &code("f", &[0x90])).is_err(), "nothing privileged at all");
        assert!(judge_complete(&[&rule(&["cr3"], &["f"])], &code(NOWHERE, &MOV_CR3)).is_err());
    }
}
