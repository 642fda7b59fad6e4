//! How deep the kernel stack can get: the longest path through the release kernel's machine code, from its entries.
//!
//! The depth at each instruction is followed along every jump, and a call adds what the function called needs at most.
//! Nothing is assumed about conditions. What cannot be followed is refused, not guessed: recursion (but for functions
//! listed with how deep they nest, which call themselves directly), a loop that grows, an unknown change of the stack
//! pointer, and a call through a pointer outside the functions listed. Such a call is taken
//! to lead to any function of the global offset table, and a computed jump to whatever of its function is not reached
//! otherwise. Tests: below, with planted violations.

use super::binary::panics;
use super::disassembly::Placed;
use super::ledger::Stack;
use anyhow::{Context, Result, bail, ensure};
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};

/// What the processor and the entry stub have pushed before the first instruction that is looked at.
const TRAP_FRAME: u64 = 64;
/// A stack deeper than this grows in a loop.
const ABSURD: u64 = 1 << 24;

/// The words of an executable's data, by address.
#[derive(Debug, Default)]
pub struct Words(BTreeMap<u64, Vec<u8>>);

impl Words {
    /// Reads every section that holds data.
    ///
    /// # Errors
    /// When it is no ELF.
    pub fn of(elf: &[u8]) -> Result<Self> {
        let file = object::File::parse(elf).context("no ELF")?;
        let data = file.sections().filter_map(|section| Some((section.address(), section.data().ok()?.to_vec())));
        Ok(Self(data.filter(|(address, _)| *address != 0).collect()))
    }

    fn at(&self, address: u64) -> Option<u64> {
        let (start, bytes) = self.0.range(..=address).next_back()?;
        let offset = usize::try_from(address - start).ok()?;
        Some(u64::from_le_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
    }
}

/// The code, and what is known of it so far.
struct Search<'a> {
    code: &'a [Placed],
    at: BTreeMap<u64, usize>,
    words: &'a Words,
    rule: &'a Stack,
    /// Entries that are not followed.
    beyond: BTreeSet<u64>,
    /// Functions in the global offset table.
    table: BTreeSet<u64>,
    /// Depth by entry; none while it is being searched.
    depths: BTreeMap<u64, Option<u64>>,
    through_pointers: BTreeSet<&'a str>,
}

/// Judges the depth of the stacks below `rule`'s roots against their size in bytes.
///
/// # Errors
/// Inner: why the claim does not hold. Outer: when the code cannot be followed.
pub fn judge(rule: &Stack, code: &[Placed], words: &Words, size: u64) -> Result<String, String> {
    let deepest = deepest(rule, code, words).map_err(|error| format!("{error:#}"))?;
    let (root, depth) = deepest;
    if depth > size {
        return Err(format!("{depth} bytes below {root}, and a stack has {size}"));
    }
    Ok(format!("{depth} bytes at most, below {root}; a stack has {size}"))
}

fn deepest(rule: &Stack, code: &[Placed], words: &Words) -> Result<(String, u64)> {
    let at: BTreeMap<u64, usize> = code.iter().enumerate().map(|(index, it)| (it.instruction.ip(), index)).collect();
    let named = |name: &str| code.iter().find(|placed| placed.function == name).map(|placed| placed.instruction.ip());
    let mut beyond = panics(code);
    for name in &rule.beyond {
        beyond.insert(named(name).with_context(|| format!("{name} is listed and not there"))?);
    }
    let loads = code.iter().filter(|it| it.instruction.is_ip_rel_memory_operand());
    let table = loads.filter_map(|it| words.at(it.instruction.ip_rel_memory_address()));
    let table = table.filter(|address| at.contains_key(address) && !beyond.contains(address)).collect();
    let mut search =
        Search { code, at, words, rule, beyond, table, depths: BTreeMap::new(), through_pointers: BTreeSet::new() };
    let mut deepest = (String::new(), 0);
    ensure!(!rule.roots.is_empty(), "no entry is listed");
    for name in &rule.roots {
        let entry = named(name).with_context(|| format!("{name} is listed and not there"))?;
        let depth = TRAP_FRAME + search.below(entry)?;
        if depth > deepest.1 {
            deepest = (name.clone(), depth);
        }
    }
    let unused = rule.pointers.iter().find(|name| !search.through_pointers.contains(name.as_str()));
    ensure!(unused.is_none(), "{} is listed and calls through no pointer", unused.map_or("", |name| name.as_str()));
    Ok(deepest)
}

