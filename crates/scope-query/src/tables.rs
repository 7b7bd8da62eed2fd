//! The tables, one module each. A new one is a module here that implements [`Table`], or [`Small`] where
//! it is small, or [`Watch`] where its rows begin and end with events, and a line in [`all`].
//!
//! [`Small`]: crate::provider::Small
//! [`Watch`]: crate::walk::Watch

pub(crate) mod bookmarks;
pub(crate) mod calls;
pub(crate) mod code;
pub(crate) mod events;
pub(crate) mod functions;
pub(crate) mod gaps;
pub(crate) mod modules;
pub(crate) mod slices;
pub(crate) mod syscalls;
pub(crate) mod threads;
pub(crate) mod wakeups;

use std::sync::Arc;

use crate::provider::Table;
use crate::walk::Walked;

/// All tables, in the order in which they are listed.
pub(crate) fn all() -> Vec<Arc<dyn Table>> {
    vec![
        Arc::new(calls::Calls::default()),
        Arc::new(events::Events),
        Arc::new(Walked::<slices::Slices>::default()),
        Arc::new(Walked::<syscalls::Syscalls>::default()),
        Arc::new(Walked::<wakeups::Wakeups>::default()),
        Arc::new(threads::Threads),
        Arc::new(gaps::Gaps),
        Arc::new(functions::Functions),
        Arc::new(modules::Modules),
        Arc::new(code::BySource(code::nodes::Nodes)),
        Arc::new(code::BySource(code::cfg_edges::CfgEdges)),
        Arc::new(code::BySource(code::dfg_edges::DfgEdges)),
        Arc::new(code::call_edges::CallEdges),
        Arc::new(code::BySource(code::patterns::Patterns)),
        Arc::new(code::lines::Lines),
        Arc::new(bookmarks::Bookmarks),
    ]
}
