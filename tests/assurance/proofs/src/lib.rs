//! What is proved of the kernel's layers *for all values*: one harness for each obligation of class P.
//!
//! A harness draws values ([`any`]), states what it assumes of them ([`assume`]) and checks what must follow ([`check`]);
//! arithmetic that overflows and code that panics are violations too. The same functions run in two ways:
//!
//! * compiled to WebAssembly, from there to C, and given to a bounded model checker, which answers for every value
//!   (`cargo xtask assure`; `any`, `assume` and `check` are its own then);
//! * on the host with pseudo-random values, as this crate's tests: a harness that does not even hold there is wrong.
//!
//! Only crates that forbid `unsafe` are worth checking so: the model checker sees one linear memory and no pointer errors.
//! May not change anything, knows no kernel state.
#![cfg_attr(target_os = "none", no_std)]

mod draw;

mod message;
mod places;
mod route;
mod words;

pub use draw::{any, assume, check};

/// Exports each harness by its name, and lists all of them.
macro_rules! harnesses {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        /// Every harness: its name, and how to run it.
        pub const ALL: &[(&str, fn())] = &[$((stringify!($name), $module::$name)),+];
        $(
            /// See the function of the same name in its module.
            // SAFETY: no other symbol of the linked image has this prefix.
            #[unsafe(export_name = concat!("prove_", stringify!($name)))]
            pub extern "C" fn $name() {
                $module::$name();
            }
        )+
    };
}

harnesses!(
    words::fields_are_independent,
    words::masks_never_grow,
    words::badges_and_guards,
    words::derived_is_no_more,
    words::regions_are_intervals,
    places::ranges_are_intervals,
    places::objects_are_placed_behind_what_is_used,
    places::one_step_of_lookup,
    route::commands_are_bounded,
    message::infos_pack,
);

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    check(false);
    loop {}
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_harness_holds_for_sampled_values() {
        for (name, harness) in super::ALL {
            let runs = (0..20_000).filter(|seed| super::draw::sample(*seed, *harness)).count();
            assert!(runs > 100, "{name}: its assumptions let {runs} of 20000 samples through");
        }
    }
}
