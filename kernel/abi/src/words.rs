//! The one macro of this crate: an enumeration whose numbers are part of the binary interface.

/// Declares an enumeration of fixed words, with the checked way back (`$from`), its name, and the list of all of them.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident: $word:ident, $from:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $number:expr),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($word)]
        pub enum $name { $($(#[$variant_meta])* $variant = $number),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value with this number, if there is one.
            #[inline]
            #[allow(non_upper_case_globals, reason = "named as what they are the numbers of")]
            pub const fn $from(word: $word) -> Option<Self> {
                $(const $variant: $word = $number;)+
                match word {
                    $($variant => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The number.
            #[inline]
            pub const fn word(self) -> $word {
                self as $word
            }

            /// The name, as in the seL4 API reference.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }
        }
    };
}