impl<'a> Search<'a> {
    fn place(&self, ip: u64) -> Result<&'a Placed> {
        let index = self.at.get(&ip).with_context(|| format!("{ip:#x} is no instruction that was seen"))?;
        self.code.get(*index).context("the index is of this code")
    }

    /// Bytes of stack that the code from `entry` on needs at most, what it calls included.
    fn below(&mut self, entry: u64) -> Result<u64> {
        if self.beyond.contains(&entry) {
            return Ok(0);
        }
        match self.depths.get(&entry) {
            Some(Some(depth)) => return Ok(*depth),
            Some(None) => bail!("{} calls itself", self.place(entry)?.function),
            None => {}
        }
        self.depths.insert(entry, None);
        let name = &self.place(entry)?.function;
        let depth = self.search(entry).with_context(|| name.clone())?;
        self.depths.insert(entry, Some(depth));
        Ok(depth)
    }

    fn search(&mut self, entry: u64) -> Result<u64> {
        let mut reached: BTreeMap<u64, u64> = BTreeMap::new();
        let mut open = vec![(entry, 0)];
        let mut computed: Vec<(&'a str, u64)> = Vec::new();
        let (mut deepest, mut nests) = (0, false);
        loop {
            while let Some((ip, depth)) = open.pop() {
                if self.beyond.contains(&ip) || reached.get(&ip).is_some_and(|known| *known >= depth) {
                    continue;
                }
                reached.insert(ip, depth);
                let placed = self.place(ip)?;
                let instruction = &placed.instruction;
                let after = self.after(placed, depth, &reached)?;
                ensure!(after < ABSURD, "the stack grows in a loop at {ip:#x}");
                deepest = deepest.max(after);
                let next = instruction.next_ip();
                match instruction.flow_control() {
                    FlowControl::Next => open.push((next, after)),
                    FlowControl::UnconditionalBranch => open.push((instruction.near_branch_target(), after)),
                    FlowControl::ConditionalBranch => {
                        open.extend([(next, after), (instruction.near_branch_target(), after)]);
                    }
                    FlowControl::Call | FlowControl::IndirectCall => {
                        for target in self.targets(placed)? {
                            let again = target == entry && self.nesting(entry)?.is_some();
                            let below = if again { 0 } else { self.below(target)? };
                            deepest = deepest.max(after + 8 + below);
                            nests |= again;
                        }
                        open.push((next, after));
                    }
                    FlowControl::IndirectBranch => match self.through_table(instruction) {
                        Some(target) => open.push((target, after)),
                        None => computed.push((&placed.function, after)),
                    },
                    FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => {}
                    other => bail!("{other:?} at {ip:#x} cannot be followed"),
                }
            }
            // A computed jump leads to what nothing else led to.
            let missed = computed.iter().find_map(|&(function, depth)| {
                let own = self.code.iter().filter(|placed| placed.function == function);
                let mut fresh = own.filter(|it| !reached.contains_key(&it.instruction.ip()) && !is_padding(it));
                fresh.next().map(|placed| (placed.instruction.ip(), depth))
            });
            match missed {
                Some(from) => open.push(from),
                None if nests => return Ok(deepest * self.nesting(entry)?.unwrap_or(1)),
                None => {
                    ensure!(self.nesting(entry)?.is_none(), "it is listed and never calls itself");
                    return Ok(deepest);
                }
            }
        }
    }

    /// How many activations of the function at `entry` there are at most, if it may call itself.
    fn nesting(&self, entry: u64) -> Result<Option<u64>> {
        Ok(self.rule.nesting.get(&self.place(entry)?.function).copied())
    }

    /// Where a call leads.
    fn targets(&mut self, placed: &'a Placed) -> Result<Vec<u64>> {
        let instruction = &placed.instruction;
        if instruction.flow_control() == FlowControl::Call {
            return Ok(vec![instruction.near_branch_target()]);
        }
        if let Some(target) = self.through_table(instruction) {
            return Ok(vec![target]);
        }
        let function = placed.function.as_str();
        ensure!(self.rule.pointers.iter().any(|it| it == function), "a call through a pointer in {function}");
        self.through_pointers.insert(function);
        Ok(self.table.iter().copied().collect())
    }

    /// The function that a word of the executable names.
    fn through_table(&self, instruction: &Instruction) -> Option<u64> {
        let word = instruction.is_ip_rel_memory_operand().then(|| instruction.ip_rel_memory_address())?;
        self.words.at(word).filter(|target| self.at.contains_key(target))
    }

    /// Depth after an instruction, not counting what a call pushes for itself.
    fn after(&self, placed: &Placed, depth: u64, reached: &BTreeMap<u64, u64>) -> Result<u64> {
        let instruction = &placed.instruction;
        let call = matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        if call || matches!(instruction.flow_control(), FlowControl::Return) {
            return Ok(depth);
        }
        let moved = |by: i64| Ok(depth.saturating_add_signed(-by));
        if instruction.is_stack_instruction() && instruction.mnemonic() != Mnemonic::Leave {
            return moved(instruction.stack_pointer_increment().into());
        }
        if instruction.op0_register() != Register::RSP || instruction.op0_kind() != OpKind::Register {
            return Ok(depth);
        }
        let constant = || instruction.try_immediate(1).map(|word| word as i64);
        match instruction.mnemonic() {
            Mnemonic::Cmp | Mnemonic::Test => Ok(depth),
            Mnemonic::Add => moved(constant()?),
            Mnemonic::Sub => match self.probe(instruction, reached)? {
                Some(depth) => Ok(depth),
                None => moved(-constant()?),
            },
            Mnemonic::And => Ok(depth + constant()?.unsigned_abs() - 1),
            Mnemonic::Lea if instruction.memory_base() == Register::RSP => {
                moved(instruction.memory_displacement64() as i64)
            }
            // Another stack, or the same from its top.
            Mnemonic::Mov if instruction.op1_kind() == OpKind::Memory => Ok(0),
            _ => bail!("the stack pointer changes in an unknown way at {:#x}", instruction.ip()),
        }
    }

    /// A large frame is taken page by page, down to what R11 holds: the depth behind that loop.
    fn probe(&self, instruction: &Instruction, reached: &BTreeMap<u64, u64>) -> Result<Option<u64>> {
        let next = |ip: u64| Ok::<_, anyhow::Error>(&self.place(ip)?.instruction);
        let touch = next(instruction.next_ip())?;
        if touch.op0_kind() != OpKind::Memory {
            return Ok(None);
        }
        let until = next(touch.next_ip())?;
        if until.mnemonic() != Mnemonic::Cmp || until.op1_register() != Register::R11 {
            return Ok(None);
        }
        let index = self.at.get(&instruction.ip()).copied().unwrap_or_default();
        let before = self.code.get(..index).unwrap_or_default().iter().rev();
        let mut targets = before.filter(|placed| placed.instruction.op0_register() == Register::R11);
        let aim = targets.next().context("no aim of a stack probe")?.instruction;
        ensure!(
            aim.mnemonic() == Mnemonic::Lea && aim.memory_base() == Register::RSP,
            "no aim of the stack probe at {:#x}",
            instruction.ip()
        );
        let start = reached.get(&aim.ip()).context("a stack probe without its aim")?;
        Ok(Some(start.saturating_add_signed(-(aim.memory_displacement64() as i64))))
    }
}

