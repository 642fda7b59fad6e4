//! What a user may put into a register, at the edges that random words never meet.

use abi::register::UserRegister;
use machine::{Context, Register};
use thread::registers::{canonical, place, write_user};

#[test]
fn the_first_and_last_canonical_addresses_are_kept_and_their_neighbours_are_not() {
    for kept in [0, 0x7fff_ffff_ffff, 0xffff_8000_0000_0000, u64::MAX] {
        assert_eq!(canonical(kept), kept);
    }
    for refused in [0x8000_0000_0000, 0xffff_7fff_ffff_ffff] {
        assert_eq!(canonical(refused), 0);
    }
}

#[test]
fn every_register_goes_to_a_place_of_its_own_and_only_addresses_and_flags_are_looked_at() {
    let word = 0x8000_0000_f0f0 | 1 << 20;
    for &register in UserRegister::ALL {
        let context = Context::new();
        write_user(&context, register, word);
        let expected = match register {
            UserRegister::Rip | UserRegister::FsBase | UserRegister::GsBase => 0,
            UserRegister::Rflags => word & 0xdd5 | 0x202,
            _ => word,
        };
        assert_eq!(context.get(place(register)), expected, "{register:?}");
        let others = UserRegister::ALL.iter().copied().filter(|other| *other != register);
        assert!(others.map(place).all(|other| context.get(other) == 0), "{register:?}");
        assert_eq!(context.get(Register::Cs), 0);
    }
}
