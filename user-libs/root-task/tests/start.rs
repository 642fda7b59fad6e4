//! The root task from a system file to running programs, on a stand-in kernel: what every program finds in its address
//! space and capability space, and what its end looks like on the console.

mod kernel;

use abi::bootinfo::{BootInfo as Page, Header, SlotRegion, UntypedDesc};
use kernel::{CORES, Cap, FIRST_SCHED_CONTROL, Kernel, Script, install};
use manifest::Manifest;
use partition_config::plan::Bell;
use partition_config::{Images, Plan, StubImages, check, need::file_area};
use root_task::console::Console;
use runtime::env::{self, Env};
use runtime::layout::*;
use sel4::BootInfo;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SYSTEM: &str = r#"
[[partition]]
name = "west"
[[partition.program]]
name = "talker"
image = "./talker.elf"
args = ["7", "0x10"]
heap = "5M"
priority = 9
budget = "2ms"
period = "10ms"
files = [{ name = "small", from = "small" }, { name = "input", from = "large" }]
[[partition.program]]
name = "second"
image = "./talker.elf"
files = [{ name = "input", from = "large" }]
[[partition]]
name = "east"
[[partition.program]]
name = "listener"
image = "./talker.elf"
[[channel]]
name = "line"
ends = ["west/talker", "east/listener"]
size = "68K"
[[channel]]
name = "within"
ends = ["west/second", "west/talker"]
access = ["rw", "r"]
"#;