fn is_padding(placed: &Placed) -> bool {
    matches!(placed.instruction.mnemonic(), Mnemonic::Int3 | Mnemonic::Nop | Mnemonic::Ud2)
}

#[cfg(test)]
mod tests {
    use super::super::disassembly::sweep;
    use super::*;

    fn rule(roots: &[&str], pointers: &[&str]) -> Stack {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Stack { roots: owned(roots), pointers: owned(pointers), ..Stack::default() }
    }

    /// `push rbx; sub rsp, 0x100; call …; add rsp, 0x100; pop rbx; ret`
    fn caller(name: &str, at: u64, to: u64) -> Vec<Placed> {
        let distance = (to.wrapping_sub(at + 13) as i32).to_le_bytes();
        let code =
            [&[0x53, 0x48, 0x81, 0xec, 0, 1, 0, 0, 0xe8][..], &distance, &[0x48, 0x81, 0xc4, 0, 1, 0, 0, 0x5b, 0xc3]];
        sweep(name, &code.concat(), at).unwrap()
    }

    fn leaf(at: u64) -> Vec<Placed> {
        sweep("leaf", &[0x50, 0x58, 0xc3], at).unwrap()
    }

    fn said(rule: &Stack, code: &[Placed]) -> Result<String, String> {
        judge(rule, code, &Words::default(), 0x400)
    }

