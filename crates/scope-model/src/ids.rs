//! Identifiers. All are plain numbers with a type of their own, so that one is never passed for
//! another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A probed function: its index in the trace's function table, and its attach cookie.
    FunctionId
);
id!(
    /// A mapped file of the target: its index in the trace's module table.
    ModuleId
);
id!(
    /// A process (thread group), as the initial pid namespace numbers it.
    Pid
);
id!(
    /// A thread, as the initial pid namespace numbers it.
    Tid
);

impl FunctionId {
    /// The id as an index into a function table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
