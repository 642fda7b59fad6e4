//! Whatever a program's startup block says, reading it stays inside.

use runtime::Env;

/// Reads the block at the start of `bytes`.
pub fn run(bytes: &[u8]) {
    let mut words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    // What every block begins with is not worth finding.
    if let Some(first) = words.first_mut() {
        *first = runtime::env::MAGIC;
    }
    let block = zerocopy::IntoBytes::as_bytes(words.as_slice());
    // SAFETY: nothing that is read from it leaves this function, at whose end the words are freed.
    let block: &'static [u8] = unsafe { std::mem::transmute(block) };
    let Ok(env) = Env::from_bytes(block) else { return };
    let tables = [
        size_of_val(env.channels()),
        size_of_val(env.files()),
        size_of_val(env.devices()),
        size_of_val(env.ports()),
        size_of_val(env.irqs()),
    ];
    assert!(tables.iter().all(|bytes| *bytes <= block.len()));
    assert!(env.args().map(|argument| argument.len()).sum::<usize>() <= block.len());
    let _ = (env.program().len(), env.partition().len(), env.number(0), env.tsc_mhz());
}