    #[test]
    fn frames_and_return_addresses_add_up_along_the_deepest_path() {
        let code = [caller("a", 0x1000, 0x2000), caller("b", 0x2000, 0x3000), leaf(0x3000)].concat();
        let depth = TRAP_FRAME + 2 * (8 + 0x100 + 8) + 8;
        assert!(said(&rule(&["a"], &[]), &code).unwrap().starts_with(&format!("{depth} bytes")));
        assert!(judge(&rule(&["a"], &[]), &code, &Words::default(), depth - 1).is_err());
    }

    #[test]
    fn recursion_and_growing_loops_are_refused() {
        let code = [caller("a", 0x1000, 0x2000), caller("b", 0x2000, 0x1000)].concat();
        assert!(said(&rule(&["a"], &[]), &code).unwrap_err().contains("calls itself"));
        let own = caller("a", 0x1000, 0x1000);
        assert!(said(&rule(&["a"], &[]), &own).unwrap_err().contains("calls itself"));
        let nesting = [("a".to_owned(), 2)].into();
        let listed = Stack { nesting, ..rule(&["a"], &[]) };
        assert!(said(&listed, &own).unwrap().starts_with(&format!("{} bytes", TRAP_FRAME + 2 * (8 + 0x100 + 8))));
        assert!(said(&Stack { roots: vec!["leaf".into()], ..listed }, &leaf(0x1000)).is_ok());
        let growing = sweep("g", &[0x50, 0xeb, 0xfd], 0x1000).unwrap();
        assert!(said(&rule(&["g"], &[]), &growing).unwrap_err().contains("grows in a loop"));
    }

    #[test]
    fn a_pointer_is_followed_only_where_it_is_listed() {
        let code = sweep("p", &[0xff, 0xd0, 0xc3], 0x1000).unwrap();
        assert!(said(&rule(&["p"], &[]), &code).unwrap_err().contains("through a pointer"));
        assert!(said(&rule(&["p"], &["p"]), &code).is_ok());
        let none = leaf(0x1000);
        assert!(said(&rule(&["leaf"], &["leaf"]), &none).unwrap_err().contains("no pointer"));
    }

    #[test]
    fn an_unknown_stack_pointer_is_refused() {
        let code = sweep("m", &[0x48, 0x89, 0xc4, 0xc3], 0x1000).unwrap();
        assert!(said(&rule(&["m"], &[]), &code).unwrap_err().contains("unknown way"));
    }

    #[test]
    fn what_a_computed_jump_may_reach_is_searched() {
        // jmp rax; int3; sub rsp, 0x800; ret
        let code = sweep("j", &[0xff, 0xe0, 0xcc, 0x48, 0x81, 0xec, 0, 8, 0, 0, 0xc3], 0x1000).unwrap();
        assert!(said(&rule(&["j"], &[]), &code).unwrap_err().contains("bytes below j"));
    }
}