/// Code, and data with a tail of zeroes.
fn program() -> Vec<u8> {
    let mut bytes = vec![0u8; 64 + 2 * 56];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    (bytes[6], bytes[16], bytes[18], bytes[20]) = (1, 2, 62, 1);
    (bytes[32], bytes[52], bytes[54], bytes[56]) = (64, 64, 56, 2);
    bytes[24..32].copy_from_slice(&0x40_0040u64.to_le_bytes());
    for (at, vaddr, byte, size, memory, flags) in
        [(64, 0x40_0000u64, 1u8, 0x1800, 0x1800u64, 5), (120, 0x40_2000, 2, 0x10, 0x3000, 6)]
    {
        let offset = bytes.len() as u64;
        (bytes[at], bytes[at + 4]) = (1, flags);
        for (place, field) in
            bytes[at + 8..at + 48].chunks_exact_mut(8).zip([offset, vaddr, vaddr, size as u64, memory])
        {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes.extend(std::iter::repeat_n(byte, size));
    }
    bytes
}

fn large() -> Vec<u8> {
    (0..(4 << 20) + 5000u32).map(|n| (n >> 4) as u8 ^ n as u8).collect()
}

fn plan() -> Plan {
    let mut images = StubImages::default();
    images.files.insert("./talker.elf".into(), program());
    images.files.insert("small".into(), b"a small file".to_vec());
    images.files.insert("large".into(), large());
    assert!(images.file("large").is_ok());
    check("test", SYSTEM, &images).unwrap_or_else(|report| panic!("{report:?}"))
}

/// Splits a range into naturally aligned powers of two, as the kernel does.
fn pieces(mut base: u64, end: u64) -> Vec<(u64, u32)> {
    let mut found = Vec::new();
    while base < end {
        let bits = base.trailing_zeros().min((end - base).ilog2());
        found.push((base, bits));
        base += 1 << bits;
    }
    found
}

/// One test at a time: the root task's windows are at fixed addresses.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a loader and a kernel would prepare for partition `index`.
fn boot(plan: &Plan, index: usize) -> (Rc<RefCell<Kernel>>, Page, Vec<u8>) {
    let (partition, bytes) = (&plan.partitions[index], plan.partition_manifest(index));
    let manifest = Manifest::decode(&bytes).expect("the check writes sound manifests");
    let mut kernel = Kernel::new();
    let slice = partition.memory[0];
    let (_, area) = file_area(partition.files.iter().map(|file| file.content.len() as u64));
    let align = if area >= 2 << 20 { 2 << 20 } else { 4096 };
    let files_base = (slice.base + 0x10_1000).next_multiple_of(align);
    for (file, record) in partition.files.iter().zip(manifest.files()) {
        kernel.phys_mut(files_base + record.offset, record.size).copy_from_slice(&file.content);
    }
    let free = files_base + area.next_multiple_of(4096);
    kernel.phys_mut(free, slice.base + slice.size - free).fill(0xaa);
    let shared = manifest.channels().iter().filter(|channel| !channel.is_local());
    let mut ranges: Vec<_> = shared.map(|channel| (channel.base, channel.size, 1)).collect();
    ranges.extend([(files_base, area.next_multiple_of(4096), 1), (free, slice.base + slice.size - free, 0)]);

    let mut page = Page::EMPTY;
    let (first, mut count) = (100, 0);
    for (base, size, device) in ranges {
        for (paddr, bits) in pieces(base, base + size) {
            kernel.add_untyped(first + count as u64, paddr, bits, device == 1);
            let is_device = device;
            page.untyped_list[count] = UntypedDesc { paddr, size_bits: bits as u8, is_device, padding: [0; 6] };
            count += 1;
        }
    }
    page.untyped = SlotRegion { start: first, end: first + count as u64 };
    page.empty = SlotRegion { start: first + count as u64, end: 1 << 13 };
    page.schedcontrol = SlotRegion { start: FIRST_SCHED_CONTROL, end: FIRST_SCHED_CONTROL + CORES };
    let mut extra = Vec::new();
    let mut chunk = |id: u64, contents: &[u8]| {
        extra.extend_from_slice(&id.to_le_bytes());
        extra.extend_from_slice(&((size_of::<Header>() + contents.len()) as u64).to_le_bytes());
        extra.extend_from_slice(contents);
    };
    let instance = [0x534b_0002, files_base, area, 5, 2000, slice.base, slice.size].map(u64::to_le_bytes);
    chunk(5, &2000u32.to_le_bytes());
    chunk(0, instance.as_flattened());
    chunk(0, &[&0x534b_0001_u64.to_le_bytes()[..], &bytes].concat());
    (Rc::new(RefCell::new(kernel)), page, extra)
}

/// The startup block of the program in `space`.
fn read_env(kernel: &Kernel, space: usize) -> Env {
    let header = kernel.read(space, ENV_BASE, size_of::<env::Header>() as u64).expect("a startup block");
    let bytes = u64::from(u32::from_le_bytes(header[12..16].try_into().unwrap()));
    let block = kernel.read(space, ENV_BASE, bytes).expect("it fits into a page here");
    let mut words = vec![0u64; block.len().div_ceil(8)];
    zerocopy::IntoBytes::as_mut_bytes(&mut words[..])[..block.len()].copy_from_slice(&block);
    let whole: &'static [u8] = zerocopy::IntoBytes::as_bytes(&*words.leak());
    Env::from_bytes(&whole[..block.len()]).expect("a sound startup block")
}

#[test]
fn every_program_finds_what_the_system_file_says() {
    let _turn = turn();
    let plan = plan();
    let (kernel, page, extra) = boot(&plan, 0);
    install(&kernel);
    let running = root_task::start(&BootInfo::from_parts(&page, &extra)).expect("it starts");
    assert_eq!(running.programs.len(), 2);
    let kernel = kernel.borrow();
    eprintln!("{} system calls", kernel.calls);
    for (index, thread) in kernel.threads.iter().enumerate().skip(1) {
        assert!(thread.running);
        assert_eq!(thread.fault_badge, index as u64);
        let registers = thread.registers;
        assert_eq!((registers.rip, registers.rsp, registers.rdi), (0x40_0040, STACK_TOP, ENV_BASE));
        assert_eq!(registers.fs_base, THREAD_BLOCK_BASE);
        let block = kernel.read(thread.space, THREAD_BLOCK_BASE, 16).unwrap();
        assert_eq!(block, [THREAD_BLOCK_BASE.to_le_bytes(), IPC_BUFFER_BASE.to_le_bytes()].concat());
        assert_eq!(thread.buffer.0, IPC_BUFFER_BASE);
        assert_eq!(kernel.spaces[thread.space].pages[&IPC_BUFFER_BASE].0, thread.buffer.1);

        // The image: read-only code, data, zeroes.
        let rights = |vaddr| kernel.spaces[thread.space].pages[&vaddr].2;
        assert_eq!((rights(0x40_0000), rights(0x40_1000), rights(0x40_2000), rights(0x40_4000)), (2, 2, 3, 3));
        let code = kernel.read(thread.space, 0x40_1000, 4096).unwrap();
        let data = kernel.read(thread.space, 0x40_2000, 4096).unwrap();
        assert!(code.iter().enumerate().all(|(at, byte)| *byte == u8::from(at < 0x800)));
        assert!(data.iter().enumerate().all(|(at, byte)| *byte == if at < 0x10 { 2 } else { 0 }));
        assert_eq!(kernel.read(thread.space, 0x40_4000, 4096).unwrap(), [0; 4096]);
        assert!(kernel.read(thread.space, 0x40_5000, 1).is_none());

        // Stack with guards, heap.
        assert!(kernel.read(thread.space, STACK_TOP - 1, 1).is_some());
        assert!(kernel.read(thread.space, STACK_TOP, 1).is_none());
        let env = read_env(&kernel, thread.space);
        assert_eq!(env.partition(), "west");
        let header = env.header();
        assert_eq!(header.stack_base + header.stack_bytes, STACK_TOP);
        assert!(kernel.read(thread.space, header.stack_base, 4096).is_some());
        assert!(kernel.read(thread.space, header.stack_base - 1, 1).is_none());
        assert!(kernel.read(thread.space, header.heap_base + header.heap_bytes - 1, 1).is_some());
        assert!(kernel.read(thread.space, header.heap_base + header.heap_bytes, 1).is_none());

        // The large file, read-only, through large pages.
        let input = env.files().iter().find(|file| file.name.as_str() == "input").unwrap();
        let mut found = Vec::new();
        while (found.len() as u64) < input.size {
            let bytes = (input.size - found.len() as u64).min(4096);
            found.extend(kernel.read(thread.space, input.base + found.len() as u64, bytes).unwrap());
        }
        assert!(found == large());
        assert_eq!(kernel.spaces[thread.space].pages[&input.base].1, 21);
        assert_eq!(rights(input.base), 2);

        // The fixed capabilities.
        let slots = &kernel.slots[thread.cnode];
        assert_eq!(slots[&slot::TCB], Cap::Thread(index));
        assert_eq!(slots[&slot::ROOT], Cap::Endpoint { badge: index as u64 });
        assert!(matches!(slots[&slot::NOTIFICATION], Cap::Notification { badge: 0, .. }));
    }
}

#[test]
fn channels_and_doorbells_are_where_the_startup_block_says() {
    let _turn = turn();
    let plan = plan();
    let (kernel, page, extra) = boot(&plan, 0);
    install(&kernel);
    root_task::start(&BootInfo::from_parts(&page, &extra)).expect("it starts");
    let kernel = kernel.borrow();
    let (talker, second) = (&kernel.threads[1], &kernel.threads[2]);
    let env = read_env(&kernel, talker.space);
    assert_eq!(env.args().collect::<Vec<_>>(), ["7", "0x10"]);
    assert_eq!((talker.priority, kernel.contexts[talker.context.unwrap()]), (9, (2000, 10_000, 0)));

    let [line, within] = env.channels() else { panic!("two channels") };
    assert_eq!((line.name.as_str(), line.size, line.access, line.side), ("line", 68 << 10, 3, 0));
    assert_eq!((within.name.as_str(), within.access, within.side), ("within", 1, 1));
    let memory = plan.channels[0].memory;
    for offset in (0..memory.size).step_by(4096) {
        let (start, page) = kernel.spaces[talker.space].pages.range(..=line.base + offset).next_back().unwrap();
        assert_eq!((page.0 + line.base + offset - start, page.2), (memory.base + offset, 3));
    }
    assert!(kernel.read(talker.space, line.base + memory.size, 1).is_none());
    assert_eq!(kernel.slots[talker.cnode][&line.doorbell.into()], Cap::Doorbell { route: 0 });
    let Cap::Notification { id, .. } = kernel.slots[talker.cnode][&slot::NOTIFICATION] else { panic!() };
    let heard = plan.heard_by(&plan.channels[0], 0).and_then(Bell::doorbell).unwrap();
    assert!(kernel.handlers.contains(&(heard.vector.into(), Some((id, 1 << line.badge_bit)))));

    // A channel within the partition: the same frames in both programs, with the rights of each end.
    let other = read_env(&kernel, second.space).channels()[0];
    let frame = |space: usize, base: u64| kernel.spaces[space].pages[&base];
    let (ours, theirs) = (frame(talker.space, within.base), frame(second.space, other.base));
    assert_eq!((ours.0, ours.2, theirs.2), (theirs.0, 2, 3));
    signals(&kernel, (1, within), (2, &other));
    signals(&kernel, (2, &other), (1, within));
}

/// What thread `from` rings for its channel end is the notification of thread `to`, with the bit of the other end.
#[track_caller]
fn signals(kernel: &Kernel, (from, ours): (usize, &env::Channel), (to, theirs): (usize, &env::Channel)) {
    let Cap::Notification { id, badge: 0 } = kernel.slots[kernel.threads[to].cnode][&slot::NOTIFICATION] else {
        panic!("thread {to} has no notification")
    };
    let rung = &kernel.slots[kernel.threads[from].cnode][&ours.doorbell.into()];
    assert_eq!(*rung, Cap::Notification { id, badge: 1 << theirs.badge_bit });
}

#[test]
fn a_merged_system_is_built_by_one_root_task_and_its_programs_cannot_tell() {
    let _turn = turn();
    let plan = plan().merged(1, &StubImages::default()).expect("two partitions become one");
    let (kernel, page, extra) = boot(&plan, 0);
    install(&kernel);
    let running = root_task::start(&BootInfo::from_parts(&page, &extra)).expect("it starts");
    let names: Vec<_> = running.programs.iter().map(|program| program.name.as_str().to_owned()).collect();
    assert_eq!(names, ["west/talker", "west/second", "east/listener"]);
    let kernel = kernel.borrow();
    let envs: Vec<_> = kernel.threads[1..].iter().map(|thread| read_env(&kernel, thread.space)).collect();
    let told: Vec<_> = envs.iter().map(|env| (env.partition(), env.program())).collect();
    assert_eq!(told, [("west", "talker"), ("west", "second"), ("east", "listener")]);
    let cores: Vec<_> = kernel.threads[1..].iter().map(|thread| kernel.contexts[thread.context.unwrap()].2).collect();
    assert_eq!(cores, [0, 0, 1], "each program on the core that its partition had");
    assert!(kernel.handlers.is_empty(), "nobody hears a doorbell");
    let (ours, theirs) = (envs[0].channels()[0], envs[2].channels()[0]);
    assert_eq!((ours.name, ours.size), (theirs.name, theirs.size));
    for offset in (0..ours.size).step_by(4096) {
        let frame = |thread: usize, base: u64| kernel.spaces[kernel.threads[thread].space].pages[&(base + offset)];
        assert_eq!(frame(1, ours.base), frame(3, theirs.base), "the same memory at both ends");
    }
    assert_eq!(kernel.read(kernel.threads[1].space, ours.base, 4096).unwrap(), [0; 4096]);
    signals(&kernel, (1, &ours), (3, &theirs));
    signals(&kernel, (3, &theirs), (1, &ours));
}

thread_local! {
    static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn output_faults_and_exits_reach_the_console() {
    let _turn = turn();
    let plan = plan();
    let (kernel, page, extra) = boot(&plan, 0);
    let text = b"two words and a\x1e line that goes on beyond the registers\n";
    let mut words = vec![text.len() as u64];
    words.extend(text.chunks(8).map(|chunk| chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))));
    kernel.borrow_mut().script.extend([
        Script { badge: 2, label: label::PRINT, words },
        Script { badge: 2, label: 6, words: vec![0x40_0123, 0xdead_beef, 0, 6] },
        Script { badge: 77, label: label::EXIT, words: vec![0] },
        Script { badge: 1, label: label::EXIT, words: vec![3] },
    ]);
    install(&kernel);
    let ended = std::panic::catch_unwind(|| {
        let mut console = Console::new(|byte| OUT.with_borrow_mut(|out| out.push(byte)));
        root_task::run(&BootInfo::from_parts(&page, &extra), &mut console)
    });
    assert!(ended.is_err(), "the script ends in a panic of the stand-in");
    let out = OUT.with_borrow(|out| String::from_utf8(out.clone()).unwrap());
    let (ready, rest) = out.split_once('\n').unwrap();
    assert!(ready.starts_with("\x1eready ") && ready.ends_with(" 2000"), "{ready:?}");
    assert_eq!(
        rest,
        "two words and a? line that goes on beyond the registers\n\
         second: write of 0xdeadbeef failed at 0x400123 (code 0x6)\n\
         \x1eexit second 139\n\x1eexit talker 3\n\x1edone 139\n"
    );
    let kernel = kernel.borrow();
    assert_eq!(kernel.answered, [false, true, false, false, false]);
    assert!(!kernel.threads[1].running && !kernel.threads[2].running);
}

#[test]
fn a_partition_without_enough_memory_says_so() {
    let _turn = turn();
    let plan = plan();
    let (kernel, mut page, extra) = boot(&plan, 0);
    let count = page.untyped.len() as usize;
    let ordinary = page.untyped_list[..count].iter_mut().filter(|desc| desc.is_device == 0 && desc.size_bits > 16);
    ordinary.for_each(|desc| desc.size_bits = 12);
    install(&kernel);
    let error = root_task::start(&BootInfo::from_parts(&page, &extra)).err().expect("it does not start");
    assert!(error.program.is_some());
    assert!(error.error.to_string().contains("give it more memory"), "{}", error.error);
}
