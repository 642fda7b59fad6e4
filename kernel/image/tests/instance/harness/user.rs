//! Acting as user mode: registers in, system call, registers out.

use super::{Bytes, System};
use abi::error::Error;
use abi::invocation::Invocation;
use abi::message::MessageInfo;
use abi::syscall::Syscall;
use capability::{Cap, FrameSize, Kind};
use machine::Register;
use machine::model::PendingInterrupt;
use memory::{Phys, Ref};
use thread::{Tcb, TcbSlot};

/// Registers of message words 0 to 3.
pub const WORDS: [Register; 4] = [Register::R10, Register::R8, Register::R9, Register::R15];

/// What a thread got: badge, message info, words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub badge: u64,
    pub label: u64,
    pub unwrapped: u64,
    pub caps: usize,
    pub words: Vec<u64>,
}

impl Answer {
    /// The words of a success.
    #[track_caller]
    pub fn ok(self) -> Vec<u64> {
        assert_eq!(self.label, 0, "refused: {:?} {:?}", Error::from_label(self.label), self.words);
        self.words
    }

    /// The error of a refusal.
    #[track_caller]
    pub fn error(&self) -> Error {
        match Error::from_label(self.label) {
            Some(error) if self.label != 0 => error,
            _ => panic!("not refused: {self:?}"),
        }
    }

    /// The error and its words.
    #[track_caller]
    pub fn refusal(&self) -> (Error, &[u64]) {
        (self.error(), &self.words)
    }
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub cap: u64,
    pub label: u64,
    pub words: &'a [u64],
    pub caps: &'a [u64],
}

impl System {
    /// The IPC buffer of `thread` as its words, if it has one.
    pub fn buffer_of(&self, thread: Ref<Tcb>) -> Option<Ref<Bytes>> {
        let frame = thread.cap(TcbSlot::Buffer);
        if frame.kind() != Kind::Frame || frame.is_device() {
            return None;
        }
        let bits = FrameSize::bits(frame.frame_size());
        Some(Ref::at(Phys(frame.phys().0 + (thread.ipc_buffer.get() & ((1 << bits) - 1)))))
    }

    /// The capability at `cptr` of the root CNode.
    pub fn cap(&self, cptr: u64) -> Cap {
        self.slot(cptr).cap()
    }

    /// Puts a message where the running thread sends it from.
    pub fn load(&self, call: &Call<'_>) {
        let thread = self.current();
        let context = &thread.context;
        let info = MessageInfo::new(call.label, 0, call.caps.len() as u64, call.words.len() as u64);
        context.set(Register::Rsi, info.word());
        for (&word, register) in call.words.iter().zip(WORDS) {
            context.set(register, word);
        }
        if let Some(buffer) = self.buffer_of(thread) {
            for (index, &word) in call.words.iter().enumerate().skip(4) {
                buffer.set(1 + index, word);
            }
            for (index, &cap) in call.caps.iter().enumerate() {
                buffer.set(122 + index, cap);
            }
        } else {
            assert!(call.words.len() <= 4 && call.caps.is_empty(), "this message needs a buffer");
        }
    }

    /// The running thread executes system call `number`; whatever else it needs is in its registers. Says whether the
    /// call is over or will be repeated.
    pub fn raw(&self, number: i64) -> Ended {
        let thread = self.current();
        assert!(!self.is_idle(), "the idle thread makes no system calls");
        let context = &thread.context;
        let at = context.next_pc();
        context.set(Register::Rdx, number as u64);
        context.enter_by_syscall(at.wrapping_add(2));
        if self.slow.get() {
            self.here().slow_syscall();
        } else {
            self.here().syscall();
        }
        self.audit();
        if self.current() == thread && context.next_pc() == at { Ended::Repeats } else { Ended::Over }
    }

    /// As [`raw`](Self::raw), repeated as long as the kernel wants it, letting interrupts in between.
    pub fn enter(&self, number: Syscall) {
        for _ in 0..1_000_000 {
            if self.raw(number as i64) == Ended::Over {
                return;
            }
            if self.machine().pending_interrupt() {
                self.machine().set_pending_interrupt(PendingInterrupt::None);
                self.interrupt(ipi::TIMER);
            }
        }
        panic!("the system call never ends");
    }

    /// What the system call left in the registers and buffer of `thread`.
    pub fn answer_of(&self, thread: Ref<Tcb>) -> Answer {
        let context = &thread.context;
        let info = MessageInfo::from_word(context.get(Register::Rsi));
        let buffer = self.buffer_of(thread);
        let word = |index: usize| match WORDS.get(index) {
            Some(&register) => context.get(register),
            None => buffer.map_or(0, |buffer| buffer.get(1 + index)),
        };
        Answer {
            badge: context.get(Register::Rdi),
            label: info.label(),
            unwrapped: info.caps_unwrapped(),
            caps: info.extra_caps(),
            words: (0..info.length()).map(word).collect(),
        }
    }

    /// The running thread sends `call` with system call `number`, the capability in `rdi`.
    pub fn send(&self, number: Syscall, call: Call<'_>) {
        self.load(&call);
        self.current().context.set(Register::Rdi, call.cap);
        self.enter(number);
    }

    /// The running thread invokes `cap` and goes on with the kernel's answer.
    #[track_caller]
    pub fn invoke(&self, cap: u64, what: Invocation, words: &[u64], caps: &[u64]) -> Answer {
        self.invoke_label(cap, what as u64, words, caps)
    }

    /// As [`invoke`](Self::invoke), with any label.
    #[track_caller]
    pub fn invoke_label(&self, cap: u64, label: u64, words: &[u64], caps: &[u64]) -> Answer {
        let thread = self.current();
        self.send(Syscall::Call, Call { cap, label, words, caps });
        self.answer_of(thread)
    }

    /// The running thread calls `cap` with words and waits for an answer.
    pub fn call(&self, cap: u64, words: &[u64]) {
        self.send(Syscall::Call, Call { cap, label: 0, words, caps: &[] });
    }

    /// The running thread receives from `cap`, offering `reply`.
    pub fn recv(&self, cap: u64, reply: u64) {
        self.receive(Syscall::Recv, cap, reply);
    }

    /// The running thread receives with system call `number`.
    pub fn receive(&self, number: Syscall, cap: u64, reply: u64) {
        let context = &self.current().context;
        context.set(Register::Rdi, cap);
        context.set(Register::R12, reply);
        self.enter(number);
    }

    /// The running thread answers through `reply` and receives from `cap`.
    pub fn reply_recv(&self, cap: u64, reply: u64, words: &[u64]) {
        self.load(&Call { cap, label: 0, words, caps: &[] });
        self.receive(Syscall::ReplyRecv, cap, reply);
    }

    /// The running thread signals `cap`.
    pub fn signal(&self, cap: u64) {
        self.send(Syscall::Send, Call { cap, label: 0, words: &[], caps: &[] });
    }

    /// The running thread waits on `cap` without a reply object.
    pub fn wait(&self, cap: u64) {
        self.receive(Syscall::Wait, cap, 0);
    }
}

/// How a system call left its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It goes on behind the call, or somebody else runs.
    Over,
    /// It executes the same instruction again.
    Repeats,
}
