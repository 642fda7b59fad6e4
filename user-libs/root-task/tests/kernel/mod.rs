//! A stand-in kernel for the root task: capabilities, untyped memory, address spaces and threads as far as a root task
//! can tell the difference, over real memory. It refuses what seL4 would refuse.
//!
//! Physical memory is a memory file; what the root task maps into its own address space is mapped into this process at
//! the same address, so that the root task's windows work.

mod objects;

pub use objects::{CORES, Cap, FIRST_SCHED_CONTROL, Kernel, Script};

use abi::invocation::Invocation;
use sel4::MessageInfo;
use sel4::host::Frame;
use sel4::sys::Answer;
use std::cell::RefCell;
use std::rc::Rc;

/// Makes `kernel` answer this thread's system calls.
pub fn install(kernel: &Rc<RefCell<Kernel>>) {
    let kernel = Rc::clone(kernel);
    sel4::host::set_kernel(move |frame, buffer| {
        let mut kernel = kernel.borrow_mut();
        use abi::syscall::Syscall::*;
        match frame.number {
            Call => kernel.call(frame, buffer),
            Recv | ReplyRecv => kernel.receive(frame, buffer),
            DebugNameThread => Answer::default(),
            other => panic!("the root task has no business with {other:?}"),
        }
    });
}

impl Kernel {
    fn call(&mut self, frame: Frame, buffer: &sel4::IpcBuffer) -> Answer {
        let info = MessageInfo::from_word(frame.info);
        let label = Invocation::from_label(info.label()).expect("a label of the API");
        let words: Vec<u64> =
            (0..info.length()).map(|index| frame.words.get(index).copied().unwrap_or(buffer.message[index])).collect();
        let caps = &buffer.caps_or_badges[..info.extra_caps()];
        let outcome = self.invoke(label, frame.capability, caps, &words);
        self.calls += 1;
        match outcome {
            Ok(()) => Answer::default(),
            Err(error) => {
                let label = error.label();
                Answer { info: MessageInfo::new(label, 0, 0, 0).word(), ..Answer::default() }
            }
        }
    }

    fn receive(&mut self, frame: Frame, buffer: &mut sel4::IpcBuffer) -> Answer {
        assert!(matches!(self.slots[0].get(&frame.capability), Some(Cap::Endpoint { badge: 0 })), "receives elsewhere");
        let reply = frame.reply.expect("receives with a reply object");
        assert!(matches!(self.slots[0].get(&reply), Some(Cap::Other("reply"))), "the reply object is none");
        self.answered.push(frame.number == abi::syscall::Syscall::ReplyRecv);
        let message = self.script.pop_front().expect("end of the script");
        let mut words = [0; 4];
        for (index, word) in message.words.iter().enumerate() {
            match words.get_mut(index) {
                Some(register) => *register = *word,
                None => buffer.message[index] = *word,
            }
        }
        let info = MessageInfo::new(message.label, 0, 0, message.words.len() as u64).word();
        Answer { badge: message.badge, info, words }
    }
}
