//! The crate's tests, a file a feature.

mod control_flow;
mod data_flow;
mod lookup;
mod node_ids;
