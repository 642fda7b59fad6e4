//! Which register carries what across a system call, and the order of registers in messages about threads.
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
/// Flags that are always set: bit 1 and the interrupt enable.
pub const RFLAGS_SET: u64 = 0x202;
