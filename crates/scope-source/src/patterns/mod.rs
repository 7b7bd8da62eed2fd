//! Patterns.
macro_rules! builtin {
    [$language:literal: $($name:literal),* $(,)?] => { [] };
}
pub(crate) use builtin;
