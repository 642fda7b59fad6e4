//! Which register carries what across a system call, and the order of registers in a user context.
//!
//! | register | in | out |
//! |---|---|---|
//! | `rdx` | system call number | kept |
//! | `rdi` | capability to invoke or receive from (combined calls: to receive from) | badge of the sender |
//! | `rsi` | message info | message info |
//! | `r10 r8 r9 r15` | message words 0 to 3 | message words 0 to 3 |
//! | `r12` | reply capability of `Recv`, `NBRecv`, `ReplyRecv`, `NBSendRecv`; what `NBSendWait` sends to | kept |
//! | `r13` | what `NBSendRecv` sends to | kept |
//! | `rcx r11` | destroyed by `syscall` | destroyed |
//!
//! `ReplyRecv` sends its answer through whatever capability `r12` names, as a send that cannot block.
//!
//! Every other register keeps its value. Tests: `tests/numbers.rs`.

use UserRegister::*;

words! {
    /// A register of a thread, numbered by its place in a user context.
    UserRegister: u64, from_index {
        /// Instruction pointer.
        Rip = 0,
        /// Stack pointer.
        Rsp = 1,
        /// Flags.
        Rflags = 2,
        /// General.
        Rax = 3,
        /// General.
        Rbx = 4,
        /// General; destroyed by `syscall`.
        Rcx = 5,
        /// General; system call number.
        Rdx = 6,
        /// General; message info.
        Rsi = 7,
        /// General; capability in, badge out.
        Rdi = 8,
        /// General.
        Rbp = 9,
        /// General; message word 1.
        R8 = 10,
        /// General; message word 2.
        R9 = 11,
        /// General; message word 0.
        R10 = 12,
        /// General; destroyed by `syscall`.
        R11 = 13,
        /// General; reply capability, or what `NBSendWait` sends to.
        R12 = 14,
        /// General; what `NBSendRecv` sends to.
        R13 = 15,
        /// General.
        R14 = 16,
        /// General; message word 3.
        R15 = 17,
        /// Base of `fs`: thread-local storage.
        FsBase = 18,
        /// Base of `gs`.
        GsBase = 19,
    }
}

/// Registers of a user context.
pub const CONTEXT_WORDS: usize = 20;
/// The first of them that `TCBCopyRegisters` counts as frame registers; the others are integer registers.
pub const FRAME_REGISTERS: usize = 18;

/// Carries the system call number.
pub const SYSCALL: UserRegister = Rdx;
/// Carries the capability pointer in.
pub const CAPABILITY: UserRegister = Rdi;
/// Carries the sender's badge out.
pub const BADGE: UserRegister = Rdi;
/// Carries the message info in and out.
pub const MESSAGE_INFO: UserRegister = Rsi;
/// Carry the first message words in and out.
pub const MESSAGE: [UserRegister; crate::message::FAST_REGISTERS] = [R10, R8, R9, R15];
/// Carries the reply capability in; for `NBSendWait`, the capability to send to.
pub const REPLY: UserRegister = R12;
/// Carries the capability that `NBSendRecv` sends to.
pub const NB_SEND_RECV_DEST: UserRegister = R13;

/// A thread's registers, as `TCBReadRegisters` and `TCBWriteRegisters` move them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct UserContext {
    pub rip: u64,
    pub rsp: u64,
    pub rflags: u64,
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub fs_base: u64,
    pub gs_base: u64,
}

const _: () = assert!(size_of::<UserContext>() == CONTEXT_WORDS * 8);

impl UserContext {
    /// The registers in message order.
    pub const fn to_words(self) -> [u64; CONTEXT_WORDS] {
        [
            self.rip,
            self.rsp,
            self.rflags,
            self.rax,
            self.rbx,
            self.rcx,
            self.rdx,
            self.rsi,
            self.rdi,
            self.rbp,
            self.r8,
            self.r9,
            self.r10,
            self.r11,
            self.r12,
            self.r13,
            self.r14,
            self.r15,
            self.fs_base,
            self.gs_base,
        ]
    }

    /// The context whose registers in message order are `words`.
    pub const fn from_words(words: [u64; CONTEXT_WORDS]) -> Self {
        let [
            rip,
            rsp,
            rflags,
            rax,
            rbx,
            rcx,
            rdx,
            rsi,
            rdi,
            rbp,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            fs_base,
            gs_base,
        ] = words;
        Self {
            rip,
            rsp,
            rflags,
            rax,
            rbx,
            rcx,
            rdx,
            rsi,
            rdi,
            rbp,
            r8,
            r9,
            r10,
            r11,
            r12,
            r13,
            r14,
            r15,
            fs_base,
            gs_base,
        }
    }
}

/// The value a register really takes when a user program asks for `value`: addresses become canonical (0 if they are
/// not), flags keep only what a user program may change.
#[inline]
pub const fn sanitise(register: UserRegister, value: u64) -> u64 {
    match register {
        Rip | FsBase | GsBase if value > 0x0000_7fff_ffff_ffff && value < 0xffff_8000_0000_0000 => 0,
        Rflags => (value & RFLAGS_USER) | RFLAGS_SET,
        _ => value,
    }
}

/// Flags a user program may change: carry, parity, adjust, zero, sign, trap, direction, overflow.
pub const RFLAGS_USER: u64 = 0xdd5;
/// Flags that are always set: bit 1 and the interrupt enable.
pub const RFLAGS_SET: u64 = 0x202;
