//! A thread's registers, as messages about threads carry them. Tests: `tests/marshalling.rs`.

use abi::register::CONTEXT_WORDS;

/// Declares the registers, in message order.
macro_rules! context {
    ($($register:ident)+) => {
        /// A thread's registers, as `TCBReadRegisters` and `TCBWriteRegisters` move them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[repr(C)]
        #[allow(missing_docs)]
        pub struct UserContext {
            $(pub $register: u64,)+
        }

        impl UserContext {
            /// The registers in message order.
            pub const fn to_words(self) -> [u64; CONTEXT_WORDS] {
                [$(self.$register),+]
            }

            /// The context whose registers in message order are `words`.
            pub const fn from_words(words: [u64; CONTEXT_WORDS]) -> Self {
                let [$($register),+] = words;
                Self { $($register),+ }
            }
        }
    };
}

context! { rip rsp rflags rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15 fs_base gs_base }
